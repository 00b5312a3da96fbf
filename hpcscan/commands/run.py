"""The story of a run, from a configuration to one file."""

from __future__ import annotations

import itertools
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.commands.kept_tasks import KeptTasks, Team
from hpcscan.commands.request import RunRequest
from hpcscan.commands.terminal import telling
from hpcscan.config.building import build_model
from hpcscan.config.validated import Config
from hpcscan.dataset.provenance import computing_platform
from hpcscan.dataset.variables import texts_of
from hpcscan.errors import Exit, StoppedError, StrictError
from hpcscan.fitting.records import PointResults, Status
from hpcscan.guard.failures import FailureLog
from hpcscan.guard.printed import keep_in, log_path
from hpcscan.guard.probe import doubts_of_trial
from hpcscan.model.problem import Problem
from hpcscan.output.destination import anchor, check_output, lock_path, make_room
from hpcscan.output.lock import locked, read_lock
from hpcscan.output.log import Progress, RepairProgress, RoundProgress, logging_to
from hpcscan.output.recorder import Recorder, Session, recording
from hpcscan.output.resume import Past, look_back, refuse_existing
from hpcscan.output.same_model import check_same_model
from hpcscan.parallel import Done, Rescue, StopRequest, World
from hpcscan.program import read_checked
from hpcscan.scanning.answer_tasks import answer_record, kind_of
from hpcscan.scanning.chunks import Chunk, alone, block_size, cut
from hpcscan.scanning.neighbours import Wave, is_news, repair, settle
from hpcscan.scanning.toy_tasks import KIND, Known, toy_record
from hpcscan.scanning.waves import most_together, waves
from hpcscan.scanning.work import Common, GridAnswer, GridTask
from hpcscan.settings import FitSettings
from hpcscan.table import RecordKind
from hpcscan.words.numbers import count, duration, rate

logger = logging.getLogger(__name__)

Answers = Iterable[Done[GridAnswer]]

Receive = Callable[[Answers], Iterator[PointResults]]

#: Said where a run is stopped before its first fit.
NOTHING_YET = "; nothing was computed"


def label_warnings(texts: Iterable[str]) -> Iterator[str]:
    """List each text that is no valid mathematics, with the reason; nothing where matplotlib is missing."""
    # The library is loaded only for a text that may be mathematics: few have any.
    candidates = [text for text in texts if text.count("$") > 1]
    if not candidates:
        return
    try:
        from hpcscan.report.figures.canvas import math_problem  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return
    for text in candidates:
        if problem := math_problem(text):
            yield (
                f"the label {text!r} is no mathematics that figures can show ({problem}), and will be drawn as it is "
                r"written; correct it in the model, or write \$ for a dollar sign"
            )


def _brief(config: Config, model: Problem, team: Team) -> None:
    """Send the ranks the configuration; watch them where the time of a point is limited."""
    # Without a time limit nobody can tell a rank that hangs from one that computes.
    common = Common(model, config.grid, config.fit)

    def rescue(task: GridTask, step: IntArray) -> Rescue[GridTask, GridAnswer]:
        return Rescue(task.without(step), task.hung(common, step))

    team.brief(config, rescue=None if config.fit.time_limit is None else rescue)


def lead(request: RunRequest, world: World, stop: StopRequest, team: Team) -> int:
    """Run the scan, from rank 0; return the exit code."""
    started = datetime.now(UTC)

    # Everything that can be wrong with the request is found before anything is computed.
    where = anchor()
    with stop.ending(NOTHING_YET):
        config = read_checked(request.config, request.overrides, request.output, partial(_check_output, request, where))
        model = build_model(config.model)
    stop.limit(config.run.max_time if request.max_time is None else request.max_time)
    output = make_room(where(config.output))
    kinds, about = kinds_of(config, model), (world.size, world.library, started, _command_line())
    session = Session(config, model, output, *about, kinds, overwrite=request.overwrite)

    # One run at a time; it keeps what earlier ones have left.
    with locked(lock_path(output)):
        past = look_back(output, session.wanted(), resume=request.resume, overwrite=request.overwrite)
        # Nothing is left to do, and the file stays as it is.
        if past.finished is not None:
            logger.info("already complete: %s", output)
            return _exit_code(past.finished)
        keep_in(os.fspath(log_path(output)))
        with logging_to(log_path(output)):
            return _scan(session, past, request, stop, team)


def kinds_of(config: Config, model: Problem) -> tuple[RecordKind, ...]:
    """List what a run may record beside grid points."""
    return (kind_of(model), KIND) if config.toys.are_wanted else (kind_of(model),)


def _check_output(request: RunRequest, where: Callable[[str], Path], path: str) -> None:
    """Refuse an output that cannot be written, or at which there is something already.

    Where another run may be writing, the lock will say more.
    """
    output = where(path)
    check_output(output)
    if read_lock(lock_path(output)) is None:
        refuse_existing(output, resume=request.resume, overwrite=request.overwrite)


