"""The commands that answer on the terminal: help, version, keys, plan and point."""

from __future__ import annotations

import re

import numpy as np
import pytest
from toy_models import leptons

import hpcscan
from commands.conftest import CONFIGS, PLUGINS, start
from hpcscan.commands.point import point
from hpcscan.config.building import build_model
from hpcscan.config.read import read_config
from hpcscan.errors import UsageError
from hpcscan.proof.certificate import certify
from hpcscan.scanning.chunks import block_size, cut

PUBLISHED = CONFIGS / "published-bounds.yaml"
POINT = ("point", PUBLISHED, "--at", "beta=3.1,w=0.015", "--set", "fit.starts=6")


def run(*arguments, ranks=1, launcher=None, exit_code=0, cwd=None):
    """What a command writes to stdout; it has nothing else to say."""
    job = start(("-m", "hpcscan", *arguments), ranks, launcher, cwd=cwd)
    assert job.returncode == exit_code, job.stderr
    assert exit_code or job.stderr == ""
    return job.stdout if exit_code == 0 else job.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--version",), ("run", "--help"), (), ("keys", "leptons"), POINT],
    ids=lambda arguments: " ".join(map(str, arguments[:2])) or "nothing",
)
def test_an_answer_comes_once_and_whole_under_mpirun(own_mpi, arguments):
    """Four ranks say what one says, to the last character."""
    alone = run(*arguments)
    assert alone.endswith("\n")
    assert run(*arguments, ranks=4, launcher=own_mpi) == alone


def test_the_version_is_that_of_the_package():
    assert run("--version") == f"hpcscan {hpcscan.__version__}\n"


def test_help_names_every_command():
    text = run("--help")
    for verb in ("run", "plan", "point", "keys"):
        assert re.search(rf"^ +{verb} ", text, re.MULTILINE), verb


def test_keys_of_a_plugin_are_shown():
    """Its options, axes, parameters and observables, beside the keys that every configuration has."""
    text = run("keys", "trend.py:Trend", cwd=PLUGINS)
    for name in ("scan.<axis>.points", "fit.max_iter", "curvature", "ripple", "drive", "reference", "gain"):
        assert name in text
    assert "fine" in run("keys", "moody.py:Moody", cwd=PLUGINS)


def test_keys_of_nothing_is_a_mistake():
    assert "did you mean leptons?" in run("keys", "lepton", exit_code=2)
    assert "Model: a trend" in run("keys", "trend.py", cwd=PLUGINS)
    assert "expected path/to/file.py or path/to/file.py:ClassName" in run("keys", "trend:", exit_code=2)
    assert "cannot read nowhere.py" in run("keys", "nowhere.py:Model", exit_code=2)


def facts(text: str) -> dict[str, str]:
    """A table of names and values."""
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in text.splitlines())


def number(text: str) -> float:
    return float(text.split(maxsplit=1)[0].replace(",", ""))


@pytest.mark.parametrize("ranks", [1, 4, 64])
def test_the_numbers_of_a_plan_add_up(ranks):
    """Points, fits and chunks belong to the grid, and the chunks are those that the run will hand out."""
    plan = facts(run("plan", PUBLISHED, "-n", str(ranks)))
    config = read_config(str(PUBLISHED))
    n_points = config.grid.n_points
    assert number(plan["points"]) == n_points == 160
    assert plan["fits"] == f"{n_points} to {n_points * 16:,} (1 to 16 per point)"
    assert plan["evidence"] == "minima are proven from the ranges that the model gives"
    chunks = cut(n_points, block_size(1, build_model(config.model)), ranks, config.points_per_chunk)
    sizes = [chunk.n_points for chunk in chunks]
    assert sum(sizes) == n_points
    size = f"{min(sizes)} to {max(sizes)}" if min(sizes) < max(sizes) else f"{max(sizes)}"
    assert plan["chunks"].startswith(f"{len(sizes)} of {size} points")
    seconds = number(plan["cost"])
    assert plan["cost"].split()[1] == "s"
    assert 0 < seconds < 60
    assert number(plan["core-hours"]) == pytest.approx(seconds * n_points / 3600, rel=0.11)
    assert plan["time"].endswith("without start-up and the fits of the answer")


