"""A plugin that is wrong in any way is one clear message at model.plugin; a right one is built the same everywhere."""

# ruff: noqa: E501  (tables: one case per line)

import dataclasses
import pickle
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

from hpcscan.commands.configuration import read_checked
from hpcscan.config.declarations import declaration_problems
from hpcscan.config.models import build_model
from hpcscan.config.plugin import plugin_class
from hpcscan.config.records import ModelChoice, PluginSource
from hpcscan.dataset.variables import own_names, variable_table
from hpcscan.errors import UsageError
from hpcscan.grid import Grid, GridAxis
from hpcscan.guard.probe import probe_model
from hpcscan.model import Axis, Derived, Model, Observable, Parameter, Ranges
from hpcscan.model.results import WrongResultError, as_ranges
from hpcscan.models.leptons.model import LeptonModel


def edit(old: str, new: str, name: str = "line.py") -> None:
    text = Path(name).read_text()
    assert text.count(old) == 1
    Path(name).write_text(text.replace(old, new))


def refusal() -> str:
    with pytest.raises(UsageError) as caught:
        read_checked("scan.yaml")
    return str(caught.value)


def test_a_plugin_is_read_built_and_tried(folder):
    config = read_checked("scan.yaml")
    assert config.model.name == "Line"
    assert config.model.options == {"shift": 0.0}
    assert config.model.plugin == PluginSource("line.py", "Line", Path("line.py").read_text())
    model = build_model(config.model)
    assert model.predict(np.array([[2.0]]), np.array([[0.5]])).tolist() == [[0.5, 2.5]]


def test_another_rank_needs_no_file(folder):
    choice = read_checked("scan.yaml").model
    Path("line.py").unlink()
    again = pickle.loads(pickle.dumps(choice))
    code = "import pickle, sys; from hpcscan.config.models import build_model; print(build_model(pickle.load(sys.stdin.buffer)).title)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(again),
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.decode().strip() == "a straight line"


def test_a_traceback_from_a_plugin_shows_its_source_line(folder):
    model = build_model(read_checked("scan.yaml").model)
    Path("line.py").write_text("something else")
    with pytest.raises(TypeError) as caught:
        model.predict(None, None)
    shown = "".join(traceback.format_exception(caught.value))
    assert 'File "line.py", line 17' in shown
    assert "return parameters + self.shift + points * x" in shown


def test_a_plugin_is_a_module_whose_records_can_be_pickled(folder):
    edit(
        "class Line",
        "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Pair:\n    a: int\n\nclass Line",
    )
    source = read_checked("scan.yaml").model.plugin
    module = sys.modules[plugin_class(source).__module__]
    assert module.__file__ == "line.py"
    pair = module.Pair(3)
    assert pickle.loads(pickle.dumps(pair)) == pair
    assert plugin_class(source) is plugin_class(dataclasses.replace(source))