def _scan(session: Session, past: Past, request: RunRequest, stop: StopRequest, team: Team) -> int:
    """Compute what is left of a scan, and write its file."""
    config, model = session.config, session.model
    grid, standing = config.grid, past.standing(config.grid.n_points)
    most = block_size(config.fit.n_starts_together, model)
    # What is left: points that no earlier session knows, in chunks for the ranks there are.
    chunks = cut(grid.n_points, most, session.ranks, config.points_per_chunk, standing=standing)
    with stop.ending():
        remarks = check_same_model(session.output, Common(model, grid, config.fit), past, computing_platform())
    for line in remarks:
        logger.info(line)
    failures = FailureLog(grid, logger.warning)
    receive = partial(_receive, stop, failures, request.strict)

    # Each task is done wherever a rank is free; the place of its result does not depend on where or when.
    with recording(session, past) as recorder:
        _brief(config, model, team)
        _announce(session, past, chunks)
        try:
            with stop.ending():
                doubts = doubts_of_trial(model, grid, config.fit.time_limit)
            failures.doubt(doubts)
            if config.fit.is_in_waves:
                _waves(session, team, recorder, receive)
            else:
                _first_pass(team, chunks, recorder, receive)
                _repair(session, team, recorder.results, receive)
            settle(grid, model, config.fit, recorder.results)
            logger.info("%s", _rows_text(recorder.results))
            _answer(session, team, recorder, stop)
            _toys(session, team, recorder, stop)
        # What is known goes into a file that can be read; the journal has it anyhow.
        except StoppedError:
            _save(session, recorder)
            raise

        # The file is whole before it appears under its name.
        for line in failures.totals(recorder.results.status):
            logger.warning(line)
        place = recorder.write(is_complete=True)
        logger.info("%s", recorder.finish(keep_journal=request.keep_journal))
    _judge(session, recorder, place)
    return _exit_code(recorder.results.status)


def _judge(session: Session, recorder: Recorder, place: Path) -> None:
    """Log what the scan is worth, in the words with which `check` begins; no matter for the exit code."""
    from hpcscan.door import in_memory  # noqa: PLC0415  (rank 0 alone needs it)

    answer, toys, facts = recorder.answer, recorder.toys, session.facts()
    about = session.config, session.model, recorder.results, facts
    scan = in_memory(*about, answer=answer, toys=toys, name=str(place))
    logger.info("written: %s\n%s\nmore: hpcscan check %s", place, scan.verdict(), place)


def _announce(session: Session, past: Past, chunks: Sequence[Chunk]) -> None:
    """Log what is going to be done."""
    # How much, with what evidence, and what was odd.
    grid, n_todo = session.config.grid, sum(chunk.n_points for chunk in chunks)
    starts, ranks = _starts(session.config.fit), count(session.ranks, "rank")
    logger.info("%s, %s, on %s", count(grid.n_points, "point"), starts, ranks)
    logger.info("%s", session.config.evidence)
    for warning in (*past.warnings, *label_warnings(texts_of(grid, session.model))):
        logger.warning(warning)
    if past.records or past.tried:
        again = f", {count(len(past.tried), 'point')} that failed among them" if past.tried else ""
        n_starts = int(past.latest(grid.n_points).n_starts.sum())
        begun = f"; {count(n_starts, 'start')} of points with more to come" if n_starts else ""
        known = count(grid.n_points - n_todo, "point")
        logger.info("continuing: %s known, %s to do%s%s", known, f"{n_todo:,}", again, begun)


def _first_pass(team: Team, chunks: Sequence[Chunk], recorder: Recorder, receive: Receive) -> None:
    """Fit every point from its own starts."""
    progress = Progress(sum(chunk.n_points for chunk in chunks), telling(), recorder.results)

    def tick() -> None:
        progress.tick()
        recorder.tick()

    for part in receive(team.map(chunks, tick=tick)):
        recorder.add(part)
        progress.add(len(part.status))
    elapsed = progress.elapsed
    logger.info("done in %s (%s points/s)", duration(elapsed), rate(progress.n_done, elapsed))


def _waves(session: Session, team: Team, recorder: Recorder, receive: Receive) -> None:
    """Fit the grid from coarse to fine, repair it, and ask for evidence: wave by wave."""
    config, model, results = session.config, session.model, recorder.results
    most, size = most_together(config.fit, model), config.points_per_chunk or alone(model)
    for wave in waves(config.grid, model, config.fit, results):
        is_todo, starts = recorder.begin_wave(wave)
        n_todo = len(np.unique(np.concatenate([wave.points[is_todo], *(part.point_index for part in starts)])))
        progress = Progress(n_todo, telling(), results, what=f"wave {wave.number}, {wave.what}")

        def tick(progress: Progress = progress) -> None:
            progress.tick()
            recorder.tick()

        answers = team.map(wave.tasks(is_todo, most, session.ranks, size), tick=tick)
        # The barrier is the end of this loop: the next wave sees all results of this one.
        for part in wave.complete(receive(answers), starts, recorder.keep_starts):
            recorder.add(part)
            progress.add(len(part.status))
        logger.info("wave %d, %s: %s in %s", wave.number, wave.what, count(n_todo, "point"), duration(progress.elapsed))


