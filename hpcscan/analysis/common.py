"""Two scans where their grids agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcscan.analysis.landscape import Indices, Landscape
from hpcscan.arrays import Array


@dataclass(frozen=True)
class Common:
    """Points that two scans share.

    Attributes
    ----------
    first, second : int array
        Their indices in each scan, in the first one's order.
    shape : tuple of int
        Of the grid that they form.
    values : tuple of array
        Its axes, in the order of the first scan.
    """

    first: Indices
    second: Indices
    shape: tuple[int, ...]
    values: tuple[Array, ...]


def common_points(first: Landscape, second: Landscape) -> Common | None:
    """Find the points with equal coordinates; None where the axes have other names."""
    names = [axis.name for axis in first.grid.axes]
    others = {axis.name: number for number, axis in enumerate(second.grid.axes)}
    if set(names) != set(others):
        return None
    places: list[Indices] = []
    places_second, values = [np.array([0])] * len(names), []
    for axis in first.grid.axes:
        number = others[axis.name]
        shared, mine, theirs = np.intersect1d(axis.values, second.grid.axes[number].values, return_indices=True)
        places.append(mine)
        places_second[number] = theirs
        values.append(shared)
    shape = tuple(len(shared) for shared in values)
    in_second = _indices(places_second, second.grid.shape)
    order = [others[name] for name in names]
    return Common(_indices(places, first.grid.shape).ravel(), in_second.transpose(order).ravel(), shape, tuple(values))


def _indices(places: Sequence[Indices], shape: tuple[int, ...]) -> Indices:
    """Give the index of every combination of places along the axes."""
    return np.asarray(np.ravel_multi_index(tuple(np.meshgrid(*places, indexing="ij")), shape))
