"""Ranges that a model gives: the least χ² of all kinds of data, with predictions independent of each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import minimize

import hpcscan
from hpcscan import Gaussian, Model, Parameter, Poisson
from hpcscan.model import Ranges
from hpcscan.proof import independent
from hpcscan.proof.counts import deviance
from hpcscan.proof.independent import Compared


@dataclass(frozen=True, eq=False)
class Drawn:
    """A random problem with ranges."""

    compared: Compared
    low: np.ndarray
    high: np.ndarray

    def chi2(self, f, scale):
        """Compute χ² for predictions (n, m) and scales (n,), as a fit does."""
        c = self.compared
        expected = np.where(c.group >= 0, scale[:, None] * f, f)
        residual = np.where(c.is_count, 0.0, expected - c.target)
        inverse = np.eye(len(c.target)) if c.correlation is None else np.linalg.inv(c.correlation)
        own = np.einsum("ni,ij,nj->n", residual, inverse, residual)
        return own + np.where(c.is_count, deviance(expected, c.target), 0.0).sum(1)

    def sampled(self, rng, n):
        """Compute χ² of predictions anywhere in their ranges, and anything for the scale."""
        share = rng.random((n, len(self.low)))
        share = np.where(rng.random(share.shape) < 0.5, np.round(share), share)
        scale = np.exp(rng.normal(size=n)) * np.where(self.compared.is_count.any() | (rng.random(n) < 0.5), 1, -1)
        return self.chi2(self.low + share * (self.high - self.low), scale)

    def least(self, rng, n_starts=2):
        """Minimise χ² by a general method, from several starts and for both signs of the scale."""
        m, signs = len(self.low), (1, -1) if (self.compared.group >= 0).all() else (1,)

        def value(p, sign):
            found = self.chi2((self.low + (self.high - self.low) * p[:m])[None], np.array([sign * p[m]]))[0]
            return found if np.isfinite(found) else 1e30

        found = [
            minimize(value, np.append(rng.random(m), 1.0), args=(sign,), bounds=[(0, 1)] * m + [(1e-9, 1e4)],
                     method="L-BFGS-B", options={"ftol": 1e-14, "gtol": 1e-9}).fun
            for sign in signs if sign > 0 or not self.compared.is_count.any()
            for _ in range(n_starts)
        ]  # fmt: skip
        return min(found)


def drawn(rng, kind, has_scale) -> Drawn:
    m = rng.integers(1, 6)
    is_count = {"counts": np.ones(m, bool), "mixed": rng.random(m) < 0.5}.get(kind, np.zeros(m, bool))
    correlation = None
    if kind == "correlated":
        root = rng.normal(size=(m, m))
        covariance = root @ root.T + 0.3 * np.eye(m)
        correlation = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    target = np.where(is_count, rng.poisson(2, size=m), rng.normal(size=m) * 3)
    low = rng.normal(size=m) * 2
    low = np.abs(low) + 0.01 if is_count.any() else low
    high = low + rng.exponential(size=m) * 2 * (rng.random(m) < 0.8) * 10 ** rng.uniform(-3, 0)
    return Drawn(Compared(target, np.full(m, 0 if has_scale else -1), is_count, correlation), low, high)


def bound(one: Drawn) -> float:
    return float(one.compared.least_chi2(one.low[None], one.high[None])[0])


KINDS = ["independent", "counts", "mixed", "correlated"]


def n_refuted(kind, has_scale, n, seed=1):
    """Count problems in which some χ² is below the bound."""
    rng, total = np.random.default_rng(seed), 0
    for _ in range(n):
        one = drawn(rng, kind, has_scale)
        chi2 = one.sampled(rng, 400).min()
        total += min(chi2, one.least(rng, 1)) < bound(one) - 1e-9 * (1 + chi2) ** 0.5 - 1e-7
    return total


@pytest.mark.parametrize("has_scale", [False, True], ids=["as it is", "scaled"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_bound_is_the_minimum(kind, has_scale):
    """Found by a general method; and no random predictions in the ranges are below."""
    rng = np.random.default_rng(2)
    for _ in range(3):
        one = drawn(rng, kind, has_scale)
        least, sampled = one.least(rng), one.sampled(rng, 400).min()
        # With a scale of 0 there is another end, which the general method does not reach.
        if has_scale and not one.compared.is_count.any():
            least = min(least, one.chi2(0 * one.low[None], np.ones(1))[0])
        assert bound(one) == pytest.approx(least, rel=1e-5, abs=1e-5)
        assert bound(one) <= min(least, sampled) + 1e-7 * (1 + least)


def small_squares(patch):
    """Squares of the multipliers, a little too small."""
    true = independent.Metric.inner
    patch.setattr(independent.Metric, "inner", lambda s, a, b: 0.99 * true(s, a, b))


def positive_scales(patch):
    """Scales of one sign."""
    true = independent._Part._least_over_scale
    patch.setattr(independent._Part, "_least_over_scale", lambda s, a, b: true(s, *np.sort([np.abs(a), np.abs(b)], 0)))


def raised(patch):
    true = Compared.least_chi2
    patch.setattr(Compared, "least_chi2", lambda s, a, b: true(s, a, b) * (1 + 1e-4))


def narrow(patch):
    """Ranges that are a percent too narrow."""
    true = Compared.least_chi2
    middle = lambda s, a, b: true(s, a + 0.01 * (b - a), b - 0.01 * (b - a))  # noqa: E731
    patch.setattr(Compared, "least_chi2", middle)


#: With how many problems it takes to see it.
MUTANTS = [
    (small_squares, "correlated", False, 6),
    (positive_scales, "independent", True, 6),
    (raised, "counts", False, 6),
    (narrow, "mixed", True, 6),
]


@pytest.mark.parametrize(("mutate", "kind", "has_scale", "n"), MUTANTS)
def test_a_wrong_bound_is_refuted(mutate, kind, has_scale, n, monkeypatch):
    assert n_refuted(kind, has_scale, n) == 0
    mutate(monkeypatch)
    assert n_refuted(kind, has_scale, n) > 0


def test_a_row_has_the_same_bits_alone():
    rng = np.random.default_rng(5)
    one = drawn(rng, "correlated", has_scale=True)
    low = one.low + rng.normal(size=(4, len(one.low)))
    high = low + rng.exponential(size=low.shape)
    together = one.compared.least_chi2(low, high)
    alone = [one.compared.least_chi2(low[k : k + 1], high[k : k + 1])[0] for k in range(4)]
    assert together.tolist() == alone


def test_what_is_impossible_or_unknown():
    """An expectation that cannot be positive where something was counted; ranges without ends."""
    counts = Compared(np.array([2.0, 0.0]), np.array([-1, -1]), np.ones(2, bool))
    low, high = np.array([[-1.0, -1.0], [-np.inf, -np.inf]]), np.array([[0.0, 3.0], [np.inf, np.inf]])
    assert counts.least_chi2(low, high).tolist() == [np.inf, 0.0]
    # Hardly any expectation, as rounding leaves it of none.
    assert counts.least_chi2(np.zeros((1, 2)), np.array([[5e-324, 5e-324]]))[0] > 500
    values = Compared(np.array([2.0, -3.0]), np.array([0, 0]), np.zeros(2, bool))
    assert values.least_chi2(np.full((1, 2), np.nan), np.full((1, 2), np.nan)).tolist() == [0.0]


N = np.array([4, 0, 9])
V = np.array([[0.04, 0.03, 0.0], [0.03, 0.09, 0.02], [0.0, 0.02, 0.04]])


class Apart(Model):
    """Every prediction has a parameter of its own, and a branch, so that predict itself cannot be enclosed."""

    parameters = (Parameter("s", 0.5, 2.0), *(Parameter(name, 1.0, 6.0) for name in "abc"))

    def __init__(self, kind: str = "counts") -> None:
        scale = "S" if kind.startswith("scaled") else None
        terms = {"counts": Poisson("y", N, scale=scale), "values": Gaussian("y", [2.5, 0.5, 9.0], covariance=V)}
        if kind == "scaled values":
            terms["values"] = Gaussian("y", [2.5, 0.5, 9.0], covariance=V, scale=scale)
        self.data = (terms[kind.rsplit(maxsplit=1)[-1]],)

    def predict(self, s, a, b, c):
        if a.min() < 0:
            return {"y": np.full((len(a), 3), np.nan)}
        return {"y": np.concatenate([s * a, b, c], axis=1)}

    def ranges(self, s, **_):
        one = np.ones_like(s)
        return Ranges(
            {"y": np.concatenate([s, one, one], axis=1)}, {"y": np.concatenate([6 * s, 6 * one, 6 * one], axis=1)}
        )


@pytest.mark.parametrize("kind", ["counts", "values", "scaled counts", "scaled values"])
def test_minima_are_proven_from_ranges(kind):
    """And are those of a general method, in all predictions at once."""
    found = hpcscan.scan(Apart(kind), {"s": [0.5, 2.0]}, answer=False).to_xarray()
    assert (found["evidence"].values == 2).all()
    rng, is_count = np.random.default_rng(1), kind.endswith("counts")
    sigma = np.ones(3) if is_count else np.sqrt(np.diag(V))
    correlation = None if is_count else V / np.outer(sigma, sigma)
    target = (N if is_count else np.array([2.5, 0.5, 9.0])) / sigma
    compared = Compared(target, np.full(3, 0 if kind.startswith("scaled") else -1), np.full(3, is_count), correlation)
    for k, s in enumerate((0.5, 2.0)):
        one = Drawn(compared, np.array([s, 1, 1]) / sigma, np.array([6 * s, 6, 6]) / sigma)
        assert found["chi2"].values[k] == pytest.approx(one.least(rng), abs=1e-5, rel=1e-6)
        assert found["chi2_lower_bound"].values[k] <= found["chi2"].values[k] + 1e-9