def test_the_path_is_relative_to_the_configuration(folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert read_checked("../scan.yaml").model.plugin.path == "../line.py"


def test_a_model_without_options_takes_none(folder):
    edit('    options = (Option("shift", "number", 0.0),)\n', "")
    edit("    def __init__(self, shift):\n        self.shift = shift\n", "    shift = 0\n")
    assert read_checked("scan.yaml").model.options == {}
    edit("line.py:Line", "line.py:Line\n  options: {}", "scan.yaml")
    assert read_checked("scan.yaml").model.options == {}
    edit("options: {}", "options: {a: 1}", "scan.yaml")
    assert refusal() == "scan.yaml:5:13: model.options.a is not a known key; nothing is known here"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("lin.py:Line", "cannot read lin.py: No such file or directory"),
        (".:Line", "cannot read .: Is a directory"),
        ("line.py", "expected path/to/file.py:ClassName, found 'line.py'"),
        ("line.py:", "expected path/to/file.py:ClassName, found 'line.py:'"),
        ("line.py:a-b", "expected path/to/file.py:ClassName"),
        ("line.py:Lime", "line.py has no class Lime; did you mean Line?"),
        ("line.py:Zzz", "line.py has no class Zzz; known here: Line"),
        ("line.py:np", "np in line.py is not a class derived from hpcscan.model.Model"),
        ("line.py:Axis", "Axis in line.py is not a class derived from hpcscan.model.Model"),
    ],
)
def test_a_plugin_that_cannot_be_found(folder, written, message):
    edit("line.py:Line", f"'{written}'", "scan.yaml")
    assert refusal().startswith(f"scan.yaml:4:11: {message}")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # The file
        ("import numpy as np", "import numpy as", "line.py:1: the file raised SyntaxError"),
        ("import numpy as np", "import numpyy as np", "line.py:1: the file raised ModuleNotFoundError: No module named 'numpyy'"),
        ("class Line", "1 / 0\n\n\nclass Line", "line.py:5: the file raised ZeroDivisionError: division by zero"),
        ("class Line", "raise SystemExit(3)\nclass Line", "line.py:5: the file raised SystemExit: 3"),
        ("class Line", "def f(): f()\nf()\nclass Line", "line.py:5: the file raised RecursionError"),
        ("class Line", "int('x\\n\\ny')\nclass Line", "line.py:5: the file raised ValueError: invalid literal"),
        ("class Line", "\0class Line", "line.py: the file raised "),
        ("class Line", "assert 0\nclass Line", "line.py:5: the file raised AssertionError"),
        ("class Line", "from hpcscan.errors import OptionError\nraise OptionError((('a',), 'b'))\nclass Line", "line.py:6: the file raised OptionError: a: b"),
        # The constructor
        ("self.shift = shift", "from hpcscan.errors import OptionError; raise OptionError('ab', (3, 4))", "line.py:13: Line(...) raised TypeError"),
        ("self.shift = shift", "self.shift = shift / 0.0", "line.py:13: Line(...) raised ZeroDivisionError: float division by zero"),
        ("def __init__(self, shift)", "def __init__(self, shft)", "line.py: Line(...) raised TypeError"),
        ("    def predict", "    def predikt", "line.py: Line(...) raised TypeError: Can't instantiate abstract class"),
        # Options
        ('options = (Option("shift", "number", 0.0),)', "options = 3", "line.py: options is not a tuple of Option"),
        ('"shift", "number", 0.0', '"shift", "float", 0.0', "line.py: the option shift has the kind 'float'; known: number"),
        ('"shift", "number", 0.0', '"shift", "number", "x"', "line.py: the default of model.options.shift: expected a number, found the text 'x'"),
        ('"shift", "number", 0.0', '"shift", "choice", "a", choices=("b",)', "line.py: the default of model.options.shift: 'a' is not a choice"),
        ('"shift", "number", 0.0', '"shi.ft", "number", 0.0', "line.py: the option 'shi.ft' is not a name"),
        ('"number", 0.0),)', '"number", 0.0),) * 2', "line.py: the option 'shift' is declared twice"),
        # Declarations
        ('    axes = (Axis("slope"),)\n', "", "line.py: axes is empty or missing; declare at least one Axis"),
        ('(Axis("slope"),)', '"slope"', "line.py: axes is a str; expected a tuple of Axis"),
        ('(Axis("slope"),)', '("slope",)', "line.py: axes holds 'slope', which is not Axis(...)"),
        ('(Axis("slope"),)', '(Axis("slope", 1),)', "line.py: unit of Axis(name='slope'"),
        ('(Axis("slope"),)', '(Axis("slo.pe"),)', "line.py: the axis 'slo.pe' is not a name"),
        ('(Axis("slope"),)', '(Axis("chi2"),)', "line.py: the name 'chi2' is one of a result's own"),
        ('(Axis("slope"),)', '(Axis("slope"), Axis("slope"))', "line.py: the name 'slope' is used twice in a result"),
        ('(Parameter("offset", -1.0, 1.0),)', "()", "line.py: parameters is empty or missing"),
        ('(Parameter("offset", -1.0, 1.0),)', '(Parameter("offset", 0, 1),) * 2', "line.py: the parameter 'offset' is declared twice"),
        ('"offset", -1.0, 1.0', '"off set", -1.0, 1.0', "line.py: the parameter 'off set' is not a name"),
        ('"offset", -1.0, 1.0', '"ß", -1.0, 1.0', "line.py: the parameter 'ß' is not a name"),
        ('"offset", -1.0, 1.0', '"offset", 2.0, 1.0', "line.py: the parameter offset: lower bound 2 is above upper bound 1"),
        ('"offset", -1.0, 1.0', '"offset"', "line.py: the parameter offset: an infinite bound needs a finite start=(low, high)"),
        ('"offset", -1.0, 1.0', '"offset", "0", 1.0', "line.py: lower of offset is '0'; expected a number"),
        ('"offset", -1.0, 1.0', '"offset", -1.0, None', "line.py: upper of offset is None; expected a number"),
        ('"offset", -1.0, 1.0', '"offset", -1.0, 1.0, 0.5', "line.py: start of offset is 0.5; expected (low, high)"),
        ('"offset", -1.0, 1.0', '"offset", -1.0, 1.0, (0, "1")', "line.py: start of offset is (0, '1'); expected (low, high)"),
        ('"offset", -1.0, 1.0', '"slope", -1.0, 1.0', "line.py: 'slope' is the name of an axis and of a parameter"),
        ('"y.right", 2.0, 0.1', '"y.right", "0.", 0.1', "line.py: observed of y.right is '0.'; expected a number"),
        ('"y.right", 2.0, 0.1', '"y.right", 2.0, [1]', "line.py: sigma of y.right is [1]; expected a number"),
        ('"y.right"', '"y.left"', "line.py: the observable 'y.left' is declared twice"),
        ('"y.right", 2.0, 0.1', '"y.right", 2.0, 0.0', "line.py: the observable y.right has sigma 0.0; expected a positive"),
        ('"y.right", 2.0, 0.1', '"y.right", 2.0, float("inf")', "line.py: the observable y.right has sigma inf"),
        ('"y.right", 2.0, 0.1', '"y.right", float("nan"), 1.0', "line.py: the observable y.right is observed as nan"),
        ('"y.right", 2.0, 0.1', '"y.right", 2.0, 0.1, "S.1"', "line.py: the scale 'S.1' is not a name"),
        ('"y.right", 2.0, 0.1', '"y.right", 2.0, 0.1, "S"), Observable("S", 1, 1', "line.py: predict returned shape (2, 2)"),
        ('title = "a', 'derived = (Derived("S_opt"),)\n    title = "a', "line.py: derive returned nothing; declared is S_opt"),
        ('title = "a', 'derived = (Derived("pull"),)\n    title = "a', "line.py: the name 'pull' is one of a result's own"),
        ('title = "a', 'derived = (Derived("z", dimension=Dimension("slope", ("a",))),)\n    title = "a', "line.py: the name 'slope' is used twice"),
        ('title = "a', 'derived = (Derived("z", dimension=Dimension("d", ())),)\n    title = "a', "line.py: the dimension d needs a non-empty text"),
        ('title = "a', 'derived = (Derived("z", dimension=Dimension("d", "a")), Derived("q", dimension=Dimension("d", "b")))\n    title = "a', "line.py: the dimension d is declared with different labels"),
        ('title = "a straight line"', "title = None", "line.py: title is not text"),
        # What it computes
        ("x = np.array", "x = 1 // 0\n        x = np.array", "line.py:16: predict raised ZeroDivisionError"),
        ("points * x", "points * x * 1j", "line.py: predict returned values of type complex128; expected real numbers"),
        ("points * x", "(points * x).astype(object)", "line.py: predict returned values of type object"),
        ("parameters + self.shift + points * x", "None", "line.py: predict returned shape (); expected (3, 2) for 3 rows"),
        ("parameters + self.shift + points * x", "(parameters + points * x).T", "line.py: predict returned shape (2, 3); expected (3, 2)"),
        ("x = np.array", "points += 1\n        x = np.array", "line.py:16: predict raised ValueError: output array is read-only"),
        ("x = np.array", "parameters[0] = 1\n        x = np.array", "line.py:16: predict raised ValueError: assignment destination is read-only"),
        ("    def predict", "    def jacobian(self, points, parameters):\n        return np.ones((3, 2))\n\n    def predict", "line.py: jacobian returned shape (3, 2); expected (3, 2, 1)"),
        ("    def predict", "    def jacobian(self, points, parameters):\n        return parameters.nope\n\n    def predict", "line.py:16: jacobian raised AttributeError"),
        ("    def predict", "    def derive(self, points, parameters, scales):\n        return 3\n\n    def predict", "line.py: derive returned a int; expected a mapping"),
        ("    def predict", "    def derive(self, points, parameters, scales):\n        return {'u': 3}\n\n    def predict", "line.py: derive returned u; declared is nothing"),
        ("    def predict", "    derived = (Derived('u'),)\n    def derive(self, points, parameters, scales):\n        return {'u': points}\n\n    def predict", "line.py: derive['u'] returned shape (3, 1); expected (3,)"),
        ("    def predict", "    def check_axes(self, values):\n        return values.nope\n\n    def predict", "line.py:16: check_axes raised AttributeError"),
        ("    def predict", "    def check_axes(self, values):\n        return ['wrong']\n\n    def predict", "line.py: check_axes raised ValueError"),
    ],
)  # fmt: skip
def test_a_plugin_that_is_wrong_is_blamed_at_its_own_line(folder, old, new, message):
    edit(old, new)
    refused = refusal()
    assert refused.startswith(f"scan.yaml:4:11: {message}"), refused
    assert "\n" not in refused or refused.count("scan.yaml:4:11: line.py") == refused.count("\n") + 1


