"""The door from Python: compute a scan or open one, and ask what it means."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from hpcscan.analysis.best_fit import BestFit, best_fit
from hpcscan.analysis.findings import study
from hpcscan.analysis.fitted import Fitted, Region
from hpcscan.analysis.interval import intervals
from hpcscan.analysis.plane import Plane, resolved_contours
from hpcscan.analysis.profiles import AxisProfile
from hpcscan.answer.record import AnswerRecord
from hpcscan.arrays import Array, IntArray
from hpcscan.config.assemble import Checks
from hpcscan.config.kinds import did_you_mean
from hpcscan.config.read import config_from_python
from hpcscan.config.records import Config
from hpcscan.config.stored import fixed_values, stored_settings
from hpcscan.dataset.provenance import attributes
from hpcscan.dataset.reader import read_scan
from hpcscan.dataset.replacing import copy_result
from hpcscan.dataset.scan import ScanData, scan_in_memory
from hpcscan.dataset.variables import own_names
from hpcscan.dataset.writer import Attributes, write_dataset
from hpcscan.dataset.xarray_view import to_xarray
from hpcscan.distribution import level_of
from hpcscan.errors import Mistake, UsageError
from hpcscan.fitting.records import PointResults
from hpcscan.gate.gate import Gate
from hpcscan.gate.verdict import Verdict, verdict
from hpcscan.grid import Grid
from hpcscan.guard.guarded import guarded
from hpcscan.guard.probe import probe_model, probe_precision
from hpcscan.guard.time_limit import TimeLimit
from hpcscan.model.interface import Likelihood, Model
from hpcscan.model.problem import Problem, pose
from hpcscan.model.results import WrongResultError
from hpcscan.output.destination import anchor, check_output
from hpcscan.output.failures import FailureLog
from hpcscan.parallel import Coordinator, join, share
from hpcscan.report.folder import check_folder, report_files, write_folder
from hpcscan.scanning.answered import answer_alone, answer_in_memory
from hpcscan.scanning.memory import memory_problem
from hpcscan.scanning.strategy import plan_evidence
from hpcscan.scanning.whole import fit_whole, worker
from hpcscan.scanning.work import GridAnswer, GridTask
from hpcscan.settings import AnswerSettings, FitSettings

if TYPE_CHECKING:
    import xarray as xr

logger = logging.getLogger(__name__)
# A library says nothing unless its user asks for it.
logging.getLogger("hpcscan").addHandler(logging.NullHandler())


class Scan:
    """A scan: what was computed, and what it means. Made by `hpcscan.scan`, `hpcscan.fit` and `hpcscan.open`.

    Attributes
    ----------
    data : ScanData
        The grid, the variables and the attributes.
    findings : Findings
        Everything that follows from them.
    """

    def __init__(self, data: ScanData, overrides: Sequence[str] = (), computed: _Computed | None = None) -> None:
        settings = stored_settings(data.text("hpcscan_config"), [axis.name for axis in data.grid.axes], overrides)
        self.data, self.findings = data, study(data, settings)
        self._computed, self._further = computed, dict[float, Fitted]()
        # A program may change its directory before it saves what it has opened.
        self._file = Path(data.name).absolute()

    def __repr__(self) -> str:
        axes = ", ".join(f"{axis.name}: {len(axis.values)}" for axis in self.data.grid.axes)
        return f"<hpcscan.Scan of {self.data.grid.n_points:,} points ({axes}), {self.data.name}>"

    @cached_property
    def _verdict(self) -> Verdict:
        return verdict(self.findings)

    def verdict(self) -> Verdict:
        """Return what the scan is worth; `print` writes it as the end of a run does."""
        return self._verdict

    def check(self) -> Gate:
        """Return the criteria of the gate, each with what was found and what is wanted."""
        return self._verdict.gate

    @cached_property
    def best_fit(self) -> BestFit:
        """The best fit; where none was fitted, as far as the grid shows it."""
        return best_fit(self.findings, fixed_values(self.data.text("hpcscan_config")))

    def intervals(self, parameter: str, cl: float = 0.6827) -> list[Region]:
        """Return all regions of a scanned parameter in which Δχ² stays below the level of a confidence level.

        They are fitted, or interpolated between the grid points where `answer` was left out. A level that is not
        stored is fitted now where the model is at hand: in a scan that was just computed. Whether they deserve to be
        called confidence intervals is said by the verdict.

        Raises
        ------
        UsageError
            Where the parameter is not scanned, or this level is not stored in a file.
        """
        axis = self._axis(parameter)
        if self.findings.fitted is not None:
            _level(cl, 1)
            fitted = self._fitted(self.findings.fitted, "interval", cl)
            return _stored(fitted.regions(parameter, cl), fitted.levels("interval"), cl)
        noise, level = self.findings.landscape.noise, _level(cl, 1)
        found = intervals(axis.values, axis.delta_chi2, level, noise)
        ends = [(one.lower, one.upper) for one in found]
        return [Region(low.value, up.value, _END[low.reason], _END[up.reason], low.error, up.error) for low, up in ends]

    def contours(self, first: str, second: str, cl: float = 0.6827) -> list[Array]:
        """Return the lines at which Δχ² crosses the level of a confidence level for two parameters.

        Returns
        -------
        list of array, shape (n, 2)
            Closed lines end where they begin; others end with the grid, a bound or a hole. Where `answer` was left out
            they are interpolated; none where the grid does not resolve the level, or where points did not converge.
        """
        self._axis(first), self._axis(second)
        plane = next((plane for plane in self.findings.planes if {*plane.names} == {first, second}), None)
        if plane is None:
            raise UsageError(f"contours of {first} and {second}: name two different parameters")
        if self.findings.fitted is not None:
            _level(cl, 2)
            fitted = self._fitted(self.findings.fitted, "contour", cl)
            return [line.points for line in _stored(fitted.lines(first, second, cl), fitted.levels("contour"), cl)]
        return [line if plane.names == (first, second) else line[:, ::-1] for line in self._lines(plane, _level(cl, 2))]

    def _fitted(self, stored: Fitted, of: str, cl: float) -> Fitted:
        """Return an answer that has a level of "interval" or "contour": the stored one, or one that is fitted now."""
        made = self._computed
        if made is None or not stored.has_intervals or cl in stored.levels(of):
            return stored
        if cl not in self._further:
            config = replace(made.config, answer=AnswerSettings(cl=(cl,)))
            answer = answer_alone(config, made.model, made.results)
            data = scan_in_memory(config.grid, made.model, made.results, made.attributes, answer=answer)
            self._further[cl] = Fitted.of(data) or stored
        return self._further[cl]

    def _lines(self, plane: Plane, level: float) -> list[Array]:
        if not self.findings.landscape.is_sound:
            return []
        values = [np.array(self.data.grid.axes[number].values) for number in plane.numbers]
        return [line.points for line in resolved_contours(values[0], values[1], plane.delta_chi2, level)]

    def _axis(self, name: str) -> AxisProfile:
        known = {axis.name: axis for axis in self.findings.profiles.axes}
        if name not in known:
            raise UsageError(f"{name} is not a scanned parameter; {did_you_mean(name, [*known])}")
        return known[name]

    def to_xarray(self) -> xr.Dataset:
        """Return the variables as an `xarray.Dataset`; needs xarray."""
        return to_xarray(self.data)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the scan as a netCDF file, which `open` and the command line read.

        Raises
        ------
        UsageError
            Where the path cannot be written, or something is there already and `overwrite` is not set.
        StorageError
        """
        target = anchor()(str(path))
        check_output(target)
        if target.exists() and not overwrite:
            raise UsageError(f"{target}: exists; replace it with overwrite=True, or choose another path")
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._computed is not None:
            made = self._computed
            write_dataset(target, self.data.grid, made.model, made.results, made.attributes, answer=made.answer)
            return
        copy_result(self._file, target)

    def report(self, folder: str | Path) -> None:
        """Write figures, tables and one HTML page into a folder."""
        check_folder(Path(folder))
        files, message = report_files(self.findings, self._verdict)
        write_folder(Path(folder), files)
        if message:
            logger.warning("%s", message)


