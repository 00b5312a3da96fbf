"""The door from Python: compute a scan or open one, and ask what it means."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike

from hpcscan.analysis.findings import BestFit, best_fit, study
from hpcscan.analysis.fitted import Fitted, Region
from hpcscan.analysis.interval import intervals
from hpcscan.analysis.planes import Plane, resolved_contours
from hpcscan.analysis.profiles import AxisProfile
from hpcscan.analysis.toy_results import Toys
from hpcscan.answer.answer_record import AnswerRecord
from hpcscan.arrays import Array, IntArray
from hpcscan.config.kinds import did_you_mean
from hpcscan.config.nodes import repr_of, shown
from hpcscan.config.read import fixed_values, stored_settings
from hpcscan.config.validated import Config
from hpcscan.dataset.provenance import attributes
from hpcscan.dataset.reader import read_scan
from hpcscan.dataset.replacing import copy_result
from hpcscan.dataset.scan import ScanData, scan_in_memory, with_toys
from hpcscan.dataset.writer import Attributes, add_toys, write_dataset
from hpcscan.dataset.xarray_view import to_xarray
from hpcscan.errors import Mistake, UsageError
from hpcscan.fitting.records import PointResults
from hpcscan.gate.gate import Gate
from hpcscan.gate.verdict import Verdict, verdict
from hpcscan.grid import Grid
from hpcscan.guard.failures import FailureLog
from hpcscan.model.interface import Likelihood, Model
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem
from hpcscan.output.destination import anchor, check_output
from hpcscan.parallel import Coordinator, join, share
from hpcscan.program import as_path, asked_level, checked, planned, stored_level, toys_again
from hpcscan.report.folder import check_folder, plots, report_files, write_folder
from hpcscan.scanning.answer_tasks import answer_in_memory
from hpcscan.scanning.toy_tasks import toys_in_memory
from hpcscan.scanning.whole import fit_whole, worker
from hpcscan.scanning.work import Alone, Common, GridAnswer, GridTask
from hpcscan.settings import AnswerSettings, FitSettings
from hpcscan.toys.toy_record import ToyRecord
from hpcscan.words.numbers import count

if TYPE_CHECKING:
    import xarray as xr

    from hpcscan.report.figures.plot import Plot

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

    def __init__(
        self,
        data: ScanData,
        overrides: Sequence[str] = (),
        computed: _Computed | None = None,
        toys: ToyRecord | None = None,
    ) -> None:
        settings = stored_settings(data.text("hpcscan_config"), [axis.name for axis in data.grid.axes], overrides)
        self.data, self.findings = data, study(data, settings)
        self._computed, self._overrides, self._toys = computed, overrides, toys
        self._further = dict[float, Fitted]()
        # A program may change its directory before it saves what it has opened.
        self._file = Path(data.name).absolute()

    def __repr__(self) -> str:
        axes = ", ".join(f"{axis.name}: {len(axis.values)}" for axis in self.data.grid.axes)
        what = f"of {count(self.data.grid.n_points, 'point')} ({axes})" if axes else "with nothing scanned, one fit"
        return f"<hpcscan.Scan {what}, {self.data.name}>"

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
        axis, level = self._axis(parameter), asked_level(cl, 1)
        if self.findings.fitted is not None:
            fitted = self._fitted(self.findings.fitted, "interval", cl)
            return stored_level(fitted.regions(parameter, cl), fitted.levels("interval"), cl)
        found = intervals(axis.values, axis.delta_chi2, level, self.findings.landscape.noise)
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
        level = asked_level(cl, 2)
        plane = next((plane for plane in self.findings.planes if {*plane.names} == {first, second}), None)
        if plane is None:
            raise UsageError(f"contours of {first} and {second}: name two different parameters")
        if self.findings.fitted is not None:
            fitted = self._fitted(self.findings.fitted, "contour", cl)
            return [line.points for line in stored_level(fitted.lines(first, second, cl), fitted.levels("contour"), cl)]
        return [line if plane.names == (first, second) else line[:, ::-1] for line in self._lines(plane, level)]

    def _fitted(self, stored: Fitted, of: str, cl: float) -> Fitted:
        """Return an answer that has a level of "interval" or "contour": the stored one, or one that is fitted now."""
        made = self._computed
        if made is None or not stored.has_intervals or cl in stored.levels(of):
            return stored
        if cl not in self._further:
            config = replace(made.config, answer=AnswerSettings(cl=(cl,)))
            team = Alone(Common(made.model, config.grid, config.fit))
            answer = answer_in_memory(team, config, made.model, made.results)
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
        if not isinstance(name, str) or name not in known:
            text, names = name if isinstance(name, str) else repr_of(name), [*known]
            raise UsageError(f"{shown(text)} is not a scanned parameter; {did_you_mean(text, names)}")
        return known[name]

    @property
    def toy_results(self) -> Toys | None:
        """What toys say: p-values, critical values, goodness of fit; None where none were made."""
        return self.findings.toys

    def toy_intervals(self, cl: float = 0.6827) -> list[Region]:
        """Return all regions of fixed coverage of the one scanned parameter, found by toys.

        Over several a region is a set of points: `toy_is_in` is 1 at one inside, 0 outside, −1 where it is not known.

        Raises
        ------
        UsageError
            Where there are no toys, or not of this level, or several parameters are scanned.
        """
        toys = self.findings.toys
        if toys is None or toys.refusal:
            raise UsageError(f"no toys: {toys.refusal}" if toys else "no toys were made; scan.toys(n=...) makes them")
        if len(self.data.grid.axes) != 1:
            text = "with several scanned parameters the region is a set of points; to_xarray().toy_is_in has it"
            raise UsageError(f"{text}: 1 inside, 0 outside, -1 where that is not known")
        return stored_level(toys.regions(cl), toys.cl, cl, "toys.cl")

    def toys(self, model: Model | Likelihood | None = None, **section: Any) -> Scan:
        """Return the same scan with toys, which this process makes.

        Parameters
        ----------
        model : Model or Likelihood, optional
            Needed for a scan that was opened: a file does not have it.
        **section
            Keys of the section `toys` of a configuration, such as ``n=10000`` or ``cl=[0.9]``.

        Raises
        ------
        UsageError
            Where toys would mean nothing, or the model is another one.
        """
        if model is None and self._computed is None:
            raise UsageError("toys need the model, which a file does not have: give it as scan.toys(model)")
        known = model if model is not None else cast("Model | Likelihood", self._made.model.user_model)
        record = toys_again(self.data, known, {"n": MOST_TOYS} | section)
        made = None if self._computed is None else replace(self._computed, toys=record)
        scan = Scan(with_toys(self.data, record), self._overrides, made, record)
        scan._file = self._file
        return scan

    @property
    def _made(self) -> _Computed:
        assert self._computed is not None
        return self._computed

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
        if not isinstance(overwrite, bool):
            raise UsageError(f"overwrite is {repr_of(overwrite)}; expected True or False")
        target = anchor()(as_path(path, "path"))
        check_output(target)
        if target.exists() and not overwrite:
            raise UsageError(f"{target}: exists; replace it with overwrite=True, or choose another path")
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._computed is not None:
            made = self._computed
            write_dataset(
                target, self.data.grid, made.model, made.results, made.attributes, answer=made.answer, toys=made.toys
            )
            return
        if self._toys is None:
            copy_result(self._file, target)
        else:
            add_toys(self._file, target, self._toys, "hpcscan.Scan.toys")

    @property
    def plot(self) -> Plot:
        """Figures on axes of one's own: `contours`, `profile`, `data`, `pulls` and `corner`; needs matplotlib."""
        return plots(self.findings)

    def report(self, folder: str | Path) -> None:
        """Write figures, tables and one HTML page into a folder."""
        target = Path(as_path(folder, "folder"))
        check_folder(target)
        files, message = report_files(self.findings, self._verdict)
        write_folder(target, files)
        if message:
            logger.warning("%s", message)


