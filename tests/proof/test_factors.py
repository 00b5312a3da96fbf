"""Factors of single data: minimised out in closed form, against full minimisations and in forty digits."""

from __future__ import annotations

import iminuit
import mpmath
import numpy as np
import pytest

from hpcscan.proof import counts as module
from hpcscan.proof.branch import examine
from hpcscan.proof.counts import Factors, deviance
from proof import problems
from proof.problems import Constraint, X, block, case


def drawn(n=400):
    """Factors of all kinds: counts and values, tight and loose, with near bounds; and ranges of their predictions."""
    rng = np.random.default_rng(2)
    is_count = rng.random(n) < 0.6
    size = 10 ** rng.uniform(-2, 3, n)
    target = np.where(is_count, rng.poisson(size) * (rng.random(n) < 0.7), size * rng.choice([-1, 1], n))
    mean = np.where(rng.random(n) < 0.7, 1.0, rng.uniform(0.3, 3, n))
    lower, upper = mean * rng.choice([0.0, 0.5, 0.95], n), mean * rng.choice([1.02, 3.0, np.inf], n)
    own = Factors(
        np.arange(n), np.arange(n), np.ones(n), mean, 10 ** rng.uniform(-3, 0.5, n), lower, upper, target, is_count
    )
    width = size * 10 ** rng.uniform(-6, 0.7, n)
    low = np.abs(target) * rng.uniform(0, 2, n) * np.where(is_count, 1, np.sign(target)) - width * rng.random(n)
    return own, (low, low + width)


def exact(own, k, nu):
    """L by golden section over t, which is convex, in forty digits; n ln t and squares alone matter."""
    n, t0, delta = (mpmath.mpf(float(v[k])) for v in (own.target, own.mean, own.sigma))

    def total(t):
        if not own.is_count[k]:
            return (t * nu - n) ** 2 + ((t - t0) / delta) ** 2
        return 2 * (t * nu - n + (n * mpmath.log(n / (t * nu)) if n else 0)) + ((t - t0) / delta) ** 2

    # The stationary point is that of a quadratic equation; on a bound otherwise.
    if own.is_count[k]:
        b = t0 - nu * delta**2
        best = (b + mpmath.sqrt(b * b + 4 * n * delta**2)) / 2
    else:
        best = (t0 + delta**2 * nu * n) / (1 + (delta * nu) ** 2)
    best = max(best, mpmath.mpf(float(own.lower[k])))
    best = min(best, mpmath.mpf(float(own.upper[k]))) if np.isfinite(own.upper[k]) else best
    value = total(best)
    for other in (best * (1 + mpmath.mpf(10) ** -9), best * (1 - mpmath.mpf(10) ** -9)):
        if own.lower[k] <= other <= own.upper[k]:
            assert total(other) >= value
    return value


def check_parabolas():
    own, span = drawn()
    middle = 0.3 * span[0] + 0.7 * span[1]
    found, least = own.parabola(span, middle), own.least(span)
    assert found.is_valid[span[1] > 0].all()
    rng = np.random.default_rng(5)
    with mpmath.workdps(40):
        for k in range(len(span[0])):
            low = max(span[0][k], 0.0) if own.is_count[k] else span[0][k]
            if low > span[1][k]:
                continue
            for share in (0, 1, 0.7, *rng.random(6)):
                nu = mpmath.mpf(min(max(low + share * (span[1][k] - low), low), span[1][k]))
                if own.is_count[k] and nu == 0 and own.target[k]:
                    continue
                s, t, c = (mpmath.mpf(float(v[k])) for v in (found.factor, found.target, found.constant))
                # The target is s y, rounded: what expands a row knows of that.
                slack = mpmath.mpf(2) ** -52 * abs(t) * 2 * abs(s * nu - t)
                value = exact(own, k, nu)
                assert (s * nu - t) ** 2 + c - slack <= value, (k, own.target[k], own.is_count[k])
                assert mpmath.mpf(float(least[k])) <= value, (k, own.target[k])


def test_parabolas_are_below_data_with_factors():
    """In forty digits."""
    check_parabolas()


@pytest.mark.parametrize("what", ["margins", "curvature"])
def test_wrong_parabolas_are_seen(what, monkeypatch):
    """The comparison is sharp enough to see what rounding does, and a curvature that is 0.1 % too large."""
    if what == "margins":
        monkeypatch.setattr(module, "ULP", 0.0)
    else:
        true = Factors._least_curvature
        monkeypatch.setattr(Factors, "_least_curvature", lambda s, span: true(s, span) * 1.001 + 1e-3)
    with pytest.raises(AssertionError):
        check_parabolas()


