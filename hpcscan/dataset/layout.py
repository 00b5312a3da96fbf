"""How an array is cut into slabs: one slab is written at a time, and is one chunk of the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

SLAB_BYTES = 2**20
#: Smaller arrays are stored whole: chunks and deflate would cost more than they save.
WHOLE_BYTES = 2**14


@dataclass(frozen=True)
class Slab:
    """A part of the grid.

    Attributes
    ----------
    rows : slice
        Its points, in C order.
    place : tuple of slice
        Where it lies along each scan axis.
    shape : tuple of int
        Its size along each scan axis.
    """

    rows: slice
    place: tuple[slice, ...]
    shape: tuple[int, ...]


def chunk_shape(shape: tuple[int, ...], point_bytes: int, slab_bytes: int = SLAB_BYTES) -> tuple[int, ...]:
    """Size of a chunk along each scan axis: consecutive points, about `slab_bytes` of them and at least one."""
    chunk = [1] * len(shape)
    below = point_bytes
    for axis in reversed(range(len(shape))):
        chunk[axis] = max(1, min(shape[axis], slab_bytes // below))
        if chunk[axis] < shape[axis]:
            break
        below *= shape[axis]
    return tuple(chunk)


def slabs(shape: tuple[int, ...], chunk: tuple[int, ...]) -> Iterator[Slab]:
    """Cut a grid into the slabs of these chunks, in C order."""
    blocks = [range(0, size, step) for size, step in zip(shape, chunk, strict=True)]
    begin = 0
    for corner in product(*blocks):
        stops = [min(start + step, size) for start, step, size in zip(corner, chunk, shape, strict=True)]
        place = tuple(slice(start, stop) for start, stop in zip(corner, stops, strict=True))
        size = tuple(part.stop - part.start for part in place)
        yield Slab(slice(begin, begin + prod(size)), place, size)
        begin += prod(size)
