"""Which points a larger grid has in common with a smaller one, and which are left to do."""

from __future__ import annotations

import numpy as np
import pytest

from hpcscan.grid import Grid, GridAxis
from hpcscan.model.problem import Problem
from hpcscan.scanning.chunks import Standing, cut, points_of
from hpcscan.scanning.growth import index_in, missing_values


def grid(**axes):
    return Grid(tuple(GridAxis(name, tuple(map(float, values))) for name, values in axes.items()))


class Rigid(Problem):
    """Its blocks matter."""

    predict = None


class Free(Problem):
    """It may be cut anywhere."""

    batch_invariant = True
    predict = None


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


def standing(n, known=(), taken_over=(), tried=()):
    masks = [np.isin(np.arange(n), points) for points in (known, taken_over, tried)]
    return Standing(*masks)


@pytest.mark.parametrize("model", [Rigid(), Free()])
@pytest.mark.parametrize("chunk", [None, 1, 3, 1000])
def test_every_point_is_cut_once(model, chunk):
    """Those to do, that is; of a fresh scan, all."""
    for n in (1, 7, 600):
        chunks = cut(n, 16, model, 4, chunk)
        assert sorted(np.concatenate([one.points for one in chunks])) == [*range(n)]
        known = np.arange(0, n, 3)
        left = cut(n, 16, model, 4, chunk, standing=standing(n, known))
        marked = points_of(left, n)
        assert marked[np.setdiff1d(np.arange(n), known)].all()
        assert cut(n, 16, model, 4, chunk, standing=standing(n, np.arange(n))) == ()


def test_a_free_model_computes_only_what_is_missing():
    left = cut(600, 16, Free(), 4, None, standing=standing(600, np.arange(0, 600, 2)))
    np.testing.assert_array_equal(np.flatnonzero(points_of(left, 600)), np.arange(1, 600, 2))


def test_blocks_of_a_rigid_model_are_whole():
    """The same blocks as in a fresh scan: one that is known in part is computed again."""
    fresh = [block.point_index.tolist() for chunk in cut(1000, 16, Rigid(), 4, None) for block in chunk.blocks]
    assert fresh[1] == [3, 4, 5]
    left = cut(1000, 16, Rigid(), 4, None, standing=standing(1000, [0, 1, 2, 3, 4, 6, 7, 8]))
    blocks = [block.point_index.tolist() for chunk in left for block in chunk.blocks]
    assert blocks == [fresh[1], *fresh[3:]]


def test_points_of_a_smaller_grid_belong_to_no_block():
    """They are never computed again; the others form the blocks."""
    old = [0, 2, 4]
    left = cut(1000, 16, Rigid(), 4, None, standing=standing(1000, old, old))
    blocks = [block.point_index.tolist() for chunk in left for block in chunk.blocks]
    assert blocks[:2] == [[1, 3, 5], [6, 7, 8]]
    assert not points_of(left, 1000)[old].any()


@pytest.mark.parametrize("model", [Rigid(), Free()])
def test_what_failed_comes_last(model):
    """So that a point that fails slowly does not keep the others from being done."""
    left = cut(600, 16, model, 4, 1, standing=standing(600, range(10), (), [12, 300]))
    order = np.concatenate([chunk.points for chunk in left])
    assert {12, 300} <= {*order[-4:].tolist()}
