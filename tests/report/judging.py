"""Ask all commands about spoilt results, many in one process, and say what is wrong with what they answer."""

from __future__ import annotations

import contextlib
import io
import json
import random
import resource
import subprocess
import sys
import time
import traceback
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hpcscan.commands.cli import main
from report.landscapes import LANDSCAPES
from report.spoiling import spoil
from report.synthetic import good

#: What makes a file a finished scan.
OUTLINE = {"hpcscan_complete": 1, "hpcscan_session": "a session", "hpcscan_identity": '{"model.name": "any"}'}
COMMANDS = (
    ("check", "{path}"), ("status", "{path}"), ("status", "--count", "{path}"),
    ("compare", "--exact", "{good}", "{path}"), ("compare", "{path}", "{good}"),
    ("report", "{path}", "-o", "{path}-report"),
)  # fmt: skip
CODES = {"check": {0, 1, 2}, "status": {0, 1, 2, 75}, "compare": {0, 1, 2}, "report": {0, 2}}
#: Bytes and seconds that a process of these commands may take.
MEMORY, LONGEST = 6 * 2**30, 40.0


@dataclass(frozen=True)
class Answer:
    """What a command did: which mistakes its file has, and what is wrong with the answer, or nothing."""

    case: int
    mistakes: str
    command: str
    code: int | None
    seconds: float
    problem: str


def write_cases(folder: Path, first: int, last: int, seed: int) -> dict[int, str]:
    """Write spoilt results, and a good one beside them."""
    originals = [
        good(leptons=True, extra=OUTLINE).write(folder / "good.nc"),
        good(extra=OUTLINE, has_certificate=False).write(folder / "plain.nc"),
        replace(LANDSCAPES["failures"], extra=OUTLINE).write(folder / "failures.nc"),
    ]
    mistakes = {}
    for number in range(first, last):
        dice = random.Random(f"{seed} {number}")
        mistakes[number] = spoil(dice.choice(originals), folder / f"case-{number}.nc", dice)
    return mistakes


def ask(folder: Path, number: int, mistakes: str, n_commands: int) -> Iterator[Answer]:
    """Ask the first commands about one file."""
    path = folder / f"case-{number}.nc"
    for command in COMMANDS[:n_commands]:
        words = [word.format(path=path, good=folder / "good.nc") for word in command]
        out, begin = io.StringIO(), time.monotonic()
        code, problem = None, ""
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                code = main(words)
        except BaseException:  # noqa: BLE001  (nothing may come through)
            problem = traceback.format_exc()
        seconds = time.monotonic() - begin
        yield Answer(
            number, mistakes, command[0], code, seconds,
            problem or problem_of(command[0], code, out.getvalue(), seconds, path),
        )  # fmt: skip


def problem_of(verb: str, code: int | None, text: str, seconds: float, path: Path) -> str:
    if code not in CODES[verb]:
        return f"exit {code}: {text}"
    if code == 2 and path.name not in text:
        return f"a message that does not name the file: {text}"
    if "Traceback" in text or "Warning" in text:
        return f"a traceback or warning: {text}"
    shown = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c != "\n"}
    if shown:
        return f"control characters: {shown}"
    return f"it took {seconds:.1f} s" if seconds > LONGEST else ""


def answers(folder: Path, first: int, last: int, seed: int, n_commands: int = len(COMMANDS)) -> Iterator[Answer]:
    """Ask about many files in processes of their own: one that ends early has crashed on its last file."""
    mistakes = write_cases(folder, first, last, seed)
    left = [*mistakes]
    while left:
        cases = json.dumps([[number, mistakes[number]] for number in left])
        done = subprocess.run(
            [sys.executable, "-W", "default", __file__, str(folder), cases, str(n_commands)],
            capture_output=True, text=True, check=False, timeout=60 + 60 * len(left),
        )  # fmt: skip
        found = [Answer(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith("{")]
        # What a library in C writes would reach the user's terminal.
        for line in done.stdout.splitlines():
            if not line.startswith("{"):
                yield Answer(
                    left[0], mistakes[left[0]], "?", None, 0, f"printed past Python, by it or a later case: {line}"
                )
        yield from found
        ended = {answer.case for answer in found if answer.command == "end"}
        if done.returncode != 0:
            crashed = next(number for number in left if number not in ended)
            yield Answer(crashed, mistakes[crashed], "?", done.returncode, 0, f"crashed: {done.stderr[-2000:]}")
            ended.add(crashed)
        left = [number for number in left if number not in ended]


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    place, given, n_commands = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
    terminal = sys.stdout
    for case, text in given:
        for one in (*ask(place, case, text, n_commands), Answer(case, text, "end", 0, 0, "")):
            terminal.write(json.dumps(vars(one)) + "\n")
            terminal.flush()