def test_an_option_error_of_a_plugin_is_located_at_the_option(folder):
    edit("import numpy as np", "import numpy as np; from hpcscan.errors import OptionError")
    edit(
        "self.shift = shift",
        "raise OptionError((('shift',), 'is too much'), (('scan', 'slope'), 'is too steep'), (('x',), 'is odd'))",
    )
    edit("line.py:Line", "line.py:Line\n  options:\n    shift: 3", "scan.yaml")
    assert refusal().split("\n") == [
        "scan.yaml:2:3: scan.slope is too steep",
        "scan.yaml:5:3: model.options.x is odd",
        "scan.yaml:6:12: model.options.shift is too much",
    ]


def test_check_axes_of_a_plugin_is_located_at_the_axis(folder):
    edit(
        "    def predict",
        "    def check_axes(self, values):\n        return [('slope', f'ends at {values[\"slope\"][-1]:g}')]\n\n    def predict",
    )
    assert refusal() == "scan.yaml:2:3: scan.slope ends at 1"


def test_a_plugin_that_predicts_nonsense_values_is_accepted(folder):
    edit("parameters + self.shift + points * x", "np.log(parameters - 9 + points * x) / 0.0")
    assert read_checked("scan.yaml").grid.n_points == 3


def test_an_unset_option_without_default_is_none(folder):
    edit('"number", 0.0', '"number", None')
    edit("self.shift = shift", "self.shift = 0 if shift is None else shift")
    config = read_checked("scan.yaml")
    assert config.model.options == {"shift": None}
    assert "shift: null" in config.resolved


