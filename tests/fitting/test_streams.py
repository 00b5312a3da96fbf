"""Random streams of many points are those that numpy gives to each."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hpcscan.fitting.starts import generators, is_turned

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
