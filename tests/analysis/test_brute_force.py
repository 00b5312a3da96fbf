"""What works on whole arrays gives the same bits as the plain way: square by square, node by node."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpcscan.analysis import interval as intervals
from hpcscan.analysis.interpolation import refine_surface
from hpcscan.analysis.interval import interval
from hpcscan.analysis.planes import contours

#: Whole numbers, so that saddles and corners on the level are frequent; and holes.
VALUES = st.one_of(st.integers(-3, 3).map(float), st.floats(-5, 5), st.just(np.nan))
FIELDS = st.tuples(st.integers(2, 7), st.integers(2, 7)).flatmap(lambda shape: arrays(float, shape, elements=VALUES))
CURVES = st.integers(2, 14).flatmap(lambda n: arrays(float, n, elements=VALUES.map(abs)))


def plain_contours(x, y, f, level, most_values):
    """Marching squares, one square after the other."""
    x, y, f = refine_surface(x, y, f, most_values)
    above, joined = f - level, {}
    for i in range(len(x) - 1):
        for j in range(len(y) - 1):
            for one, other in plain_pairs(above, i, j):
                joined.setdefault(one, []).append(other)
                joined.setdefault(other, []).append(one)
    return [[plain_crossing(x, y, above, edge) for edge in line] for line in plain_lines(joined)]


def plain_pairs(above, i, j):
    block = above[i : i + 2, j : j + 2]
    if not np.isfinite(block).all():
        return []
    corner = [block[0, 0] > 0, block[1, 0] > 0, block[1, 1] > 0, block[0, 1] > 0]
    edges = [(0, i, j), (1, i + 1, j), (0, i, j + 1), (1, i, j)]
    crossed = [edge for k, edge in enumerate(edges) if corner[k] != corner[(k + 1) % 4]]
    if len(crossed) < 4:
        return [tuple(crossed)] if crossed else []
    if ((block[0, 0] + block[1, 1]) + (block[1, 0] + block[0, 1]) > 0) == corner[0]:
        return [(edges[0], edges[1]), (edges[2], edges[3])]
    return [(edges[3], edges[0]), (edges[1], edges[2])]


def plain_lines(joined):
    left = dict(joined)
    for start in [*(edge for edge, others in joined.items() if len(others) == 1), *joined]:
        if start in left:
            line = [start]
            while following := [other for other in left.pop(line[-1]) if other in left]:
                line.append(following[0])
            yield line if len(joined[start]) == 1 else [*line, start]


def plain_crossing(x, y, above, edge):
    axis, i, j = edge
    low, high = above[i, j], above[i + (axis == 0), j + (axis == 1)]
    part = low / (low - high)
    if axis == 0:
        return x[i] + part * (x[i + 1] - x[i]), y[j]
    return x[i], y[j] + part * (y[j + 1] - y[j])


#: A saddle whose middle is on the level but for rounding, which depends on the order of a sum.
NEARLY_ON_LEVEL = np.array([[1.0, -1.0], [-5e-17, 1e-16]])


@given(FIELDS, st.sampled_from([0.0, 0.5, 1.25]), st.sampled_from([2, 20]))
@example(NEARLY_ON_LEVEL, 0.0, 2)
def test_contours(f, level, most_values):
    x, y = np.linspace(1, 2, len(f)), np.geomspace(1, 2, f.shape[1])
    found = contours(x, y, f, level, most_values)
    plain = plain_contours(x, y, f, level, most_values)
    assert len(found) == len(plain)
    for line, points in zip(found, plain, strict=True):
        np.testing.assert_array_equal(line.points, points)


@given(FIELDS, st.sampled_from([0.0, 0.5, 1.25]))
@example(NEARLY_ON_LEVEL, 0.0)
def test_a_plane_that_is_turned_has_the_same_lines(f, level):
    x, y = np.linspace(1, 2, len(f)), np.geomspace(1, 2, f.shape[1])
    plain, turned = contours(x, y, f, level, 2), contours(y, x, f.T, level, 2)
    steps = [
        {frozenset(map(tuple, pair)) for one in lines for pair in pairwise(one.points[:, ::turn].tolist())}
        for lines, turn in ((plain, 1), (turned, -1))
    ]
    assert steps[0] == steps[1]


@given(CURVES, st.sampled_from([0.5, 1.0, 2.5]))
def test_an_interval_depends_on_the_nodes_around_its_ends(delta, level):
    x = np.geomspace(1, 3, len(delta))
    found = interval(x, delta, level, 1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "REACH", len(x))
        assert repr(interval(x, delta, level, 1e-3)) == repr(found)


@given(CURVES, st.sampled_from([0.5, 1.0, 2.5]))
def test_the_stretch_of_an_interval(delta, level):
    found = interval(np.arange(len(delta)), delta, level)
    if not (delta <= level).any():
        assert found is None
        return
    first = last = int(np.nanargmin(delta))
    while first > 0 and delta[first - 1] <= level:
        first -= 1
    while last < len(delta) - 1 and delta[last + 1] <= level:
        last += 1
    assert found.n_others == np.count_nonzero(delta <= level) - (last - first + 1)
    if not found.lower.is_open:
        assert first - 1 < found.lower.value <= first
    if not found.upper.is_open:
        assert last <= found.upper.value < last + 1
