"""Tables as files: comma-separated, and LaTeX that needs no package."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from hpcscan.words.tables import Table
from hpcscan.words.visible import csv_cell, on_one_line

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$",
    "Δ": r"$\Delta$", "χ": r"$\chi$", "σ": r"$\sigma$", "²": "$^2$", "±": r"$\pm$", "−": "$-$", "≪": r"$\ll$",
    "–": "--", "·": r"$\cdot$", "×": r"$\times$", "…": r"\dots{}",
}  # fmt: skip


def csv_text(table: Table) -> str:
    """Write a table of texts as CSV."""
    return rows_text(table.header, table.rows)


def rows_text(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write rows as CSV."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(csv_cell, header))
    writer.writerows(map(csv_cell, row) for row in rows)
    return buffer.getvalue()


def latex_text(table: Table) -> str:
    """Write a table as a LaTeX table environment, with the rules of booktabs."""
    columns = "".join("r" if right else "l" for right in table.is_number)
    lines = [r"\begin{table}", r"\centering", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines += [_row(table.header), r"\midrule", *map(_row, table.rows), r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\caption{{{latex(table.caption)}.}}", rf"\label{{tab:{table.name}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(map(latex, cells)) + r" \\"


def latex(text: str) -> str:
    """Escape what LaTeX would read as something else."""
    return "".join(_LATEX.get(character, character) for character in on_one_line(text))
