"""The commands that read finished results: `check`, `report`, `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hpcscan.analysis.comparison import Side, comparison
from hpcscan.analysis.exact import exact_differences, exact_text
from hpcscan.analysis.findings import Findings, study
from hpcscan.config.stored import stored_keys, stored_settings
from hpcscan.dataset.reader import read_scan
from hpcscan.errors import Exit
from hpcscan.gate.gate import gate_in_few_lines, judge
from hpcscan.report.folder import PAGE, check_folder, difference_files, report_files, write_folder
from hpcscan.report.text import check_text, short_text
from hpcscan.report.verdict import verdict


def check(path: str, only: str | None = None, overrides: Sequence[str] = ()) -> tuple[str, int]:
    """Judge a result: the text, and whether every criterion holds as an exit code.

    Parameters
    ----------
    path : str
    only : str, optional
        Judge the criteria of this group alone.
    overrides : sequence of str
        ``KEY=VALUE`` of the sections `gate` and `report`.
    """
    findings = load(path, overrides)
    gate = judge(findings)
    text = check_text(findings, gate)
    if only is not None:
        gate = gate.only(only)
        text = short_text(findings, gate)
    return text, Exit.COMPLETE if gate.is_open else Exit.INCOMPLETE


def gate_text(path: str) -> str:
    """Judge a result in a few lines, for the end of a run."""
    return "\n".join([*gate_in_few_lines(judge(load(path))), f"more: hpcscan check {path}"])


def load(path: str, overrides: Sequence[str] = ()) -> Findings:
    """Read a result and study it under the thresholds that it carries."""
    scan = read_scan(path)
    axes = [axis.name for axis in scan.grid.axes]
    return study(scan, stored_settings(scan.text("hpcscan_config"), axes, overrides))


def report(path: str, folder: str | None, overrides: Sequence[str] = ()) -> str:
    """Write the report of a result, and say where."""
    findings = load(path, overrides)
    target = Path(folder) if folder else Path(path).with_suffix("").with_name(f"{Path(path).stem}-report")
    check_folder(target)
    gate = judge(findings)
    files, message = report_files(findings, gate)
    write_folder(target, files)
    lines = [*verdict(findings, gate), message, f"written: {target / PAGE} and {len(files) - 1} more files"]
    return "\n".join(line for line in lines if line)


def compare(paths: Sequence[str], exact: bool, folder: str | None = None) -> tuple[str, int]:
    """Compare each result with the first one: the text, and an exit code, which is 1 for bits that differ.

    Parameters
    ----------
    paths : sequence of str
    exact : bool
        Ask for equal bits alone.
    folder : str, optional
        Where maps and tables of the differences go.
    """
    if exact:
        return _compare_bits(paths)
    if folder is not None:
        check_folder(Path(folder))
    first, *others = (_side(path) for path in paths)
    texts = [comparison(first, other) for other in others]
    if folder is not None:
        texts.append("\n".join(_write_differences(Path(folder), first.findings, other.findings) for other in others))
    return "\n\n\n".join(texts), Exit.COMPLETE


def _write_differences(folder: Path, first: Findings, second: Findings) -> str:
    files, message = difference_files(first, second)
    write_folder(folder, files)
    return "\n".join([*([message] if message else []), *(f"written: {folder / file.path}" for file in files)])


def _side(path: str) -> Side:
    findings = load(path)
    return Side(findings, stored_keys(findings.scan.text("hpcscan_config")))


def _compare_bits(paths: Sequence[str]) -> tuple[str, int]:
    first, *others = (read_scan(path) for path in paths)
    differences = [exact_differences(first, other) for other in others]
    text = "\n".join(exact_text(first, other, found) for other, found in zip(others, differences, strict=True))
    return text, Exit.INCOMPLETE if any(differences) else Exit.COMPLETE
