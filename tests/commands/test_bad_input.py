"""Whatever a user can write wrongly is told at once, at its place, on any number of ranks, and nothing happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands.conftest import start

SCAN = """\
scan:
  beta: {min: 3.0, max: 3.2, points: 3}
  w: {min: 0.01, max: 0.02, points: 2, spacing: log}
model:
  name: leptons
  options: {box: widened}
fit: {starts: 4}
output: results/out.nc
"""
W_AXIS = "w: {min: 0.01, max: 0.02, points: 2, spacing: log}"
OTHER_MODEL = "name: leptons\n  options: {box: widened}"

PLUGIN = """\
from hpcscan.model import Gaussian, Model, Parameter


class Line(Model):
    parameters = (Parameter("beta"), Parameter("w"), Parameter("a", 0.0, 1.0))
    data = (Gaussian("y", 1.0, 0.1), Gaussian("z", 1.0, 0.1))

    def predict(self, beta, w, a):
        return {"y": beta, "z": w}
"""

#: What is replaced, by what, the text at which the message points, and the message.
CONFIGURATIONS = {
    "unknown key": ("starts", "startz", "startz", "fit.startz is not a known key; did you mean fit.starts?"),
    "unknown section": ("fit:", "fitt:", "fitt", "fitt is not a known key; did you mean fit?"),
    "duplicate key": ("  w:", "  beta: {values: [3]}\n  w:", "beta: {v", "duplicate key beta, first at scan.yaml:2:3"),
    "text for a number": ("starts: 4", "starts: many", "many", "fit.starts: expected auto or a whole number"),
    "fraction for a whole number": ("starts: 4", "starts: 4.5", "4.5", "fit.starts: expected a whole number"),
    "list for a mapping": ("{starts: 4}", "[4]", "[4]", "fit: expected a mapping"),
    "min above max": ("min: 3.0", "min: 3.3", "3.3", "scan.beta.min: "),
    "zero points": ("points: 3", "points: 0", "0}", "scan.beta.points: expected a whole number from 1"),
    "not a number": ("min: 3.0", "min: .nan", ".nan", "scan.beta.min: expected a finite number, found the number .nan"),
    "infinite": ("max: 3.2", "max: .inf", ".inf", "scan.beta.max: expected a finite number"),
    "overflow": ("max: 3.2", "max: 1e999", "1e999", "scan.beta.max: expected a finite number"),
    "log axis through zero": ("min: 0.01", "min: 0", "w: {min: ›0", "scan.w.min: log spacing needs min above 0"),
    "w not positive": (W_AXIS, "w: {values: [0, 0.1]}", "w: {v", "scan.w reaches 0; a thickness is positive"),
    "R_c not positive": ("widened", "widened, bounds: {muon.R_c: [0, 0.3]}", "[0, 0.3]", "bounds.muon.R_c"),
    "A above one": ("widened", "widened, bounds: {tau.A: [0.7, 1.1]}", "[0.7", "model.options.bounds.tau.A"),
    "A negative": ("widened", "widened, bounds: {tau.A: [-0.1, 1]}", "[-0.1", "model.options.bounds.tau.A"),
    "beyond r_max": ("widened", "widened, r_max: 1.505", "w: {", "the outer radius R_c + w = 1.52 is not below r_max"),
    "lower above upper": ("widened", "widened, bounds: {muon.U: [0.2, 0.1]}", "[0.2", "the lower bound is above the"),
    "beyond numbers": ("widened", "widened, R_ref: 1e200", "1e200", "options.R_ref is 1e+200; expected a positive"),
    "sigma beyond numbers": ("widened", "widened, sigma: 1e306", "1e306", "model.options.sigma is 1e+306; expected"),
    "sigma below numbers": ("widened", "widened, sigma: 1e-323", "1e-323", "sigma is 9.88131e-324; expected"),
    "bounds beyond numbers": ("widened", "widened, bounds: {muon.U: [0, 1e200]}", "[0, 1e200]", "muon.U (0, 1e+200): "),
    "unknown box": ("widened", "wide", "wide", "model.options.box: 'wide' is not a choice; did you mean widened?"),
    "unknown axis": ("  w:", "  v: {values: [1]}\n  w:", "v: {values", "scan.v is not a parameter of the model"),
    "missing axis": (f"  {W_AXIS}\n", "", "scan", "the parameter w: it is neither scanned nor fixed"),
    "unknown model": ("name: leptons", "name: lepton", "lepton", "'lepton' is not a built-in model; did you"),
    "missing plugin": (OTHER_MODEL, "plugin: nowhere.py:Line", "nowhere", "cannot read nowhere.py: No such file"),
    "no such class": (OTHER_MODEL, "plugin: line.py:Lime", "line.py", "line.py has no class Lime; did you mean Line?"),
    "not YAML": ("{starts: 4}", "{starts: 4", None, "this is not valid YAML"),
    "tab": ("  w:", "\tw:", "\tw", "this is not valid YAML"),
    "too many points": ("points: 3", "points: 1000000000000", "1000000000000", "expected a whole number from 1 to"),
}  # fmt: skip

#: Changes of the plugin, and the message.
PLUGINS = {
    "raises on import": ("class Line", "1 / 0\n\n\nclass Line", "line.py:4: the file raised ZeroDivisionError"),
    "does not parse": ("class Line(Model):", "class Line(Model:", "line.py:4: the file raised SyntaxError"),
    "wrong shape": ('y": beta', 'y": beta[:, 0]', "line.py: predict['y'] returned shape (2,); expected (2, 1)"),
    "a term missing": ('"y": beta, ', "", "line.py: predict returned no y; expected the terms y, z"),
    "a term too many": ('{"y', '{"x": w, "y', "line.py: predict returned 'x' besides; expected the terms y, z"),
    "no mapping": (
        'return {"y": beta, "z": w}',
        "return beta",
        "line.py: predict returned a ndarray; expected a mapping",
    ),
    "wrong type": ('y": beta', 'y": beta > 0', "line.py: predict['y'] returned values of type bool"),
    "raises at once": ('y": beta', 'y": beta @ w', "line.py:9: predict raised ValueError"),
    "no data": ("data =", "date =", "line.py: data is empty or missing"),
    "lower above upper": ("0.0, 1.0", "1.0, 0.0", "line.py: the parameter a: lower bound 1 is above upper bound 0"),
    "not declared": ("beta, w, a", "beta, w, a, b", "line.py: predict takes b, which is not declared in parameters"),
    "not taken": (
        "beta, w, a",
        "beta, w",
        "line.py: predict does not take the parameter a; write predict(self, beta, w, a)",
    ),
    "sigma below numbers": ('("y", 1.0, 0.1)', '("y", 1.0, 1e-200)', "line.py: the term y: the square of"),
    "a negative count": (
        'Gaussian("y", 1.0, 0.1)',
        '__import__("hpcscan").Poisson("y", [-1, 2])',
        "line.py: the term y: observed[0] is -1; a count is not negative",
    ),
}

LARGE = ("--set", "scan.beta.points=10000", "--set", "scan.w.points=1000", "--set", "fit.starts=1000000")
#: Options of the command line, and the message.
OPTIONS = {
    "no such file": (("nowhere.yaml",), "nowhere.yaml: cannot read the configuration: No such file or directory"),
    "a directory": (("results.d",), "results.d: cannot read the configuration: Is a directory"),
    "set an unknown key": (("scan.yaml", "--set", "fit.startz=3"), "--set fit.startz=…: fit.startz is not a known key"),
    "set nothing": (("scan.yaml", "--set", "fit"), "--set fit: expected KEY=VALUE"),
    "set a wrong value": (("scan.yaml", "--set", "fit.seed=-1"), "--set fit.seed=…: fit.seed: expected a whole number"),
    "output in a file": (("scan.yaml", "-o", "scan.yaml/out.nc"), "output scan.yaml/out.nc: cannot be written there"),
    "output nowhere": (("scan.yaml", "-o", "/proc/nowhere/out.nc"), "output /proc/nowhere/out.nc: cannot be"),
    "output is a directory": (("scan.yaml", "-o", "results.d"), "output results.d: is a directory"),
    "output exists": (("scan.yaml", "-o", "precious.nc"), "output precious.nc: exists; replace it with --overwrite"),
    "too large for memory": (("scan.yaml", *LARGE), "on rank 0, which has"),
    "unknown option": (("scan.yaml", "--frobnicate"), "unrecognized arguments: --frobnicate"),
    "neither command nor file": (("rum",), "rum: neither a command nor a file; did you mean run?"),
    "quiet and verbose": (("run", "scan.yaml", "--quiet", "-v"), "not allowed with argument --quiet"),
}  # fmt: skip


#: Several mistakes in one file.
EVERYTHING = (
    ("  w:", "  z: {values: [1]}\n  w:"),
    ("points: 3", "points: none"),
    ("points: 2", "points: -2"),
    (
        "widened",
        "narrow, sigma: 0, r_max: x, bounds: {muon.U: [0.3, 0.2], muon.A: [0.5, 1.5], e.A: [0, 1], tau.R_c: [9, 12]}",
    ),
    ("fit:", "fitt:"),
    ("results/out.nc", "scan.yaml/out.nc"),
)
#: Where they are, in the order of their places; that tau's core is beyond r_max is not known, as long as that is wrong.
EVERYWHERE = ("none", "z:", "-2", "narrow", "0, r_max", "x, bounds", "[0.3", "[0.5", "e.A", "fitt", "scan.yaml/out")

MANY = Path(__file__).with_name("many.py")


@dataclass
class Refusal:
    """What happened in one folder.

    Attributes
    ----------
    text : str
        The configuration.
    exit_codes : list of int
        Of every rank.
    messages : list of str
        Lines of all ranks together.
    is_untouched : bool
        Whether every file and directory is as it was.
    """

    text: str
    exit_codes: list[int]
    messages: list[str]
    is_untouched: bool


def prepare(folder: Path) -> Path:
    """A configuration, a plugin, a result and a directory."""
    folder.mkdir(parents=True)
    (folder / "scan.yaml").write_text(SCAN)
    (folder / "line.py").write_text(PLUGIN)
    (folder / "precious.nc").write_text("years of work")
    (folder / "results.d").mkdir()
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file and directory."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def place(text: str, at: str) -> str:
    """File, line and column of the first occurrence of a text; of what follows a mark in it, where it has one."""
    skipped, _, _ = at.rpartition("›")
    before, found, _ = text.partition(at.replace("›", ""))
    assert found
    before += skipped
    return f"scan.yaml:{before.count(chr(10)) + 1}:{len(before.rpartition(chr(10))[2]) + 1}"


def all_cases(root: Path) -> dict[str, tuple[Path, tuple[str, ...]]]:
    """A folder and the arguments of the program for every mistake."""
    cases = {}
    for number, (name, (old, new, *_)) in enumerate(CONFIGURATIONS.items()):
        folder = prepare(root / f"configuration{number}")
        edit(folder / "scan.yaml", old, new)
        cases[f"configuration: {name}"] = folder, ("scan.yaml",)
    for number, (name, (old, new, _)) in enumerate(PLUGINS.items()):
        folder = prepare(root / f"plugin{number}")
        edit(folder / "line.py", old, new)
        edit(folder / "scan.yaml", OTHER_MODEL, "plugin: line.py:Line")
        cases[f"plugin: {name}"] = folder, ("scan.yaml",)
    for number, (name, (arguments, _)) in enumerate(OPTIONS.items()):
        cases[f"options: {name}"] = prepare(root / f"options{number}"), arguments
    folder = prepare(root / "everything")
    for old, new in EVERYTHING:
        edit(folder / "scan.yaml", old, new)
    cases["everything"] = folder, ("scan.yaml", "--set", "run.chunk=0")
    folder = prepare(root / "plugin-and-others")
    edit(folder / "line.py", '"y": beta', '"y": beta[:, 0]')
    for old, new in ((OTHER_MODEL, "plugin: line.py:Line"), ("starts", "startz"), ("results/out.nc", "precious.nc")):
        edit(folder / "scan.yaml", old, new)
    cases["plugin and others"] = folder, ("scan.yaml",)
    return cases


@pytest.fixture(scope="module", params=[1, 4], ids=["1-rank", "4-ranks"])
def refusals(request, tmp_path_factory) -> dict[str, Refusal]:
    """Make every mistake once, on one rank and on four; a minute is enough for all of them."""
    ranks, root = request.param, tmp_path_factory.mktemp("refused")
    launcher = request.getfixturevalue("own_mpi") if ranks > 1 else None
    cases = all_cases(root)
    before = {name: contents(folder) for name, (folder, _) in cases.items()}
    (root / "cases.json").write_text(json.dumps([(str(folder), arguments) for folder, arguments in cases.values()]))
    job = start((MANY, root / "cases.json"), ranks, launcher)
    assert job.returncode == 0, job.stderr
    return {name: _refusal(folder, ranks, before[name]) for name, (folder, _) in cases.items()}


def _refusal(folder: Path, ranks: int, before: dict[str, bytes | None]) -> Refusal:
    reports = [json.loads(Path(f"{folder}.rank-{rank}.json").read_text()) for rank in range(ranks)]
    messages = [line for _, text, _ in reports for line in text.splitlines()]
    text = (folder / "scan.yaml").read_text()
    return Refusal(text, [code for code, _, _ in reports], messages, contents(folder) == before)


@pytest.fixture
def refused(refusals) -> Callable[[str], Refusal]:
    """Look at a mistake; whatever it was, the manner is the same."""

    def look(name: str) -> Refusal:
        refusal = refusals[name]
        assert set(refusal.exit_codes) == {2}
        assert refusal.is_untouched
        assert not any("Traceback" in line for line in refusal.messages)
        return refusal

    return look


@pytest.mark.parametrize("mistake", CONFIGURATIONS)
def test_a_mistake_in_the_configuration(refused, mistake):
    """One message with file, line and column."""
    refusal = refused(f"configuration: {mistake}")
    *_, at, message = CONFIGURATIONS[mistake]
    (line,) = refusal.messages
    assert line.startswith("scan.yaml:" if at is None else f"{place(refusal.text, at)}: ")
    assert message in line


@pytest.mark.parametrize("mistake", PLUGINS)
def test_a_mistake_in_a_plugin(refused, mistake):
    """The place in the configuration and, where there is one, the line of the plugin."""
    refusal = refused(f"plugin: {mistake}")
    *_, message = PLUGINS[mistake]
    (line,) = refusal.messages
    assert line.startswith(f"{place(refusal.text, 'line.py:Line')}: {message}")


@pytest.mark.parametrize("mistake", OPTIONS)
def test_a_mistake_on_the_command_line(refused, mistake):
    *_, message = OPTIONS[mistake]
    (line,) = [line for line in refused(f"options: {mistake}").messages if line]
    assert message in line


def test_a_plugin_is_tried_whatever_else_is_wrong(refused):
    """Its wrong shape, an unknown key, and an output that exists."""
    refusal = refused("plugin and others")
    expected = [place(refusal.text, at) for at in ("line.py:Line", "startz", "precious.nc")]
    assert [line.partition(": ")[0] for line in refusal.messages] == expected


def test_every_mistake_is_told_in_one_go(refused):
    """One line each, in the order of their places."""
    refusal = refused("everything")
    expected = [place(refusal.text, at) for at in EVERYWHERE]
    assert [line.partition(": ")[0] for line in refusal.messages] == [*expected, "--set run.chunk=…"]


@pytest.mark.parametrize("options", [("--set", "fit.startz=3"), ("-o", "precious.nc"), ("--frobnicate",)])
def test_the_launcher_sees_the_exit_code(launch, tmp_path, options):
    """A mistake in the configuration, one that is found after it, and one before it, each as a job of its own."""
    folder = prepare(tmp_path / "folder")
    before = contents(folder)
    job = launch(4, "-m", "hpcscan", "scan.yaml", *options, timeout=30, cwd=folder)
    assert job.returncode == 2, job.stderr
    assert job.stdout == ""
    # Open MPI's launcher adds a word of its own.
    assert len(job.stderr.partition("\n-----")[0].splitlines()) == 1
    assert contents(folder) == before


def test_a_number_in_any_notation_is_a_number(tmp_path):
    """`1e-3` is text to YAML 1.1, and a number here."""
    folder = prepare(tmp_path / "folder")
    edit(folder / "scan.yaml", "min: 0.01", "min: 1e-3")
    edit(folder / "scan.yaml", "max: 3.2", "max: 3.1E+0")
    job = start(("-m", "hpcscan", "plan", "scan.yaml"), cwd=folder)
    assert job.returncode == 0, job.stderr
    assert "6 (3 beta × 2 w)" in job.stdout
