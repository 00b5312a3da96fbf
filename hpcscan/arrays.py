"""The types of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
IntArray = NDArray[np.integer]
BoolArray = NDArray[np.bool_]

#: Matrices whose shorter side has so many numbers are large.
LARGE = 8


def is_large(shape: tuple[int, ...]) -> bool:
    """Whether matrices in an array of this shape, one after another along its last axis, are for BLAS and LAPACK."""
    return shape[0] >= LARGE and min(shape[:-1]) >= LARGE


def zeros(shape: tuple[int, ...]) -> Array:
    """Make an array of zeros, in which the numbers of a large matrix lie together in memory."""
    return np.zeros(shape, order="F" if is_large(shape) else "C")
