"""Three problems of higher difficulty from NIST's Statistical Reference Datasets for nonlinear regression.

Data and certified values are in the public domain. Two parameters of each become scan axes, the others are profiled;
the data get the certified residual standard deviation, so that χ² at the certified parameters counts the degrees of
freedom.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from hpcscan.model import Parameter
from hpcscan.model.problem import Observable, Problem


class NistProblem(Problem):
    """y = curve(x, b), with b split into scan axes and profiled parameters by `scanned`."""

    data: tuple[list[float], list[float]]
    certified: tuple[float, ...]
    rss: float
    scanned: tuple[int, int]
    ranges: Mapping[int, tuple[float, float]]

    def __init__(self) -> None:
        self.x, y = map(np.array, self.data)
        sigma = np.sqrt(self.rss / (len(y) - len(self.certified)))
        self.axes = tuple(Parameter(f"b{k + 1}") for k in self.scanned)
        self.profiled = [k for k in range(len(self.certified)) if k not in self.scanned]
        self.parameters = tuple(Parameter(f"b{k + 1}", start=self.ranges[k]) for k in self.profiled)
        self.observables = tuple(Observable(f"y{i}", value, sigma) for i, value in enumerate(y))

    @property
    def certified_point(self) -> np.ndarray:
        return np.array([[self.certified[k] for k in self.scanned]])

    @property
    def certified_chi2(self) -> float:
        return len(self.x) - len(self.certified)

    def predict(self, points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        b = np.empty((len(self.certified), len(points), 1))
        b[list(self.scanned), :, 0] = points.T
        b[self.profiled, :, 0] = parameters.T
        return self.curve(self.x, b)

    @abstractmethod
    def curve(self, x: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Compute y for b of shape (n_parameters, n, 1)."""


# fmt: off
class MGH09(NistProblem):
    """Kowalik and Osborne 1978."""

    data = (
        [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625],
        [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246],
    )
    certified = (1.9280693458e-01, 1.9128232873e-01, 1.2305650693e-01, 1.3606233068e-01)
    rss = 3.0750560385e-04
    scanned = (2, 3)
    ranges = MappingProxyType({0: (0.1, 25.0), 1: (0.1, 40.0)})

    def curve(self, x, b):
        return b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3])


class MGH17(NistProblem):
    """Osborne 1972: two exponentials."""

    data = (
        [10.0 * i for i in range(33)],
        [0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603,
         0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411,
         0.406],
    )
    certified = (3.7541005211e-01, 1.9358469127e+00, -1.4646871366e+00, 1.2867534640e-02, 2.2122699662e-02)
    rss = 5.4648946975e-05
    scanned = (0, 3)
    ranges = MappingProxyType({1: (0.5, 3.0), 2: (-3.0, -0.5), 4: (0.005, 0.05)})

    def curve(self, x, b):
        return b[0] + b[1] * np.exp(-x * b[3]) + b[2] * np.exp(-x * b[4])


class Thurber(NistProblem):
    """Thurber 1979: a rational function of seven parameters."""

    data = (
        [-3.067, -2.981, -2.921, -2.912, -2.840, -2.797, -2.702, -2.699, -2.633, -2.481, -2.363, -2.322, -1.501, -1.460,
         -1.274, -1.212, -1.100, -1.046, -0.915, -0.714, -0.566, -0.545, -0.400, -0.309, -0.109, -0.103, 0.010, 0.119,
         0.377, 0.790, 0.963, 1.006, 1.115, 1.572, 1.841, 2.047, 2.200],
        [80.574, 84.248, 87.264, 87.195, 89.076, 89.608, 89.868, 90.101, 92.405, 95.854, 100.696, 101.060, 401.672,
         390.724, 567.534, 635.316, 733.054, 759.087, 894.206, 990.785, 1090.109, 1080.914, 1122.643, 1178.351,
         1260.531, 1273.514, 1288.339, 1327.543, 1353.863, 1414.509, 1425.208, 1421.384, 1442.962, 1464.350, 1468.705,
         1447.894, 1457.628],
    )
    certified = (1.2881396800e+03, 1.4910792535e+03, 5.8323836877e+02, 7.5416644291e+01, 9.6629502864e-01,
                 3.9797285797e-01, 4.9727297349e-02)
    rss = 5.6427082397e+03
    scanned = (4, 6)
    ranges = MappingProxyType(
        {0: (1000.0, 1500.0), 1: (1000.0, 2000.0), 2: (400.0, 700.0), 3: (40.0, 100.0), 5: (0.2, 0.6)}
    )

    def curve(self, x, b):
        return (b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3) / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3)
# fmt: on
