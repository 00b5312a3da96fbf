"""The door from Python: the numbers of the command line, without its manners."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import hpcscan
from door.gaussian import GRID, Broken, Plane
from hpcscan.dataset.reader import read_scan
from hpcscan.errors import UsageError
from hpcscan.model import Parameter

HERE = Path(__file__).parent
CONFIG = """\
scan: {x: {min: -4, max: 6, points: 11}, y: {min: -1, max: 5, points: 13}}
model: {plugin: gaussian.py:Plane}
fit: {starts: 4, seed: 7}
"""


@pytest.fixture(scope="module")
def scan() -> hpcscan.Scan:
    return hpcscan.scan(Plane(), GRID, starts=4, seed=7)


def science(data) -> dict[str, bytes]:
    """The bytes of every variable that may not differ between equal runs."""
    return {
        name: repr(one.values.tolist()).encode() if one.values.dtype == object else one.values.tobytes()
        for name, one in data.variables.items()
        if one.role != "run"
    }


def test_the_numbers_are_those_of_the_command_line(scan, alone, tmp_path):
    """Bit for bit, before and after the scan is saved; and it is judged in the same words."""
    (tmp_path / "scan.yaml").write_text(CONFIG)
    (tmp_path / "gaussian.py").write_text((HERE / "gaussian.py").read_text())
    job = alone("-m", "hpcscan", "scan.yaml", "-o", "a.nc", cwd=tmp_path)
    assert job.returncode == 0, job.stderr
    scan.save(tmp_path / "b.nc")
    command, saved = (read_scan(str(tmp_path / name)) for name in ("a.nc", "b.nc"))
    assert science(scan.data) == science(command) == science(saved)
    assert str(scan.verdict()) == str(hpcscan.open(tmp_path / "a.nc").verdict())
    assert str(scan.verdict()) in job.stderr
    check = alone("-m", "hpcscan", "check", "b.nc", cwd=tmp_path)
    assert check.stdout.startswith(str(scan.verdict()) + "\n")


def test_what_it_means_is_what_is_known_in_closed_form(scan):
    best = scan.best_fit
    assert best.chi2 == pytest.approx(3, abs=1e-9)
    assert best.parameters == pytest.approx({"x": 1, "y": 2, "a": 0}, abs=1e-7)
    assert best.errors["x"] == pytest.approx((-1, 1), abs=1e-6)
    assert best.errors["y"] == pytest.approx((-0.5, 0.5), abs=1e-6)
    assert (best.n_dof, best.evidence, best.source) == (3, "proven", "fitted")
    assert best.p_value == pytest.approx(0.3916, abs=1e-4)
    (region,) = scan.intervals("x", cl=0.9545)
    assert (region.lower, region.upper) == pytest.approx((-1, 3), abs=1e-6)
    assert (region.lower_end, region.upper_end) == ("crossed", "crossed")
    (line,) = scan.contours("x", "y", cl=0.6827)
    radius = (line[:, 0] - 1) ** 2 + 4 * (line[:, 1] - 2) ** 2
    assert radius == pytest.approx(2.2957, abs=5e-3)
    (turned,) = scan.contours("y", "x", cl=0.6827)
    assert np.array_equal(turned, line[:, ::-1])
    assert scan.check().is_open


def test_an_interval_that_leaves_the_grid_says_so():
    scan = hpcscan.scan(Plane(), {"x": np.linspace(0, 6, 7), "y": [1.0, 2.0, 3.0]}, starts=2)
    (region,) = scan.intervals("x", cl=0.9545)
    assert region.lower == 0
    assert (region.lower_end, region.upper_end) == ("grid", "crossed")
    assert region.upper == pytest.approx(3, abs=1e-6)


def test_labels_select(scan):
    assert scan.to_xarray().profiled_parameter.sel(parameter="a").shape == (11, 13)
    assert scan.to_xarray().sel(x=1, y=2).delta_chi2 == pytest.approx(0, abs=1e-9)


def test_one_fit():
    scan = hpcscan.fit(Plane(), fix={"x": 2.0, "y": 2.0}, starts=3)
    assert scan.best_fit.chi2 == pytest.approx(4, abs=1e-9)
    assert scan.best_fit.parameters == pytest.approx({"x": 2, "y": 2, "a": 0}, abs=1e-7)


def test_a_report_is_written(scan, tmp_path):
    scan.report(tmp_path / "page")
    assert "Every criterion of the gate holds" in (tmp_path / "page" / "report.html").read_text()


def test_points_that_fail_are_points_of_the_scan(caplog):
    """Accounted for, and told to whoever listens."""
    grid = {"x": [0.0, 1.0, 2.0, 3.0], "y": [2.0, 3.0]}
    scan = hpcscan.scan(Broken(), grid, starts=8)
    assert scan.data.at_points("status").tolist() == [1, 1, 1, 1, 3, 3, 1, 1]
    assert "2 failed" in str(scan.verdict())
    assert "not at two" in caplog.text


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hpcscan.scan(Plane(), GRID, startz=4), "fit.startz is not a known key; did you mean fit.starts?"),
        (lambda: hpcscan.scan(Plane(), GRID, starts=0), "fit.starts: expected a whole number"),
        (lambda: hpcscan.scan(Plane(), {"x": [0, 1]}), "the parameter y: it is neither scanned nor fixed"),
        (lambda: hpcscan.scan(Plane(), {**GRID, "z": [0]}), "scan.z is not a parameter of the model"),
        (lambda: hpcscan.scan(Plane(), {**GRID, "x": [1, 0]}), "write the values in increasing order"),
        (lambda: hpcscan.scan(Plane(), {**GRID, "x": ["a"]}), "expected a number"),
        (lambda: hpcscan.scan(Plane(), GRID, time_limit=3), "time_limit"),
        (lambda: hpcscan.scan(Unfinished(), GRID), "Unfinished: parameters holds 3"),
        (lambda: hpcscan.scan(Wrong(), GRID), "Wrong: predict['d'] returned shape (2,)"),
        (lambda: hpcscan.scan(Broken(), {"x": [2.0], "y": [2.0]}), "a trial call raised ValueError: not at two"),
        (lambda: hpcscan.scan(Plane(), GRID, gate={"pul": 3}), "gate.pul is not a known key"),
        (lambda: hpcscan.open("nothing.nc"), "does not exist"),
    ],
)
def test_a_mistake_is_a_usage_error(call, words):
    with pytest.raises(hpcscan.UsageError) as caught:
        call()
    assert words in str(caught.value)


#: What a program may hand over by mistake.
JUNK = (
    None,
    True,
    -1,
    10**400,
    float("nan"),
    1j,
    "",
    "a\0b",
    "\udcff",
    b"x",
    [],
    {1: 2},
    Path("no"),
    object(),
    np.ones((2, 2)),
)


class Shy:
    """Cannot show itself."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize("junk", [*JUNK, np.ones((2, 2)), Shy()], ids=lambda junk: type(junk).__name__)