#: Toys of a point where a program does not say.
MOST_TOYS = 10_000

Team = Coordinator[tuple[Grid, FitSettings], IntArray, GridTask, GridAnswer]
_END = {"crossed": "crossed", "edge": "grid", "hole": "hole"}


@dataclass(frozen=True)
class _Computed:
    """What a scan in memory was made of."""

    config: Config
    model: Problem
    results: PointResults
    attributes: Attributes
    answer: AnswerRecord | None
    toys: ToyRecord | None


def open(path: str | Path, *, overrides: Sequence[str] = ()) -> Scan:
    """Open a result file.

    Parameters
    ----------
    overrides : sequence of str
        ``KEY=VALUE`` of the sections `gate` and `report`, which say how the result is judged.

    Raises
    ------
    UsageError
        Where it is no result.
    """
    place = as_path(path, "path")
    if not isinstance(overrides, list | tuple) or not all(isinstance(one, str) for one in overrides):
        raise UsageError(f"overrides are {repr_of(overrides)}; expected a list of texts, such as ['gate.pull=3']")
    try:
        return Scan(read_scan(place), overrides)
    except UsageError as error:
        raise UsageError(*(_in_file(place, mistake) for mistake in error.mistakes)) from None


def _in_file(path: str | Path, mistake: Mistake) -> Mistake:
    """Locate in which file a mistake of a stored configuration is; one of the command line is in none."""
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
    toys: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Scan | None:
    """Fit a model at every point of a grid.

    In an MPI program all ranks call it alike, and share the work. Nothing is printed, no process is started.

    Parameters
    ----------
    grid, fix : mapping of str to array_like, and to float
        Values of every scanned parameter, in increasing order, and of those that are held; all others are profiled.
    gate, report, answer, toys : mapping, optional
        The sections of a configuration with these names; ``answer=False`` for nothing that is fitted after the grid.
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
    sections = {"scan": grid, "fix": fix, "fit": settings, "answer": answer, "toys": toys}
    sections |= {"gate": gate, "report": report}
    config = checked(model, sections)
    problem = pose(model, config.model.scanned, config.model.fixed, config.model.rows_per_call)
    world, failures = join(), FailureLog(config.grid, logger.warning)

    def lead(team: Team) -> Scan:
        plan = planned(config, problem)
        team.brief((plan.grid, plan.fit))
        results = fit_whole(team, plan.grid, problem, plan.fit, world.size, failures.add)
        facts = attributes(
            plan, problem, ranks=world.size, mpi_library=world.library, started=started, argv=("hpcscan.scan",)
        )
        found = answer_in_memory(team, plan, problem, results)
        made = toys_in_memory(team, plan, problem, results)
        return in_memory(plan, problem, results, facts, answer=found, toys=made)

    return share(world, lead, lambda job, _promise: worker(problem, *job))


def in_memory(  # noqa: PLR0913  (each is a part of the scan)
    config: Config,
    model: Problem,
    results: PointResults,
    facts: Attributes,
    *,
    answer: AnswerRecord | None = None,
    toys: ToyRecord | None = None,
    name: str = "this scan",
) -> Scan:
    """Make the scan of results that were just computed."""
    data = scan_in_memory(config.grid, model, results, facts, answer=answer, toys=toys, name=name)
    return Scan(data, computed=_Computed(config, model, results, facts, answer, toys))


def fit(model: Model | Likelihood, fix: Mapping[str, float] | None = None, **settings: Any) -> Scan | None:
    """Fit a model once, with some parameters held at these values; otherwise like `scan`."""
    return scan(model, {}, fix=fix, **settings)
