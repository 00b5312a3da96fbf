"""The story of a run, from a configuration to one file."""

from __future__ import annotations

import itertools
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import cast

import numpy as np

from hpcscan.arrays import IntArray
from hpcscan.commands.configuration import read_checked
from hpcscan.commands.labels import label_warnings
from hpcscan.commands.request import RunRequest
from hpcscan.config.models import build_model
from hpcscan.config.records import Config
from hpcscan.dataset.provenance import computing_platform
from hpcscan.dataset.variables import texts_of
from hpcscan.errors import Exit, StoppedError, StrictError
from hpcscan.fitting.records import PointResults, Status
from hpcscan.guard.guard import Finished
from hpcscan.guard.probe import doubts_of_trial
from hpcscan.model.problem import Problem
from hpcscan.output.destination import anchor, check_output, make_room
from hpcscan.output.failures import FailureLog
from hpcscan.output.lock import locked, read_lock
from hpcscan.output.logfile import logging_to
from hpcscan.output.places import lock_path, log_path
from hpcscan.output.progress import Progress, RepairProgress
from hpcscan.output.recorder import Recorder, Session, recording
from hpcscan.output.resume import Past, look_back, refuse_existing
from hpcscan.output.same_model import check_same_model
from hpcscan.parallel import Coordinator, Done, Rescue, StopRequest, World
from hpcscan.scanning.answered import answer_record
from hpcscan.scanning.answering import AnswerFits, kind_of
from hpcscan.scanning.chunks import Chunk, cut, points_of
from hpcscan.scanning.evidence import settle
from hpcscan.scanning.repair import Wave, repair
from hpcscan.scanning.work import Common, GridAnswer, GridTask
from hpcscan.settings import FitSettings
from hpcscan.table import Table
from hpcscan.words.numbers import count, duration, rate

logger = logging.getLogger(__name__)

Answers = Iterable[Done[GridAnswer]]
Receive = Callable[[Answers], Iterator[PointResults]]
Team = Coordinator[Config, IntArray, GridTask, GridAnswer]


def _brief(config: Config, model: Problem, team: Team) -> None:
    """Give the ranks the configuration; watch them where the time of a point is limited."""
    common = Common(model, config.grid, config.fit)

    def rescue(task: GridTask, step: IntArray) -> Rescue[GridTask, GridAnswer]:
        return Rescue(task.without(step), task.hung(common, step))

    team.brief(config, rescue=None if config.fit.time_limit is None else rescue)


def lead(request: RunRequest, world: World, stop: StopRequest, team: Team) -> int:
    """Run the scan, from rank 0; give the exit code."""
    started = datetime.now(UTC)

    # Everything that can be wrong with the request is found before anything is computed.
    where = anchor()
    with stop.ending():
        config = read_checked(request.config, request.overrides, request.output, partial(_check_output, request, where))
        model = build_model(config.model)
    stop.limit(config.run.max_time if request.max_time is None else request.max_time)
    output = make_room(where(config.output))
    kinds, about = (kind_of(model),), (world.size, world.library, started, _command_line())
    session = Session(config, model, output, *about, kinds, overwrite=request.overwrite)

    # One run at a time; it keeps what earlier ones have left.
    with locked(lock_path(output)):
        past = look_back(output, session.wanted(), resume=request.resume, overwrite=request.overwrite)
        if past.finished is not None:
            logger.info("already complete: %s", output)
            return _exit_code(past.finished)
        with logging_to(log_path(output)):
            return _scan(session, past, request.strict, stop, team)


def _check_output(request: RunRequest, where: Callable[[str], Path], path: str) -> None:
    """Refuse an output that cannot be written, or at which there is something already.

    Where another run may be writing, the lock will say more.
    """
    output = where(path)
    check_output(output)
    if read_lock(lock_path(output)) is None:
        refuse_existing(output, resume=request.resume, overwrite=request.overwrite)


def _scan(session: Session, past: Past, strict: bool, stop: StopRequest, team: Team) -> int:
    """Compute what is left of a scan, and write its file."""
    config, model = session.config, session.model
    grid, standing = config.grid, past.standing(config.grid.n_points)
    chunks = cut(
        grid.n_points,
        config.fit.n_starts_together,
        model,
        session.ranks,
        config.points_per_chunk,
        standing=standing,
        least=config.fit.n_points_together,
    )
    for line in check_same_model(session.output, Common(model, grid, config.fit), past, computing_platform()):
        logger.info(line)
    failures = FailureLog(grid, logger.warning)
    receive = partial(_receive, stop, failures, strict)

    # Each task is done wherever a rank is free; the place of its result does not depend on where or when.
    with recording(session, past, points_of(chunks, grid.n_points)) as recorder:
        _brief(config, model, team)
        _announce(session, past, chunks)
        failures.doubt(doubts_of_trial(model, grid))
        try:
            _first_pass(team, chunks, recorder, receive)
            _repair(session, team, recorder.results, receive)
            settle(grid, model, config.fit, recorder.results)
            _answer(session, team, recorder, stop)
        except StoppedError:
            _save(session, recorder)
            raise

        # The file is whole before it appears under its name.
        for line in failures.totals(recorder.results.status):
            logger.warning(line)
        place = recorder.write(is_complete=True)
    _judge(session, recorder, place)
    return _exit_code(recorder.results.status)


