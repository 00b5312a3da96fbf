"""p of toys is that of constructions without toys and without a fit: sums, integrals and closed forms of five problems.

Counts with a side band, bounds of everything, two regions, a phase that nothing determines where its amplitude is zero,
and nuisance parameters that rest on their bounds. Nuisance parameters are those fitted to the data at the point.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, poisson, rice

from hpcscan.model import Gaussian, Model, Parameter, Poisson
from toys.models import toys_of


def deviance(mu, n):
    mu, n = np.broadcast_arrays(np.asarray(mu, float), np.asarray(n, float))
    return 2 * (mu - n + n * np.log(np.where(n > 0, n, 1) / np.where(n > 0, mu, 1)))


class OnOff(Model):
    parameters = (Parameter("s", 0.0, np.inf, start=(0, 15)), Parameter("b", 0.0, np.inf, start=(0, 10)))
    data = (Poisson("on", 6), Poisson("off", 4))

    def predict(self, s, b):
        return {"on": s + b, "off": 2 * b}

    @staticmethod
    def p(s):
        """The best b solves 3 b² + (3 s − n − m) b = m s; with s released χ² is 0 where n ≥ m/2."""

        def fitted(s, n, m):
            c = 3 * s - n - m
            b = (-c + np.sqrt(c * c + 12 * m * s)) / 6
            return b, deviance(s + b, n) + deviance(2 * b, m)

        n, m = np.meshgrid(np.arange(60.0), np.arange(60.0), indexing="ij")
        t = fitted(s, n, m)[1] - np.where(n >= m / 2, 0.0, fitted(0.0, n, m)[1])
        b = fitted(s, 6.0, 4.0)[0]
        return (poisson.pmf(n, s + b) * poisson.pmf(m, 2 * b))[t >= t[6, 4] - 1e-7].sum()


class Bounded(Model):
    parameters = (Parameter("a", 0.0, np.inf, start=(0, 5)), Parameter("b", 0.0, np.inf, start=(0, 5)))
    data = (Gaussian("x", 0.9, 1.0), Gaussian("y", -0.4, 0.5))

    def predict(self, a, b):
        return {"x": a + b, "y": b}

    @staticmethod
    def p(a):
        """Integrate over both values; everything is a parabola inside bounds."""

        def fitted(a, x, y):
            b = np.clip((x - a + 4 * y) / 5, 0, None)
            return b, (x - a - b) ** 2 + ((y - b) / 0.5) ** 2

        def t_of(x, y):
            b = np.clip(y, 0, None)
            return fitted(a, x, y)[1] - np.where(x >= b, ((y - b) / 0.5) ** 2, fitted(0.0, x, y)[1])

        b, at = fitted(a, 0.9, -0.4)[0], np.linspace(-6, 6, 1201)
        x, y = np.meshgrid(a + b + at, b + 0.5 * at, indexing="ij")
        weight = norm.pdf(at)[:, None] * norm.pdf(at) * (at[1] - at[0]) ** 2
        return weight[t_of(x, y) >= t_of(0.9, -0.4) - 1e-7].sum()


class Square(Model):
    parameters = (Parameter("a", -4.0, 4.0),)
    data = (Gaussian("y", 1.3, 0.6),)

    def predict(self, a):
        return {"y": a * a}

    @staticmethod
    def p(a):
        """With a released, only values below 0 and above 16 are missed."""
        y = np.linspace(a * a - 6, a * a + 6, 200_001)
        missed = np.where(y < 0, y, np.where(y > 16, y - 16, 0.0))
        is_large = (y - a * a) ** 2 - missed**2 >= (1.3 - a * a) ** 2
        return norm.pdf(y, a * a, 0.6)[is_large].sum() * (y[1] - y[0])


class Phase(Model):
    parameters = (Parameter("a", 0.0, np.inf, start=(0, 6)), Parameter("phi", -7.0, 7.0, start=(-np.pi, np.pi)))
    data = (Gaussian("x", 1.1, 1.0), Gaussian("y", -0.8, 1.0))

    def predict(self, a, phi):
        return {"x": a * np.cos(phi), "y": a * np.sin(phi)}

    @staticmethod
    def p(a):
        """t = (R − a)², where the distance R from zero follows Rice's distribution."""
        off = abs(np.hypot(1.1, 0.8) - a)
        return rice.sf(a + off, a) + (rice.cdf(a - off, a) if off < a else 0.0)


class Resting(Model):
    parameters = (Parameter("s", 0.0, np.inf, start=(0, 20)), Parameter("e", 0.8, 1.0), Parameter("b", 2.0, 4.0))
    data = (Poisson("n", 9),)

    def predict(self, s, e, b):
        return {"n": s * e + b}

    @staticmethod
    def p(s):
        """The expectation is as near to the count as the bounds allow: many counts tie at t = 0."""
        n, low, high = np.arange(120), 0.8 * s + 2, s + 4
        t = deviance(np.clip(n, low, high), n) - np.where(n < 2, deviance(2, n), 0.0)
        return poisson.pmf(n, np.clip(9, low, high))[t >= t[9] - 1e-7].sum()


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (OnOff, [0, 1, 2.5, 5, 8, 12]),
        (Bounded, [0, 0.5, 1.5, 2, 3]),
        (Square, [-1.5, -1, 0, 0.4, 1.5]),
        (Phase, [0, 0.5, 1, 2, 3]),
        (Resting, [0, 2, 4, 7, 10, 14]),
    ],
)
def test_p_is_that_of_the_construction(model, values):
    n = 1000
    axis = {model.parameters[0].name: values}
    tally = toys_of(model(), axis, n_toys=n, cl=(0.9,), is_adaptive=False).tally
    expected = np.minimum([model.p(float(value)) for value in values], 1.0)
    assert not tally.n_failed.any()
    # Beside their own spread, p of k of n is (k + 1)/(n + 1).
    assert (np.abs(tally.p_value - expected) < 3.5 * np.sqrt(expected * (1 - expected) / n) + 2 / n).all()
