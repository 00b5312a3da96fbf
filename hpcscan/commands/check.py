"""`hpcscan check`: judge a result, criterion by criterion."""

from __future__ import annotations

from collections.abc import Sequence

from hpcscan.dataset.inspection import inspect
from hpcscan.door import open as open_scan
from hpcscan.errors import Exit
from hpcscan.report.text import check_text, short_text


def check(
    path: str, only: str | None = None, overrides: Sequence[str] = (), *, is_whole: bool = False
) -> tuple[str, int]:
    """Judge a result: the text, and whether every criterion holds as an exit code.

    Parameters
    ----------
    path : str
    only : str, optional
        Judge the criteria of this group alone.
    overrides : sequence of str
        ``KEY=VALUE`` of the sections `gate` and `report`.
    is_whole : bool
        Show every row of long tables.
    """
    inspect(path)
    scan = open_scan(path, overrides=overrides)
    gate, text = scan.check(), check_text(scan.findings, scan.verdict(), is_whole=is_whole)
    if only is not None:
        gate = gate.only(only)
        text = short_text(scan.findings, gate)
    return text, Exit.COMPLETE if gate.is_open else Exit.INCOMPLETE
