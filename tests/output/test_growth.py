"""Which points a larger grid has in common with a smaller one, and which are left to do."""

from __future__ import annotations

import numpy as np
import pytest

from hpcscan.grid import Grid, GridAxis
from hpcscan.scanning.chunks import ScanState, cut
from hpcscan.scanning.lattice import index_in, missing_values


def grid(**axes):
    return Grid(tuple(GridAxis(name, tuple(map(float, values))) for name, values in axes.items()))


@pytest.mark.parametrize(
    "new",
    [
        grid(x=[0, 1, 2], y=[5, 6]),
        grid(x=[-1, 0, 1, 2, 3], y=[5, 6, 7]),
        grid(x=[0, 0.5, 1, 1.5, 2], y=[4, 5, 5.5, 6]),
        grid(y=[5, 6, 7], x=[0, 1, 2]),
    ],
)
def test_points_are_found_by_their_coordinates(new):
    """Widened, refined, both, or with its axes in another order."""
    old = grid(x=[0, 1, 2], y=[5, 6])
    assert missing_values(old, new) == {}
    order = [[axis.name for axis in new.axes].index(axis.name) for axis in old.axes]
    found = new.points(index_in(old, new))[:, order]
    np.testing.assert_array_equal(found, old.points(np.arange(old.n_points)))


def test_values_that_are_missing_are_named():
    assert missing_values(grid(x=[0, 1, 2], y=[5]), grid(x=[0, 2, 3], y=[6])) == {"x": (1.0,), "y": (5.0,)}
    assert missing_values(grid(x=[0.1]), grid(x=[np.nextafter(0.1, 1)])) == {"x": (0.1,)}


def standing(n, known=(), tried=()):
    return ScanState(*(np.isin(np.arange(n), points) for points in (known, tried)))


@pytest.mark.parametrize("chunk", [None, 1, 3, 1000])
def test_every_point_is_cut_once(chunk):
    """Of what is left, too: nothing that is known is computed again."""
    for n in (1, 7, 600):
        chunks = cut(n, 128, 4, chunk)
        assert sorted(np.concatenate([one.points for one in chunks])) == [*range(n)]
        known = np.arange(0, n, 3)
        left = np.concatenate([one.points for one in cut(n, 128, 4, chunk, standing=standing(n, known))] or [known[:0]])
        np.testing.assert_array_equal(np.sort(left), np.setdiff1d(np.arange(n), known))
        assert cut(n, 128, 4, chunk, standing=standing(n, np.arange(n))) == ()


def test_what_failed_comes_last():
    """So that a point that fails slowly does not keep the others from being done."""
    left = cut(600, 128, 4, 1, standing=standing(600, range(10), [12, 300]))
    order = np.concatenate([chunk.points for chunk in left])
    assert {12, 300} <= {*order[-4:].tolist()}
