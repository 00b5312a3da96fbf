"""Proofs of whole problems: right values, budgets, better points, the same bits in any company."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import least_squares

from hpcscan.proof import branch
from hpcscan.proof.branch import Prospect, Tolerance, examine, prove
from proof.problems import (
    DECAY_T,
    DECAY_Y,
    INF,
    Case,
    X,
    block,
    case,
    cases,
    nist,
    oscillation,
    peak,
    pendulum,
    pendulum_free,
    plateau,
    resonance,
)


def check(proof, expected, most_boxes):
    """Closed, with the right minimum between bound and value; expected to five decimals or better."""
    expected, last = np.array(expected), 1e-5
    assert proof.is_closed.all()
    assert (proof.lower_bound <= expected + last).all()
    assert (proof.chi2 >= expected - last).all()
    assert (proof.chi2 - proof.lower_bound <= 1e-3 + last).all()
    assert proof.n_boxes.max() <= most_boxes


def test_a_plateau_that_deceives_fits_is_no_minimum():
    """Nearly all starts agree on a decay that is over before the first datum; no start is given here at all."""
    expected = [1170.300623, 585.880485, 216.522476, 42.596917, 19.168357, 89.473037, 209.162811, 348.928948, 490.33637]
    check(plateau().prove(), expected, 120)
    check(plateau(INF).prove(), expected, 120)


def test_an_oscillation_over_many_periods():
    expected = [187.54013, 140.55697, 102.14137, 72.36967, 51.22975, 38.52364, 33.57364, 34.31605]
    check(oscillation().prove(), expected, 3000)


def test_the_pendulum():
    """140 points; with the scanned parameters free, the best fit. An offset without bounds costs nothing."""
    bounded, endless = pendulum().prove(), pendulum(INF).prove()
    assert bounded.is_closed.all()
    assert bounded.n_boxes.tolist() == endless.n_boxes.tolist()
    assert bounded.chi2.min() == pytest.approx(4.2516, abs=2e-3)
    check(pendulum_free().prove(), [2.0029267], 1200)


@pytest.mark.parametrize(
    ("name", "factor", "held", "bounded", "most_boxes"),
    [
        ("MGH09", 1.5, (2, 3), True, 3),
        ("MGH09", 100.0, (2, 3), True, 20),
        ("MGH09", 1.5, (), True, 4000),
        ("MGH17", 1.5, (0, 3), True, 60),
        ("MGH17", 100.0, (0, 3), True, 100),
        ("MGH17", 1.5, (), True, 1200),
        ("Thurber", 10.0, (4, 6), True, 3500),
        ("Thurber", 10.0, (4, 6), False, 3500),
    ],
)
def test_certified_values_are_proven(name, factor, held, bounded, most_boxes):
    """NIST's residuals, in units of the certified deviation: χ² counts the degrees of freedom."""
    proof = nist(name, factor, held, bounded).prove()
    n_data, n_parameters = {"MGH09": (11, 4), "MGH17": (33, 5), "Thurber": (37, 7)}[name]
    check(proof, [n_data - n_parameters], most_boxes)


@pytest.mark.parametrize("one", [resonance(), peak()], ids=["resonance", "peak"])
def test_a_line_is_found_anywhere_in_a_spectrum(one):
    """Two nonlinear parameters in wide boxes; against a scan with exact linear parameters, polished by scipy."""
    proof = one.prove()
    names, data = one.problem.parameters[2:], one.problem.blocks[0]

    def residual(x):
        zero = dict.fromkeys(names, 0.0)
        at = lambda **z: one.problem.predict(m=x[0], g=x[1], **{**zero, **z})["y"] + 0 * data.observed  # noqa: E731
        columns = np.stack([at(**{name: 1.0}) - at() for name in names], axis=1)
        return (columns @ np.linalg.lstsq(columns, data.observed - at())[0] + at() - data.observed) / data.sigma

    starts = [(m, g) for m in np.linspace(0, 10, 101) for g in np.geomspace(one.problem.lower[1], 3, 30)]
    best = min(starts, key=lambda x: (residual(x) ** 2).sum())
    check(proof, [2 * least_squares(residual, best, xtol=1e-14, ftol=1e-14).cost], 2500)


def test_bounds_of_linear_parameters_count():
    """An amplitude that may not be negative rests on 0, and so does a bound on the other side: against a scan."""
    proof = cases()["positive amplitude"].prove()
    a = np.linspace(0.1, 5, 20_001)[:, None]
    y = np.exp(-0.7 * X) + 0.1 * np.random.default_rng(3).normal(size=12)
    for point, p in enumerate((1.0, 0.6)):
        e, c = np.exp(-a * X), np.cos(a * X)
        least = INF
        for g in np.linspace(0, 0.2, 41):
            f = np.maximum((e * (y - p - g * c)).sum(1) / (e * e).sum(1), 0)
            least = min(least, (((f[:, None] * e + g * c + p - y) / 0.1) ** 2).sum(1).min())
        assert proof.is_closed[point]
        assert proof.lower_bound[point] <= least
        assert proof.lower_bound[point] >= least - 0.05


