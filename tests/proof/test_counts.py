"""Counts: parabolas below the deviance, and proven minima against other ways to find them."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.optimize import minimize

import hpcscan
from hpcscan import Gaussian, Model, Parameter, Poisson
from hpcscan.likelihood import terms
from hpcscan.model.posing import pose
from hpcscan.proof import counts as module
from hpcscan.proof.condition import NotEnclosable
from hpcscan.proof.counts import deviance, is_impossible, least_deviance, parabola
from hpcscan.proof.posed import pose_proof
from proof import problems


def exact(mu, n):
    mu, n = mpmath.mpf(float(mu)), mpmath.mpf(float(n))
    return 2 * (mu - n + (n * mpmath.log(n / mu) if n else 0))


def ranges(n_ranges=300):
    """Ranges of all widths and places, some below 0 in part, and counts from none to many."""
    rng = np.random.default_rng(3)
    size = 10 ** rng.uniform(-6, 5, n_ranges)
    width = size * 10 ** rng.uniform(-9, 0.5, n_ranges)
    lower = size - width * rng.random(n_ranges)
    n = np.choose(rng.integers(3, size=n_ranges), (0, rng.poisson(size), rng.poisson(5 * size)))
    middle = lower + width * rng.random(n_ranges)
    return (lower, lower + width), middle, n.astype(float)


def check_parabolas():
    span, middle, n = ranges()
    found = parabola(span, middle, n)
    assert found.is_valid.all()
    least = least_deviance(*span, n)
    rng = np.random.default_rng(5)
    with mpmath.workdps(40):
        for k in range(len(n)):
            low, high = max(span[0][k], 0), span[1][k]
            for share in (0, 1, 0.5, *rng.random(5)):
                mu = min(max(low + share * (high - low), low), high)
                if mu == 0 and n[k]:
                    continue
                s, t, c = (mpmath.mpf(float(v[k])) for v in (found.factor, found.target, found.constant))
                # The target is s y, rounded: what expands a row knows of that.
                slack = mpmath.mpf(2) ** -52 * abs(t) * 2 * abs(s * mpmath.mpf(float(mu)) - t)
                assert (s * mpmath.mpf(float(mu)) - t) ** 2 + c - slack <= exact(mu, n[k]), (k, low, high, n[k])
                assert mpmath.mpf(float(least[k])) <= exact(mu, n[k])


def test_parabolas_are_below_the_deviance():
    """In forty digits."""
    check_parabolas()


def test_parabolas_without_margins_are_seen(monkeypatch):
    """The comparison is sharp enough to see what rounding does."""
    monkeypatch.setattr(module, "ULP", 0.0)
    with pytest.raises(AssertionError):
        check_parabolas()


@pytest.mark.parametrize("n", [0.0, 0.3, 1.0, 40.0])
def test_parabolas_approach_the_deviance(n):
    """The narrower the range, by the second power of the width at least."""
    losses = []
    for width in (1e-1, 1e-2, 1e-3):
        span = np.array([2.0]), np.array([2.0 + width])
        found = parabola(span, 0.5 * (span[0] + span[1]), np.array([n]))
        mu = np.linspace(span[0], span[1], 50)
        losses.append((deviance(mu, np.array([n])) - (found.factor * mu - found.target) ** 2 - found.constant).max())
    assert losses[0] < 0.02
    assert max(losses[1] / losses[0], losses[2] / losses[1]) < 0.03 or losses[1] < 2e-4


def test_deviance_is_that_of_the_fit():
    mu = np.array([-1.0, 0.0, 1e-300, 1e-3, 1.0, 2.9999, 3.0, 3.1, 1e9])
    for n in (0.0, 0.5, 3.0):
        counts = np.full(len(mu), n)
        assert deviance(mu, counts).tolist() == terms.deviance(mu, counts).tolist()
    assert is_impossible(np.array([-1e-9, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])).tolist() == [True, False, True]


@pytest.mark.parametrize("scale", [None, "S"])
@pytest.mark.parametrize("n_empty", [0, 6, 17])
def test_an_oscillation_that_is_counted(n_empty, scale):
    """All points closed in few boxes; some of them against fits by scipy from many starts."""
    points = np.linspace(0.3, 1.0, 16)
    one = problems.counts(n_empty, points, scale=scale)
    proof = one.prove(1000)
    assert proof.is_closed.all()
    n = one.problem.blocks[0].observed

    def merit(x, p):
        f = problems.counted(p, x[0], x[1])["n"]
        # Of a scale, −2 ln L of a multinomial distribution is left.
        chi2 = deviance(f * n.sum() / f.sum() if scale else f, n).sum(-1)
        return chi2 + (x[0] / 0.05) ** 2

    for k in (0, 9, 15):
        starts = [(es, b) for es in np.linspace(-0.2, 0.2, 9) for b in (0.1, 2.0, 4.0)]
        best = min(
            minimize(merit, s, args=(points[k],), bounds=[(-0.2, 0.2), (0, 5)], method="L-BFGS-B").fun for s in starts
        )
        assert best - 1.1e-3 <= proof.lower_bound[k] <= best + 1e-9


class Counted(Model):
    """A peak over a background, in few counts, and what calibrates it."""

    parameters = (
        Parameter("strength", 0.0, 5.0),
        Parameter("place", -2.0, 2.0),
        Parameter("background", 0.1, 4.0, constraint=(1.0, 0.5)),
    )
    data = (Poisson("counts", [1, 0, 3, 6, 2, 0, 1, 0]), Gaussian("ruler", 0.1, 0.5))

    def predict(self, strength, place, background):
        bins = np.arange(8.0)
        return {"counts": strength * np.exp(-0.5 * (bins - 3 - place) ** 2) + background, "ruler": place}


class Scaled(Counted):
    """The same, of unknown exposure; an empty term has none."""

    data = (
        Poisson("counts", Counted.data[0].observed, scale="exposure"),
        Poisson("none", [0, 0], scale="nothing"),
        Counted.data[1],
    )

    def predict(self, strength, place, background):
        return {"none": background * np.ones(2), **super().predict(strength, place, background)}


@pytest.mark.parametrize("model", [Counted(), Scaled()])
def test_counts_are_proven_in_a_scan(model):
    scan = hpcscan.scan(model, {"strength": np.linspace(0.5, 5, 5)}).to_xarray()
    assert (scan["chi2"].values - scan["chi2_lower_bound"].values <= 1.1e-3).all()
    assert (scan["chi2_lower_bound"].values <= scan["chi2"].values).all()


class Shared(Counted):
    data = (
        Poisson("counts", Counted.data[0].observed, scale="S"),
        Gaussian("ruler", [0.1], covariance=[[0.25]], scale="S"),
    )

    def predict(self, strength, place, background):
        return {**super().predict(strength, place, background), "ruler": place}


def test_a_scale_of_counts_and_correlated_values_is_refused():
    with pytest.raises(NotEnclosable, match="the scale S of counts and of correlated values is not proven"):
        pose_proof(pose(Shared(), ("strength",)))


@pytest.mark.parametrize("n", [(25, 22, 20, 15, 9, 8, 5, 1, 0, 0, 1, 0), (0,) * 12])
def test_one_scale_of_counts_and_values_is_proven(n):
    """The minimum is that of a fine scan of both parameters, in which the scale is found by bisection of its slope."""
    model = problems.counts_and_values(n)
    found, counted = model.prove(), np.array(n, float)
    assert found.is_closed.all()
    a, b = (grid[:, None] for grid in (np.linspace(0, 5, 1001), np.linspace(0, 3, 31)))
    values = model.problem.blocks[1]
    for k, p in enumerate(model.held["p"]):
        lowest = np.inf
        for background in b:
            f = model.problem.predict(p, a, background)
            low, high = np.zeros((len(a), 1)), np.full((len(a), 1), 1e3)
            for _ in range(60):
                s = 0.5 * (low + high)
                weight = 2 * f["y"] * (s * f["y"] - values.observed) / values.sigma**2
                slope = 2 * f["n"].sum(1, keepdims=True) - 2 * counted.sum() / s + weight.sum(1, keepdims=True)
                low, high = np.where(slope < 0, s, low), np.where(slope < 0, high, s)
            chi2 = (((s * f["y"] - values.observed) / values.sigma) ** 2).sum(1) + deviance(s * f["n"], counted).sum(1)
            lowest = min(lowest, chi2.min())
        assert found.lower_bound[k] <= lowest <= found.chi2[k] + 0.05


def test_linear_parameters_of_counts_are_projected_out_but_for_a_scale():
    """And where they have no bounds, they are refused."""
    found, scaled = (
        pose_proof(pose(model, ("strength",))).examine(np.array([[1.0]])) for model in (Counted(), Scaled())
    )
    assert (found.nonlinear, found.linear) == ((("place",),), ("background",))
    assert (scaled.nonlinear, scaled.linear) == ((("place", "background"),), ())
    endless = problems.case(
        lambda a: {"n": a * np.ones(3)}, [problems.counts_block("n", [1, 2, 3])], {"a": (0, np.inf, 1)}
    )
    assert "no finite bounds of a" in endless.prove().obstacle


def test_many_linear_systematics_close_in_one_box():
    """A likelihood that is convex: its tangent at the minimum is a bound, however far the parameters may go."""
    rng, x = np.random.default_rng(6), np.linspace(-1, 1, 20)
    shapes = {f"t{k}": 30 * np.cos(np.pi * (k + 1) * x + rng.random()) for k in range(6)}
    n = rng.poisson(200 + 100 * x).astype(float)
    one = problems.case(
        lambda **t: {"n": 200 + 100 * x + sum(t[name] * shape for name, shape in shapes.items())},
        [problems.counts_block("n", n)],
        dict.fromkeys(shapes, (-3.0, 3.0, 0.0)),
        [problems.Constraint(name, 0.0, 1.0) for name in shapes],
    )
    proof = one.prove()
    assert proof.is_closed.all()
    assert proof.n_boxes.max() <= 3
    merit = lambda t: deviance(200 + 100 * x + t @ np.array(list(shapes.values())), n).sum() + t @ t  # noqa: E731
    # Far from 0 nothing is expected in some bin.
    least = minimize(merit, np.zeros(6), method="L-BFGS-B", bounds=[(-0.5, 0.5)] * 6, tol=1e-12).fun
    assert least - 1.1e-3 <= proof.lower_bound[0] <= least + 1e-9
