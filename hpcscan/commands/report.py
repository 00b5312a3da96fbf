"""`hpcscan report`: figures, tables and one page of a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hpcscan.dataset.inspection import inspect
from hpcscan.door import open as open_scan
from hpcscan.report.folder import PAGE, check_folder, report_files, write_folder
from hpcscan.report.look import Look


def report(  # noqa: PLR0913, PLR0917  (each is an option of the command)
    path: str,
    folder: str | None,
    overrides: Sequence[str] = (),
    only: str | None = None,
    size: str | None = None,
    formats: str | None = None,
    style: str | None = None,
) -> str:
    """Write the report of a result, or some kinds of its figures, and return where."""
    inspect(path)
    scan = open_scan(path, overrides=overrides)
    settings = scan.findings.settings
    # An option takes the place of what the configuration says, so that its style file may be out of reach.
    look = Look.of(settings if style is None else replace(settings, style=None)).read(only, size, formats, style)
    target = Path(folder) if folder else Path(path).with_suffix("").with_name(f"{Path(path).stem}-report")
    check_folder(target)
    files, message = report_files(scan.findings, scan.verdict(), look)
    write_folder(target, files)
    if look.only:
        return "\n".join([*([message] if message else []), *(f"written: {target / file.path}" for file in files)])
    lines = [str(scan.verdict()), message, f"written: {target / PAGE} and {len(files) - 1} more files"]
    return "\n".join(line for line in lines if line)