def test_the_file_is_not_utf8(folder):
    Path("line.py").write_bytes(b"x = 1\ny = '\xff'\n")
    assert refusal() == "scan.yaml:4:11: cannot read line.py:2:6: byte 0xff is not UTF-8 text"


class Swapped(Model):
    """Remembers the points that it was asked for."""

    axes = (Axis("a"), Axis("b"))
    parameters = (Parameter("p", 0.0, 4.0, start=(1.0, 2.0)), Parameter("q", 3.0, 3.0))
    observables = (Observable("o", 1.0, 1.0),)

    def __init__(self):
        self.seen = []

    def predict(self, points, parameters):
        self.seen.append((points.tolist(), parameters.tolist()))
        return parameters[:, :1]


def test_the_probe_asks_at_the_corners_in_the_order_of_the_models_axes():
    model = Swapped()
    probe_model(model, Grid((GridAxis("b", (1.0, 2.0)), GridAxis("a", (10.0, 20.0, 30.0)))))
    assert model.seen == [
        ([[10.0, 1.0], [30.0, 2.0]], [[1.5, 3.0], [1.25, 3.0]]),
        ([[10.0, 1.0]], [[1.5, 3.0]]),
    ]


@pytest.mark.parametrize("change", ["parameters.sum()", "parameters.mean(axis=0)", "np.random.rand()"])
def test_rows_that_depend_on_others_or_on_chance_are_refused(folder, change):
    edit("points * x", f"points * x + {change}")
    assert refusal().startswith("scan.yaml:4:11: line.py: predict returned [")
    assert "a row must depend on its own arguments, and on nothing else" in refusal()


