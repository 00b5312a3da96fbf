"""How points are cut into chunks: all of them once, large ones first, small ones last, and never too small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpcscan.scanning.chunks import chunk_sizes, cut, sizes_of_chunks

numbers = st.integers(1, 5000)
ranks = st.integers(1, 300)


@given(numbers, st.integers(1, 300), ranks)
def test_sizes_shrink_and_hold_all_points(n_points, most, n_ranks):
    sizes = chunk_sizes(n_points, most, n_ranks)
    assert sum(sizes) == n_points
    assert sizes == sorted(sizes, reverse=True)
    assert 1 <= min(sizes) <= max(sizes) <= most


@given(numbers, st.integers(1, 300), st.integers(2, 300))
def test_every_rank_has_a_share_in_several_pieces(n_points, most, n_ranks):
    """No chunk is more than half of it, nor one but the last less than a sixth of it or half of the largest."""
    sizes, share = chunk_sizes(n_points, most, n_ranks), n_points / n_ranks
    assert max(sizes) <= max(1, share / 2 + 1)
    assert min(sizes[:-1], default=most) >= min(most // 2, int(share / 6))
    assert len(sizes) >= min(n_points, n_ranks)


@given(numbers, st.integers(1, 300))
def test_one_rank_has_nobody_to_wait_for(n_points, most):
    assert set(chunk_sizes(n_points, most, 1)[:-1]) <= {most}


@given(numbers, st.integers(1, 300), ranks, st.none() | st.integers(1, 300))
def test_the_sizes_are_those_of_the_chunks(n_points, most, n_ranks, chunk):
    """What a plan counts is what a run hands out."""
    chunks = cut(n_points, most, n_ranks, chunk)
    assert [one.n_points for one in chunks] == sizes_of_chunks(n_points, most, n_ranks, chunk)
