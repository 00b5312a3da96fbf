"""A line of the benchmark's table: what was measured, and the target beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """`at_least` or `at_most` is the target; neither where a number is only told."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def verdict(self) -> str:
        if self.at_least is None and self.at_most is None:
            return ""
        is_met = self.value >= self.at_least if self.at_least is not None else self.value <= (self.at_most or 0.0)
        return "reached" if is_met else "MISSED"

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:,.7g}"
        return "" if self.at_most is None else f"<= {self.at_most:,.7g}"


def table(lines: Sequence[Line]) -> str:
    return "\n".join(
        f"{line.name:66}{line.value:>14,.4g} {line.unit:14}{line.target:>14}  {line.verdict}".rstrip() for line in lines
    )