def test_a_plan_tells_up_to_how_many_ranks_it_is_efficient():
    """Of cheap points, as many as rank 0 can serve; of a small grid, as many as have something to do."""
    large = ("--set", "scan.beta.points=1000", "--set", "scan.w.points=1000")
    plans = [facts(run("plan", PUBLISHED, *large, "-n", str(ranks))) for ranks in (1, 16384)]
    shares = [float(plan["efficiency"].partition("%")[0]) for plan in plans]
    assert shares[0] == 100
    assert shares[1] < 50
    for plan in plans:
        most, reason = re.fullmatch(
            r"up to (\S+) ranks \(beyond that, ranks idle more than half the time: (.*)\)", plan["efficient"]
        ).groups()
        assert 30 < number(most) < 16384
        assert reason == "rank 0 is busy with their results"
    small = facts(run("plan", PUBLISHED, "--set", "fit.starts=1024"))["efficient"]
    assert number(small.removeprefix("up to ")) < 160
    assert small.endswith("each has too few points)")


def test_a_plan_gives_the_range_of_starts():
    text = run("plan", PUBLISHED, "--set", "fit.starts={min: 2, max: 8}")
    assert facts(text)["fits"] == "320 to 1,280 (2 to 8 per point)"


def test_the_planned_size_is_that_of_the_file(scan):
    """Within what compression and headers do to a small one."""
    planned = re.search(r"about (\S+) kB", run("plan", PUBLISHED))
    assert planned
    actual = scan(PUBLISHED).output.stat().st_size / 1e3
    assert 0.7 * float(planned[1]) < actual < 1.1 * float(planned[1])


def test_a_plan_computes_nothing_that_stays(tmp_path):
    run("plan", CONFIGS / "smoke.yaml", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ranks", ["0", "-3", "many"])
def test_a_plan_for_no_ranks_is_a_mistake(ranks):
    run("plan", PUBLISHED, "-n", ranks, exit_code=2)


def test_a_plan_refuses_what_the_run_would_refuse():
    text = run("plan", PUBLISHED, "--set", "scan.beta.points=10000", "--set", "fit.starts=1000000", exit_code=2)
    assert "on rank 0, which has" in text


def test_a_point_on_the_grid_is_the_point_of_the_scan(scan):
    """The microscope shows the same minimum and the same starts as the file."""
    result = scan(PUBLISHED, "--set", "fit.starts=16").result()
    beta, w = float(result["beta"][7]), float(result["w"][4])
    text = run("point", PUBLISHED, "--at", f"w={w!r},beta={beta!r}", "--set", "fit.starts=16")
    assert re.search(rf"^chi2 +{result['chi2'][7, 4]:.8g}$", text, re.MULTILINE)
    parameters = re.findall(r"^(\w+\.\w+) +(\S+) +\S+ +\S+", text, re.MULTILINE)
    assert [name for name, _ in parameters] == result["parameter_name"].tolist()
    expected = result["profiled_parameter"][7, 4]
    np.testing.assert_allclose([float(value) for _, value in parameters], expected, rtol=1e-7)
    starts = re.findall(r"^(\d+) +converged +(\S+)", text, re.MULTILINE)
    assert [int(k) for k, _ in starts] == list(range(16))
    np.testing.assert_allclose([float(chi2) for _, chi2 in starts], result["start_chi2"][7, 4], rtol=1e-7)


def test_a_point_may_lie_off_the_grid():
    """Between two values of the axes, and outside them."""
    for at, place in (("beta=3.0612,w=0.0123", "beta = 3.0612, w = 0.0123"), ("beta=4,w=0.2", "beta = 4, w = 0.2")):
        text = run("point", PUBLISHED, "--at", at, "--set", "fit.starts=6")
        assert re.search(rf"^point +{place}$", text, re.MULTILINE)
        assert re.search(r"^status +converged$", text, re.MULTILINE)


def test_only_starts_that_ran_are_shown():
    """A minimum that is proven after two starts needs no more."""
    text = run("point", CONFIGS / "sanity.yaml", "--at", "beta=3,w=0.01", "--set", "fit.starts={min: 2, max: 8}")
    assert re.findall(r"^(\d+) ", text, re.MULTILINE) == ["0", "1"] * 2


def test_starts_that_were_left_are_not_shown():
    """The second and the third of eight: the fourth had the proof before them."""
    settings = ("--set", "fit.starts={min: 1, max: 8}", "--set", "fit.seed=201")
    text = run("point", PUBLISHED, "--at", "beta=3,w=0.01", *settings)
    assert re.findall(r"^(\d+) ", text, re.MULTILINE) == ["0", "3"] * 2
    assert re.search(r"^starts +2 of 2 converged, 1 of them at the minimum$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("beta=3.1", "no value for w"),
        ("beta=3.1,w=0.02,x=1", "'x=1' is not one value for a scanned parameter"),
        ("beta=3.1,beta=3.2,w=0.02", "'beta=3.2' is not one value for a scanned parameter"),
        ("beta=3.1,w=", "w = '' is not a finite number; expected w=VALUE"),
        ("beta=3.1,w=nan", "'nan' is not a finite number"),
        ("beta=3.1,w=1e999", "'1e999' is not a finite number"),
        ("beta=3.1,w=-0.01", "w reaches -0.01"),
        ("beta=3.1,w=9", "r_max"),
        ("", "expected beta=VALUE,w=VALUE"),
    ],
)
def test_a_point_that_is_none_is_a_mistake(at, message):
    with pytest.raises(UsageError) as caught:
        point(str(PUBLISHED), (), at)
    assert str(caught.value).startswith(f"--at {at}: ")
    assert message in str(caught.value)


