"""Models whose answer is known otherwise."""

from __future__ import annotations

import numpy as np

from hpcscan.model import Gaussian, Likelihood, Model, Parameter

#: Two residuals of (a, b): the profile of χ² over c is the sum of their squares.
SHAPES = {
    "even": lambda a, b: (a, b),
    "exp": lambda a, b: ((np.exp(a) - 2) / np.sqrt(0.5), b),
    "log": lambda a, b: ((np.log10(a) + 4.1) / 0.4, b),
    "two": lambda a, b: ((a * a - 4) * 1.5, b * 2),
    "offset": lambda a, b: (a - 1e9 - 0.3, b),
    "plateau": lambda a, b: (np.maximum(np.abs(a) - 1, 0), b),
    "ring": lambda a, b: ((np.hypot(a, b) - 2) / 0.1, 0 * a),
    "tilted": lambda a, b: ((a + 3 * b - 1) / 0.2, (a - b) / 2),
    "three": lambda a, b: (2 * np.sin(3 * a), (a * a + b * b) / 8),
    "banana": lambda a, b: ((1 - a) / 0.5, 3 * (b - a * a)),
    "needle": lambda a, b: (2 - 2 * np.exp(-((a - 0.4) ** 2 + (b - 0.2) ** 2) / 1e-3), (a + b) / 4),
    "step": lambda a, b: (np.where(a > 0.3, a, a - 1.5), b),
    "small": lambda a, b: (a / 1e-30 - 1, b),
    "large": lambda a, b: (a / 1e30 - 1, b),
    "flat": lambda a, b: (0 * a, 0 * b),
    "slope": lambda a, b: (100 - 10 * a, 50 - 10 * b),
}


class Surface(Model):
    """A surface over a and b, and a nuisance parameter that has nothing to do with it."""

    data = tuple(Gaussian(name, 0.0, 1.0) for name in ("r1", "r2", "c"))

    def __init__(self, shape, a=(-np.inf, np.inf), b=(-np.inf, np.inf)):
        self.shape = SHAPES[shape]
        self.parameters = (Parameter("a", *a), Parameter("b", *b), Parameter("c", -5, 5))

    def predict(self, a, b, c):
        r1, r2 = self.shape(a, b)
        return {"r1": r1, "r2": r2, "c": c}


class ScalarSurface(Likelihood):
    """The same as a number."""

    def __init__(self, shape, a=(-np.inf, np.inf), b=(-np.inf, np.inf)):
        self.shape = SHAPES[shape]
        self.parameters = (Parameter("a", *a), Parameter("b", *b), Parameter("c", -5, 5))

    def twice_nll(self, a, b, c):
        return sum(r**2 for r in (*self.shape(a, b), c))[:, 0]


class Folds(Model):
    """A smooth surface with up to several regions, of one seed: five sums of waves, and a linear nuisance parameter."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.wave, self.phase = 3.2 * rng.normal(size=(5, 3, 2)), rng.uniform(0, 2 * np.pi, (5, 3))
        self.size, self.slope = 2.5 * rng.normal(size=(5, 3)), 2 * rng.normal(size=(5, 2))
        self.lever, truth = 0.5 * rng.normal(size=5), rng.uniform(0.2, 0.8, (1, 2))
        self.observed = self.at(truth)[0] + 0.6 * rng.normal(size=5)
        self.parameters = (Parameter("a"), Parameter("b"), Parameter("c", -5, 5))
        self.data = (Gaussian("r", self.observed, 1.0), Gaussian("c", 0.0, 1.0))

    def at(self, places):
        """The predictions without c, shape (..., 5), at places of shape (..., 2)."""
        waves = np.sin(np.einsum("...k,ijk->...ij", places, self.wave) + self.phase)
        return (self.size * waves).sum(axis=-1) + places @ self.slope.T

    def predict(self, a, b, c):
        return {"r": self.at(np.hstack([a, b])) + self.lever * c, "c": c}

    def profile(self, places):
        """χ² with c at its best, in closed form."""
        r = self.at(places) - self.observed
        return (r**2).sum(axis=-1) - (r @ self.lever) ** 2 / (1 + self.lever @ self.lever)
