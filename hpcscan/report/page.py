"""One HTML page that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.goodness import freedom_lines
from hpcscan.gate.criterion import Criterion
from hpcscan.gate.gate import MARKS, Gate, gate_in_short
from hpcscan.gate.verdict import Verdict
from hpcscan.report.result_tables import best_fit_table, diagnosis, interval_table
from hpcscan.words.numbers import count
from hpcscan.words.numbers import typeset as written
from hpcscan.words.tables import Table
from hpcscan.words.visible import html_text

STYLE = """\
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #4a4a4a; --paper: #fff; --box: #f3f3f3; --line: #d0d0d0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --soft: #b8b8b8; --paper: #16181b; --box: #23262a; --line: #454a50; }
}
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 1rem/1.5 system-ui, sans-serif; }
body { color: var(--ink); background: var(--paper); }
h1 { font-size: 1.3rem; line-height: 1.3; margin: .2rem 0 .6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
.verdict { border-left: .4rem solid var(--ink); padding: .1rem 1rem; background: var(--box); overflow-wrap: anywhere; }
.verdict p { margin: .5rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: min(100%, 24rem); font-size: .88rem; margin: .4rem 0; }
caption { text-align: left; padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td small { display: block; color: var(--soft); font-weight: normal; }
.FAILS { font-weight: bold; }
figure { margin: 1.2rem 0; }
figure img { width: 100%; height: auto; max-width: var(--w); display: block; background: #fff; border-radius: 2px; }
figcaption, footer { font-size: .88rem; color: var(--soft); }
details { border-bottom: 1px solid var(--line); padding: .3rem 0; }
summary { cursor: pointer; font-weight: 600; padding: .3rem 0; }
summary:focus-visible { outline: 2px solid; outline-offset: 2px; }
pre { overflow-x: auto; font-size: .8rem; background: var(--box); padding: .6rem; }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #333; --paper: #fff; --box: #f3f3f3; --line: #bbb; }
  h2, summary, tr:first-child { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  summary { list-style: none; }
  details::details-content { content-visibility: visible; block-size: auto; }
  .scroll, pre { overflow: visible; }
  figure img { max-width: min(var(--w), 13cm); }
  pre { white-space: pre-wrap; }
}
"""
_DELTA_CHI2, _CHI2 = re.compile(r"\bdelta chi2\b"), re.compile(r"\bchi2\b")
#: Attributes of the file that say where it comes from.
PROVENANCE = ("source", "history", "hpcscan_git_commit", "hpcscan_config_sha256", "hpcscan_libraries")


@dataclass(frozen=True)
class Picture:
    """A drawn figure.

    Attributes
    ----------
    says : str
        What the figure says, for those who do not see it.
    png, narrow : bytes
        For a wide page and, where there is another one, for a narrow one.
    width : int
        In pixels of the page.
    problem : str
        Why it could not be drawn.
    """

    title: str
    caption: str
    says: str
    png: bytes = b""
    narrow: bytes = b""
    width: int = 0
    problem: str = ""


def page(findings: Findings, verdict: Verdict, pictures: Sequence[Picture], notes: Sequence[str] = ()) -> str:
    """Write the page; the first thing on it is the verdict. Notes say what its files leave out."""
    # What a reader asks first comes first: verdict, best fit, figures; tables are folded.
    title = f"{PurePath(findings.scan.name).name}: {findings.scan.text('title')}"
    sentences, gate, comment = verdict.sentences, verdict.gate, findings.scan.text("comment")
    body = [
        f"<h1>{html_text(title)}</h1>",
        f'<div class="verdict">{"".join(f"<p>{typeset(text)}</p>" for text in sentences)}</div>',
        *([f"<p>The model: {typeset(comment)}</p>"] if comment else []),
        *([_rows(best)] if (best := best_fit_table(findings)).rows else []),
        *(
            _section("Figures", map(_figure, pictures))
            if pictures
            else ["<p>Without matplotlib there are no figures.</p>"]
        ),
        "<h2>Tables</h2>",
        _fold(gate_in_short(gate).capitalize(), [_gate(gate)], is_open=not gate.is_open),
        *([_fold("Intervals", [_rows(interval_table(findings))])] if findings.profiles.axes else []),
        _fold("Count of freedom", [_rows(_freedom(findings))]),
        _fold("Behind the numbers", map(_table, diagnosis(findings))),
        _fold("Where it comes from", [_provenance(findings), *(f"<p>{typeset(note)}.</p>" for note in notes)]),
    ]
    return _document(title, "\n".join(body))


def typeset(text: str) -> str:
    """Escape a text, with symbols for what a terminal spells out."""
    return html_text(with_symbols(text))


def with_symbols(text: str) -> str:
    """Write symbols for what a terminal spells out; names of variables stay."""
    return _CHI2.sub("χ²", _DELTA_CHI2.sub("Δχ²", text))


def _document(title: str, body: str) -> str:
    # The empty icon keeps a browser from asking for one.
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html_text(title)}</title>\n<link rel="icon" href="data:,">\n<style>\n{STYLE}</style>\n</head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _section(title: str, parts: Iterable[str]) -> list[str]:
    return [f"<h2>{html_text(title)}</h2>", *parts]


def _fold(title: str, parts: Iterable[str], *, is_open: bool = False) -> str:
    """Write what a reader opens; on paper all of it is open."""
    state = " open" if is_open else ""
    return f"<details{state}>\n<summary>{typeset(title)}</summary>\n{''.join(parts)}\n</details>"


def _gate(gate: Gate) -> str:
    # Every criterion, also those that hold: a gate is read as a whole.
    rows = "".join(map(_criterion, gate.criteria))
    head = "<tr><th>criterion</th><th></th><th>found</th></tr>"
    return f'<div class="scroll"><table>{head}{rows}</table></div>'


def _criterion(criterion: Criterion) -> str:
    mark = MARKS[criterion.holds]
    # What was wanted and why it may have failed, in small letters below.
    notes = [f"wanted: {criterion.wanted}"] if criterion.wanted else []
    notes += [f"likely cause: {criterion.cause}"] if criterion.cause else []
    small = "".join(f"<small>{typeset(note)}</small>" for note in notes)
    return (
        f'<tr class="{mark}"><td>{typeset(criterion.name)}<small>{criterion.group}</small></td><td>{mark}</td>'
        f"<td>{typeset(criterion.found)}{small}</td></tr>"
    )


def _figure(picture: Picture) -> str:
    # Figures are part of the page: it may be mailed or archived as one file.
    image = f'<img src="{_data(picture.png)}" alt="{typeset(picture.says)}" style="--w: {picture.width}px">'
    if picture.narrow:
        narrow = f'<source media="(max-width: 40rem)" srcset="{_data(picture.narrow)}">'
        image = f"<picture>{narrow}{image}</picture>"
    caption = f"<figcaption><b>{typeset(picture.title)}.</b> {typeset(picture.caption)}</figcaption>"
    # A figure that could not be drawn leaves its caption, and why.
    if picture.problem:
        return f"<figure><p>This figure {typeset(picture.problem)}.</p>{caption}</figure>"
    return f"<figure>{image}{caption}</figure>"


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode('ascii')}"


def _table(table: Table) -> str:
    shown, n_more = table.beginning()
    more = f"<p>… and {count(n_more, 'more row')} in tables/{table.name}.csv.</p>" if n_more else ""
    return _rows(shown) + more


def _rows(table: Table) -> str:
    # Numbers are aligned to the right, so that their digits stand below each other.
    marks = [' class="n"' if right else "" for right in table.is_number]
    head = "".join(f"<th{mark}>{typeset(cell)}</th>" for mark, cell in zip(marks, table.header, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td{mark}>{typeset(cell)}</td>" for mark, cell in zip(marks, row, strict=True)) + "</tr>"
        for row in map(partial(_with_units, table.header), table.rows)
    )
    return f'<div class="scroll"><table><caption>{typeset(table.caption)}</caption><tr>{head}</tr>{rows}</table></div>'


def _with_units(header: Sequence[str], row: Sequence[str]) -> list[str]:
    """Typeset the cells of the column of units."""
    return [written(cell) if head == "unit" else cell for head, cell in zip(header, row, strict=True)]


def _freedom(findings: Findings) -> Table:
    rows = tuple(freedom_lines(findings.freedom))
    return Table("freedom", "Constraints against parameters", ("quantity", "count"), rows)


def _provenance(findings: Findings) -> str:
    scan = findings.scan
    rows = tuple((name, scan.text(name)) for name in PROVENANCE if scan.text(name))
    facts = _rows(Table("provenance", "Attributes of the result", ("attribute", "value"), rows)) if rows else ""
    return f"{facts}<pre>{html_text(scan.text('hpcscan_config'))}</pre>"