def test_junk_is_taken_or_refused_in_words(junk, scan, tmp_path, monkeypatch):
    """Wherever it is handed over; nothing but a `UsageError` is raised, and it names what is wrong in a few lines."""
    monkeypatch.chdir(tmp_path)
    scan.save("a.nc")
    quick = {"starts": 2, "answer": False}
    for call in (
        lambda: hpcscan.fit(junk),
        lambda: hpcscan.fit(Plane(), junk, **quick),
        lambda: hpcscan.fit(Plane(), {"x": junk, "y": 0.0}, **quick),
        lambda: hpcscan.scan(Plane(), junk, **quick),
        lambda: hpcscan.scan(Plane(), {"x": junk, "y": [0.0]}, **quick),
        lambda: hpcscan.scan(Plane(), {"x": [junk], "y": [0.0]}, **quick),
        lambda: hpcscan.fit(Plane(), {"x": 0.0, "y": 0.0}, answer=False, starts=junk),
        lambda: hpcscan.fit(Plane(), {"x": 0.0, "y": 0.0}, answer=False, nonsense=junk),
        lambda: hpcscan.fit(Plane(), {"x": 0.0, "y": 0.0}, answer=junk, starts=2),
        lambda: hpcscan.open(junk),
        lambda: hpcscan.open("a.nc", overrides=junk),
        lambda: hpcscan.open("a.nc", overrides=[junk]),
        lambda: scan.intervals(junk),
        lambda: scan.intervals("x", cl=junk),
        lambda: scan.contours("x", junk),
        lambda: scan.contours("x", "y", cl=junk),
        lambda: scan.save(junk),
        lambda: scan.save("a.nc", overwrite=junk),
        lambda: scan.report(junk) if not isinstance(junk, str | Path) or "\0" in str(junk) else None,
    ):
        try:
            call()
        except UsageError as error:
            assert 10 < len(str(error)) < 1000, error


