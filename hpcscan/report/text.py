"""What `check` prints."""

from __future__ import annotations

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.freedom import freedom_lines
from hpcscan.gate.gate import Gate, gate_in_short, gate_lines
from hpcscan.report.diagnosis import diagnosis
from hpcscan.report.intervals import condition_table, interval_table
from hpcscan.words.columns import facts


def check_text(findings: Findings, gate: Gate) -> str:
    """Write the gate, the count of freedom, intervals and conditions and, where a criterion fails, what to look at."""
    parts = [
        f"{findings.scan.name}\n" + "\n".join(gate_lines(gate)),
        "freedom\n" + facts([(f"  {name}", text) for name, text in freedom_lines(findings.freedom)]),
    ]
    if findings.profiles.axes:
        parts += [interval_table(findings).lines(), condition_table(findings).lines()]
    if not gate.is_open:
        parts += [table.lines() for table in diagnosis(findings)]
    return "\n\n".join([*parts, gate_in_short(gate)])


def short_text(findings: Findings, gate: Gate) -> str:
    """Write the gate alone."""
    return "\n".join([findings.scan.name, *gate_lines(gate), "", gate_in_short(gate)])
