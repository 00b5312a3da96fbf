"""Where a result goes, what is said on the way, and that nothing is replaced by accident."""

from __future__ import annotations

import re

import pytest

from commands.conftest import PLUGINS, start
from commands.results import read

SCAN = """\
scan:
  beta: {min: 3.0, max: 3.1, points: 4}
  w: {values: [0.01, 0.02]}
model: {name: leptons}
fit: {starts: 8}
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "small.yaml").write_text(SCAN)
    return tmp_path


@pytest.fixture
def hpcscan(folder):
    """Run the program alone in the folder."""

    def run(*arguments, ranks=1, launcher=None, env=None):
        return start(("-m", "hpcscan", *arguments), ranks, launcher, cwd=folder, env=env)

    return run


def written(name):
    """What a finished scan leaves."""
    return [f"{name}.log", f"{name}.nc"]


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("arguments", [("small.yaml",), ("run", "small.yaml")])
def test_a_result_is_named_after_its_configuration(hpcscan, folder, arguments):
    """`run` is the default command, and its directory is created."""
    job = hpcscan(*arguments)
    assert job.returncode == 0, job.stderr
    assert "written: results/small.nc" in job.stderr.splitlines()
    assert job.stderr.splitlines()[-1] == "more: hpcscan check results/small.nc"
    assert files(folder) == [*written("results/small"), "small.yaml"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("small.yaml", "-o", "a/b/chosen.nc"),
        ("-o", "a/b/chosen.nc", "small.yaml"),
        ("small.yaml", "--output", "a/b/chosen.nc", "--set", "output=other.nc"),
        ("small.yaml", "--set", "output=a/b/chosen.nc"),
    ],
)
def test_the_output_can_be_chosen(hpcscan, folder, arguments):
    """By `-o`, which comes before every other wish, or by its key."""
    assert hpcscan(*arguments).returncode == 0
    assert files(folder) == [*written("a/b/chosen"), "small.yaml"]


def test_an_existing_result_is_refused_and_replaced_only_on_demand(own_mpi, hpcscan, folder):
    assert hpcscan("small.yaml", "-o", "out.nc").returncode == 0
    before = (folder / "out.nc").read_bytes()
    again = hpcscan("small.yaml", "-o", "out.nc", "--set", "fit.seed=1", ranks=2, launcher=own_mpi)
    assert again.returncode == 2
    assert (folder / "out.nc").read_bytes() == before
    replaced = hpcscan("small.yaml", "-o", "out.nc", "--set", "fit.seed=1", "--overwrite", ranks=2, launcher=own_mpi)
    assert replaced.returncode == 0, replaced.stderr
    assert read(folder / "out.nc").about["hpcscan_seed"] == 1
    assert files(folder) == [*written("out"), "small.yaml"]


def test_keys_are_set_on_the_command_line(hpcscan, folder):
    """The last one wins, and the result says with which configuration it was made."""
    settings = ("fit.starts=3", "fit.starts=5", "scan.beta={values: [3.05]}", "model.options.bounds.muon.U=[0.04, 0.2]")
    job = hpcscan("small.yaml", "-o", "out.nc", *(word for setting in settings for word in ("--set", setting)))
    assert job.returncode == 0, job.stderr
    result = read(folder / "out.nc")
    assert result["start_chi2"].shape == (1, 2, 5)
    assert result["parameter_lower"][result["parameter_name"] == "muon.U"].tolist() == [0.04]
    assert "starts: 5" in result.about["hpcscan_config"]


def test_a_result_can_be_made_again_from_itself(hpcscan, folder):
    """The configuration in the file, which is complete, gives the same file."""
    assert hpcscan("small.yaml", "-o", "out.nc").returncode == 0
    first = read(folder / "out.nc")
    (folder / "again.yaml").write_text(first.about["hpcscan_config"])
    assert hpcscan("again.yaml", "-o", "again.nc").returncode == 0
    second = read(folder / "again.nc")
    assert second.science() == first.science()


def test_quiet_says_nothing_on_success(own_mpi, hpcscan, folder):
    job = hpcscan("run", "small.yaml", "--quiet", ranks=3, launcher=own_mpi)
    assert (job.returncode, job.stdout, job.stderr) == (0, "", "")
    assert files(folder) == [*written("results/small"), "small.yaml"]


def test_quiet_still_says_what_is_wrong(hpcscan):
    job = hpcscan("small.yaml", "--quiet", "--set", "fit.starts=0")
    assert job.returncode == 2
    assert "fit.starts: expected a whole number" in job.stderr


def test_every_line_of_a_run_arrives_on_stderr_once(launch, hpcscan):
    """From the first to the last, on four ranks and without PYTHONUNBUFFERED; stdout stays free."""
    job = hpcscan("small.yaml", ranks=4, launcher=launch)
    assert job.returncode == 0, job.stderr
    assert job.stdout == ""
    lines = job.stderr.splitlines()
    assert lines[0].startswith("8 points, ")
    assert lines[0].endswith(" on 4 ranks")
    written = lines.index("written: results/small.nc")
    assert lines[written + 1].startswith("1. The landscape is flat, ")
    assert sum(line.startswith("gate: closed, ") for line in lines[written + 2 : -1]) == 1
    assert lines[-1] == "more: hpcscan check results/small.nc"
    assert len(lines) == len(set(lines))
    assert sum(line.startswith("done in ") for line in lines) == 1
    assert sum(line.startswith("status: 8 converged of 8 points; ") for line in lines) == 1


def test_verbose_names_every_chunk(own_mpi, hpcscan):
    """The points of all chunks add up to the grid."""
    job = hpcscan("small.yaml", "-v", "--set", "run.chunk=3", ranks=2, launcher=own_mpi)
    assert job.returncode == 0, job.stderr
    chunks = re.findall(r"^rank ([01]) finished (\d+) points?$", job.stderr, re.MULTILINE)
    assert len(chunks) == 3
    assert sum(int(n) for _, n in chunks) == 8


def test_too_few_iterations_are_told_by_the_exit_code(launch, hpcscan, folder):
    """Exit 1: a complete result, in which every point has a status that says how far to trust it."""
    settings = ("--set", "fit.max_iter=1", "--set", "model.options.box=published")
    job = hpcscan("small.yaml", "-o", "out.nc", *settings, ranks=2, launcher=launch)
    assert job.returncode == 1, job.stderr
    assert "status: 8 not converged of 8 points" in job.stderr
    assert "do not read it as a minimum" in job.stderr
    result = read(folder / "out.nc")
    names = result.attributes["status"]["flag_meanings"].split()
    assert {names[value] for value in result["status"].ravel()} == {"not_converged"}


WANDERING = f"""\
scan: {{x: {{values: [1, 2, 3]}}}}
model: {{plugin: {PLUGINS / "wandering.py"}:Wandering}}
fit: {{starts: 4}}
output: results/out.nc
"""


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_model_that_leaves_the_directory_moves_no_output(own_mpi, hpcscan, folder, ranks):
    """Result, journal and log go where they were asked for, and messages name them as the user did."""
    (folder / "scan.yaml").write_text(WANDERING)
    job = hpcscan("scan.yaml", ranks=ranks, launcher=own_mpi if ranks > 1 else None)
    assert job.returncode == 0, job.stderr
    assert files(folder) == sorted([*written("results/out"), "scan.yaml", "small.yaml"])
    assert "written: results/out.nc" in job.stderr.splitlines()
    assert job.stderr.splitlines()[-1] == "more: hpcscan check results/out.nc"
    again = hpcscan("scan.yaml", "--resume")
    assert (again.returncode, again.stderr) == (0, "already complete: results/out.nc\n")


def test_a_label_that_is_no_mathematics_is_told_at_the_beginning(hpcscan, folder):
    """And its report stands, with every figure."""
    (folder / "scan.yaml").write_text(WANDERING)
    job = hpcscan("scan.yaml", "-o", "out.nc")
    told = [line for line in job.stderr.splitlines() if "is no mathematics that figures can show" in line]
    assert len(told) == 1
    assert told[0].startswith(r"the label 'a label $\\nonsense{$'")
    report = hpcscan("report", "out.nc")
    assert (report.returncode, report.stderr) == (0, "")
    assert "could not be drawn" not in report.stdout
    assert list((folder / "out-report/figures").glob("*.png"))


@pytest.mark.parametrize(("options", "name"), [((), "out-2.nc"), (("--overwrite",), "out.nc")])
def test_a_file_that_appears_during_a_run_is_left_alone(hpcscan, folder, options, name):
    """The result goes beside it, is judged there, and its exit code is that of a complete result."""
    (folder / "scan.yaml").write_text(WANDERING)
    job = hpcscan("scan.yaml", "-o", "out.nc", *options, env={"WANDERING_INTRUDER": str(folder / "out.nc")})
    assert job.returncode == 0, job.stderr
    assert f"written: {name}" in job.stderr.splitlines()
    assert job.stderr.splitlines()[-1] == f"more: hpcscan check {name}"
    assert read(folder / name)["chi2"].shape == (3,)
    if not options:
        assert (folder / "out.nc").read_text() == "precious"
        assert "was put there by somebody else during the run, and stays; the result is out-2.nc" in job.stderr


def test_a_link_at_the_output_stays(hpcscan, folder):
    (folder / "far").mkdir()
    (folder / "out.nc").symlink_to("far/real.nc")
    assert hpcscan("small.yaml", "-o", "out.nc").returncode == 0
    assert (folder / "out.nc").is_symlink()
    assert read(folder / "far/real.nc")["chi2"].shape == (4, 2)
    assert hpcscan("small.yaml", "-o", "out.nc", "--set", "fit.seed=1").returncode == 2
    assert hpcscan("small.yaml", "-o", "out.nc", "--set", "fit.seed=1", "--overwrite").returncode == 0
    assert (folder / "out.nc").is_symlink()
    assert read(folder / "far/real.nc").about["hpcscan_seed"] == 1


def test_what_only_a_shell_expands_is_refused_at_its_place(hpcscan, folder):
    (folder / "scan.yaml").write_text(f"{SCAN}output: $HOME/out.nc\n")
    job = hpcscan("scan.yaml")
    assert job.returncode == 2
    assert job.stderr.startswith("scan.yaml:6:9: output $HOME/out.nc: a $ is not expanded")