DEEP: list[object] = []
DEEP.append(DEEP)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (range(10**8), "scan.x: more than 1,000,000 values; use fewer"),
        (range(10**30), "scan.x: more than 1,000,000 values; use fewer"),
        (np.broadcast_to(1.0, 10**9), "scan.x: more than 1,000,000 values; use fewer"),
        (DEEP, "scan.x: lies more than 32 levels deep; expected numbers"),
    ],
)
def test_a_grid_that_is_too_large_is_refused_before_it_is_made(values, words):
    """At once, and without its memory."""
    begin = time.monotonic()
    with pytest.raises(UsageError, match=words):
        hpcscan.scan(Plane(), {"x": values, "y": [0.0]})
    assert time.monotonic() - begin < 5


class LeavingError(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


class Abrupt(Plane):
    def predict(self, x, y, a):
        raise LeavingError


def test_an_exception_whose_text_leaves_the_program_does_not():
    """In the trial, and by what it says of itself."""
    with pytest.raises(UsageError, match=r"a trial call raised LeavingError: \(its text raised EscapedError\)"):
        hpcscan.scan(Abrupt(), GRID)


class Unfinished(Plane):
    parameters = (3, Parameter("y"))


class Wrong(Plane):
    def predict(self, x, y, a):
        return {"d": x[:, 0]}


def test_several_mistakes_are_told_at_once():
    with pytest.raises(UsageError) as caught:
        hpcscan.scan(Plane(), {**GRID, "x": [1, 0]}, starts=0, seed=-1)
    assert len(caught.value.mistakes) == 3


def test_questions_that_the_scan_cannot_answer_are_refused(scan, tmp_path):
    for ask, words in (
        (lambda: scan.intervals("a"), "a is not a scanned parameter"),
        (lambda: scan.intervals("x", cl=68.27), "expected a probability"),
        (lambda: scan.contours("x", "x"), "name two different parameters"),
        (lambda: scan.save(tmp_path), "is a directory"),
    ):
        with pytest.raises(UsageError, match=words):
            ask()
    scan.save(tmp_path / "a.nc")
    with pytest.raises(UsageError, match="overwrite=True"):
        scan.save(tmp_path / "a.nc")
    scan.save(tmp_path / "a.nc", overwrite=True)


def test_what_was_opened_is_saved_from_any_directory(scan, tmp_path, monkeypatch):
    """A relative name is that of the moment when the file was opened; a file that has gone since is missed in words."""
    scan.save(tmp_path / "a.nc")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    opened = hpcscan.open("a.nc")
    monkeypatch.chdir(tmp_path / "below")
    opened.save("b.nc")
    assert (tmp_path / "below" / "b.nc").read_bytes() == (tmp_path / "a.nc").read_bytes()
    assert science(opened.data) == science(scan.data)
    (tmp_path / "a.nc").unlink()
    with pytest.raises(UsageError, match=r"a\.nc: is gone"):
        opened.save("c.nc")


def test_it_leaves_the_process_as_it_was(capfd):
    """No output, no signal handler, no thread, no child, no environment variable, also where points fail."""
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    before, threads = dict(os.environ), threading.active_count()
    hpcscan.scan(Broken(), {"x": [0.0, 2.0, 3.0], "y": [2.0]}, starts=2)
    assert capfd.readouterr() == ("", "")
    assert {number: signal.getsignal(number) for number in signal.valid_signals()} == handlers
    assert (dict(os.environ), threading.active_count()) == (before, threads)


def test_importing_it_loads_no_library(alone):
    heavy = ("mpi4py", "scipy", "netCDF4", "matplotlib", "yaml", "numpy", "xarray")
    job = alone("-c", f"import sys, hpcscan; sys.stdout.write(' '.join({{*{heavy}}} & {{*sys.modules}}))")
    assert (job.returncode, job.stdout, job.stderr) == (0, "", "")


PROGRAM = """\
import sys
import hpcscan
from mpi4py import MPI
from gaussian import GRID, Plane

rank = MPI.COMM_WORLD.rank
try:
    hpcscan.scan(Plane(), GRID, starts=0)
except hpcscan.UsageError as error:
    told = MPI.COMM_WORLD.allgather(str(error))
    assert len(set(told)) == 1 and "fit.starts" in told[0]
for number in range(2):
    scan = hpcscan.scan(Plane(), GRID, starts=4, seed=7)
    assert (scan is None) == (rank > 0)
    if scan is not None:
        scan.save(sys.argv[1], overwrite=True)
MPI.COMM_WORLD.barrier()
assert MPI.COMM_WORLD.allreduce(1) == MPI.COMM_WORLD.size
"""


def test_all_ranks_of_a_program_share_the_work(launch, scan, tmp_path):
    """They all get on afterwards, and the bits are those of one process."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "gaussian.py").write_text((HERE / "gaussian.py").read_text())
    job = launch(3, tmp_path / "program.py", "shared.nc", cwd=tmp_path)
    assert (job.returncode, job.stdout) == (0, ""), job.stderr
    shared = read_scan(str(tmp_path / "shared.nc"))
    assert science(shared) == science(scan.data)
    assert shared.attributes["hpcscan_ranks"] == 3


FAILING = """\
import hpcscan
from mpi4py import MPI
from gaussian import GRID, Plane
import hpcscan.door as door

def fail(*_):
    raise RuntimeError("only here")

if MPI.COMM_WORLD.rank == 0:
    door.fit_whole = fail
try:
    hpcscan.scan(Plane(), GRID)
except Exception as error:
    said = str(error)
told = MPI.COMM_WORLD.gather(said)
if told:
    print(told[0], "|", told[1].splitlines()[-1])
"""


def test_what_fails_on_one_rank_is_raised_on_all(launch, tmp_path):
    (tmp_path / "program.py").write_text(FAILING)
    (tmp_path / "gaussian.py").write_text((HERE / "gaussian.py").read_text())
    job = launch(2, tmp_path / "program.py", cwd=tmp_path)
    assert (job.returncode, job.stdout) == (0, "only here | the call failed on rank 0, which says why\n"), job.stderr


def test_a_script_like_those_in_notebooks(tmp_path):
    """It defines its model where it uses it, and plots with xarray."""
    script = tmp_path / "notebook.py"
    script.write_text(NOTEBOOK)
    job = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "MPLBACKEND": "Agg"},
    )  # fmt: skip
    assert (job.returncode, job.stderr) == (0, "")
    assert job.stdout.startswith("1. The best fit has chi2 = 5.3201922 (9 dof, p = 0.81)")
    assert (tmp_path / "map.png").stat().st_size > 5000


NOTEBOOK = """\
import numpy as np
import hpcscan

T = np.linspace(0, 3, 12)
Y = 1.5 + 0.7 * T + 0.1 * np.sin(40 * T)

class Line(hpcscan.Model):
    parameters = (hpcscan.Parameter("slope"), hpcscan.Parameter("offset"), hpcscan.Parameter("bend", -1.0, 1.0))
    data = (hpcscan.Gaussian("y", Y, 0.1, x=T),)

    def predict(self, slope, offset, bend):
        return {"y": offset + slope * T + bend * T**2}

scan = hpcscan.scan(Line(), {"slope": np.linspace(0.2, 1.2, 11), "offset": np.linspace(1.2, 1.8, 9)}, starts=3)
print(scan.verdict())
scan.to_xarray().delta_chi2.plot(x="slope", y="offset").figure.savefig("map.png")
"""


@pytest.mark.parametrize("model", [Plane, None, 7, "leptons"])
def test_what_is_no_model_is_a_mistake(model):
    """Also the class, instead of one of it."""
    with pytest.raises(UsageError, match="expected an instance of a class derived from"):
        hpcscan.scan(model, {"x": [1.0]})


@pytest.mark.parametrize("values", [None, [1.0], 7])
def test_what_is_no_grid_is_a_mistake(values):
    with pytest.raises(UsageError, match="expected a mapping of parameter to values"):
        hpcscan.scan(Plane(), values)