Team = Coordinator[tuple[Grid, FitSettings], IntArray, GridTask, GridAnswer]

StoredT = TypeVar("StoredT")

_END = {"crossed": "crossed", "edge": "grid", "hole": "hole"}


@dataclass(frozen=True)
class _Computed:
    """What a scan in memory was made of."""

    config: Config
    model: Problem
    results: PointResults
    attributes: Attributes
    answer: AnswerRecord | None


def open(path: str | Path, *, overrides: Sequence[str] = ()) -> Scan:
    """Open a result file.

    Parameters
    ----------
    path : str or Path
    overrides : sequence of str
        ``KEY=VALUE`` of the sections `gate` and `report`, which say how the result is judged.

    Raises
    ------
    UsageError
        Where it is no result.
    """
    try:
        return Scan(read_scan(path), overrides)
    except UsageError as error:
        raise UsageError(*(_in_file(path, mistake) for mistake in error.mistakes)) from None


def _in_file(path: str | Path, mistake: Mistake) -> Mistake:
    """Say in which file a mistake of a stored configuration is; one of the command line is in none."""
    is_stored = mistake.where.startswith("hpcscan_config")
    return Mistake(f"{path}: {mistake.where}", mistake.message) if is_stored else mistake


def scan(  # noqa: PLR0913  (each is a section of a configuration)
    model: Model | Likelihood,
    grid: Mapping[str, ArrayLike],
    *,
    fix: Mapping[str, float] | None = None,
    gate: Mapping[str, Any] | None = None,
    report: Mapping[str, Any] | None = None,
    answer: Mapping[str, Any] | bool = True,
    **settings: Any,
) -> Scan | None:
    """Fit a model at every point of a grid.

    In an MPI program all ranks call it with the same arguments, and share the work. It prints nothing, installs no
    signal handler and starts no process.

    Parameters
    ----------
    model : Model or Likelihood
    grid : mapping of str to array_like
        Values of every scanned parameter, in increasing order.
    fix : mapping of str to float, optional
        Values of parameters that are held; all others are profiled.
    gate, report : mapping, optional
        The sections of a configuration with these names.
    answer : mapping or bool
        What is fitted after the grid, as in the section with this name; False for nothing.
    **settings
        Keys of the section `fit` of a configuration, such as ``starts=16`` or ``seed=42``.

    Returns
    -------
    Scan or None
        None on all ranks but the first of an MPI program.

    Raises
    ------
    UsageError
        With every mistake, on all ranks.
    """
    if settings.get("time_limit") is not None:
        raise UsageError(
            "time_limit: a call is interrupted by a signal, for which only commands have a handler; leave it out"
        )
    started = datetime.now(UTC)
    sections = {"scan": grid, "fix": fix, "fit": settings, "answer": answer, "gate": gate, "report": report}
    config = _checked(model, sections)
    problem = pose(model, config.model.scanned, config.model.fixed)
    world, failures = join(), FailureLog(config.grid, logger.warning)

    def lead(team: Team) -> Scan:
        planned = _planned(config, problem)
        team.brief((planned.grid, planned.fit))
        results = fit_whole(team, planned.grid, problem, planned.fit, world.size, failures.add)
        facts = attributes(
            planned, problem, ranks=world.size, mpi_library=world.library, started=started, argv=("hpcscan.scan",)
        )
        return in_memory(planned, problem, results, facts, answer=answer_in_memory(team, planned, problem, results))

    return share(world, lead, lambda job, _promise: worker(problem, *job))


