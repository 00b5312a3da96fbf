"""Start points: every grid point draws them from a random stream of its own.

The streams are those of `numpy.random.SeedSequence` and `PCG64`, seeded for many points at once: making these objects
for every point costs ten times more than the fit of a simple model. The hash of the seed sequence (M. E. O'Neill's
`seed_seq_fe`) is the same arithmetic for every point, and so runs over arrays; a test holds it to numpy's own, whose
streams do not change between versions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hpcscan.arrays import Array, BoolArray
from hpcscan.likelihood.box import Box

Words = NDArray[np.uint32]

#: Words of the pool; constants of the hash, of the mixing and of the output; the generator's multiplier.
POOL = 4
INIT_A, MULTIPLY_A = 0x43B0D7E5, 0x931E8875
INIT_B, MULTIPLY_B = 0x8B51F9DD, 0x58F38DED

#: Powers of ten over which the distance to an end is spread, and of how many parameters at a time, on average.
DECADES, NEAR_ENDS = 6.0, 3.0


MIX_LEFT, MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
MULTIPLY_PCG = 0x2360ED051FC65DA44385DF649FCCF645
MASK_32, MASK_128 = (1 << 32) - 1, (1 << 128) - 1


def generators(seed: int, keys: Words) -> Iterator[np.random.Generator]:
    """Return ``Generator(PCG64(SeedSequence(seed, spawn_key=key)))`` for every key, shape (n, n_words).

    It is one object, which the next step of the iteration takes to the next stream.
    """
    bits = np.random.PCG64(0)
    generator = np.random.Generator(bits)
    for a, b, c, d in _states(_pool(seed, keys.T)).T.tolist():
        increment = (c << 65 | d << 1 | 1) & MASK_128
        state = ((increment + (a << 64 | b)) * MULTIPLY_PCG + increment) & MASK_128
        bits.state = {
            "bit_generator": "PCG64",
            "state": {"state": state, "inc": increment},
            "has_uint32": 0,
            "uinteger": 0,
        }
        yield generator


def _pool(seed: int, keys: Words) -> list[Words]:
    """Mix seed and keys, shape (n_words, n), into the pools of all sequences."""
    words = [seed >> shift & MASK_32 for shift in range(0, max(seed.bit_length(), 1), 32)]
    words += [0] * (POOL - len(words))
    entropy = [*(np.full(keys.shape[1], word, np.uint32) for word in words), *keys]
    constants = _powers(INIT_A, MULTIPLY_A)
    pool = [_hashed(word, constants) for word in entropy[:POOL]]
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                pool[target] = _mixed(pool[target], _hashed(pool[source], constants))
    for word in entropy[POOL:]:
        pool = [_mixed(target, _hashed(word, constants)) for target in pool]
    return pool


def _states(pool: list[Words]) -> NDArray[np.uint64]:
    """Draw the four words of 64 bits that seed a generator, shape (4, n)."""
    constants = _powers(INIT_B, MULTIPLY_B)
    words = [_hashed(word, constants).astype(np.uint64) for word in pool + pool]
    return np.stack([low | high << np.uint64(32) for low, high in zip(words[::2], words[1::2], strict=True)])


def _powers(first: int, factor: int) -> Iterator[tuple[np.uint32, np.uint32]]:
    """Return the hash constant and the one after it, for one use after another."""
    while True:
        following = first * factor & MASK_32
        yield np.uint32(first), np.uint32(following)
        first = following


def _hashed(word: Words, constants: Iterator[tuple[np.uint32, np.uint32]]) -> Words:
    constant, following = next(constants)
    word = (word ^ constant) * following
    return word ^ word >> np.uint32(16)


def _mixed(x: Words, y: Words) -> Words:
    mixed: Words = MIX_LEFT * x - MIX_RIGHT * y
    return mixed ^ mixed >> np.uint32(16)


def is_turned(points: Array, seed: int) -> BoolArray:
    """Draw for every point, shape (n_points, n_axes), whether it begins with its second start, then takes its first.

    Where points have a start or two each, both kinds are needed among neighbours; see `draw_starts`.
    """
    keys = np.ascontiguousarray(points + 0.0).view(np.uint32)
    return np.asarray(_pool(seed, keys.T)[0] & np.uint32(1), bool)


def draw_starts(box: Box, points: Array, seed: int, n_starts: int) -> Array:
    """Draw start points from the start ranges.

    In every second start some parameters, up to three all of them, are drawn log-uniformly in the distance to an end of
    their range, because what matters may lie near an end: a rate near zero, an amplitude near its bound. All others are
    drawn uniformly.

    The stream belongs to the coordinates of the point, so that it does not depend on the grid, the ranks or the order
    of work; start k takes the k-th block of draws, so that more starts continue the same sequence.

    Parameters
    ----------
    points : array, shape (n_points, n_axes)

    Returns
    -------
    array, shape (n_parameters, n_points, n_starts)
    """
    # Adding zero makes −0 and 0 the same coordinate.
    keys = np.ascontiguousarray(points + 0.0).view(np.uint32)
    uniform = np.empty((len(points), n_starts, len(box.start)))
    for draws, generator in zip(uniform, generators(seed, keys), strict=True):
        generator.random(out=draws)
    uniform[:, 1::2] = _towards_ends(uniform[:, 1::2], NEAR_ENDS / max(box.n_free, NEAR_ENDS))
    start = box.start[:, :, None] + (box.stop - box.start)[:, :, None] * uniform.transpose(2, 0, 1)
    return np.clip(start, box.lower[:, :, None], box.upper[:, :, None])


def _towards_ends(uniform: Array, part: float) -> Array:
    """Turn a part of uniform numbers into shares of a range whose distance to the nearer end is log-uniform.

    Up to half of the range; the other numbers become uniform ones again.
    """
    near, is_near = uniform / part, uniform < part
    is_low = near < 0.5
    nearness = 2 * np.where(is_low, near, 1 - near)
    distance = 0.5 * 10.0 ** (DECADES * (nearness - 1))
    others = (uniform - part) / (1 - part) if part < 1 else uniform
    return np.where(is_near, np.where(is_low, distance, 1 - distance), others)
