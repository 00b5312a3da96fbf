"""Start points: every grid point draws them from a random stream of its own."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array
from hpcscan.fitting.streams import generators
from hpcscan.likelihood.box import Box

#: Powers of ten over which the distance to an end is spread.
DECADES = 6.0


def draw_starts(box: Box, points: Array, seed: int, n_starts: int) -> Array:
    """Draw start points from the start ranges.

    Every second start is drawn log-uniformly in the distance of each coordinate to an end of its range, because what
    matters may lie near an end: a rate near zero, an amplitude near its bound. The others are drawn uniformly.

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
    # Adding zero makes −0 and 0 the same coordinate.
    keys = np.ascontiguousarray(points + 0.0).view(np.uint32)
    uniform = np.empty((len(points), n_starts, len(box.start)))
    for draws, generator in zip(uniform, generators(seed, keys), strict=True):
        generator.random(out=draws)
    uniform[:, 1::2] = _towards_ends(uniform[:, 1::2])
    start = box.start[:, :, None] + (box.stop - box.start)[:, :, None] * uniform.transpose(2, 0, 1)
    return np.clip(start, box.lower[:, :, None], box.upper[:, :, None])


def _towards_ends(uniform: Array) -> Array:
    """Turn uniform numbers into shares of a range whose distance to the nearer end is log-uniform, up to half of it."""
    is_low = uniform < 0.5
    nearness = 2 * np.where(is_low, uniform, 1 - uniform)
    distance = 0.5 * 10.0 ** (DECADES * (nearness - 1))
    return np.where(is_low, distance, 1 - distance)