def test_a_trial_takes_no_longer_than_a_point_may(folder):
    edit("    def predict", "    def predict(self, points, parameters):\n        while True: pass\n\n    def old")
    edit("line.py:Line", "line.py:Line\nfit: {time_limit: 0.2}", "scan.yaml")
    assert refusal() == (
        "scan.yaml:4:11: 0.2 s are over, and predict has not returned "
        "(a trial at the first and the last grid point, within the start ranges)"
    )


RANGES = (
    "    def prediction_ranges(self, points):\n        low = np.full((len(points), 2), -99.0)\n        return {}\n\n"
)


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        ("3", "a int; expected Ranges(lower, upper) or None"),
        ("(low, low)", "a tuple; expected Ranges(lower, upper) or None"),
        ("Ranges(low, low[:1])", ".upper returned shape (1, 2); expected (3, 2) for 3 rows"),
        ("Ranges(low, low > 0)", ".upper returned values of type bool; expected real numbers"),
        ("Ranges(low, low - 1)", "lower = -99 above upper = -100 for the observable"),
        ("Ranges(low, -low, 2)", "exact = 2; expected the index of an observable, below 2, or None"),
        ("Ranges(low, -low, True)", "exact = True; expected the index"),
        ("1 / 0", "prediction_ranges raised ZeroDivisionError"),
    ],
)
def test_ranges_are_tried_like_predictions(folder, returned, problem):
    edit("import numpy as np", "import numpy as np; from hpcscan.model import Ranges")
    edit("    def predict", RANGES.format(returned) + "    def predict")
    assert problem in refusal()


def test_an_exact_observable_is_for_models_without_scales():
    class Scaled(Swapped):
        observables = (Observable("o", 1.0, 1.0, "S"),)

    with pytest.raises(WrongResultError, match="models without profiled scales"):
        as_ranges(Scaled(), Ranges(np.zeros((2, 1)), np.ones((2, 1)), 0), 2)


def test_ranges_that_are_not_known_everywhere_are_accepted():
    unknown = Ranges(np.full((2, 1), np.nan), np.full((2, 1), np.nan))
    assert as_ranges(Swapped(), unknown, 2) is not None
    assert as_ranges(Swapped(), None, 2) is None


def test_an_exception_in_a_built_in_model_is_a_bug_and_passes():
    class Broken(Swapped):
        def predict(self, points, parameters):
            raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        probe_model(Broken(), Grid((GridAxis("a", (1.0,)), GridAxis("b", (1.0,)))))


def test_an_unknown_built_in_model_is_refused():
    with pytest.raises(UsageError, match="did you mean leptons"):
        build_model(ModelChoice("lepton", {}))


def test_options_of_the_lepton_model_are_located():
    with pytest.raises(UsageError) as caught:
        build_model(ModelChoice("leptons", {"bounds": {"muon.A": (0.0, 2.0)}}))
    assert [mistake.where for mistake in caught.value.mistakes] == ["model.options.bounds.muon.A"]


@pytest.mark.parametrize("mapping", ["global_scale", "electron_anchor"])
def test_every_name_of_a_result_that_is_not_the_models_is_reserved(mapping):
    model = LeptonModel(mapping=mapping)
    grid = Grid((GridAxis("beta", (1.0,)), GridAxis("w", (0.1,))))
    table = {variable.name for variable in variable_table(grid, model)} | {"parameter", "observable", "start", "point"}
    own = {"beta", "w", "lepton_name", *(derived.name for derived in model.derived)}
    reserved = {name.format(scale="S") for name in own_names()}
    assert table - own <= reserved
    assert reserved - {"S_opt", "S_opt_lower", "S_opt_upper"} <= table


@pytest.mark.parametrize("name", own_names())
def test_no_model_uses_a_name_of_a_result(name):
    """Neither for an axis nor for what it derives: both are told before anything is computed."""
    name = name.format(scale="S")
    parts = {"parameters": (Parameter("p", 0.0, 1.0),), "observables": (Observable("o", 1.0, 1.0, "S"),)}
    for own in ({"axes": (Axis(name),)}, {"axes": (Axis("a"),), "derived": (Derived(name),)}):
        model = type("Clash", (Swapped,), parts | own)()
        (problem,) = declaration_problems(model, own_names())
        assert problem.startswith(f"the name {name!r} is ")
