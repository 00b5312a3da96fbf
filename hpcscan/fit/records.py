"""The records of a fit: what every start and every grid point reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Self

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.interface import Model, scale_names

#: A count that nobody knows: of a point that failed, or whose derivatives are not finite.
UNKNOWN = -1


class Status(IntEnum):
    """How a start, or a grid point, ended."""

    NOT_RUN = 0
    CONVERGED = 1
    NOT_CONVERGED = 2
    FAILED = 3
    TIMED_OUT = 4


@dataclass(frozen=True)
class PointResults:
    """Results of n grid points; every array has the points as its first axis.

    Attributes
    ----------
    point_index : int64, shape (n,)
        Position of the point in the grid, in C order.
    status : int8, shape (n,)
        A `Status`.
    chi2, edm : float, shape (n,)
        Profile χ² and the estimated distance to the minimum in χ² units; NaN where the point failed.
    scale : float, shape (n, n_scales)
        The profiled scales at the minimum.
    profiled_parameter : float, shape (n, n_parameters)
    predicted : float, shape (n, n_observables)
        Scaled predictions at the minimum, in the units of the observables.
    at_bound : int8, shape (n, n_parameters)
        −1 at the lower bound, +1 at the upper, 0 between them.
    n_starts, n_starts_converged, n_starts_at_minimum : int32, shape (n,)
    n_evaluations, n_iterations : int64, shape (n,)
        Summed over the starts, and over the refits of waves that improved the point. An evaluation is that of χ² at one
        set of parameters, not counting derivatives: one at a start, and one to three for every iteration, for the steps
        that it tries; scipy's own count, which has the finite differences of its last step, for differential evolution.
    start_spread : float, shape (n,)
        χ² from the lowest level that starts converged to up to the next distinct one; NaN where there is one level.
    unexplored_fraction : float, shape (n,)
        Boender–Rinnooy Kan estimate of the share of χ² levels that no start has seen; 0 where the minimum is proven.
    bound_multiplier : float, shape (n, n_parameters)
        dχ²/d(bound) of a parameter that a bound holds; 0 where none does.
    n_flat_directions : int32, shape (n,)
        Nullity of the Jacobian among the parameters that no multiplier holds; `UNKNOWN` where it is not finite.
    n_determined_axes : int32, shape (n,)
        By how much the rank of the Jacobian grows when the scan axes join those parameters and the scales; `UNKNOWN`
        likewise.
    chi2_lower_bound : float, shape (n,)
        Proven lower bound of the profile χ²; NaN where the model offers none.
    scale_lower, scale_upper : float, shape (n, n_scales)
        Interval of each scale that reaches the lower bound; NaN where unknown.
    repaired : int8, shape (n,)
        1 where a neighbour's minimum improved the point.
    start_chi2 : float, shape (n, n_starts)
    start_status : int8, shape (n, n_starts)
    derived : mapping of name to float array, first axis n
        What the model reports of its own.
    fit_seconds : float, shape (n,)
        The point's share of the wall time of its block.
    rank : int32, shape (n,)
        The rank that computed it; −1 where none did.
    """

    point_index: IntArray
    status: IntArray
    chi2: Array
    edm: Array
    scale: Array
    profiled_parameter: Array
    predicted: Array
    at_bound: IntArray
    n_starts: IntArray
    n_starts_converged: IntArray
    n_starts_at_minimum: IntArray
    n_evaluations: IntArray
    n_iterations: IntArray
    start_spread: Array
    unexplored_fraction: Array
    bound_multiplier: Array
    n_flat_directions: IntArray
    n_determined_axes: IntArray
    chi2_lower_bound: Array
    scale_lower: Array
    scale_upper: Array
    repaired: IntArray
    start_chi2: Array
    start_status: IntArray
    derived: Mapping[str, Array]
    fit_seconds: Array
    rank: IntArray

    @classmethod
    def not_run(cls, model: Model, point_index: IntArray, n_starts: int) -> Self:
        """Account for points that nobody has fitted yet: status `not_run`; NaN, zero and `UNKNOWN` everywhere."""
        n, nan = len(point_index), np.nan
        n_parameters, n_observables = len(model.parameters), len(model.observables)
        sizes = {d.name: () if d.dimension is None else (len(d.dimension.labels),) for d in model.derived}
        return cls(
            point_index=np.asarray(point_index, np.int64),
            status=np.full(n, Status.NOT_RUN, np.int8),
            chi2=np.full(n, nan),
            edm=np.full(n, nan),
            scale=np.full((n, len(scale_names(model))), nan),
            profiled_parameter=np.full((n, n_parameters), nan),
            predicted=np.full((n, n_observables), nan),
            at_bound=np.zeros((n, n_parameters), np.int8),
            n_starts=np.zeros(n, np.int32),
            n_starts_converged=np.zeros(n, np.int32),
            n_starts_at_minimum=np.zeros(n, np.int32),
            n_evaluations=np.zeros(n, np.int64),
            n_iterations=np.zeros(n, np.int64),
            start_spread=np.full(n, nan),
            unexplored_fraction=np.full(n, nan),
            bound_multiplier=np.zeros((n, n_parameters)),
            n_flat_directions=np.full(n, UNKNOWN, np.int32),
            n_determined_axes=np.full(n, UNKNOWN, np.int32),
            chi2_lower_bound=np.full(n, nan),
            scale_lower=np.full((n, len(scale_names(model))), nan),
            scale_upper=np.full((n, len(scale_names(model))), nan),
            repaired=np.zeros(n, np.int8),
            start_chi2=np.full((n, n_starts), nan),
            start_status=np.full((n, n_starts), Status.NOT_RUN, np.int8),
            derived={name: np.full((n, *size), nan) for name, size in sizes.items()},
            fit_seconds=np.full(n, nan),
            rank=np.full(n, -1, np.int32),
        )

    @classmethod
    def joined(cls, parts: Sequence[PointResults]) -> PointResults:
        """Put parts one after another."""
        if len(parts) == 1:
            return parts[0]
        columns = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
            if field.name != "derived"
        }
        derived = {name: np.concatenate([part.derived[name] for part in parts]) for name in parts[0].derived}
        return cls(**columns, derived=derived)

    @property
    def optimality_gap(self) -> Array:
        """χ² above its proven lower bound, shape (n,); NaN where there is none."""
        return self.chi2 - self.chi2_lower_bound

    def take(self, rows: IntArray) -> PointResults:
        """Select points."""
        columns = {field.name: getattr(self, field.name)[rows] for field in fields(self) if field.name != "derived"}
        return PointResults(**columns, derived={name: values[rows] for name, values in self.derived.items()})

    def arrays(self) -> Iterator[Array | IntArray]:
        """Give every array, the derived ones last."""
        for field in fields(self):
            if field.name != "derived":
                yield getattr(self, field.name)
        yield from self.derived.values()

    def put(self, part: PointResults) -> None:
        """Write the points of `part` into this record, which holds the whole grid in order."""
        rows = part.point_index
        for field in fields(self):
            mine, theirs = getattr(self, field.name), getattr(part, field.name)
            if field.name == "derived":
                for name, values in theirs.items():
                    mine[name][rows] = values
            else:
                mine[rows] = theirs
