"""The gate of the status report: what must hold before a wider scan."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

from hpcscan.analysis.findings import Findings
from hpcscan.gate.criterion import NUMERICAL, PHYSICAL, Criterion
from hpcscan.gate.numerical_criteria import numerical_criteria
from hpcscan.gate.physical_criteria import physical_criteria
from hpcscan.words.tables import Table

#: Characters of a line on a terminal.
WIDTH = 116
MARKS = {True: "holds", False: "FAILS", None: "–"}


@dataclass(frozen=True)
class Gate:
    """All criteria, judged."""

    criteria: tuple[Criterion, ...]

    def __str__(self) -> str:
        return "\n".join(gate_lines(self))

    @property
    def failed(self) -> tuple[Criterion, ...]:
        """Criteria that do not hold."""
        return tuple(criterion for criterion in self.criteria if criterion.holds is False)

    @property
    def is_open(self) -> bool:
        """Whether every criterion holds that applies."""
        return not self.failed

    def only(self, group: str) -> Gate:
        """Leave out the other group."""
        return Gate(tuple(criterion for criterion in self.criteria if criterion.group == group))


def judge(findings: Findings) -> Gate:
    """Judge every criterion."""
    return Gate((*numerical_criteria(findings), *physical_criteria(findings)))


def gate_table(gate: Gate) -> Table:
    """Tabulate the criteria with their thresholds and causes."""
    rows = tuple((c.group, MARKS[c.holds], c.name, c.found, c.wanted, c.cause) for c in gate.criteria)
    return Table("gate", "The gate", ("group", "verdict", "criterion", "found", "wanted", "likely cause"), rows)


def gate_lines(gate: Gate) -> list[str]:
    """Write the criteria for a terminal: one line each, what is wanted below it, and the cause where it fails."""
    lines = []
    width = max(len(criterion.name) for criterion in gate.criteria)
    for group in (NUMERICAL, PHYSICAL):
        # The numerical ones first: without them the physical ones mean nothing.
        members = gate.only(group).criteria
        if members:
            lines += [group]
        for criterion in members:
            lines += _lines(criterion, f"  {MARKS[criterion.holds]:5}  {criterion.name:{width}}  ")
    return lines


def _lines(criterion: Criterion, start: str) -> list[str]:
    texts = [
        criterion.found,
        f"wanted: {criterion.wanted}" if criterion.wanted else "",
        f"likely cause: {criterion.cause}" if criterion.cause else "",
    ]
    lines = [line for text in texts for line in wrap(text, WIDTH - len(start))]
    indent = " " * len(start)
    return [f"{indent if number else start}{line}" for number, line in enumerate(lines)]


def gate_in_short(gate: Gate) -> str:
    """Write the outcome in one line."""
    n = len([criterion for criterion in gate.criteria if criterion.holds is not None])
    return (
        f"gate: open, all {n} criteria hold"
        if gate.is_open
        else f"gate: closed, {len(gate.failed)} of {n} criteria fail"
    )


def gate_in_few_lines(gate: Gate) -> list[str]:
    """Write the outcome, and one line for every criterion that fails."""
    failed = [
        wrap(f"{criterion.name}: {criterion.found}", WIDTH, initial_indent="  ", subsequent_indent="    ")
        for criterion in gate.failed
    ]
    return [gate_in_short(gate), *(line for lines in failed for line in lines)]