def test_correlated_values():
    """Forty of them, with a scale, against fits by scipy from many starts; and a covariance that is diagonal is σ."""
    one = cases()["covariance, scaled"]
    proof = one.prove()
    covariance, y = one.problem.blocks[0].covariance, one.problem.blocks[0].observed
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))

    def residual(x, p):
        a, b, c, scale = (np.full((1, 1), v) for v in x)
        prediction = one.problem.predict(p=np.full((1, 1), p), a=a, b=b, c=c)
        return np.append(whitening @ ((scale * prediction["y"])[0] - y), (x[1] - 2.0) / 0.5)

    rng = np.random.default_rng(1)
    for k, p in enumerate(one.held["p"]):
        starts = np.append(
            rng.uniform(one.problem.lower, one.problem.upper, (20, 3)), rng.uniform(0.5, 2, (20, 1)), axis=1
        )
        bounds = [np.append(one.problem.lower, -INF), np.append(one.problem.upper, INF)]
        fits = [least_squares(residual, start, args=(p,), bounds=bounds, xtol=1e-12, ftol=1e-12) for start in starts]
        least = min(2 * fit.cost for fit in fits)
        assert proof.is_closed[k]
        assert proof.lower_bound[k] <= least + 1e-6
        assert proof.lower_bound[k] >= least - 1.1e-3


def test_a_hundred_correlated_values():
    """Two nonlinear nuisances and a linear one, against fits by scipy from many starts."""
    t = np.linspace(0, 5, 100)
    covariance = 0.02 * np.exp(-0.5 * ((t - t[:, None]) / 0.3) ** 2) + 0.01 * np.eye(100)
    root = np.linalg.cholesky(covariance)
    y = np.exp(-0.6 * t) * np.cos(2 * t) + root @ np.random.default_rng(7).normal(size=100)
    data = block("y", y, np.sqrt(np.diagonal(covariance)), covariance=covariance)
    ringing = lambda a, b, c: {"y": np.exp(-a * t) * np.cos(b * t) + c}  # noqa: E731
    proof = case(ringing, [data], {"a": (0.0, 3.0, 1.0), "b": (0.5, 6.0, 1.0), "c": (-INF, INF, 0.3)}).prove()

    def residual(x):
        return np.linalg.solve(root, ringing(*x)["y"] - y)

    starts = np.random.default_rng(0).uniform([0, 0.5, -1], [3, 6, 1], (20, 3))
    bounds = [0, 0.5, -INF], [3, 6, INF]
    check(proof, [min(2 * least_squares(residual, start, bounds=bounds).cost for start in starts)], 3000)


def test_a_diagonal_covariance_is_a_row_of_deviations():
    """The same bits."""
    data = block("y", np.exp(-0.7 * X), 0.1)
    box = {"a": (0.0, 5.0, 1.0), "c": (-INF, INF, 0.1)}
    proofs = [
        case(lambda a, c: {"y": np.exp(-a * X) ** 2 + c}, [replace(data, covariance=covariance)], box).prove()
        for covariance in (None, np.diag(data.sigma**2))
    ]
    assert proofs[0].lower_bound.tolist() == proofs[1].lower_bound.tolist()


def test_independent_parts_are_added():
    """Rastrigin's function of six parameters, ten minima each: proofs of one parameter, summed."""

    def predict(**x):
        columns = [np.hstack([v, np.sqrt(np.maximum(10 - 10 * np.cos(2 * np.pi * v), 0))]) for v in x.values()]
        return {"y": np.concatenate(columns, axis=1)}

    box = {f"x{k}": (-5.12 + 0.1 * k, 5.12, 3.1) for k in range(6)}
    one = case(predict, [block("y", [0.5, 0.0] * 6, 1.0)], box)
    proof = one.prove()
    x = np.linspace(-5.12, 5.12, 1_000_001)
    least = 6 * ((x - 0.5) ** 2 + 10 - 10 * np.cos(2 * np.pi * x)).min()
    check(proof, [least], 700)


def test_a_value_below_the_fits_is_a_better_point():
    """Proof and repair in one: the parameters give the χ² that is told, below the given one."""
    one = plateau()
    stuck = 3006.0
    proof = one.prove(chi2=stuck)
    assert proof.is_improved.all()
    k, c = proof.parameters.T[:, :, None]
    prediction = one.problem.predict(A=one.held["A"][:, None], k=k, c=c)["y"]
    values = (((prediction - one.problem.blocks[0].observed) / 0.05) ** 2).sum(1)
    assert values == pytest.approx(proof.chi2)


