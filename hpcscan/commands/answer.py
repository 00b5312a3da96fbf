"""`hpcscan answer`: fit what a finished grid says, and write it beside what the file has."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hpcscan.analysis.profile_text import interval_text
from hpcscan.config.building import build_model
from hpcscan.config.validated import Config
from hpcscan.dataset.inspection import outline_attributes, read_outline
from hpcscan.dataset.provenance import attributes
from hpcscan.dataset.reader import read_scan
from hpcscan.dataset.scan import restored
from hpcscan.dataset.writer import write_dataset
from hpcscan.distribution import level_of
from hpcscan.door import Scan
from hpcscan.door import open as open_scan
from hpcscan.errors import UsageError
from hpcscan.fitting.records import PointResults
from hpcscan.model.problem import Problem
from hpcscan.output.destination import lock_path
from hpcscan.output.identity import differences, identity
from hpcscan.output.lock import locked
from hpcscan.output.same_model import check_points
from hpcscan.program import read_checked
from hpcscan.scanning.answer_tasks import answer_in_memory
from hpcscan.scanning.work import Alone, Common
from hpcscan.settings import AnswerSettings

logger = logging.getLogger(__name__)


def answer(path: str, config_path: str, overrides: Sequence[str] = ()) -> str:
    """Fit the answer of a finished grid, in place: the file is replaced by one that has it.

    Parameters
    ----------
    path : str
        The result.
    config_path : str
        The configuration of the scan; its section `answer` may be another one than that of the run.
    overrides : sequence of str
        ``KEY=VALUE`` of the configuration.

    Returns
    -------
    str
        What the scan is worth now.

    Raises
    ------
    UsageError
        Where the file is unfinished, or of another model, fit or grid.
    """
    config = read_checked(config_path, overrides)
    if not config.answer.fitted:
        raise UsageError("answer.fitted: is false, so that there is nothing to do; add --set answer.fitted=true")
    model, target = build_model(config.model), Path(path)
    with locked(lock_path(target)):
        results = _results(path, config, model)
        team = Alone(Common(model, config.grid, config.fit))
        found = answer_in_memory(team, config, model, results)
        if found is None:
            raise UsageError(f"{path}: no answer can be fitted; see above, or no point has a chi2")
        write_dataset(target, config.grid, model, results, _facts(path, config, model), answer=found)
    scan = open_scan(path)
    return "\n".join([str(scan.verdict()), *_other_levels(scan, config.answer.cl), f"written: {path}"])


def _other_levels(scan: Scan, asked: Sequence[float]) -> Iterator[str]:
    """Write the intervals of levels that the verdict does not quote."""
    fitted = scan.findings.fitted
    if fitted is None:
        return
    for cl in sorted({*asked} - {*AnswerSettings().cl}):
        for axis in scan.findings.profiles.axes:
            regions = fitted.regions(axis.name, cl) or []
            if regions:
                text = interval_text(axis, regions[0].as_interval(level_of(cl, 1), regions[1:]))
                yield f"at {100 * cl:g} %: {axis.name} = {text}"


def _results(path: str, config: Config, model: Problem) -> PointResults:
    """Read the points, if they are those of the configuration and its model."""
    scan, outline = read_scan(path), read_outline(Path(path))
    if not outline.is_complete:
        raise UsageError(f"{path}: is unfinished; continue the scan with --resume")
    of_grid = {key: text for key, text in identity(config).items() if not key.startswith("answer.")}
    before = {key: text for key, text in outline.identity.items() if not key.startswith("answer.")}
    what = differences(before, of_grid) + ([] if outline.grid == config.grid else ["scan: another grid"])
    if what:
        lines = "\n".join(f"  {line}" for line in what)
        raise UsageError(f"{path}: is of another configuration; give the one of which it is the result\n{lines}")
    results = restored(scan, model)
    known = np.flatnonzero(np.isfinite(results.chi2))
    few = results.take(known[np.linspace(0, len(known) - 1, min(len(known), 5)).astype(int)])
    for line in check_points(Path(path), Common(model, config.grid, config.fit), few):
        logger.info(line)
    return results


def _facts(path: str, config: Config, model: Problem) -> dict[str, str | int | float]:
    """Describe the file: the points as before, the answer and its settings as now."""
    before, outline = read_scan(path).attributes, read_outline(Path(path))
    now = attributes(config, model, ranks=1, mpi_library="none", started=datetime.now(UTC), argv=("hpcscan", "answer"))
    numbers = {name: value.item() for name, value in before.items() if isinstance(value, np.integer | np.floating)}
    return {
        **{name: value for name, value in before.items() if isinstance(value, str)},
        **numbers,
        **{name: now[name] for name in ("hpcscan_config", "hpcscan_config_sha256")},
        "history": f"{before['history']}\n{now['history']}",
        **outline_attributes(outline.session, identity(config), is_complete=True),
    }
