"""The records of a fit: what every start and every grid point reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Any, Self, get_type_hints

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.model.problem import Problem, scale_names

#: A count that nobody knows: of a point that failed, or whose derivatives are not finite.
UNKNOWN = -1
#: A mark of repair: the point improved when waves of repair ran out.
UNTRIED = 2


class Status(IntEnum):
    """How a start, or a grid point, ended."""

    NOT_RUN = 0
    CONVERGED = 1
    NOT_CONVERGED = 2
    FAILED = 3
    TIMED_OUT = 4


class Evidence(IntEnum):
    """Why a minimum is believed."""

    NONE = 0
    AGREED = 1
    PROVEN = 2
    #: The only minimum near, as far as `unique_within` says; nothing is known of others.
    UNIQUE = 3


#: Values of a flag and their meanings.
Flags = tuple[tuple[int, str], ...]

STATUS_FLAGS: Flags = tuple((int(status), status.name.lower()) for status in Status)
EVIDENCE_FLAGS: Flags = tuple((int(one), one.name.lower()) for one in Evidence)
BOUND_FLAGS: Flags = ((-1, "lower_bound"), (0, "free"), (1, "upper_bound"))


@dataclass(frozen=True)
class RecordQuantity:
    """What an array of the record holds: the record's blank, its packing and the table of variables follow from it.

    Attributes
    ----------
    dtype : str
        "f8", "i1", "i4" or "i8".
    long_name : str
        In a result file, where ``{scale}`` stands for the name of a scale; empty where the file does not hold it.
    dims : tuple of str
        Besides the points: of "parameter", "observable", "scale" and "start".
    missing : float
        What a point has that nobody has fitted yet.
    name : str
        In the file, if not that of the field; where "scale" is a dimension, with ``{scale}`` for one variable each.
    unit : str or None
        None for a flag.
    in_unit_of : str
        The dimension whose entries, and the "scale" whose model, give the unit instead.
    flags : tuple of (value, meaning)
    ancillary : str
        Name of the flag that qualifies it.
    role : str
        "run" where it says how the run went, and so may differ between equal runs.
    """

    dtype: str
    long_name: str = ""
    dims: tuple[str, ...] = ()
    missing: float = 0
    name: str = ""
    unit: str | None = "1"
    in_unit_of: str = ""
    flags: Flags = ()
    ancillary: str = ""
    role: str = ""
    comment: str = ""

    def blank(self, n: int, sizes: Mapping[str, int]) -> Array | IntArray:
        """Make the array of n points that nobody has fitted yet, with these sizes of its other dimensions."""
        return np.full((n, *(sizes[dim] for dim in self.dims)), self.missing, self.dtype)


def _numbers(long_name: str, *dims: str, **more: Any) -> RecordQuantity:
    """Describe an array of floats; NaN where nothing is known."""
    return RecordQuantity("f8", long_name, dims, **({"missing": np.nan} | more))


def _counts(long_name: str, dtype: str = "i4", **more: Any) -> RecordQuantity:
    """Describe an array of whole numbers."""
    return RecordQuantity(dtype, long_name, **more)


def _flags(long_name: str, *dims: str, flags: Flags) -> RecordQuantity:
    """Describe an array of flags; 0 is the one of a point that nobody has fitted yet."""
    return RecordQuantity("i1", long_name, dims, unit=None, flags=flags)


@dataclass(frozen=True)
class PointResults:
    """Results of n grid points; every array has the points as its first axis.

    A new array takes one declaration here, and its computation. The order is that of the result file.

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
    at_bound : int8, shape (n, n_parameters)
        −1 at the lower bound, +1 at the upper, 0 between them.
    predicted : float, shape (n, n_observables)
        Scaled predictions at the minimum, in the units of the observables.
    chi2_lower_bound : float, shape (n,)
        Proven lower bound of the profile χ²; NaN where the model offers none.
    scale_lower, scale_upper : float, shape (n, n_scales)
        Interval of each scale that reaches the lower bound; NaN where unknown.
    bound_multiplier : float, shape (n, n_parameters)
        dχ²/d(bound) of a parameter that a bound holds; 0 where none does.
    n_flat_directions : int32, shape (n,)
        Nullity of the Jacobian among the parameters that no multiplier holds; `UNKNOWN` where it is not finite.
    n_determined_axes : int32, shape (n,)
        By how much the rank of the Jacobian grows when the scan axes join those parameters and the scales; `UNKNOWN`
        likewise.
    unexplored_fraction : float, shape (n,)
        Boender–Rinnooy Kan estimate of the share of χ² levels that no start has seen; 0 where the minimum is proven.
    repaired : int8, shape (n,)
        1 where a neighbour's minimum, or a lower value that a proof found, improved the point; `UNTRIED` where no wave
        of repair was left to try its neighbours from there.
    evidence : int8, shape (n,)
        An `Evidence`.
    n_boxes : int32, shape (n,)
        Boxes that the proof took.
    unique_within : float, shape (n,)
        The minimum is the only one within so many standard deviations of the fit; 0 where none are known, NaN where it
        was not asked.
    n_fresh, n_hits : int32, shape (n,)
        Fresh starts of the point and its neighbours within one step of the grid, and those that ended at the minimum.
    largest_rank : int32, shape (n,)
        Of the Jacobian, at the beginnings and ends of the point's starts; `UNKNOWN` where it was not needed.
    n_starts, n_starts_converged, n_starts_at_minimum : int32, shape (n,)
    start_spread : float, shape (n,)
        χ² from the lowest level that starts converged to up to the next distinct one; NaN where there is one level.
    start_chi2 : float, shape (n, n_starts)
    start_status : int8, shape (n, n_starts)
    wave : int32, shape (n,)
        Wave of the scan that fitted it last.
    asked : int64, shape (n,)
        Digest of what a wave asked of the point last; 0 where none did. The same question has the same answer.
    n_model_rows : int64, shape (n,)
        Rows of plain numbers asked of the model for the point: starts, derivatives, trial values of proofs, refits. A
        row of a Jacobian is one row. What fills up calls is not counted.
    n_evaluations, n_iterations : int64, shape (n,)
        Summed over the starts, and over the refits of waves that improved the point. An evaluation is that of χ² at one
        set of parameters, not counting derivatives: one at a start, and one to three for every iteration, for the steps
        that it tries; scipy's own count, which has the finite differences of its last step, for differential evolution.
    derived : mapping of name to float array, first axis n
        What the model reports of its own.
    fit_seconds : float, shape (n,)
        The point's share of the wall time of its block.
    rank : int32, shape (n,)
        The rank that computed it; −1 where none did.
    """

    point_index: Annotated[IntArray, RecordQuantity("i8")]
    chi2: Annotated[Array, _numbers("profile chi-squared", ancillary="status")]
    status: Annotated[IntArray, _flags("how the fit of the grid point ended", flags=STATUS_FLAGS)]
    edm: Annotated[Array, _numbers("estimated distance to the minimum, in units of chi2")]
    scale: Annotated[
        Array, _numbers("profiled scale {scale} at the minimum", "scale", name="{scale}_opt", in_unit_of="scale")
    ]
    profiled_parameter: Annotated[
        Array, _numbers("profiled parameters at the minimum", "parameter", in_unit_of="parameter", ancillary="at_bound")
    ]
    at_bound: Annotated[IntArray, _flags("whether the parameter rests on a bound", "parameter", flags=BOUND_FLAGS)]
    predicted: Annotated[Array, _numbers("scaled prediction at the minimum", "observable", in_unit_of="observable")]
    chi2_lower_bound: Annotated[
        Array,
        _numbers("proven lower bound of the profile chi-squared", comment="missing where the model offers no bound"),
    ]
    scale_lower: Annotated[
        Array,
        _numbers(
            "lower end of the interval of the scale {scale} that reaches the minimum",
            "scale",
            name="{scale}_opt_lower",
            in_unit_of="scale",
        ),
    ]
    scale_upper: Annotated[
        Array,
        _numbers(
            "upper end of the interval of the scale {scale} that reaches the minimum",
            "scale",
            name="{scale}_opt_upper",
            in_unit_of="scale",
        ),
    ]
    bound_multiplier: Annotated[
        Array,
        _numbers(
            "change of chi2 per change of the bound that holds it",
            "parameter",
            missing=0.0,
            comment="per unit of the parameter; zero where no bound holds it",
        ),
    ]
    n_flat_directions: Annotated[
        IntArray,
        _counts(
            "number of directions that change no prediction",
            missing=UNKNOWN,
            comment="nullity of the Jacobian among the parameters that no multiplier holds at a bound; "
            "-1 where unknown",
        ),
    ]
    n_determined_axes: Annotated[
        IntArray,
        _counts(
            "number of scan axes that the data determine",
            missing=UNKNOWN,
            comment="growth of the Jacobian's rank when the axes join the parameters and the scales; -1 where unknown",
        ),
    ]
    unexplored_fraction: Annotated[
        Array,
        _numbers(
            "estimated share of chi2 levels that no start has seen",
            comment="Boender and Rinnooy Kan 1987; zero where the minimum is proven",
        ),
    ]
    repaired: Annotated[
        IntArray,
        _counts(
            "whether a neighbour's minimum or a proof improved the point",
            "i1",
            comment="1 where it did; 2 where no wave of repair was left to try its neighbours from there",
        ),
    ]
    evidence: Annotated[IntArray, _flags("why the minimum is believed", flags=EVIDENCE_FLAGS)]
    n_boxes: Annotated[IntArray, _counts("number of boxes that its proof took")]
    unique_within: Annotated[
        Array,
        _numbers(
            "standard deviations within which the minimum is proven to be the only one",
            comment="in every direction of scales and profiled parameters, within their bounds; zero where none is "
            "known; missing where it was not asked, as for a proven minimum, or the model cannot be enclosed there",
        ),
    ]
    n_fresh: Annotated[
        IntArray,
        _counts("number of fresh starts that may agree", comment="of the point and its neighbours within one step"),
    ]
    n_hits: Annotated[IntArray, _counts("number of fresh starts that ended at the minimum", comment="of n_fresh")]
    largest_rank: Annotated[
        IntArray,
        _counts(
            "largest rank of the Jacobian at the beginning or end of a start",
            missing=UNKNOWN,
            comment="a minimum of lower rank may lie on a plateau; -1 where it was not needed or is not known",
        ),
    ]
    n_starts: Annotated[IntArray, _counts("number of starts")]
    n_starts_converged: Annotated[IntArray, _counts("number of starts that met their tolerance")]
    n_starts_at_minimum: Annotated[IntArray, _counts("number of starts that ended at the minimum")]
    start_spread: Annotated[Array, _numbers("chi2 between the lowest level that starts reached and the next one")]
    start_chi2: Annotated[Array, _numbers("chi2 where the start ended", "start", ancillary="start_status")]
    start_status: Annotated[IntArray, _flags("how the start ended", "start", flags=STATUS_FLAGS)]
    wave: Annotated[
        IntArray,
        _counts(
            "wave of the scan in which the point was fitted last",
            missing=UNKNOWN,
            comment="0 is the first one; -1 where the point was not fitted",
        ),
    ]
    asked: Annotated[IntArray, RecordQuantity("i8")]
    n_model_rows: Annotated[
        IntArray,
        _counts(
            "number of rows asked of the model",
            "i8",
            comment="sets of parameters at which it was computed for the point: starts, derivatives, proofs, refits",
        ),
    ]
    n_evaluations: Annotated[
        IntArray,
        _counts(
            "number of chi2 evaluations, summed over the starts",
            "i8",
            comment="without those for derivatives; with those of refits that improved the point",
        ),
    ]
    n_iterations: Annotated[IntArray, _counts("number of iterations, summed over the starts", "i8")]
    derived: Mapping[str, Array]
    fit_seconds: Annotated[
        Array,
        _numbers(
            "wall time of the fit",
            unit="s",
            role="run",
            comment="the point's share of the time of its block, and of refits that improved it",
        ),
    ]
    rank: Annotated[
        IntArray, _counts("MPI rank that computed the point", missing=-1, role="run", comment="-1 where none did")
    ]

    @classmethod
    def not_run(cls, problem: Problem, point_index: IntArray, n_starts: int) -> Self:
        """Account for points that nobody has fitted yet: every array has its missing value."""
        n = len(point_index)
        sizes = {
            "parameter": len(problem.parameters),
            "observable": len(problem.observables),
            "scale": len(scale_names(problem)),
            "start": n_starts,
        }
        columns: dict[str, Any] = {name: quantity.blank(n, sizes) for name, quantity in QUANTITIES.items()}
        own = {d.name: () if d.dimension is None else (len(d.dimension.labels),) for d in problem.derived}
        derived = {name: np.full((n, *size), np.nan) for name, size in own.items()}
        return cls(**columns | {"point_index": np.asarray(point_index, np.int64)}, derived=derived)

    @classmethod
    def joined(cls, parts: Sequence[PointResults]) -> PointResults:
        """Put parts one after another."""
        if len(parts) == 1:
            return parts[0]
        columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in QUANTITIES}
        derived = {name: np.concatenate([part.derived[name] for part in parts]) for name in parts[0].derived}
        return cls(**columns, derived=derived)

    @property
    def optimality_gap(self) -> Array:
        """χ² above its proven lower bound, shape (n,); NaN where there is none."""
        return self.chi2 - self.chi2_lower_bound

    def take(self, rows: IntArray) -> PointResults:
        """Select points."""
        columns = {name: getattr(self, name)[rows] for name in QUANTITIES}
        return PointResults(**columns, derived={name: values[rows] for name, values in self.derived.items()})

    def arrays(self) -> Iterator[Array | IntArray]:
        """Return every array, the derived ones last."""
        yield from (getattr(self, name) for name in QUANTITIES)
        yield from self.derived.values()

    def put(self, part: PointResults) -> None:
        """Write the points of `part` into this record, which holds the whole grid in order."""
        self.put_rows(part.point_index, part)

    def put_rows(self, rows: IntArray, part: PointResults) -> None:
        """Write the points of `part` into these rows."""
        for name in QUANTITIES:
            getattr(self, name)[rows] = getattr(part, name)
        for name, values in part.derived.items():
            self.derived[name][rows] = values


#: The arrays of the record by their names, in its order; what a model derives is not among them.
QUANTITIES: Mapping[str, RecordQuantity] = {
    name: about
    for name, hint in get_type_hints(PointResults, include_extras=True).items()
    for about in getattr(hint, "__metadata__", ())
}