def test_a_right_value_is_left_as_it_is():
    """The given minimum and its parameters come back, and fewer boxes are needed."""
    one = plateau()
    first = one.prove()

    def residual(p, A):
        return (A * np.exp(-p[0] * DECAY_T) + p[1] - DECAY_Y) / 0.05

    fits = [
        least_squares(residual, start, args=(A,), xtol=1e-14, ftol=1e-14)
        for A, start in zip(one.held["A"], first.parameters, strict=True)
    ]
    chi2, parameters = np.array([2 * fit.cost for fit in fits]), np.array([fit.x for fit in fits])
    again = prove(one.problem, one.held, (chi2, parameters), 5000, Tolerance())
    assert not again.is_improved.any()
    assert again.chi2.tolist() == chi2.tolist()
    assert again.parameters.tolist() == parameters.tolist()
    assert again.is_closed.all()
    assert again.n_boxes.sum() < first.n_boxes.sum()


def test_a_budget_ends_with_a_valid_bound():
    """In boxes; what is open is bounded all the same, and the gap is told."""
    one = oscillation()
    full = one.prove()
    short = one.prove(most_boxes=200)
    assert short.n_boxes.max() <= 200
    assert not short.is_closed.all()
    assert (short.lower_bound <= full.chi2).all()
    assert (short.lower_bound >= 0).all()


@pytest.mark.parametrize(
    "name",
    [
        *("pendulum", "oscillation", "Thurber", "positive amplitude", "one scale", "assembled"),
        *("covariance, scaled", "factors, some empty", "factors of values"),
    ],
)
def test_a_point_has_the_same_bits_in_any_company(name, monkeypatch):
    """Alone, among others, in other blocks of boxes."""
    one = cases()[name]
    held = {key: value[: 3 if one.n > 1 else 1] for key, value in one.held.items()}
    together = Case(one.problem, one.start, held).prove(600)
    monkeypatch.setattr(branch, "BLOCK", 3000)
    for k in range(together.chi2.size):
        alone = Case(one.problem, one.start, {key: value[k : k + 1] for key, value in held.items()}).prove(600)
        for field in ("lower_bound", "chi2", "parameters", "n_boxes"):
            assert np.array_equal(getattr(alone, field)[0], getattr(together, field)[k]), field


def test_zero_is_its_own_proof():
    one = case(lambda a: {"y": np.exp(a * X)}, [block("y", np.exp(0.5 * X), 0.1)], {"a": (0.0, 1.0, 0.5)})
    proof = one.prove()
    assert (proof.lower_bound[0], proof.n_boxes[0], bool(proof.is_closed[0])) == (0.0, 0, True)


def test_nothing_free_is_proven_by_its_value():
    """All parameters held: χ² itself, or the least over the scale."""
    one = case(lambda p: {"y": p * X}, [block("y", X + 0.1, 0.1)], {}, p=[1.0, 2.0])
    assert one.prove().lower_bound == pytest.approx([12.0, (((X - 0.1) / 0.1) ** 2).sum()])
    scaled = case(lambda p: {"y": p * X}, [block("y", X + 0.1, 0.1, "S")], {}, p=[1.0, 2.0])
    slope = (X * (X + 0.1)).sum() / (X * X).sum()
    proof = scaled.prove()
    assert proof.is_closed.all()
    assert proof.lower_bound == pytest.approx(np.full(2, (((slope * X - X - 0.1) / 0.1) ** 2).sum()))


def test_undefined_predictions_are_no_fits():
    """The least χ² is at the edge of the domain, beyond which predictions are NaN."""

    def predict(a):
        return {"y": np.hstack([np.sqrt(a - 0.3), a])}

    one = case(predict, [block("y", [0.0, 0.0], 1.0)], {"a": (-5.0, 5.0, 1.0)})
    check(one.prove(), [0.09], 200)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (case(lambda a: {"y": np.cos(a * X)}, [block("y", X, 0.1)], {"a": (0.0, INF, 1.0)}), "a: give bounds"),
        (
            case(
                lambda **x: {"y": np.exp(sum(x.values()) * X)},
                [block("y", X, 0.1)],
                {f"x{k}": (0.0, 1.0, 0.5) for k in range(6)},
            ),
            "6 nonlinear parameters",
        ),
    ],
)
def test_what_is_not_tried_is_said(one, said):
    proof = one.prove()
    assert said in proof.obstacle
    assert (proof.lower_bound[0], proof.n_boxes[0], bool(proof.is_closed[0])) == (-INF, 0, False)


def test_a_problem_is_examined_before_it_is_proven():
    """Names by parts, and what stands in the way."""
    one = oscillation()
    assert examine(one.problem, one.held, one.n) == Prospect((("d", "es"),), ("b",), (), "")
    endless = pendulum(INF)
    endless.problem.lower[0] = -INF
    assert "phase" in examine(endless.problem, endless.held, endless.n).obstacle


def test_a_model_that_is_undefined_everywhere_has_no_minimum():
    """Every box is empty: the bound is infinite, as χ² is, and nothing is called proven."""
    proof = case(lambda a: {"y": np.sqrt(a - 2) * X}, [block("y", X, 0.1)], {"a": (0.0, 1.0, 0.5)}).prove()
    assert (proof.lower_bound[0], proof.chi2[0], bool(proof.is_closed[0])) == (INF, INF, False)
    assert proof.n_boxes[0] == 1
