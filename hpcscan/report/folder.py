"""A report on disk: the page, the figures, the tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hpcscan.analysis.comparison import common_points
from hpcscan.analysis.findings import Findings
from hpcscan.errors import StorageError, UsageError
from hpcscan.gate.gate import gate_table
from hpcscan.gate.verdict import Verdict
from hpcscan.report.look import Look
from hpcscan.report.page import Picture, page, with_symbols
from hpcscan.report.result_tables import best_fit_table, diagnosis, interval_table
from hpcscan.report.table_rows import Data, all_data, difference_data
from hpcscan.words.tables import csv_text, latex_text, rows_text
from hpcscan.words.visible import visible

if TYPE_CHECKING:
    from hpcscan.report.figures.canvas import Drawing, Rendered
    from hpcscan.report.figures.plot import Plot

PAGE = "report.html"
WITHOUT_FIGURES = "no figures: they need matplotlib; install it with: pip install 'hpcscan[plot]'"


@dataclass(frozen=True)
class File:
    """One file of a report: its path inside the folder, and its bytes."""

    path: str
    content: bytes


def report_files(findings: Findings, verdict: Verdict, look: Look | None = None) -> tuple[tuple[File, ...], str]:
    """Make every file of a report, or some figures alone, and a message about what is missing.

    Where no look is given, it is that of the configuration.
    """
    look = look or Look.of(findings.settings)
    figures, pictures, message = _figures(findings, look)
    if look.only:
        nothing = "" if figures or message else f"no figure: this scan has none of {', '.join(look.only)}"
        return tuple(figures), _lines(message, nothing)
    listed = [*all_data(findings)]
    notes = _notes(listed)
    html = File(PAGE, page(findings, verdict, pictures, notes).encode())
    return (html, *figures, *_tables(findings, verdict), *map(_data_file, listed)), _lines(message, *notes)


def _data_file(data: Data) -> File:
    return File(f"tables/{data.name}.csv", rows_text(data.header, data.rows).encode())


def _notes(listed: Sequence[Data]) -> list[str]:
    """Format which tables leave rows out."""
    return [f"tables/{data.name}.csv has {data.note}" for data in listed if data.note]


def _lines(*texts: str) -> str:
    return "\n".join(text for text in texts if text)


def _figures(findings: Findings, look: Look) -> tuple[list[File], list[Picture], str]:
    try:
        from hpcscan.report.figures.canvas import (  # noqa: PLC0415  (only here is matplotlib needed)
            read_style,
            render,
            render_for_page,
        )
        from hpcscan.report.figures.gallery import gallery  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return [], [], WITHOUT_FIGURES
    if look.style is not None:
        read_style(look)
    files, pictures, problems = [], [], []
    # Some figures alone have no page.
    draw = render if look.only else render_for_page
    for drawing in gallery(findings, look.only):
        made, problem = _drawn(drawing, lambda drawing: draw(drawing, look))
        if made is None:
            problems.append(f"figures/{drawing.name}: {problem}")
            pictures.append(Picture(drawing.title, drawing.caption, drawing.alt, problem=problem))
        else:
            files += _figure_files(drawing, made, look)
            pictures.append(Picture(drawing.title, drawing.caption, drawing.alt, made.wide, made.narrow, made.width))
    return files, pictures, _lines(*problems)


def _drawn(drawing: Drawing, render: Callable[[Drawing], Rendered]) -> tuple[Rendered | None, str]:
    """Draw a figure; where that fails, say why: the page is worth more than one of its figures."""
    try:
        return render(drawing), ""
    except Exception as error:  # noqa: BLE001  (whatever the library makes of a file or a label)
        reason = (str(error).strip().splitlines() or [""])[-1]
        return None, f"could not be drawn ({type(error).__name__}: {reason})"


def _figure_files(drawing: Drawing, made: Rendered, look: Look) -> list[File]:
    caption = visible(with_symbols(f"{drawing.title}. {drawing.caption}\n"))
    contents = {kind: made.files[kind] for kind in look.formats} | {"txt": caption.encode()}
    return [File(f"figures/{drawing.name}.{kind}", content) for kind, content in contents.items()]


def difference_files(first: Findings, second: Findings) -> tuple[tuple[File, ...], str]:
    """Make the map and the table of what differs between two scans, and a message about what is missing."""
    common = common_points(first.landscape, second.landscape)
    if common is None or not len(common.first):
        return (), "no map: the scans have no point in common"
    name = f"difference-{Path(second.scan.name).stem}"
    data = difference_data(first, second, common, name)
    table, notes = _data_file(data), _notes([data])
    try:
        from hpcscan.report.figures.canvas import render  # noqa: PLC0415  (only here is matplotlib needed)
        from hpcscan.report.figures.several_scans import difference_drawing  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return (table,), _lines(WITHOUT_FIGURES, *notes)
    drawing, look = difference_drawing(first, second, common, name), Look.of(first.settings)
    made, problem = _drawn(drawing, lambda drawing: render(drawing, look))
    if made is None:
        return (table,), _lines(f"figures/{name}: {problem}", *notes)
    return (table, *_figure_files(drawing, made, look)), _lines(*notes)


def overlay_files(scans: Sequence[Findings]) -> tuple[tuple[File, ...], str]:
    """Draw several scans into one plane, and their profiles; and a message about what is missing."""
    try:
        from hpcscan.report.figures.canvas import render  # noqa: PLC0415  (only here is matplotlib needed)
        from hpcscan.report.figures.several_scans import MOST, overlay_drawings  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return (), WITHOUT_FIGURES
    files, problems, look = [], [], Look.of(scans[0].settings)
    if len(scans) > MOST:
        problems.append(f"overlays show the first {MOST} of {len(scans)} results")
    for drawing in overlay_drawings(scans):
        made, problem = _drawn(drawing, lambda drawing: render(drawing, look))
        if made is None:
            problems.append(f"figures/{drawing.name}: {problem}")
        else:
            files += _figure_files(drawing, made, look)
    return tuple(files), _lines(*problems)


def _tables(findings: Findings, verdict: Verdict) -> Iterator[File]:
    best = best_fit_table(findings)
    tables = (gate_table(verdict.gate), interval_table(findings), *diagnosis(findings), *([best] if best.rows else []))
    for table in tables:
        # What was fitted is there as numbers.
        if table.name not in ("intervals", "best_fit") or findings.fitted is None:
            yield File(f"tables/{table.name}.csv", csv_text(table).encode())
        yield File(f"tables/{table.name}.tex", latex_text(table).encode())


def check_folder(folder: Path) -> None:
    """Raise a `UsageError` where a file is in the way; asked before anything is drawn."""
    # Not by `Path`: a name that is too long is refused when it is written.
    if os.path.exists(folder) and not os.path.isdir(folder):  # noqa: PTH110, PTH112
        raise UsageError(f"-o {folder}: is a file; name a directory")


def write_folder(folder: Path, files: tuple[File, ...]) -> None:
    """Write the files; those of an earlier report are replaced.

    Raises
    ------
    StorageError
        Where they cannot be written.
    """
    try:
        for file in files:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StorageError(f"cannot write to {folder}: {reason}; choose another place with -o") from error


def plots(findings: Findings) -> Plot:
    """Return what draws the figures of a scan; a `UsageError` without matplotlib."""
    try:
        from hpcscan.report.figures.plot import Plot  # noqa: PLC0415  (only here is matplotlib needed)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise UsageError(WITHOUT_FIGURES) from None
    return Plot(findings)