def test_a_mistake_about_a_point_is_one_line(own_mpi):
    """Also under mpirun."""
    text = run("point", PUBLISHED, "--at", "beta=3.1", ranks=2, launcher=own_mpi, exit_code=2)
    assert text.startswith("--at beta=3.1: no value for w; expected beta=VALUE,w=VALUE\n")


TREND = """\
scan: {curvature: {values: [0]}, ripple: {values: [0]}, drive: {values: [1]}}
model: {plugin: trend.py:Trend}
"""
HOPELESS = """\
scan: {x: {values: [1]}}
model: {plugin: moody.py:Moody, options: {mood: nan at 2}}
fit: {starts: 16}
"""


def test_a_point_of_a_plugin(config):
    """Its three axes, its scale and its derived quantity."""
    text = run("point", config(TREND), "--at", "drive=3,curvature=0.5,ripple=-0.25")
    for pattern in (r"^point +curvature = 0.5, ripple = -0.25, drive = 3$", r"^gain_opt +0.2$", r"^offset +\S+$"):
        assert re.search(pattern, text, re.MULTILINE), pattern


def test_a_point_at_which_everything_fails(config):
    """All starts are shown as failed, with the reason."""
    job = start(("-m", "hpcscan", "point", config(HOPELESS), "--at", "x=2"))
    text = job.stdout
    assert job.returncode == 1, job.stderr
    assert job.stderr == ""
    assert re.search(r"^status +failed: the model predicts nothing finite at any start$", text, re.MULTILINE)
    assert len(re.findall(r"^\d+ +failed ", text, re.MULTILINE)) == 16


def test_a_point_at_which_the_model_raises(config):
    """One line, no traceback."""
    raises = config(HOPELESS.replace("mood: nan at 2", "mood: raises"))
    job = start(("-m", "hpcscan", "point", raises, "--at", "x=2"))
    message = r"point x = 2: ArithmeticError: two is too much \(ArithmeticError at moody.py:\d+\)\n"
    assert (job.returncode, job.stdout) == (1, "")
    assert re.fullmatch(message, job.stderr)


def test_a_plan_counts_the_points_that_failed(config):
    raises = HOPELESS.replace("mood: nan at 2", "mood: raises").replace("[1]", "[1, 2, 3]")
    text = run("plan", config(raises))
    assert re.search(r"^failed +1 of them: ArithmeticError: two is too much", text, re.MULTILINE)


def test_a_point_shows_its_proof_and_what_holds_it():
    """The bound and the gap, the multiplier of every active bound, and the flat directions."""
    text = run(*POINT)
    bound = re.search(r"^bound +(\d+\.\d+), proven; chi2 is (\S+) above it$", text, re.MULTILINE)
    expected = certify(leptons(box="published"), np.array([[3.1, 0.015]])).chi2_lower_bound[0]
    assert float(bound[1]) == pytest.approx(expected, rel=1e-11)
    assert 0 <= float(bound[2]) < 1e-3
    assert re.search(r"^flat +2 directions of the parameters$", text, re.MULTILINE)
    assert re.search(r"^muon.U .* lower +\d\S+ ", text, re.MULTILINE)
    assert re.search(r"^electron.A .* 0( |$)", text, re.MULTILINE)
    unproven = run(*POINT, "--set", "fit.proof=false", "--set", "fit.starts=16")
    assert re.search(r"^bound +none; ", unproven, re.MULTILINE)
