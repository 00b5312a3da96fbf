"""Models of every kind, each with its −2 ln L written out by hand for one point."""

from __future__ import annotations

import numpy as np

from hpcscan.model import Gaussian, Likelihood, Model, Parameter, Poisson

RNG = np.random.default_rng(5)


def deviance(expected: np.ndarray, counts: np.ndarray) -> float:
    """2 (μ − n + n ln(n/μ)), as in a textbook."""
    if (expected < 0).any() or (expected[counts > 0] == 0).any():
        return np.inf
    seen = counts > 0
    return float(2 * (expected - counts).sum() + 2 * (counts[seen] * np.log(counts[seen] / expected[seen])).sum())


ENERGY = np.linspace(0.6, 10, 20)


def rate(s, d, norm, shift):
    energy = ENERGY * (1 + shift)
    return norm * 120 * np.exp(-(((energy - 3) / 2.2) ** 2)) * (1 - s * np.sin(1.267 * d * 0.295 / energy) ** 2) + 3


COUNTS = RNG.poisson(rate(0.95, 2.5, 1, 0)).astype(float)


class Oscillation(Model):
    """Counts in 20 bins, with two constraints."""

    parameters = (
        Parameter("s", 0, 1),
        Parameter("d", 0, 6),
        Parameter("norm", 0.5, 1.5, constraint=(1, 0.05)),
        Parameter("shift", -0.2, 0.2, constraint=(0, 0.02)),
    )
    data = (Poisson("counts", COUNTS, x=ENERGY),)
    scanned, start = ("s", "d"), (1.0, 0.0)
    points = np.array([[s, d] for s in np.linspace(0.7, 1, 4) for d in np.linspace(1.5, 3.5, 5)])

    def predict(self, s, d, norm, shift):
        return {"counts": rate(s, d, norm, shift)}

    @staticmethod
    def by_hand(s, d, norm, shift):
        return deviance(rate(s, d, norm, shift), COUNTS) + ((norm - 1) / 0.05) ** 2 + (shift / 0.02) ** 2


Z = np.linspace(0.05, 1.2, 100)


def modulus(omega, w, offset, slope):
    return offset + 5 * np.log10(Z * (1 + 0.5 * (1 - 1.5 * omega) * Z + w * Z**2)) + slope * np.sqrt(Z)


MIXING = RNG.normal(size=(100, 100))
COVARIANCE = 0.01 * np.eye(100) + 3e-5 * MIXING @ MIXING.T + 0.002
INVERSE = np.linalg.inv(COVARIANCE)
MODULI = modulus(0.3, -0.2, 24.0, 0.05) + RNG.multivariate_normal(np.zeros(100), COVARIANCE)


class Distances(Model):
    """A hundred correlated data, as of supernovae."""

    parameters = (
        Parameter("omega", 0, 1),
        Parameter("w", -1, 1),
        Parameter("offset", 20, 30),
        Parameter("slope", -1, 1),
    )
    data = (Gaussian("modulus", MODULI, covariance=COVARIANCE, x=Z, unit="mag"),)
    scanned, start = ("omega", "w"), (24.0, 0.0)
    points = np.array([[omega, w] for omega in np.linspace(0.1, 0.5, 4) for w in np.linspace(-0.4, 0.2, 5)])

    def predict(self, omega, w, offset, slope):
        return {"modulus": modulus(omega, w, offset, slope)}

    @staticmethod
    def by_hand(omega, w, offset, slope):
        left = modulus(omega, w, offset, slope) - MODULI
        return float(left @ INVERSE @ left)


class ScaledDistances(Distances):
    """The same with a profiled scale."""

    data = (Gaussian("modulus", MODULI, covariance=COVARIANCE, scale="S"),)

    @staticmethod
    def by_hand(omega, w, offset, slope):
        f = modulus(omega, w, offset, slope)
        left = (f @ INVERSE @ MODULI) / (f @ INVERSE @ f) * f - MODULI
        return float(left @ INVERSE @ left)


EVENTS = np.concatenate([RNG.normal(1.5, 0.2, 400), RNG.exponential(1.0, 1620)])
EVENTS = EVENTS[EVENTS < 5][:2000]


