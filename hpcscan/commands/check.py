"""`hpcscan check`: judge a result, criterion by criterion."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite

from hpcscan.dataset.inspection import inspect
from hpcscan.door import Scan
from hpcscan.door import open as open_scan
from hpcscan.errors import Exit
from hpcscan.gate.gate import Gate
from hpcscan.report.result_tables import check_text, short_text


def check(
    path: str,
    only: str | None = None,
    overrides: Sequence[str] = (),
    *,
    is_whole: bool = False,
    is_json: bool = False,
) -> tuple[str, int]:
    """Judge a result: the text, and whether every criterion holds as an exit code.

    Parameters
    ----------
    only : str, optional
        Judge the criteria of this group alone.
    overrides : sequence of str
        ``KEY=VALUE`` of the sections `gate` and `report`.
    is_whole : bool
        Show every row of long tables.
    is_json : bool
        Give sentences, criteria, best fit and intervals as JSON instead, for programs.
    """
    inspect(path)
    scan = open_scan(path, overrides=overrides)
    gate, text = scan.check(), check_text(scan.findings, scan.verdict(), is_whole=is_whole)
    if only is not None:
        gate = gate.only(only)
        text = short_text(scan.findings, gate, f"{only} criteria alone")
    if is_json:
        text = json.dumps(_facts(scan, gate), indent=2, ensure_ascii=False)
    return text, Exit.COMPLETE if gate.is_open else Exit.INCOMPLETE


def _facts(scan: Scan, gate: Gate) -> dict[str, object]:
    """List what programs ask for; a number that there is not is null."""
    best, fitted = scan.best_fit, scan.findings.fitted
    cls = () if fitted is None else fitted.levels("interval")
    names = [axis.name for axis in scan.findings.profiles.axes]
    regions = [
        {"parameter": name, "cl": cl, **{key: _known(value) for key, value in asdict(region).items()}}
        for name in names
        for cl in cls
        for region in scan.intervals(name, cl)
    ]
    return {
        "scan": scan.data.name,
        "gate_is_open": gate.is_open,
        "sentences": list(scan.verdict().sentences),
        "criteria": [asdict(criterion) for criterion in gate.criteria],
        "best_fit": {
            "source": best.source,
            "evidence": best.evidence,
            "remark": best.remark,
            "chi2": _known(best.chi2),
            "n_dof": best.n_dof,
            "p_value": _known(best.p_value),
            "parameters": {name: _known(value) for name, value in best.parameters.items()},
            "errors": {name: [_known(end) for end in ends] for name, ends in best.errors.items()},
        },
        "intervals": regions,
    }


def _known(value: object) -> object:
    return None if isinstance(value, float) and not isfinite(value) else value
