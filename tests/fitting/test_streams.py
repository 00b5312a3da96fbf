"""Random streams of many points are those that numpy gives to each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hpcscan.fitting.starts import draw_starts, generators, is_turned
from hpcscan.likelihood.box import Box

keys = hnp.arrays(np.uint32, st.tuples(st.integers(1, 4), st.integers(1, 8)))


@given(seed=st.integers(0, 2**63 - 1) | st.integers(0, 2**200), keys=keys)
def test_every_stream_is_that_of_its_seed_sequence(seed: int, keys: np.ndarray) -> None:
    n_streams = 0
    for key, generator in zip(keys, generators(seed, keys), strict=True):
        sequence = np.random.SeedSequence(seed, spawn_key=tuple(map(int, key)))
        expected = np.random.Generator(np.random.PCG64(sequence))
        assert generator.bit_generator.state == expected.bit_generator.state
        assert generator.random(5).tobytes() == expected.random(5).tobytes()
        n_streams += 1
    assert n_streams == len(keys)


def test_half_of_all_points_begin_with_their_second_start() -> None:
    """So that points with a start each have both kinds; which does not depend on the points beside."""
    points = np.stack(np.meshgrid(np.linspace(0, 1, 20), np.arange(20.0)), axis=-1).reshape(-1, 2)
    turned = is_turned(points, 42)
    assert 0.4 < turned.mean() < 0.6
    assert is_turned(points[7:9], 42).tolist() == turned[7:9].tolist()


def drawn_shares(n_parameters: int) -> np.ndarray:
    """Draw 32 starts of 100 points, as shares of the ranges: shape (n_parameters, 100, 32)."""
    ends = np.zeros((n_parameters, 1)), np.ones((n_parameters, 1))
    return draw_starts(Box(*ends, *ends, ends[1]), np.arange(100.0)[:, None], 7, 32)


def test_every_second_start_has_about_three_parameters_near_ends_of_their_ranges() -> None:
    """Log-uniformly in the distance, over six decades; all parameters where there are no more than three."""
    for n_parameters, share in ((1, 1.0), (3, 1.0), (6, 0.5), (10, 0.3)):
        drawn = drawn_shares(n_parameters)
        assert ((drawn >= 0) & (drawn <= 1)).all()
        # Uniform numbers are hardly ever within 5e-4 of an end, where half of the others are.
        is_near = np.minimum(drawn, 1 - drawn) < 5e-4
        assert is_near[..., ::2].mean() < 4e-3
        assert is_near[..., 1::2].mean() == pytest.approx(share / 2, rel=0.1)
        assert (drawn[..., 1::2] < 0.5).mean() == pytest.approx(0.5, abs=0.02)


def test_the_other_parameters_of_such_a_start_are_uniform() -> None:
    drawn = drawn_shares(10)[..., 1::2].ravel()
    # One decade in six is log10 2 wide between a quarter of the range and its middle.
    inner = np.sort(drawn[(drawn > 0.25) & (drawn < 0.75)])
    expected = (inner - 0.25) / 0.5
    empirical = np.arange(len(inner)) / len(inner)
    assert np.abs(empirical - expected).max() < 0.02
    assert len(inner) / len(drawn) == pytest.approx(0.7 * 0.5 + 0.3 * np.log10(2) / 6, rel=0.05)