def _judge(session: Session, recorder: Recorder, place: Path) -> None:
    """Say what the scan is worth, in the words with which `check` begins; no matter for the exit code."""
    from hpcscan.door import in_memory  # noqa: PLC0415  (rank 0 alone needs it)

    facts, answer = session.facts(), recorder.answer
    scan = in_memory(session.config, session.model, recorder.results, facts, answer=answer, name=str(place))
    logger.info("written: %s\n%s\nmore: hpcscan check %s", place, scan.verdict(), place)


def _announce(session: Session, past: Past, chunks: Sequence[Chunk]) -> None:
    """Say what is going to be done."""
    grid, n_todo = session.config.grid, sum(chunk.n_points for chunk in chunks)
    starts, ranks = _starts(session.config.fit), count(session.ranks, "rank")
    logger.info("%s, %s each, on %s", count(grid.n_points, "point"), starts, ranks)
    logger.info("%s", session.config.evidence)
    for warning in (*past.warnings, *label_warnings(texts_of(grid, session.model))):
        logger.warning(warning)
    if past.records or past.tried:
        again = f", {count(len(past.tried), 'point')} that failed among them" if past.tried else ""
        logger.info("continuing: %s known, %s to do%s", count(grid.n_points - n_todo, "point"), f"{n_todo:,}", again)


def _first_pass(team: Team, chunks: Sequence[Chunk], recorder: Recorder, receive: Receive) -> None:
    """Fit every point from its own starts."""
    progress = Progress(sum(chunk.n_points for chunk in chunks), logger.info)

    def tick() -> None:
        progress.tick()
        recorder.tick()

    for part in receive(team.map(chunks, tick=tick)):
        recorder.add(part)
        progress.add(part)
    elapsed = progress.elapsed
    logger.info("done in %s (%s points/s)", duration(elapsed), rate(progress.n_done, elapsed))


def _repair(session: Session, team: Team, results: PointResults, receive: Receive) -> None:
    """Refit points without a proof from their neighbours' minima."""
    grid, model, fit = session.config.grid, session.model, session.config.fit
    if not fit.about.is_repaired:
        return

    waves = itertools.count(1)

    def compute(wave: Wave) -> Iterator[PointResults]:
        progress = RepairProgress(next(waves), len(wave), logger.info)
        for part in receive(team.map(wave, tick=progress.tick)):
            progress.add(part)
            yield part

    for wave, n_improved in enumerate(repair(grid, model, results, fit.repair_waves, compute), 1):
        logger.info("repair, wave %d: %s improved", wave, count(n_improved, "point"))


def _answer(session: Session, team: Team, recorder: Recorder, stop: StopRequest) -> None:
    """Fit what the scan says: best fit, errors, intervals and contours."""
    kind, n_fits, failed = kind_of(session.model), itertools.count(), Counter[str]()

    def run(tasks: Sequence[AnswerFits]) -> Iterator[Table]:
        # Where nothing descends a fit is sooner done again than kept.
        is_kept = any(task.asked.descends for task in tasks)
        answers = cast(
            "Iterable[Done[Finished[Table]]]", team.map(cast("Iterable[GridTask]", tasks), tick=recorder.tick)
        )
        for done in answers:
            if is_kept:
                recorder.keep(done.result.results)
            failed.update(failure.kind for failure in done.result.failures)
            next(n_fits)
            yield done.result.results
        if stop.requested:
            raise StoppedError(f"stopped early: {stop.requested}")

    started = monotonic()
    recorder.answer = answer_record(session.config, session.model, recorder.results, run, recorder.table(kind))
    if recorder.answer is not None:
        logger.info("answer: %s of fits in %s", count(next(n_fits), "block"), duration(monotonic() - started))
    for reason, n in failed.items():
        logger.warning("answer: %s left out: %s", count(n, "fit"), reason)


def _save(session: Session, recorder: Recorder) -> None:
    """Leave a readable file behind, and say how to go on."""
    recorder.write(is_complete=False)
    n_done, points = recorder.journal.n_points, count(session.config.grid.n_points, "point")
    logger.warning("%s of %s are done and saved; continue with the same command and --resume", f"{n_done:,}", points)


def _exit_code(status: IntArray) -> int:
    return Exit.COMPLETE if np.all(status == Status.CONVERGED) else Exit.INCOMPLETE


def _receive(stop: StopRequest, failures: FailureLog, strict: bool, finished: Answers) -> Iterator[PointResults]:
    """Take the results as they arrive, and note who computed them and what went wrong."""
    for done in finished:
        results = done.result.results
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
    return count(limits.max, "start") if limits.min == limits.max else f"{limits.min} to {limits.max} starts"


def _command_line() -> tuple[str, ...]:
    return ("hpcscan", *sys.argv[1:])
