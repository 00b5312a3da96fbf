"""Rounds of toys: decided places stop; ties, failures and ends of a range count as they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from hpcscan.distribution import level_of
from hpcscan.toys.construction import NoToysError
from hpcscan.toys.rounds import Places, Rounds, make_rounds
from hpcscan.toys.toy_fits import BLOCK, Statistics
from toys.models import BoundedMean, Counting, Line, Uncertain, toys_of

SQUARE = {"a": np.linspace(-1, 1.6, 5), "b": np.linspace(0.2, 1.6, 5)}


def rounds(n_toys=1000, cl=(0.9,), is_adaptive=True):
    return Rounds(n_toys, cl, is_adaptive, 1e-6)


def places(*t):
    return Places(np.arange(len(t)), np.zeros((len(t), 1)), np.array(t, float))


def of(values):
    """Something that makes blocks of these t, the same at every place."""

    def make(blocks):
        t = np.stack([values[number * BLOCK : (number + 1) * BLOCK] for number in blocks.number])
        zero = np.zeros(len(blocks), np.int64)
        return Statistics(t, zero, zero.copy(), zero.copy())

    return make


def test_a_place_stops_where_it_is_decided():
    values = np.random.default_rng(1).chisquare(1, 12_800)
    tally = make_rounds(places(0.01, 2.7, 30.0), rounds(12_800), of(values))
    assert tally.n_toys.tolist() == [100, 12_800, 100]
    assert tally.p_value[[0, 2]] == pytest.approx([0.9, 0.01], abs=0.1)
    assert tally.p_value[1] == pytest.approx(chi2.sf(2.7, 1), abs=0.01)
    whole = make_rounds(places(0.01, 2.7, 30.0), rounds(12_800, is_adaptive=False), of(values))
    assert whole.n_toys.tolist() == [12_800] * 3


def test_looks_rarely_decide_wrongly():
    """Of 400 places with p = 0.1 + 0.02 that look again and again, some 5 % may end on the wrong side."""
    t = (np.random.default_rng(2).random((400, 6400)) < 0.12).astype(float)

    def make(blocks):
        zero = np.zeros(len(blocks), np.int64)
        own = [t[p, n * BLOCK : (n + 1) * BLOCK] for p, n in zip(blocks.place, blocks.number, strict=True)]
        return Statistics(np.stack(own), zero, zero.copy(), zero.copy())

    tally = make_rounds(places(*np.ones(400)), rounds(6400), make)
    assert 100 < np.median(tally.n_toys) < 6400
    assert np.count_nonzero(tally.p_value <= 0.1) <= 20


def test_ties_count():
    tally = make_rounds(places(1.0), rounds(100), of(np.repeat([0.0, 1.0 - 1e-9], 50)))
    assert tally.n_as_large[0] == 50
    assert tally.p_value[0] == pytest.approx(51 / 101)


def test_failed_toys_widen_p_and_end_it():
    values = np.linspace(0, 1, 1000)
    values[::200] = np.nan
    tally = make_rounds(places(0.5), rounds(1000, is_adaptive=False), of(values))
    lower, upper = tally.p_ends
    assert tally.n_failed[0] == 5
    assert upper[0] - lower[0] == pytest.approx(2 * np.sqrt(0.25 / 1000) + 0.005, rel=0.1)
    values[::20] = np.nan
    tally = make_rounds(places(0.5), rounds(12_800), of(values))
    assert np.isnan(tally.p_value[0])
    assert tally.n_toys[0] < 12_800


def test_critical_values_have_the_error_of_their_order():
    """In 300 samples the ends hold the true quantile as often as one standard deviation should."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(300):
        tally = make_rounds(places(1.0), rounds(400, is_adaptive=False), of(rng.chisquare(2, 400)))
        _, lower, upper = tally.critical(0.6827)
        held += lower[0] <= chi2.ppf(0.6827, 2) <= upper[0]
    assert held / 300 == pytest.approx(0.72, abs=0.06)


def test_wilks_is_right_where_it_must_be():
    """A normal, linear model has Wilks' critical values at every point: the end of the grid is not felt."""
    found = toys_of(Line(), SQUARE, n_toys=1000, cl=(0.6827, 0.9545), is_adaptive=False)
    for cl in (0.6827, 0.9545):
        value, lower, upper = found.tally.critical(cl)
        level = level_of(cl, 2)
        assert (np.abs(value - level) < 4 * (upper - lower) / 2).all()
    assert not found.tally.n_failed.any() and not found.tally.n_at_end.any() and not found.tally.n_lower.any()
    t = chi2.sf(found.t, 2)
    lower, upper = found.tally.p_ends
    assert (np.abs(found.tally.p_value - t) < 4 * (upper - lower) / 2 + 1e-3).all()


