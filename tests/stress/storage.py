"""Fill a small disk in the middle of a scan, make room, and resume; a directory that vanishes, and one to read only.

    python tests/stress/storage.py

Mounts a tmpfs, so it needs root. Prints the message of each failure; exit code 1 where it is not exit 74 with a message
(2 where nothing was begun), or where the resumed scan is not as one that nothing happened to.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from commands.results import Result, different_variables, read
from output.conftest import EXIT, N_POINTS, SLOWLY, n_known, write_scan
from output.jobs import running

REFUSED, STORAGE_FAILED = 2, 74
#: From one that is too small for the first records to one on which only the file has no room beside its journal.
SIZES = ("8k", "16k", "24k", "32k", "48k", "64k")
AMPLE = "16m"


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of this size, with the configuration of a scan on it."""
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size={size}", "none", folder)
    try:
        write_scan(folder)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def mount(*options: object) -> None:
    subprocess.run(["mount", *map(str, options)], check=True)


def fill_and_resume(folder: Path, size: str, whole: Result) -> bool:
    """A scan on a disk that is too small, and again when it is larger."""
    with small_disk(folder, size):
        code, text = run(folder)
        known = n_known(folder)
        say(f"disk of {size}: exit {code}, {known} of {N_POINTS} points saved\n{messages(text)}")
        mount("-o", f"remount,size={AMPLE}", folder)
        return ended_well(code, text) & resumed(folder, whole)


def vanish_and_resume(folder: Path, whole: Result) -> bool:
    """A scan whose directory is removed after some points, and again from the beginning."""
    with small_disk(folder, AMPLE):
        with running("scan.yaml", "-o", "results/out.nc", cwd=folder, env=SLOWLY) as job:
            journal = folder / "results/out.nc.journal"
            assert job.wait_until(lambda: journal.exists() and journal.stat().st_size > 6000)
            shutil.rmtree(folder / "results")
            code, text = job.end(300)
        say(f"directory removed: exit {code}\n{messages(text)}")
        return ended_well(code, text) & resumed(folder, whole, "results/out.nc")


def refused_where_read_only(folder: Path, whole: Result) -> bool:
    """A scan that is to write where nothing can be written, and again when it can."""
    with small_disk(folder, AMPLE):
        mount("-o", "remount,ro", folder)
        code, text = run(folder)
        say(f"read-only: exit {code}\n{messages(text)}")
        mount("-o", "remount,rw", folder)
        return (code == REFUSED) & ("Traceback" not in text) & resumed(folder, whole)


def run(folder: Path, *options: str) -> tuple[int, str]:
    with running("scan.yaml", *options, cwd=folder, env={"SLOW_SECONDS": "0.001"}) as job:
        return job.end(300)


def ended_well(code: int, text: str) -> bool:
    return code == STORAGE_FAILED and "Traceback" not in text and "cannot write" in text


def resumed(folder: Path, whole: Result, output: str = "out.nc") -> bool:
    """Go on, and compare."""
    code, text = run(folder, "--resume", "-o", output)
    different = different_variables(whole, read(folder / output)) if code == EXIT else [text]
    known = next((line for line in text.splitlines() if line.startswith("continuing")), "from the beginning")
    say(f"resumed: {known}; exit {code}, {'identical' if not different else f'different: {different}'}\n\n")
    return not different


def messages(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines() if "cannot " in line)


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def main() -> int:
    if os.getuid() != 0:
        say("needs root, to mount a small disk\n")
        return 2
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_scan(root)
        code, text = run(root)
        assert code == EXIT, text
        whole = read(root / "out.nc")
        good = [fill_and_resume(root / size, size, whole) for size in SIZES]
        good.append(vanish_and_resume(root / "gone", whole))
        good.append(refused_where_read_only(root / "read-only", whole))
    say(f"{sum(good)} of {len(good)} end as they should\n")
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
