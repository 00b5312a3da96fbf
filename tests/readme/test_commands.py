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
from itertools import pairwise
from pathlib import Path

import netCDF4
import pytest
from launch import OPENMPI_ENVIRONMENT, environment, run_to_its_end

from hpcscan.commands.manual import describe_variables
from readme.page import README, ROOT, Block, block_after, blocks

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
    """From the verdict to the gate, without a gap."""
    shown, whole = told(block_after(RESULT).text), told(ran[RESULT].stderr)
    assert shown[0].startswith("1. ")
    assert shown[-1].startswith("gate: ")
    begin = whole.index(shown[0])
    assert whole[begin : begin + len(shown)] == shown


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
@pytest.mark.parametrize(("result", "least"), [("full", 60), ("pendulum", 85), ("counting", 95)])
def test_every_variable_is_listed_as_it_is_in_the_file(clone: Path, result: str, least: int) -> None:
    """With its dimensions and a meaning: those of the grid, of the model, of an answer and of toys."""
    path = clone / "results" / f"{result}.nc"
    point, _, header, *lines = describe_variables(str(path)).splitlines()
    starts = [header.index(name) for name in header.split()]
    cells = [[line[a:b].strip() for a, b in pairwise([*starts, None])] for line in lines]
    listed = {name: (dims, meaning) for name, dims, _, meaning in cells if name}
    with netCDF4.Dataset(path) as file:
        axes = file["chi2"].dimensions
        assert [part.split()[0] for part in point.removeprefix("point: ").split(" × ")] == [*axes]
        dims = {name: ", ".join(one.dimensions) or "–" for name, one in file.variables.items()}
        grid = ", ".join(axes)
    expanded = {name: dims.replace("point", grid) for name, (dims, _) in listed.items()}
    assert {name: "".join(text.split()) for name, text in expanded.items()} == {
        name: "".join(text.split()) for name, text in dims.items()
    }
    assert all(meaning for _, meaning in listed.values())
    assert len(listed) >= least


@pytest.mark.mpi
@pytest.mark.usefixtures("ran")
def test_what_may_differ_between_equal_runs_is_marked(clone: Path) -> None:
    """That is, the variables of the role run and no others."""
    path = clone / "results" / "full.nc"
    marked = re.findall(r"^(\w+)((?:.*\n)(?: .*\n)*)", describe_variables(str(path)) + "\n", re.MULTILINE)
    may_differ = {name for name, text in marked if "may differ between equal runs" in " ".join(text.split())}
    with netCDF4.Dataset(path) as file:
        assert may_differ == {name for name, one in file.variables.items() if getattr(one, "role", "") == "run"}


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
        ("moments.png", "moments-report/figures/profiles.png"),
        ("corner.png", "gallery/figures/corner.png"),
        ("data.png", "gallery/figures/data.png"),
        ("correlations.png", "gallery/figures/correlations.png"),
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
