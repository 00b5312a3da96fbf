"""Models that cannot be enclosed as they are: one encloses itself, one gives ranges, one begins at a maximum."""

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter, Poisson, Ranges

X = np.linspace(0.1, 2.0, 8)
SEEN = np.maximum(1.5 * (X - 0.9), 0) + 0.3 + 0.05 * np.sin(9 * X)


class Onset(Model):
    parameters = (Parameter("slope", 0.5, 3.0), Parameter("onset", 0.2, 1.8))
    data = (Gaussian("y", SEEN, covariance=0.01 * np.eye(8) + 0.005),)

    def predict(self, slope, onset):
        rows = zip(slope[:, 0].tolist(), onset[:, 0].tolist(), strict=True)
        return {"y": np.array([[0.3 + s * (x - o) if x > o else 0.3 for x in X.tolist()] for s, o in rows])}

    def enclose(self, lower, upper):
        low = 0.3 + lower["slope"] * np.maximum(X - upper["onset"], 0) - 1e-14
        high = 0.3 + upper["slope"] * np.maximum(X - lower["onset"], 0) + 1e-14
        return {"y": low}, {"y": high}


class Ranged(Model):
    parameters = (Parameter("slope", 0.5, 3.0), Parameter("a", 1.0, 6.0), Parameter("b", 1.0, 6.0))
    data = (
        Poisson("counts", [4, 2], scale="S"),
        Gaussian("values", [0.5, 2.0], covariance=[[0.04, 0.03], [0.03, 0.09]]),
    )

    def predict(self, slope, a, b):
        if a.min() < 0:
            return {}
        return {"counts": np.hstack([slope * a, b]), "values": np.hstack([slope, 1 + slope])}

    def ranges(self, slope):
        one = np.ones_like(slope)
        fixed = np.hstack([slope, 1 + slope])
        return Ranges(
            {"counts": np.hstack([slope, one]), "values": fixed},
            {"counts": np.hstack([6 * slope, 6 * one]), "values": fixed},
        )


class Symmetric(Model):
    parameters = (Parameter("slope", 0.5, 3.0), Parameter("x", -4.0, 4.0, start=(0.0, 0.0)), Parameter("z", -3.0, 3.0))
    data = (Gaussian("y", [1.0, 0.3], 0.1),)

    def predict(self, slope, x, z):
        return {"y": np.hstack([x**2, z + slope if z.min() > -9 else z])}