@pytest.mark.parametrize(
    ("model", "axes"),
    [
        (BoundedMean(0.5), {"mu": np.linspace(0, 8, 9)}),
        (Uncertain(), {"signal": np.linspace(0, 14, 8)}),
        (Line(), SQUARE),
    ],
    ids=["mean", "uncertain", "line"],
)
def test_batches_do_not_show(model, axes):
    """The same bits whatever blocks are made together."""
    one, other = (toys_of(model, axes, n_toys=400, batch=batch) for batch in (20, 3))
    for t, same in zip(one.tally.t, other.tally.t, strict=True):
        assert t.tobytes() == same.tobytes()
    assert one.intervals == other.intervals


def test_more_toys_begin_with_the_same():
    few, many = (
        toys_of(Uncertain(), {"signal": np.linspace(0, 14, 5)}, n_toys=n, is_adaptive=False) for n in (200, 400)
    )
    for t, more in zip(few.tally.t, many.tally.t, strict=True):
        assert t.tobytes() == more[:200].tobytes()


def test_around_contours_is_the_same_there():
    """Fewer points, and the same region."""
    wide = {"a": np.linspace(-3, 4, 8), "b": np.linspace(-1, 3, 7)}
    whole, some = (toys_of(Line(), wide, n_toys=200, is_everywhere=flag) for flag in (True, False))
    has_toys = some.tally.n_toys > 0
    assert 4 <= has_toys.sum() < 40
    assert (some.is_in[0.9] == whole.is_in[0.9]).all()
    assert (some.tally.p_value[has_toys] == whole.tally.p_value[has_toys]).all()


def test_goodness_of_fit():
    """p of χ² with the degrees of freedom that are left: 6 values, 3 parameters."""
    found = toys_of(Line(), SQUARE, n_toys=1000)
    of_data = float(found.goodness.places.t[0])
    assert found.goodness.p_value[0] == pytest.approx(chi2.sf(of_data, 3), abs=0.05)


def test_expected_result():
    """With the model's own prediction as data the best fit is where it was, with χ² zero."""
    data, expected = (toys_of(Line(), SQUARE, n_toys=200, is_asimov=flag) for flag in (False, True))
    assert expected.goodness.places.t[0] == pytest.approx(0, abs=1e-9)
    assert expected.best == pytest.approx(data.best, abs=1e-5)
    assert expected.t == pytest.approx(data.t, abs=1e-5)
    counting = toys_of(Counting(5), {"signal": np.linspace(0, 15, 16)}, n_toys=400, is_asimov=True)
    assert counting.observed == pytest.approx([5.0])


def test_a_range_that_ends_too_early_is_refused():
    """Where the best fit lies beyond the grid by more than its width."""
    with pytest.raises(NoToysError, match=r"the best fit lies beyond a = 2, one width"):
        toys_of(Line(), {"a": np.linspace(2.5, 3.0, 3)}, fix={"b": 0.1, "c": 0.0})


def test_a_grid_that_says_nothing_is_refused():
    """χ² is the same everywhere: nothing is ordered by it."""
    with pytest.raises(NoToysError, match="the same at all points"):
        toys_of(Line(), {"a": np.linspace(0, 1e-9, 3)}, fix={"b": 1.0, "c": 0.0}, n_toys=100)


def test_a_bound_at_zero_is_one_in_the_logarithm_too():
    """An axis that is spaced in the logarithm has p at every point, though many toys have their best fit at zero."""
    found = toys_of(Counting(5), {"signal": np.geomspace(0.3, 20, 10)}, n_toys=200)
    assert found.tally.has_p.all()
    assert found.tally.p_value[0] == pytest.approx(0.25, abs=0.12)


def test_a_point_far_away_makes_no_ties():
    """χ² of 10¹⁰ at one point of the grid is no measure of what is equal elsewhere."""
    near, far = (toys_of(BoundedMean(1.5), {"mu": [0.5, 1.0, 2.0, far]}, n_toys=400) for far in (20.0, 1e5))
    assert near.tally.tie == far.tally.tie
    assert (near.tally.n_as_large == far.tally.n_as_large).all()