def density(f, tau, mean, width):
    peak = np.exp(-0.5 * ((EVENTS - mean) / width) ** 2) / width / np.sqrt(2 * np.pi)
    return f * peak + (1 - f) * np.exp(-EVENTS / tau) / tau / (1 - np.exp(-5 / tau))


class Unbinned(Likelihood):
    """2,000 events: a peak over a decay."""

    parameters = (
        Parameter("f", 0, 1),
        Parameter("tau", 0.2, 5),
        Parameter("mean", 0.5, 3),
        Parameter("width", 0.05, 1, constraint=(0.2, 0.05)),
    )
    scanned, start = ("f",), (1.0, 1.5, 0.2)
    points = np.linspace(0.05, 0.4, 20)[:, None]

    def twice_nll(self, f, tau, mean, width):
        return -2 * np.log(density(f, tau, mean, width)).sum(axis=1)

    @staticmethod
    def by_hand(f, tau, mean, width):
        return float(-2 * np.log(density(f, tau, mean, width)).sum() + ((width - 0.2) / 0.05) ** 2)


BINS = np.arange(10.0)


def shape(w, tau, background):
    return np.exp(-BINS / tau) * (1 + w * np.sin(BINS)) + 0.1 * background


SHAPED = RNG.poisson(50 * shape(0.3, 3, 0.2)).astype(float)


class Scaled(Model):
    """Counts whose normalisation is profiled."""

    parameters = (
        Parameter("w", -0.5, 0.9),
        Parameter("tau", 0.5, 10),
        Parameter("background", 0, 5, constraint=(0.2, 0.3)),
    )
    data = (Poisson("counts", SHAPED, scale="S"),)
    scanned, start = ("w",), (3.0, 0.2)
    points = np.linspace(-0.4, 0.8, 20)[:, None]

    def predict(self, w, tau, background):
        return {"counts": shape(w, tau, background)}

    @staticmethod
    def by_hand(w, tau, background):
        f = shape(w, tau, background)
        return deviance(SHAPED.sum() / f.sum() * f, SHAPED) + ((background - 0.2) / 0.3) ** 2


class Mixed(Scaled):
    """Their scale measured besides: one scale of counts and of a normal value, found here by bisection."""

    data = (Poisson("counts", SHAPED, scale="S"), Gaussian("luminosity", 48.0, 3.0, scale="S"))

    def predict(self, w, tau, background):
        return {"counts": shape(w, tau, background), "luminosity": np.ones_like(w)}

    @staticmethod
    def by_hand(w, tau, background):
        f = shape(w, tau, background)
        low, high = 1e-3, 1e4
        for _ in range(200):
            middle = 0.5 * (low + high)
            slope = f.sum() - SHAPED.sum() / middle + (middle - 48) / 9
            low, high = (middle, high) if slope < 0 else (low, middle)
        return deviance(low * f, SHAPED) + ((low - 48) / 3) ** 2 + ((background - 0.2) / 0.3) ** 2


SIGNAL, BACKGROUND = np.array([1.0, 2, 1, 0.5, 0.2, 0]), np.array([0.0, 0.1, 0.5, 2, 0, 0.3])
FEW = np.array([0.0, 0, 0, 3, 0, 0])


class Strength(Model):
    """Few counts, some bins without background: the signal strength is zero at the minimum."""

    parameters = (Parameter("mu", 0, 10), Parameter("b", 0, 5, constraint=(1, 0.2)))
    data = (Poisson("counts", FEW),)
    scanned, start = ("b",), (0.1,)
    points = np.linspace(0.3, 2, 20)[:, None]

    def predict(self, mu, b):
        return {"counts": mu * SIGNAL + b * BACKGROUND}

    @staticmethod
    def by_hand(mu, b):
        return deviance(mu * SIGNAL + b * BACKGROUND, FEW) + ((b - 1) / 0.2) ** 2


EXAMPLES = (Oscillation, Distances, ScaledDistances, Unbinned, Scaled, Mixed, Strength)
