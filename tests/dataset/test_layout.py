"""How a grid is cut into slabs."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.dataset.writer import chunk_shape, slabs

SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple)


@given(SHAPES, st.integers(1, 64), st.integers(1, 2000))
def test_slabs_cover_the_grid_once_and_in_order(shape, point_bytes, slab_bytes):
    """The rows of the slabs follow each other, and lie at the place that C order gives them."""
    grid = np.arange(prod(shape)).reshape(shape)
    chunk = chunk_shape(shape, point_bytes, slab_bytes)
    next_row = 0
    for slab in slabs(shape, chunk):
        assert slab.rows.start == next_row
        np.testing.assert_array_equal(grid[slab.place], np.arange(slab.rows.start, slab.rows.stop).reshape(slab.shape))
        next_row = slab.rows.stop
    assert next_row == prod(shape)


@given(SHAPES, st.integers(1, 64), st.integers(1, 2000))
def test_a_slab_is_one_chunk_of_bounded_size(shape, point_bytes, slab_bytes):
    """A slab is no larger than asked for, unless a single point is."""
    chunk = chunk_shape(shape, point_bytes, slab_bytes)
    assert prod(chunk) * point_bytes <= max(slab_bytes, point_bytes)
    assert all(slab.shape <= chunk for slab in slabs(shape, chunk))


def test_a_large_grid_is_cut_into_few_slabs():
    chunk = chunk_shape((1000, 1000), 16 * 8)
    assert chunk == (8, 1000)
    assert len(list(slabs((1000, 1000), chunk))) == 125
