"""`hpcscan compare`: what changed between results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hpcscan.analysis.comparison import Side, comparison, exact_differences, exact_text
from hpcscan.config.read import stored_keys
from hpcscan.dataset.inspection import inspect
from hpcscan.dataset.reader import read_scan
from hpcscan.door import open as open_scan
from hpcscan.errors import Exit
from hpcscan.report.folder import File, check_folder, difference_files, overlay_files, write_folder


def compare(paths: Sequence[str], exact: bool, folder: str | None = None) -> tuple[str, int]:
    """Compare each result with the first one: the text, and an exit code, which is 1 for bits that differ.

    Parameters
    ----------
    exact : bool
        Ask for equal bits alone.
    folder : str, optional
        Where overlays, and maps and tables of the differences go.
    """
    for path in dict.fromkeys(paths):
        inspect(path)
    if exact:
        return _compare_bits(paths)
    if folder is not None:
        check_folder(Path(folder))
    first, *others = (_side(path) for path in paths)
    texts = [comparison(first, other) for other in others]
    if folder is not None:
        scans = [side.findings for side in (first, *others)]
        parts = [overlay_files(scans), *(difference_files(scans[0], other) for other in scans[1:])]
        texts.append("\n".join(dict.fromkeys(line for part in parts for line in _write(Path(folder), *part))))
    return "\n\n\n".join(texts), Exit.COMPLETE


def _write(folder: Path, files: tuple[File, ...], message: str) -> list[str]:
    """Write some files; list them, and what is missing."""
    write_folder(folder, files)
    return [*([message] if message else []), *(f"written: {folder / file.path}" for file in files)]


def _side(path: str) -> Side:
    findings = open_scan(path).findings
    return Side(findings, stored_keys(findings.scan.text("hpcscan_config")))


def _compare_bits(paths: Sequence[str]) -> tuple[str, int]:
    first, *others = (read_scan(path) for path in paths)
    differences = [exact_differences(first, other) for other in others]
    text = "\n".join(exact_text(first, other, found) for other, found in zip(others, differences, strict=True))
    return text, Exit.INCOMPLETE if any(differences) else Exit.COMPLETE
