"""Tables of texts: as lines with aligned columns, as comma-separated values, and as LaTeX that needs no package."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from itertools import zip_longest
from textwrap import wrap

from hpcscan.words.numbers import typeset
from hpcscan.words.visible import csv_cell, on_one_line

#: A cell that lines up on the right: a number, a range of numbers, or nothing.
_NUMBER = re.compile(r"(< )?[-+−]?[\d.,]+(e[-+]?\d+)?( to [-+−]?[\d.,]+(e[-+]?\d+)?)?|–?")
GAP = "  "
#: Widest cell on a terminal; longer texts are wrapped.
WIDEST = 72
#: Width of a table whose last column takes the rest of the line, and the least width of that one, for which the others
#: are narrowed as far as their words allow.
PAGE_WIDTH, LAST_COLUMN = 100, 30
#: Rows of a table that fit a screen.
MOST_ROWS = 40

#: Letters that a name may stand for.
GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ",
    "psi": "ψ", "omega": "ω",
}  # fmt: skip
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$",
    "Δ": r"$\Delta$", "χ": r"$\chi$", "σ": r"$\sigma$", "±": r"$\pm$", "−": "$-$", "≪": r"$\ll$",
    "–": "--", "·": r"$\cdot$", "×": r"$\times$", "…": r"\dots{}",
    **{letter: rf"$\{name}$" for name, letter in GREEK.items()},
}  # fmt: skip
_SUPERSCRIPTS = dict(zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True))
_POWER, _MATH = re.compile(f"[{''.join(_SUPERSCRIPTS)}]+"), re.compile(r"(?<!\\)\$")
_ERRORS = re.compile(r"([-−]?[\d.,]+) \+([\d.,]+) −([\d.,]+)(.*)")
#: What mathematics of a label may be made of: a file may come from anybody, and LaTeX obeys.
_COMMAND, _PLAIN = re.compile(r"\\([A-Za-z]+|[,;:! ])"), re.compile(r"[\w\s^{}()\[\]+\-*/=<>.,:;'|!]*")
COMMANDS = frozenset((
    *GREEK,
    "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega", "pi", "varepsilon",
    "vartheta", "varphi", "mathrm", "mathit", "mathbf", "mathcal", "mathsf", "rm", "sin", "cos", "tan", "sinh",
    "cosh", "tanh", "log", "ln", "exp", "hat", "bar", "tilde", "vec", "dot", "ddot", "overline", "sqrt", "frac",
    "left", "right", "ell", "hbar", "infty", "odot", "oplus", "pm", "mp", "times", "cdot", "circ", "prime", "partial",
    "nabla", "to", "rightarrow", "leftrightarrow", "parallel", "perp", "langle", "rangle", "sum", "int", "approx",
    "sim", "leq", "geq", "star", "ast", "dagger",
))  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    name : str
        Stem of its files.
    labels : mapping of str to str
        How names in its cells are written where mathematics can be set.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_number(self) -> tuple[bool, ...]:
        """Whether each column holds numbers, which line up on the right."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.header)
        return tuple(all(_NUMBER.fullmatch(cell) for cell in column) for column in columns)

    def beginning(self) -> tuple[Table, int]:
        """Return its first rows, as many as fit a screen, and the number of those left out."""
        return replace(self, rows=self.rows[:MOST_ROWS]), max(0, len(self.rows) - MOST_ROWS)

    def lines(self) -> str:
        """Align it for a terminal, below its caption."""
        rows = [tuple(map(on_one_line, row)) for row in (self.header, *self.rows)]
        widths = [min(WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
        lines = [line for row in rows for line in row_lines(row, widths, self.is_number)]
        return "\n".join([*wrap(self.caption, 2 * WIDEST - 20), *lines])


def row_lines(row: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> list[str]:
    """Align the cells of a row, on the right or on the left; a cell that is wider than its column is wrapped."""
    cells = [wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
    return [
        GAP.join(
            part.rjust(width) if right else part.ljust(width)
            for part, width, right in zip(parts, widths, is_right, strict=True)
        ).rstrip()
        for parts in zip_longest(*cells, fillvalue="")
    ]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align columns: the first to the left, the others to the right."""
    cells = [tuple(map(on_one_line, row)) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    is_right = [column > 0 for column in range(len(header))]
    return "\n".join(line for row in cells for line in row_lines(row, widths, is_right))


def fitted_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows in columns; the last column takes the rest of the line, and long cells are wrapped."""
    *columns, _ = zip(*rows, strict=True)
    widths = [max(map(len, column)) for column in columns]
    narrowest = [max(len(word) for cell in column for word in cell.split()) for column in columns]
    room = PAGE_WIDTH - LAST_COLUMN - len(GAP) * len(columns)
    while sum(widths) > room and widths != narrowest:
        widest = max(range(len(widths)), key=lambda i: (widths[i] > narrowest[i], widths[i]))
        widths[widest] -= 1
    widths.append(max(LAST_COLUMN, room + LAST_COLUMN - sum(widths)))
    return [line for row in rows for line in row_lines(row, widths, [False] * len(widths))]


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """Align names and their values, one pair a line."""
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}{GAP}{text}" for name, text in rows)


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
    rows = [_row(_cell(table, cell, head) for cell, head in zip(row, table.header, strict=True)) for row in table.rows]
    header = _row(_labelled(head, head) for head in table.header)
    lines += [header, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\caption{{{latex(table.caption)}.}}", rf"\label{{tab:{table.name}}}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(table: Table, cell: str, head: str) -> str:
    """Write names by their labels, typeset units, and set both errors of a value above one another."""
    if head == "unit":
        return latex(typeset(cell))
    if found := _ERRORS.fullmatch(cell):
        return f"${found[1]}^{{+{found[2]}}}_{{-{found[3]}}}${latex(found[4])}".replace("−", "-")
    return _labelled(table.labels.get(cell, ""), cell)


def _labelled(label: str, name: str) -> str:
    """Write a label with its mathematics; the name where that is more than mathematics, or has no end."""
    texts = _MATH.split(label)
    # Two circumflexes may stand for a backslash.
    is_math = ["^^" not in math and _PLAIN.fullmatch(_COMMAND.sub("", math)) is not None for math in texts[1::2]]
    known = {found[1] for math in texts[1::2] for found in _COMMAND.finditer(math) if found[1].isalpha()} <= COMMANDS
    if not label or len(texts) % 2 == 0 or not all(is_math) or not known:
        return latex(name)
    return "".join(f"${text}$" if number % 2 else latex(text) for number, text in enumerate(texts))


def latex(text: str) -> str:
    """Escape what LaTeX would read as something else."""
    escaped = "".join(_LATEX.get(character, character) for character in on_one_line(text))
    return _POWER.sub(lambda found: f"$^{{{''.join(map(_SUPERSCRIPTS.get, found[0]))}}}$", escaped)  # type: ignore[arg-type]
