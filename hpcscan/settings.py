"""What a user can choose: the one table of settings.

Every setting is one field of a record, declared once with its kind, default, limits, unit and meaning. The keys of a
configuration, what reads and checks them, `hpcscan keys`, and the records that the program uses all follow: another
setting is one more field here.

A model's own options are settings below ``model.options``. Kinds of setting:

================================ ========================================================
``number``                       a finite number
``fraction``                     a number from 0 to 1
``seconds``                      a number of seconds, from a millisecond on
``time``                         likewise, or text such as 30m, 2h, 1-00:00:00
``whole number``                 between `lowest` and `highest`
``whole number or auto``
``whole number, range or auto``  or {min: 4, max: 64}
``budget or false``              {boxes: 5000} or false
``true or false``
``choice``, ``choices``          one of `choices`; a list of some of them
``numbers``                      a list
``interval``                     [lower, upper]
``text``, ``path``               text on one line; the name of a file
``option``                       what the type of a model's option says
``any``                          what only a model can judge
================================ ========================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Annotated, Any, get_type_hints

from hpcscan.method import METHODS, Method

#: A block is made for so many times fewer starts than it has to record, at most.
LARGEST_RATIO = 16

MAX_AXIS_POINTS = 1_000_000
MAX_GRID_POINTS = 1_000_000_000
#: The largest whole number where a setting does not say.
HIGHEST = 2**31 - 1


@dataclass(frozen=True)
class Setting:
    """What is said of a setting.

    Attributes
    ----------
    kind : str
        One of the kinds above.
    unit : str
        "axis" for the unit of the parameter.
    choices : tuple of str
        For a "choice" or "choices".
    lowest, highest : int
        Limits of a "whole number".
    each : str
        A placeholder, such as ``<axis>``, where there is one value for each of several names.
    name : str
        Dotted path in a configuration; a part in angle brackets stands for any name.
    default : object
        None where it may be left unset.
    type : object
        The type of an option.
    path : tuple of str
        The path, where a part of it has dots of its own.
    is_required : bool
        Whether there is no default.
    """

    kind: str
    meaning: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    lowest: int = 1
    highest: int = HIGHEST
    each: str = ""
    name: str = ""
    default: Any = None
    type: Any = None
    path: tuple[str, ...] = ()
    is_required: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """The path as a tuple."""
        return self.path or tuple(self.name.split("."))


@dataclass(frozen=True)
class AxisSettings:
    """One axis of the scan: min, max and points, or a list of values."""

    min: Annotated[float | None, Setting("number", "first value of the axis", "axis")] = None
    max: Annotated[float | None, Setting("number", "last value of the axis", "axis")] = None
    points: Annotated[int | None, Setting("whole number", "number of values", highest=MAX_AXIS_POINTS)] = None
    spacing: Annotated[str | None, Setting("choice", "how the values are spaced", choices=("linear", "log"))] = "linear"
    values: Annotated[
        tuple[float, ...] | None, Setting("numbers", "increasing; instead of min, max, points", "axis")
    ] = None


@dataclass(frozen=True)
class FixSettings:
    """Parameters that are neither scanned nor profiled."""

    fix: Annotated[
        Mapping[str, float], Setting("number", "value at which the parameter is held", "axis", each="<parameter>")
    ] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelSettings:
    """Which model is scanned."""

    name: Annotated[str | None, Setting("text", "a built-in model; or else give model.plugin")] = None
    plugin: Annotated[
        str | None,
        Setting("text", "your own model, path/to/file.py or file.py:ClassName, relative to the configuration"),
    ] = None
    rows_per_call: Annotated[
        int | None,
        Setting(
            "whole number",
            "rows of every call of the model, the last one padded; unset: what the model says, or else 128, fewer "
            "where a row gives thousands of numbers; 1 for "
            "one whose rows take a millisecond or more; without meaning for one that is `batch_invariant`",
            highest=1_000_000,
        ),
    ] = None
    options: Annotated[
        Mapping[str, Any], Setting("any", "the model's own options; see `hpcscan keys MODEL`", each="<option>")
    ] = field(default_factory=dict)


@dataclass(frozen=True)
class StartRange:
    """Between `min` and `max` starts per point: more are drawn until the minimum is proven or agreed."""

    min: int
    max: int


@dataclass(frozen=True)
class ProofBudget:
    """What the proof of a point may take."""

    boxes: int = 5000


#: 1σ, 2σ and 3σ.
USUAL_LEVELS = 0.6827, 0.9545, 0.9973
#: Starts of a point where `auto` is written: with a proof, and without.
AUTO_PROVEN, AUTO_AGREED = StartRange(1, 16), StartRange(16, 64)


@dataclass(frozen=True)
class FitSettings:
    """How every grid point is fitted.

    Attributes
    ----------
    is_enclosable : bool
        Whether proofs from the model's own predictions are tried; found when a scan is planned.
    is_local : bool
        Whether it is asked if unproven minima are the only ones near; found likewise.
    precision_floor : float
        Size of −2 ln L below which its error falls no more; measured with the precision.
    is_in_waves : bool
        Whether the grid is fitted from coarse to fine; found likewise.
    """

    method: Annotated[str, Setting("choice", "the minimiser", choices=tuple(METHODS))] = "multistart"
    starts: Annotated[
        int | StartRange | str,
        Setting(
            "whole number, range or auto",
            "starts per point; or {min: 4, max: 64}; auto: the grid is fitted from coarse to fine, with fresh starts "
            "only where a proof stays open, or without one until they agree with those of the neighbours, to 64. Where "
            "a number of them agree, others that take long are left, as not converged",
            highest=10**6,
        ),
    ] = "auto"
    fresh_starts: Annotated[
        float | None,
        Setting("fraction", "without a proof, fresh starts of a later point, as 0.25; unset: until they agree"),
    ] = None
    seed: Annotated[int, Setting("whole number", "root of every random number", lowest=0, highest=2**63 - 1)] = 42
    max_iter: Annotated[
        int, Setting("whole number", "iterations of a start, generations of differential_evolution")
    ] = 200
    proof: Annotated[
        ProofBudget | None, Setting("budget or false", "boxes that the proof of a point may take; false: none is tried")
    ] = ProofBudget()
    repair_waves: Annotated[int, Setting("whole number", "refits from neighbours; 0 for none", lowest=0)] = 10
    time_limit: Annotated[float | None, Setting("seconds", "what a point may take; more ends as timed_out", "s")] = None
    precision: Annotated[
        float | None, Setting("fraction", "relative precision of the model's numbers; unset: measured before the scan")
    ] = None
    is_enclosable: bool = False
    is_local: bool = False
    precision_floor: float = 0.0
    is_in_waves: bool = False

    @property
    def about(self) -> Method:
        """What the method asks for."""
        return METHODS[self.method]

    @property
    def start_range(self) -> StartRange:
        """The least and the largest number of runs of a point."""
        if self.about.n_runs is not None:
            return StartRange(self.about.n_runs, self.about.n_runs)
        if isinstance(self.starts, StartRange):
            return self.starts
        # Where nobody has planned, `auto` is the number with which starts may agree.
        n_starts = AUTO_AGREED.min if isinstance(self.starts, str) else self.starts
        return StartRange(n_starts, n_starts)

    @property
    def n_starts(self) -> int:
        """Largest number of runs recorded for a point."""
        return self.start_range.max

    @property
    def n_starts_together(self) -> int:
        """Runs of a point that are fitted together at first.

        That is the least number, because few points need more; but at least a share of the largest, so that what is
        recorded of a block stays small.
        """
        limits = self.start_range
        return max(limits.min, -(-limits.max // LARGEST_RATIO))


@dataclass(frozen=True)
class AnswerSettings:
    """What is fitted after the grid: best fit and errors, and as chosen intervals and contours."""

    fitted: Annotated[bool, Setting("true or false", "anything at all; `answer: false` is short for false here")] = True
    cl: Annotated[tuple[float, ...], Setting("numbers", "confidence levels of intervals and contours")] = USUAL_LEVELS
    intervals: Annotated[bool, Setting("true or false", "all intervals of every scanned parameter")] = True
    contours: Annotated[bool, Setting("true or false", "all contours of every pair of scanned parameters")] = True


@dataclass(frozen=True)
class FluctuateSettings:
    """What fluctuates in toys beside the data."""

    constraints: Annotated[bool, Setting("true or false", "constraints too; false: they are no measurements")] = True


@dataclass(frozen=True)
class ToySettings:
    """Simulated data, from which regions of fixed coverage follow."""

    n: Annotated[
        int | None, Setting("whole number", "toys a point at most, in hundreds; unset: none are made", lowest=100)
    ] = None
    points: Annotated[
        str, Setting("choice", "at all points, or around the contours of toys.cl", choices=("all", "contours"))
    ] = "all"
    cl: Annotated[tuple[float, ...], Setting("numbers", "confidence levels of the regions")] = (0.6827, 0.9545)
    adaptive: Annotated[bool, Setting("true or false", "a point stops once it is clear on which side p lies")] = True
    asimov: Annotated[
        bool, Setting("true or false", "the model's prediction at the best fit as data: the expected result")
    ] = False
    experiments: Annotated[int, Setting("whole number", "experiments at each place of toys.coverage")] = 1000
    coverage: Annotated[
        Mapping[str, tuple[float, ...]],
        Setting("numbers", "true values at which coverage is found, as many for each axis", "axis", each="<axis>"),
    ] = field(default_factory=dict)
    fluctuate: FluctuateSettings = FluctuateSettings()

    @property
    def are_wanted(self) -> bool:
        """Whether any are made."""
        return self.n is not None


@dataclass(frozen=True)
class RunSettings:
    """How a run is divided and when it stops; nothing that is computed depends on it."""

    max_time: Annotated[
        float | None,
        Setting("time", "time after which the run stops, to be continued; also 30m, 2h, 1-00:00:00", "s"),
    ] = None
    chunk: Annotated[int | str, Setting("whole number or auto", "grid points per task")] = "auto"


@dataclass(frozen=True)
class GateSettings:
    """Thresholds of the gate."""

    converged: Annotated[float, Setting("fraction", "least share of points that converge")] = 1.0
    gap: Annotated[float, Setting("number", "largest chi2 above its proven bound; 1e-9 of chi2 is always allowed")] = (
        1e-3
    )
    spikes: Annotated[int, Setting("whole number", "points that may be out of line with neighbours", lowest=0)] = 0
    chi2_good: Annotated[
        tuple[float, float],
        Setting(
            "interval",
            "a good chi2 where sigma is a tolerance; below: more freedom than data",
        ),
    ] = (1.0, 3.0)
    chi2_acceptable: Annotated[float, Setting("number", "largest acceptable chi2, in the same case; above: bad")] = 10.0
    p_value: Annotated[
        tuple[float, float],
        Setting(
            "interval",
            "with degrees of freedom: chi2 is acceptable from the first probability on, good from the second",
        ),
    ] = (0.001, 0.05)
    scale: Annotated[
        tuple[float, float] | None,
        Setting("interval", "scales of reasonable size; unset: what the model declares"),
    ] = None
    pull: Annotated[
        float | None,
        Setting(
            "number",
            "largest |predicted - observed|/sigma; unset: 1 where sigma is a tolerance, else what a correct model "
            "exceeds, in the largest of its pulls, with the first probability of gate.p_value",
        ),
    ] = None
    wilks: Annotated[float, Setting("fraction", "largest relative difference of toys' critical value to Wilks'")] = 0.1
    minimum: Annotated[
        Mapping[str, tuple[float, float]],
        Setting("interval", "where the minimum is expected; without any: in each axis", "axis", each="<axis>"),
    ] = field(default_factory=dict)
    width: Annotated[
        Mapping[str, tuple[float, float]],
        Setting("interval", "1 sigma half-width: sharp below the first, flat above the second", "axis", each="<axis>"),
    ] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportSettings:
    """What a report shows, how it looks, and how it judges."""

    reference: Annotated[
        Mapping[str, float],
        Setting("number", "line that is drawn and quoted, such as a predicted value", "axis", each="<axis>"),
    ] = field(default_factory=dict)
    style: Annotated[
        str | None, Setting("path", "a matplotlib style file, relative to the configuration; counts most")
    ] = None
    size: Annotated[str, Setting("choice", "columns of a paper that a figure takes", choices=("double", "single"))] = (
        "double"
    )
    format: Annotated[tuple[str, ...], Setting("choices", "files of each figure", choices=("png", "pdf", "svg"))] = (
        "png",
        "pdf",
    )
    gate: GateSettings = GateSettings()


@dataclass(frozen=True)
class OutputSettings:
    """Where the result goes."""

    output: Annotated[str | None, Setting("path", "the result; results/<name of the configuration>.nc where unset")] = (
        None
    )


#: The sections of a configuration, in the order in which they are shown; the last one is its top level.
SECTIONS: Mapping[str, type] = {
    "scan.<axis>": AxisSettings,
    "fix": FixSettings,
    "model": ModelSettings,
    "fit": FitSettings,
    "answer": AnswerSettings,
    "toys": ToySettings,
    "toys.fluctuate": FluctuateSettings,
    "run": RunSettings,
    "report": ReportSettings,
    "gate": GateSettings,
    "": OutputSettings,
}


def _declared(section: str, record: type) -> Iterator[Setting]:
    """Complete what the fields of a record say of themselves with their names and defaults."""
    hints = get_type_hints(record, include_extras=True)
    for one in fields(record):
        for about in getattr(hints[one.name], "__metadata__", ()):
            name = ".".join(filter(None, (section, one.name if one.name != section else "", about.each)))
            yield replace(about, name=name, default=None if one.default is MISSING else one.default)


#: The table.
SETTINGS = tuple(setting for section, record in SECTIONS.items() for setting in _declared(section, record))
