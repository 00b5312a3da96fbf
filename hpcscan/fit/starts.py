"""Start points: every grid point draws them from a random stream of its own."""

from __future__ import annotations

import numpy as np

from hpcscan.fit.box import Box
from hpcscan.model.interface import Array


def draw_starts(box: Box, points: Array, seed: int, n_starts: int) -> Array:
    """Draw start points uniformly from the start ranges.

    The stream belongs to the coordinates of the point, so that it does not depend on the grid, the ranks or the order
    of work; start k takes the k-th block of draws, so that more starts continue the same sequence.

    Parameters
    ----------
    box : Box
    points : array, shape (n_points, n_axes)
    seed : int
    n_starts : int

    Returns
    -------
    array, shape (n_parameters, n_points, n_starts)
    """
    shape = (n_starts, len(box.start))
    uniform = np.stack([_generator(point, seed).random(shape) for point in points], axis=1)
    start = box.start[:, :, None] + (box.stop - box.start)[:, :, None] * uniform.transpose(2, 1, 0)
    return np.clip(start, box.lower[:, :, None], box.upper[:, :, None])


def _generator(point: Array, seed: int) -> np.random.Generator:
    """Give the stream of a point; adding zero makes −0 and 0 the same coordinate."""
    key = tuple(int(word) for word in np.ascontiguousarray(point + 0.0).view(np.uint32))
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