def test_slopes_are_those_of_the_loss():
    """By the envelope theorem, against differences."""
    own, span = drawn()
    nu = np.where(own.is_count, np.abs(span[1]) + 0.1, span[1])
    step = 1e-5 * np.abs(nu)
    difference = (own.loss(nu + step) - own.loss(nu - step)) / (2 * step)
    assert own.slope(nu) == pytest.approx(difference, rel=1e-3, abs=1e-3 * (own.loss(nu) / np.abs(nu)).max())


def full(one, point):
    """Minimise over all parameters with iminuit."""
    problem, n = one.problem, len(one.problem.blocks[0].observed)
    held = {name: value[point : point + 1] for name, value in one.held.items()}

    def merit(x):
        f = problem.evaluate(held, {name: np.array([v]) for name, v in zip(problem.parameters, x, strict=True)})[0]
        first, rest = f[:n], f[n:] - problem.target[n:]
        loss = deviance(first, problem.target[:n]) if problem.is_count[0] else (first - problem.target[:n]) ** 2
        return min(loss.sum() + (rest**2).sum(), 1e9)

    minuit = iminuit.Minuit(merit, one.start)
    minuit.limits = list(zip(problem.lower, problem.upper, strict=True))
    minuit.strategy = 2
    return min(minuit.migrad().fval for _ in range(3)), merit


@pytest.mark.parametrize(
    ("one", "most_boxes"),
    [
        (problems.factors(points=np.linspace(0, 2, 20)), 100),
        (problems.factors(points=(0.0, 1.0), is_first=True), 20),
        (problems.factors(points=(1.0,), delta=0.3, n_empty=4), 400),
        (problems.factors_of_values(), 300),
    ],
    ids=["counts", "factors first", "empty bins", "values"],
)
def test_minima_with_many_factors_are_proven(one, most_boxes):
    """Equal to minimisation over all of up to 24 parameters; the parameters that are told have the value told."""
    proof = one.prove()
    assert proof.is_closed.all()
    assert proof.n_boxes.max() <= most_boxes
    for k in range(0, one.n, 7):
        least, merit = full(one, k)
        assert proof.lower_bound[k] <= least + 1e-9
        assert proof.chi2[k] == pytest.approx(least, abs=2e-3)
        assert merit(proof.parameters[k]) == pytest.approx(proof.chi2[k], abs=1e-9)


def test_what_multiplies_a_datum_is_a_factor():
    """Whatever the order; what is added, has no constraint, is not positive or shares data is none."""
    found = examine(problems.factors(3).problem, {"p": np.ones(1)}, 1)
    assert (found.nonlinear, found.factors) == ((), ("gamma0", "gamma1", "gamma2"))
    assert found.linear == ("t0", "t1", "t2", "t3")
    box = {
        "a": (0.0, 1.0, 0.5),
        "b": (0.0, 2.0, 1.0),
        "c": (0.0, 2.0, 1.0),
        "d": (-1.0, 2.0, 1.0),
        "e": (0.0, 2.0, 1.0),
    }

    def predict(a, b, c, d, e):
        return {"y": np.hstack([b + np.exp(a), c * np.exp(a), d * a**2, e * np.exp(a), e * a**3])}

    constraints = [Constraint(name, 1.0, 0.1) for name in "bde"]
    one = case(predict, [block("y", np.ones(5), 0.1)], box, constraints)
    assert examine(one.problem, {}, 1).factors == ()
    constrained = case(predict, [block("y", np.ones(5), 0.1)], box, [*constraints, Constraint("c", 1.0, 0.1)])
    assert examine(constrained.problem, {}, 1).factors == ("c",)


def test_a_factor_that_is_linear_with_everything_stays_linear():
    one = case(lambda a, c: {"y": np.hstack([c * 2.0, a * X])}, [block("y", np.ones(13), 0.1)],
               {"a": (0.0, 1.0, 0.5), "c": (0.0, 2.0, 1.0)}, [Constraint("c", 1.0, 0.1)])  # fmt: skip
    assert examine(one.problem, {}, 1).factors == ()
    assert examine(one.problem, {}, 1).linear == ("a", "c")