def _planned(config: Config, problem: Problem) -> Config:
    """Decide how the scan comes by its evidence."""
    strategy = plan_evidence(guarded(problem, TimeLimit(None)), config.grid, config.fit)
    return replace(config, fit=strategy.fit, evidence=strategy.text)


def _checked(model: Model | Likelihood, sections: Mapping[str, Any]) -> Config:
    """Validate what a program asks for; a section that is left out is empty."""
    checks = Checks(size=memory_problem, model=_try_model, precision=probe_precision, names=own_names())
    is_left_out = {name: section is None and name != "scan" for name, section in sections.items()}
    tree = {name: {} if is_left_out[name] else section for name, section in sections.items()}
    return config_from_python(model, tree, checks)


def _try_model(model: Problem, grid: Grid, *_: object) -> None:
    """Call the model as its scan will; an exception of its own stays visible as the cause."""
    try:
        probe_model(model, grid)
    except UsageError:
        raise
    except WrongResultError as error:
        raise UsageError(f"{model.name}: {error}") from None
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UsageError(f"{model.name}: a trial call raised {problem}") from error


def in_memory(  # noqa: PLR0913  (each is a part of the scan)
    config: Config,
    model: Problem,
    results: PointResults,
    facts: Attributes,
    *,
    answer: AnswerRecord | None = None,
    name: str = "this scan",
) -> Scan:
    """Make the scan of results that were just computed."""
    data = scan_in_memory(config.grid, model, results, facts, answer=answer, name=name)
    return Scan(data, computed=_Computed(config, model, results, facts, answer))


def fit(model: Model | Likelihood, fix: Mapping[str, float] | None = None, **settings: Any) -> Scan | None:
    """Fit a model once, with some parameters held at these values; otherwise like `scan`."""
    return scan(model, {}, fix=fix, **settings)


def _stored(found: list[StoredT] | None, levels: Sequence[float], cl: float) -> list[StoredT]:
    """Refuse a level that was not fitted."""
    if found is None:
        known = ", ".join(f"{level:g}" for level in levels) or "none"
        raise UsageError(f"cl = {cl:g} was not fitted, and the levels that were are: {known}; name it in answer.cl")
    return found


def _level(cl: float, n_parameters: int) -> float:
    """Return the Δχ² of a confidence level."""
    if not 0 < cl < 1:
        raise UsageError(f"cl = {cl!r}: expected a probability between 0 and 1, such as 0.6827")
    return level_of(cl, n_parameters)
