"""Run mutated configurations, many in one MPI job, and say what is wrong with how each ended."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from launch import Launcher

from commands.conftest import CONFIGS
from commands.mutations import mutate

MANY = Path(__file__).with_name("many.py")

#: So that a mutated configuration that is valid costs little.
MAX_TIME = 2
#: Seconds; a request is answered sooner, or hangs. Longer than the grace period of tasks that run.
LONGEST = 100.0


@dataclass(frozen=True)
class Ending:
    """How a mutated configuration ended.

    Attributes
    ----------
    name : str
        Which configuration, and what was done to it.
    folder : Path
        Where it is.
    exit_code : int or None
        None where rank 0 did not end.
    text : str
        What rank 0 wrote.
    seconds : float
    problem : str
        What is wrong with the program; empty where nothing is.
    """

    name: str
    folder: Path
    exit_code: int | None
    text: str
    seconds: float
    problem: str


def write_cases(root: Path, times: int, seed: int) -> dict[Path, str]:
    """Write mutated configurations, each into a folder of its own: what was done to each."""
    originals, cases = sorted(CONFIGS.glob("*.yaml")), {}
    for number in range(times):
        dice = random.Random(f"{seed} {number}")
        original, folder = dice.choice(originals), root / f"case-{number}"
        folder.mkdir()
        shutil.copytree(CONFIGS / "plugins", folder / "plugins")
        mutations, text = mutate(original.read_bytes(), dice)
        (folder / "scan.yaml").write_bytes(text)
        cases[folder] = f"{original.stem}: {mutations}"
    return cases


def endings(cases: dict[Path, str], launcher: Launcher | None, ranks: int, batch: int = 25) -> Iterator[Ending]:
    """Run all cases, a batch of them in one job; where one ends the job, the rest of its batch in the next."""
    folders = list(cases)
    while folders:
        yet, folders = folders[:batch], folders[batch:]
        run_batch(yet, launcher, ranks)
        for number, folder in enumerate(yet):
            ending = look(cases[folder], folder)
            yield ending
            if ending.exit_code is None:
                folders = [*yet[number + 1 :], *folders]
                break


def run_batch(folders: Sequence[Path], launcher: Launcher, ranks: int) -> None:
    arguments = ["scan.yaml", "--max-time", str(MAX_TIME)]
    cases = folders[0].parent / "cases.json"
    cases.write_text(json.dumps([(str(folder), arguments) for folder in folders]))
    try:
        launcher(ranks, MANY, cases, timeout=LONGEST + len(folders) * MAX_TIME)
    except pytest.fail.Exception:
        # The case without a report is the one that hangs.
        return


def look(name: str, folder: Path) -> Ending:
    """See how a case ended."""
    report = Path(f"{folder}.rank-0.json")
    if not report.exists():
        text = Path(f"{folder}.rank-0.txt").read_text()
        return Ending(name, folder, None, text, LONGEST, "hangs, or ends the job")
    exit_code, text, seconds = json.loads(report.read_text())
    return Ending(name, folder, exit_code, text, seconds, problem(exit_code, text, folder))


def problem(exit_code: int, text: str, folder: Path) -> str:
    """Say what is wrong with an ending: exit 2 with messages alone, or a file, or the beginning of one."""
    if found := re.search("Traceback|internal error|Warning:", text):
        return f"writes {found.group()!r}"
    if exit_code == 2:
        return "" if text.strip() and "written:" not in text else "exit 2 without a reason"
    if exit_code in (0, 1):
        return "" if (written := _written(text, folder)) and written.is_file() else "no file"
    if exit_code == 75:
        return "" if list(folder.rglob("*.journal")) else "no journal"
    return f"exit code {exit_code}"


def _written(text: str, folder: Path) -> Path | None:
    found = re.search("^written: (.*)$", text, re.MULTILINE)
    return folder / found.group(1) if found else None