def _rows_text(results: PointResults) -> str:
    """Format what the grid has asked of the model."""
    n_rows, n_points = int(results.n_model_rows.sum()), max(1, len(results.status))
    return f"the grid took {count(n_rows, 'row')} of the model, {n_rows / n_points:.3g} a point"


def _repair(session: Session, team: Team, results: PointResults, receive: Receive) -> None:
    """Refit points without a proof from their neighbours' minima."""
    grid, model, fit = session.config.grid, session.model, session.config.fit
    if not fit.about.is_repaired:
        return

    waves = itertools.count(1)

    def compute(wave: Wave) -> Iterator[PointResults]:
        progress = RepairProgress(next(waves), len(wave), telling())
        for part in receive(team.map(wave, tick=progress.tick)):
            progress.add(int(np.count_nonzero(is_news(part, results))))
            yield part

    for wave, n_improved in enumerate(repair(grid, model, results, fit.repair_waves, compute), 1):
        logger.info("repair, wave %d: %s improved", wave, count(n_improved, "point"))


def _answer(session: Session, team: Team, recorder: Recorder, stop: StopRequest) -> None:
    """Fit what the scan says: best fit, errors, intervals and contours."""
    progress = RoundProgress("answer", telling())
    run, started = KeptTasks(team, recorder, stop, progress), monotonic()
    known = recorder.table(kind_of(session.model))
    recorder.answer = answer_record(session.config, session.model, recorder.results, run, known, stop.ending)
    if recorder.answer is not None:
        logger.info("answer: %s of fits in %s", count(run.n_tasks, "block"), duration(monotonic() - started))
    for reason, n in run.failed.items():
        logger.warning("answer: %s left out: %s", count(n, "fit"), reason)


def _toys(session: Session, team: Team, recorder: Recorder, stop: StopRequest) -> None:
    """Make toys, where they are wanted."""
    if not session.config.toys.are_wanted:
        return
    progress = RoundProgress("toys", telling())
    run = KeptTasks(team, recorder, stop, progress)
    known = Known(recorder.table(KIND), recorder.table(kind_of(session.model)))
    recorder.toys = toy_record(session.config, session.model, recorder.results, run, known)
    if recorder.toys is not None and recorder.toys.refusal:
        logger.warning("no toys: %s", recorder.toys.refusal)
    elif recorder.toys is not None:
        logger.info("%s", progress.ended(recorder.toys.n_made))


def _save(session: Session, recorder: Recorder) -> None:
    """Leave a readable file behind, and log how to go on."""
    recorder.write(is_complete=False)
    n_done = int(np.count_nonzero(recorder.results.status != Status.NOT_RUN))
    points = count(session.config.grid.n_points, "point")
    logger.warning("%s of %s are done and saved; continue with the same command and --resume", f"{n_done:,}", points)


def _exit_code(status: IntArray) -> int:
    return Exit.COMPLETE if np.all(status == Status.CONVERGED) else Exit.INCOMPLETE


def _receive(stop: StopRequest, failures: FailureLog, strict: bool, finished: Answers) -> Iterator[PointResults]:
    """Take the results as they arrive, and note who computed them and what went wrong."""
    for done in finished:
        results = done.result.results
        # Told, and of no consequence: the variable has the role "run".
        results.rank[:] = done.rank
        logger.debug("rank %d finished %s", done.rank, count(len(results.status), "point"))
        failures.add(done.rank, done.result.failures)
        failures.doubt(done.result.doubts)
        yield results
        if strict and any(failure.status == Status.FAILED for failure in done.result.failures):
            raise StrictError("stopped at the first failure (--strict)")
    if stop.requested:
        raise StoppedError(f"stopped early: {stop.requested}")


def _starts(fit: FitSettings) -> str:
    limits = fit.start_range
    if fit.fresh_starts is not None:
        return f"from coarse to fine, with {fit.fresh_starts:g} fresh starts a point after the first wave"
    if fit.is_in_waves:
        return f"from coarse to fine, with up to {count(limits.max, 'fresh start')}"
    few = count(limits.max, "start") if limits.min == limits.max else f"{limits.min} to {limits.max} starts"
    return f"{few} each"


def _command_line() -> tuple[str, ...]:
    return ("hpcscan", *sys.argv[1:])
