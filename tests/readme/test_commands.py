"""Every command of the README is run, in the order in which a reader meets them.

Two kinds of commands are not run as they stand. ``python3 -m venv … && pip install … &&`` is left out, because the
tests run in such an environment: the reader's ``.venv`` is a link to it. (``.ci/run`` runs the README's test command
whole.) And blocks marked ``sh site`` need a cluster: here only what they name is checked; `tests/slurm` runs those that
submit jobs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import netCDF4
import pytest
from launch import OPENMPI_ENVIRONMENT, environment, run_to_its_end

from readme.page import README, ROOT, Block, block_after, blocks, code, table

INSTALL = re.compile(r"python3 -m venv \.venv && \.venv/bin/pip install (-e )?'\.\[[a-z,]+\]' && (?=\.venv/bin/)")
COMMANDS = blocks("sh")
RESULT = next(block for block in COMMANDS if "published-bounds.yaml" in block.text)
NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "results", "build")


def place(block: Block) -> str:
    return f"README.md:{block.line}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, as a reader would have it after the installation."""
    if not (Path(sys.prefix) / "bin" / "mpirun").exists():
        pytest.skip("needs an environment with the extra mpich (or openmpi)")
    copy = shutil.copytree(ROOT, tmp_path_factory.mktemp("reader") / "hpcscan", ignore=NOT_COPIED)
    (copy / ".venv").symlink_to(sys.prefix)
    return copy


@pytest.fixture(scope="module")
def ran(clone: Path) -> dict[Block, subprocess.CompletedProcess[str]]:
    """What came of every command."""
    return {block: run(block, clone) for block in COMMANDS}


def run(block: Block, clone: Path) -> subprocess.CompletedProcess[str]:
    text = INSTALL.sub("", block.text).strip()
    # The tests would run themselves for ever.
    text += " --collect-only -q" if text.endswith("-m pytest") else ""
    return run_to_its_end(["bash", "-euc", text], 120.0, reader(clone), clone)


def reader(clone: Path) -> dict[str, str]:
    """The environment variables of a reader whose virtual environment is active."""
    path = f"{clone / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return environment({**OPENMPI_ENVIRONMENT, "PATH": path, "MPLBACKEND": "Agg"})


@pytest.mark.mpi
@pytest.mark.parametrize("block", COMMANDS, ids=place)
def test_a_command_works(block: Block, ran: dict[Block, subprocess.CompletedProcess[str]]) -> None:
    assert ran[block].returncode == 0, ran[block].stderr + ran[block].stdout


@pytest.mark.mpi
def test_the_output_shown_is_the_real_one(ran: dict[Block, subprocess.CompletedProcess[str]]) -> None:
    assert told(block_after(RESULT).text) == told(ran[RESULT].stderr)


def told(output: str) -> list[str]:
    """The lines of a run without what differs between equal runs: times, and gaps that are rounding."""
    lines = [line for line in output.splitlines() if "time left" not in line]
    return [re.sub(r"(done|fits) in .*|\(largest gap .*\)", "…", line) for line in lines]


@pytest.mark.mpi
@pytest.mark.usefixtures("ran")
def test_three_lines_of_xarray_draw_the_result(clone: Path) -> None:
    """They end in the file that the README shows."""
    (plot,) = (block for block in blocks("python") if "import xarray" in block.text)
    assert len([line for line in plot.text.splitlines() if line]) == 3
    drawn = run_to_its_end([sys.executable, "-c", plot.text], 120.0, reader(clone), clone)
    assert drawn.returncode == 0, drawn.stderr
    picture = re.search(r"!\[.*\]\((.*)\)", README)
    assert picture is not None
    assert_similar(clone / Path(picture[1]).name, ROOT / ".github" / Path(picture[1]).name)


@pytest.mark.mpi
@pytest.mark.usefixtures("ran")
def test_every_variable_of_an_answer_is_listed(clone: Path) -> None:
    """By its name, or by the beginning that it shares with others and its end."""
    with netCDF4.Dataset(clone / "results" / "pendulum.nc") as file:
        names = {name for name, variable in file.variables.items() if _OF_ANSWER & {*variable.dimensions}}
    listed = {name for row in table("of the answer") for name in code(row[0])}
    ends = {name for name in listed if name.startswith("_")}
    short = {name for name in names - listed if not any(name.removesuffix(end) in listed for end in ends)}
    assert len(names) > 20
    assert not short


@pytest.mark.mpi
@pytest.mark.usefixtures("ran")
def test_every_variable_of_toys_is_listed(clone: Path) -> None:
    """Likewise."""
    with netCDF4.Dataset(clone / "results" / "counting.nc") as file:
        names = {name for name, variable in file.variables.items() if getattr(variable, "role", "") == "toys"}
    listed = {name for row in table("of toys") for name in code(row[0])}
    ends = {name for name in listed if name.startswith("_")}
    assert len(names) > 25
    assert not {name for name in names - listed if not any(name.removesuffix(end) in listed for end in ends)}


_OF_ANSWER = {"fitted", "fitted_again", "scanned", "interval", "contour", "vertex"}


@pytest.mark.mpi
@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize("ranks", [1, 3])
def test_a_scan_from_python_runs_alone_and_under_mpi(clone: Path, ranks: int) -> None:
    """What the page prints is one best fit, whatever the ranks."""
    (door,) = (block for block in blocks("python") if "hpcscan.scan(" in block.text)
    (clone / "door.py").write_text(door.text)
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    done = run_to_its_end([*launcher, "python", "door.py"], 120.0, reader(clone), clone)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("The best fit has chi2 =") == 1
    assert (clone / "results" / "from-python.nc").is_file()


@pytest.mark.mpi
@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize(
    ("picture", "made"),
    [
        ("contours.png", "pendulum-report/figures/delta_chi2-gravity-length.png"),
        ("profiles.png", "published-bounds-report/figures/profiles.png"),
    ],
)
def test_pictures_come_from_reports(clone: Path, picture: str, made: str) -> None:
    assert f"](.github/{picture})" in README
    assert_similar(clone / "results" / made, ROOT / ".github" / picture)


def assert_similar(made: Path, kept: Path) -> None:
    """Fonts differ from one machine to the next, so that the bytes may; bytes 16 to 24 of a PNG are its size."""
    pngs = made.read_bytes(), kept.read_bytes()
    assert [png[:8] for png in pngs] == [b"\x89PNG\r\n\x1a\n"] * 2
    sizes = [[int.from_bytes(png[16:20]), int.from_bytes(png[20:24])] for png in pngs]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)


def test_ci_runs_the_readmes_own_test_command() -> None:
    """What CI takes from the README is the whole block that installs and runs the tests."""
    (block,) = (block for block in COMMANDS if "-m pytest" in block.text)
    taken = subprocess.run([ROOT / ".ci" / "test-command"], capture_output=True, text=True, check=True).stdout
    assert taken == block.text
    assert INSTALL.match(taken)
    assert "test_command=$(.ci/test-command)" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("block", blocks("sh site"), ids=place)
def test_a_command_for_clusters_names_what_there_is(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.text, text=True, check=True)
    programs = {line.split()[0] for part in block.text.split("&&") for line in part.strip().splitlines()}
    assert programs <= {"python3", "python", ".", "pip", "sbatch", "jobs/slurm-chain.sh"}
    for file in re.findall(r"\b(?:jobs|configs)/\S+", block.text):
        assert (ROOT / file).is_file()


def test_no_block_goes_unchecked() -> None:
    assert {block.kind for block in blocks()} == {"sh", "sh site", "text", "python", "yaml"}
