"""What `check` prints."""

from __future__ import annotations

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.goodness import freedom_lines
from hpcscan.gate.gate import Gate, gate_in_short, gate_lines
from hpcscan.gate.verdict import Verdict
from hpcscan.report.diagnosis import diagnosis
from hpcscan.report.intervals import interval_table
from hpcscan.words.numbers import count
from hpcscan.words.tables import Table, facts


def check_text(findings: Findings, verdict: Verdict, *, is_whole: bool = False) -> str:
    """Write the verdict as a run does, then what is behind it and, where a criterion fails, what to look at.

    Where it is not to be whole, tables end after so many rows, and say so.
    """
    parts = [
        str(verdict),
        "\n".join([findings.scan.name, *gate_lines(verdict.gate)]),
        "freedom\n" + facts([(f"  {name}", text) for name, text in freedom_lines(findings.freedom)]),
    ]
    if findings.profiles.axes:
        parts.append(_lines(interval_table(findings), is_whole))
    if not verdict.is_open:
        parts += [_lines(table, is_whole) for table in diagnosis(findings)]
    return "\n\n".join([*parts, gate_in_short(verdict.gate)])


def _lines(table: Table, is_whole: bool) -> str:
    shown, n_more = table.beginning()
    if is_whole or not n_more:
        return table.lines()
    return f"{shown.lines()}\n… and {count(n_more, 'more row')}; --all shows them"


def short_text(findings: Findings, gate: Gate, what: str) -> str:
    """Write a part of the gate, and which."""
    return "\n".join([findings.scan.name, *gate_lines(gate), "", f"{gate_in_short(gate)} ({what})"])
