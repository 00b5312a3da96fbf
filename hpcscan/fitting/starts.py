"""Start points: every grid point draws them from a random stream of its own."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array
from hpcscan.fitting.streams import generators
from hpcscan.likelihood.box import Box


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
    # Adding zero makes −0 and 0 the same coordinate.
    keys = np.ascontiguousarray(points + 0.0).view(np.uint32)
    uniform = np.empty((len(points), n_starts, len(box.start)))
    for draws, generator in zip(uniform, generators(seed, keys), strict=True):
        generator.random(out=draws)
    start = box.start[:, :, None] + (box.stop - box.start)[:, :, None] * uniform.transpose(2, 0, 1)
    return np.clip(start, box.lower[:, :, None], box.upper[:, :, None])
