"""Twenty problems of nonlinear least squares: from NIST's reference datasets and from Moré, Garbow and Hillstrom.

J. J. Moré, B. S. Garbow, K. E. Hillstrom, ACM Trans. Math. Software 7, 17 (1981); https://www.itl.nist.gov/div898/strd.
Residuals are the observables, with data in units of σ. One dummy axis, on which nothing depends, makes points of equal
problems with starts of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array
from hpcscan.model import Parameter
from hpcscan.model.problem import Observable, Problem

Residuals = Callable[[Array], Array]


class Residual(Problem):
    """Σ r(x)² for residuals of shape (n, m) from parameters of shape (p, n, 1)."""

    axes = (Parameter("number"),)

    def __init__(self, name: str, residuals: Residuals, ranges: list[tuple[float, float]], *, is_bounded: bool) -> None:
        self.name, self.residuals = name, residuals
        bounds = ranges if is_bounded else [(-np.inf, np.inf)] * len(ranges)
        pairs = enumerate(zip(bounds, ranges, strict=True))
        self.parameters = tuple(Parameter(f"x{j}", *ends, start=start) for j, (ends, start) in pairs)
        x = np.array([np.mean(ends) for ends in ranges])[:, None, None]
        self.m = residuals(x).shape[1]
        self.observables = tuple(Observable(f"r{i}", 0.0, 1.0) for i in range(self.m))

    def predict(self, points: Array, parameters: Array) -> Array:
        with np.errstate(all="ignore"):
            return self.residuals(np.ascontiguousarray(parameters.T)[:, :, None])


def _stacked(*parts: Array) -> Array:
    return np.concatenate([np.broadcast_to(part, (len(parts[0]), 1)) for part in parts], axis=1)


def _curve(x: list[float], y: list[float], sigma: float, curve: Callable[..., Array]) -> Residuals:
    abscissa, data = np.array(x), np.array(y)
    return lambda b: (curve(abscissa, *b) - data) / sigma


def _rosenbrock(x: Array) -> Array:
    return _stacked(10 * (x[1] - x[0] ** 2), 1 - x[0])


def _freudenstein(x: Array) -> Array:
    return _stacked(
        -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1], -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1]
    )  # fmt: skip


def _beale(x: Array) -> Array:
    return _stacked(*(y - x[0] * (1 - x[1] ** i) for i, y in ((1, 1.5), (2, 2.25), (3, 2.625))))


def _jennrich(x: Array) -> Array:
    i = np.arange(1, 11)
    return 2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1]))


def _helical(x: Array) -> Array:
    angle = np.arctan2(x[1], x[0]) / (2 * np.pi)
    return _stacked(10 * (x[2] - 10 * angle), 10 * (np.hypot(x[0], x[1]) - 1), x[2])


def _bard(x: Array) -> Array:
    y = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
    u = np.arange(1, 16)
    return (np.array(y) - (x[0] + u / ((16 - u) * x[1] + np.minimum(u, 16 - u) * x[2]))) / 0.03


def _box(x: Array) -> Array:
    t = 0.1 * np.arange(1, 11)
    return (np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))) / 0.01


def _powell(x: Array) -> Array:
    return _stacked(x[0] + 10 * x[1], 5**0.5 * (x[2] - x[3]), (x[1] - 2 * x[2]) ** 2, 10**0.5 * (x[0] - x[3]) ** 2)


def _wood(x: Array) -> Array:
    return _stacked(
        10 * (x[1] - x[0] ** 2), 1 - x[0], 90**0.5 * (x[3] - x[2] ** 2), 1 - x[2],
        10**0.5 * (x[1] + x[3] - 2), (x[1] - x[3]) / 10**0.5,
    )  # fmt: skip


def _brown_dennis(x: Array) -> Array:
    t = np.arange(1, 21) / 5
    return ((x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2) / 100


def _biggs(x: Array) -> Array:
    t = 0.1 * np.arange(1, 14)
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return (x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y) / 0.01


def _watson(x: Array) -> Array:
    t, n = np.arange(1, 30)[:, None] / 29, len(x)
    powers = t ** np.arange(n)
    slopes = np.hstack([np.zeros((29, 1)), np.arange(1, n) * t ** np.arange(n - 1)])
    row = x[:, :, 0].T
    sums = np.stack([np.sum(row[:, None] * part, axis=-1) for part in (slopes, powers)])
    r = sums[0] - sums[1] ** 2 - 1
    return np.concatenate([r, x[0], x[1] - x[0] ** 2 - 1], axis=1) * 10


def _trigonometric(x: Array) -> Array:
    n, row = len(x), x[:, :, 0].T
    i = np.arange(1, n + 1)
    return 10 * (n - np.cos(row).sum(axis=1)[:, None] + i * (1 - np.cos(row)) - np.sin(row))


def _broyden(x: Array) -> Array:
    row = x[:, :, 0].T
    around = np.pad(row, ((0, 0), (1, 1)))
    return (3 - 2 * row) * row - around[:, :-2] - 2 * around[:, 2:] + 1


_MGH09 = (
    [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625],
    [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246],
)
_MGH10 = (
    [50.0 + 5 * i for i in range(16)],
    [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872],
)
_MGH17 = [
    0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603,
    0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411,
    0.406,
]  # fmt: skip
_BOXBOD = ([1, 2, 3, 5, 7, 10], [109, 149, 149, 191, 213, 224])
_MISRA = (
    [77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8, 593.1, 689.1, 760.0],
    [10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01, 66.40, 75.47, 81.78],
)
_RAT42 = ([9, 14, 21, 28, 42, 57, 63, 70, 79], [8.93, 10.8, 18.59, 22.33, 39.35, 56.11, 61.73, 64.62, 67.08])
_DANWOOD = ([1.309, 1.471, 1.490, 1.565, 1.611, 1.680], [2.138, 3.421, 3.597, 4.340, 4.882, 5.660])


def _lanczos(x: Array) -> Array:
    t = 0.05 * np.arange(24)
    y = 0.0951 * np.exp(-t) + 0.8607 * np.exp(-3 * t) + 1.5576 * np.exp(-5 * t)
    return (x[0] * np.exp(-x[1] * t) + x[2] * np.exp(-x[3] * t) + x[4] * np.exp(-x[5] * t) - y) / 1e-3


@dataclass(frozen=True)
class Case:
    """A problem, and from where its starts are drawn."""

    name: str
    residuals: Residuals
    ranges: list[tuple[float, float]]
    is_bounded: bool = False

    def problem(self) -> Residual:
        return Residual(self.name, self.residuals, self.ranges, is_bounded=self.is_bounded)


CASES = (
    Case("Misra1a", _curve(*_MISRA, 0.1, lambda t, a, b: a * (1 - np.exp(-b * t))), [(50, 500), (1e-5, 1e-3)], True),
    Case("BoxBOD", _curve(*_BOXBOD, 17.0, lambda t, a, b: a * (1 - np.exp(-b * t))), [(50, 400), (0.05, 3.0)], True),
    Case("Rat42", _curve(*_RAT42, 1.2, lambda t, a, b, c: a / (1 + np.exp(b - c * t))),
         [(20, 200), (0.0, 5.0), (0.0, 0.2)], True),
    Case("DanWood", _curve(*_DANWOOD, 0.03, lambda t, a, b: a * t**b), [(0.1, 3.0), (1.0, 6.0)]),
    Case("MGH09", _curve(*_MGH09, 6e-3, lambda t, a, b, c, d: a * (t * t + t * b) / (t * t + t * c + d)),
         [(0.05, 1.0), (0.05, 1.0), (0.05, 1.0), (0.05, 1.0)], True),
    Case("MGH10", _curve(*_MGH10, 2.6, lambda t, a, b, c: a * np.exp(b / (t + c))),
         [(0.002, 0.02), (4000, 8000), (250, 450)], True),
    Case("MGH17", _curve([10.0 * i for i in range(33)], _MGH17, 1.4e-3,
                         lambda t, a, b, c, d, e: a + b * np.exp(-t * d) + c * np.exp(-t * e)),
         [(0.0, 1.0), (0.0, 4.0), (-4.0, 0.0), (0.005, 0.02), (0.015, 0.05)], True),
    Case("Lanczos", _lanczos, [(0.0, 2.0), (0.3, 2.0), (0.0, 2.0), (2.0, 4.0), (0.0, 3.0), (4.0, 8.0)], True),
    Case("Rosenbrock", _rosenbrock, [(-2, 2), (-2, 2)]),
    Case("Freudenstein", _freudenstein, [(-10, 20), (-5, 8)]),
    Case("Beale", _beale, [(0, 5), (-1, 1)], True),
    Case("Jennrich", _jennrich, [(0.0, 0.5), (0.0, 0.5)]),
    Case("Helical", _helical, [(-2, 2), (-2, 2), (-2, 2)]),
    Case("Bard", _bard, [(0, 2), (0.1, 3), (0.1, 3)], True),
    Case("Box3D", _box, [(0.1, 3), (3, 20), (0.2, 3)], True),
    Case("Powell", _powell, [(-4, 4)] * 4),
    Case("Wood", _wood, [(-3, 3)] * 4),
    Case("BrownDennis", _brown_dennis, [(-25, 25), (-15, 15), (-5, 5), (-5, 5)]),
    Case("Watson", _watson, [(-1.0, 1.0)] * 6),
    Case("Broyden", _broyden, [(-2.0, 0.5)] * 10),
)  # fmt: skip
HARDER = (
    Case("Biggs", _biggs, [(0.1, 3), (5, 15), (0.1, 3), (1, 8), (2, 6), (1, 5)], True),
    Case("Trigonometric", _trigonometric, [(0.0, 0.5)] * 8),
)
