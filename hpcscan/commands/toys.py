"""The story of `hpcscan toys`: from a finished result to one with toys."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hpcscan.commands.kept_tasks import KeptTasks, Team
from hpcscan.commands.request import ToyRequest
from hpcscan.commands.run import kinds_of
from hpcscan.commands.terminal import telling
from hpcscan.config.building import build_model
from hpcscan.config.validated import Config
from hpcscan.dataset.inspection import inspect
from hpcscan.dataset.reader import read_scan
from hpcscan.dataset.scan import ScanData, stored_points
from hpcscan.dataset.writer import add_toys
from hpcscan.errors import Exit, StoppedError, UsageError
from hpcscan.fitting.records import PointResults
from hpcscan.model.problem import Problem
from hpcscan.output.destination import anchor, check_output, lock_path, toy_journal_path
from hpcscan.output.identity import differences, identity
from hpcscan.output.lock import locked
from hpcscan.output.log import RoundProgress
from hpcscan.output.toy_journal import toy_journal
from hpcscan.parallel import StopRequest, World
from hpcscan.program import read_checked, refuse_other_predictions
from hpcscan.scanning.answer_tasks import kind_of
from hpcscan.scanning.toy_tasks import KIND, Known, toy_record
from hpcscan.scanning.work import Common

logger = logging.getLogger(__name__)

#: Toys of a point where the configuration does not say.
DEFAULT_TOYS = 10_000


def lead(request: ToyRequest, world: World, stop: StopRequest, team: Team) -> int:
    """Make toys for a finished result, from rank 0; return the exit code."""
    # Everything that can be wrong with the request is found before anything is computed.
    path = anchor()(request.scan)
    with stop.ending():
        config = read_checked(request.config, request.overrides)
        if config.toys.n is None:
            config = replace(config, toys=replace(config.toys, n=DEFAULT_TOYS))
        inspect(path)
        scan, model = read_scan(path), build_model(config.model)
        check_output(path)
        results = _points(scan, config, model)
    stop.limit(config.run.max_time if request.max_time is None else request.max_time)

    # Under the lock, the result is written again with the toys.
    with locked(lock_path(path)):
        progress = RoundProgress("toys", telling())
        # A journal of toys belongs to one result, not to whatever lies at its place later.
        name = scan.text("hpcscan_session") or scan.text("date_created")
        with toy_journal(path, config, model, kinds_of(config, model), name) as journal:
            team.brief(config)
            run = KeptTasks(team, journal, stop, progress)
            try:
                made = toy_record(
                    config, model, results, run, Known(journal.table(KIND), journal.table(kind_of(model)))
                )
            except StoppedError:
                logger.warning("what is made is saved in %s; go on with the same command", toy_journal_path(path))
                raise
            if made is None or made.refusal:
                raise UsageError(f"{path}: no toys: {made.refusal if made else 'none are asked for'}")
            add_toys(path, path, made, _history(request))
    logger.info("%s", progress.ended(made.n_made))
    _judge(path)
    return Exit.COMPLETE


def _points(scan: ScanData, config: Config, model: Problem) -> PointResults:
    """Read the fits of a result, and refuse one of another configuration or model."""
    if str(scan.attributes.get("hpcscan_complete", 1)) != "1":
        raise UsageError(f"{scan.name}: is unfinished; continue its run with --resume first")
    if scan.grid != config.grid:
        raise UsageError(f"{scan.name}: has another grid than the configuration; give the one of its run")
    stored = scan.text("hpcscan_identity")
    if stored:
        _refuse_another(scan.name, stored, config)
    results = stored_points(scan, model)
    refuse_other_predictions(scan.name, Common(model, config.grid, config.fit), results)
    return results


def _refuse_another(name: str, stored: str, config: Config) -> None:

    skipped = ("toys.", "answer.")
    old = {key: value for key, value in json.loads(stored).items() if not key.startswith(skipped)}
    new = {key: value for key, value in identity(config).items() if not key.startswith(skipped)}
    if different := differences(old, new):
        what = "\n".join(f"  {line}" for line in different)
        raise UsageError(f"{name}: is of another configuration; give the one of its run\n{what}")


def _history(request: ToyRequest) -> str:
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{moment} hpcscan toys {request.scan} --config {request.config}"


def _judge(path: Path) -> None:
    """Log what the result is worth, in the words with which `check` begins."""
    from hpcscan.door import open as opened  # noqa: PLC0415  (rank 0 alone needs it)

    logger.info("written: %s\n%s\nmore: hpcscan check %s", path, opened(path).verdict(), path)
