"""A plugin that is wrong in any way is one clear message at model.plugin; a right one is built the same everywhere."""

# ruff: noqa: E501  (tables: one case per line)

import dataclasses
import pickle
import re
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
from toy_models import leptons

from hpcscan.config.building import build_model
from hpcscan.config.declarations import declaration_problems
from hpcscan.config.plugin import plugin_class
from hpcscan.config.validated import ModelChoice, PluginSource
from hpcscan.dataset.variables import own_names, variable_table
from hpcscan.errors import UsageError
from hpcscan.grid import Grid, GridAxis
from hpcscan.guard.probe import probe_model
from hpcscan.model import Derived, Gaussian, Model, Parameter
from hpcscan.model.posing import pose
from hpcscan.output.identity import identity
from hpcscan.program import read_checked


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
    code = "import pickle, sys; from hpcscan.config.building import build_model; print(build_model(pickle.load(sys.stdin.buffer)).title)"
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
    model.model.shift = None
    with pytest.raises(TypeError) as caught:
        model.predict(np.zeros((1, 1)), np.zeros((1, 1)))
    shown = "".join(traceback.format_exception(caught.value))
    assert 'File "line.py", line 14' in shown
    assert "base = offset + self.shift" in shown


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
    edit("    def __init__(self, shift: float = 0.0):\n        self.shift = shift\n", "    shift = 0\n")
    assert read_checked("scan.yaml").model.options == {}
    edit("line.py:Line", "line.py:Line\n  options: {}", "scan.yaml")
    assert read_checked("scan.yaml").model.options == {}
    edit("options: {}", "options: {a: 1}", "scan.yaml")
    assert refusal() == "scan.yaml:5:13: model.options.a is not a known key; nothing is known here"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("lin.py:Line", "cannot read lin.py: No such file or directory"),
        ("lin.py", "cannot read lin.py: No such file or directory"),
        (".:Line", "cannot read .: Is a directory"),
        ("line", "expected path/to/file.py or path/to/file.py:ClassName, found 'line'"),
        ("line.py:", "expected path/to/file.py or path/to/file.py:ClassName, found 'line.py:'"),
        ("line.py:a-b", "expected path/to/file.py or path/to/file.py:ClassName"),
        ("line.py:Lime", "line.py has no class Lime; did you mean Line?"),
        ("line.py:Zzz", "line.py has no class Zzz; known here: Line"),
        ("line.py:np", "np in line.py is not a class derived from hpcscan.model.Model"),
        ("line.py:Gaussian", "Gaussian in line.py is not a class derived from hpcscan.model.Model or"),
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
        ("class Line", "class E(Exception):\n    def __str__(self): raise SystemExit(0)\nraise E\nclass Line", "line.py:7: the file raised E: (its text raised EscapedError)"),
        ("class Line", "def __getattr__(name): raise SystemExit(0)\nclass Lne", "line.py:5: the file raised SystemExit: 0"),
        ("class Line", "def f(): f()\nf()\nclass Line", "line.py:5: the file raised RecursionError"),
        ("class Line", "int('x\\n\\ny')\nclass Line", "line.py:5: the file raised ValueError: invalid literal"),
        ("class Line", "\0class Line", "line.py: the file raised "),
        ("class Line", "assert 0\nclass Line", "line.py:5: the file raised AssertionError"),
        ("class Line", "from hpcscan.errors import OptionError\nraise OptionError((('a',), 'b'))\nclass Line", "line.py:6: the file raised OptionError: a: b"),
        # The constructor
        ("self.shift = shift", "from hpcscan.errors import OptionError; raise OptionError('ab', (3, 4))", "line.py:11: Line(...) raised TypeError"),
        ("self.shift = shift", "self.shift = shift / 0.0", "line.py:11: Line(...) raised ZeroDivisionError: float division by zero"),
        ("    def predict", "    def predikt", "line.py: Line has no function predict(self, **parameters)"),
        # Options
        ("shift: float = 0.0", "shift=0.0", "line.py: the option shift has no type; write shift: float = …"),
        ("shift: float = 0.0", "shift: complex = 0.0", "line.py: the option shift has the type complex; known are float, int"),
        ("shift: float = 0.0", "shift: 'flo' = 0.0", "line.py: name 'flo' is not defined"),
        ("shift: float = 0.0", "*shift: float", "line.py: the constructor takes *shift"),
        ("shift: float = 0.0", "shift: float = 'x'", "line.py: the default of model.options.shift: expected a number, found the text 'x'"),
        # Declarations
        ('    parameters = (Parameter("slope"), Parameter("offset", -1.0, 1.0))\n', "", "line.py: parameters is empty or missing; declare at least one Parameter"),
        ('(Gaussian("left", 1.0, 0.1), Gaussian("right", 2.0, 0.1))', "()", "line.py: data is empty or missing; declare at least one Gaussian or Poisson"),
        ('(Gaussian("left", 1.0, 0.1), Gaussian("right", 2.0, 0.1))', '"left"', "line.py: data is a str; expected a tuple of Gaussian or Poisson"),
        ('Parameter("slope")', '"slope"', "line.py: parameters holds 'slope', which is not Parameter(...)"),
        ('Parameter("slope")', 'Parameter("slope", unit=1)', "line.py: unit of slope is 1; expected text"),
        ('Parameter("slope")', 'Parameter("slope", label="a\\x1b[1mb")', "line.py: label of slope has line breaks or control characters"),
        ('Parameter("slope")', 'Parameter("chi2")', "line.py: the name 'chi2' is one of a result's own; call it otherwise, such as chi2_"),
        ('Parameter("slope")', 'Parameter("lambda")', "line.py: the parameter 'lambda' is a word of Python's own; call it lambda_"),
        ('Parameter("slope")', 'Parameter("slope"), Parameter("slope")', "line.py: the parameter 'slope' is declared twice"),
        ('Parameter("slope")', 'Parameter("slope"), Parameter("bend")', "line.py: predict does not take the parameter bend; write predict(self, slope, bend, offset)"),
        ("self, slope, offset", "self, slope, offset, bend", "line.py: predict takes bend, which is not declared in parameters"),
        ('"offset", -1.0, 1.0', '"off set", -1.0, 1.0', "line.py: the parameter 'off set' is not a name"),
        ('"offset", -1.0, 1.0', '"ß", -1.0, 1.0', "line.py: the parameter 'ß' is not a name"),
        ('"offset", -1.0, 1.0', '"offset", 2.0, 1.0', "line.py: the parameter offset: lower bound 2 is above upper bound 1"),
        ('"offset", -1.0, 1.0', '"offset", np.nan, 1.0', "line.py: the parameter offset: the bounds are nan and 1; expected numbers, or infinity"),
        ('"offset", -1.0, 1.0', '"offset", "0", 1.0', "line.py: lower of offset is '0'; expected a number"),
        ('"offset", -1.0, 1.0', '"offset", False, True', "line.py: lower of offset is False; expected a number"),
        ('"offset", -1.0, 1.0', '"offset", -1.0, None', "line.py: upper of offset is None; expected a number"),
        ('"offset", -1.0, 1.0', '"offset", -1.0, 1.0, 0.5', "line.py: start of offset is 0.5; expected (low, high)"),
        ('"offset", -1.0, 1.0', '"offset", -1.0, 1.0, (0, "1")', "line.py: start of offset is (0, '1'); expected (low, high)"),
        ('"offset", -1.0, 1.0', '"offset", -1.0, 1.0, (0, 3)', "line.py: the parameter offset: start range (0, 3) is not inside the bounds (-1, 1)"),
        ('"offset", -1.0, 1.0', '"offset", -1.0, 1.0, constraint=(0, 0)', "line.py: the parameter offset: constraint is (0, 0); expected a finite mean and a positive sigma"),
        ('"offset", -1.0, 1.0', '"offset", -1.0, 1.0, constraint=3', "line.py: constraint of offset is 3; expected (mean, sigma)"),
        ('"right", 2.0, 0.1', '"right", "0.x", 0.1', "line.py: the term right: observed is '0.x'; expected numbers"),
        ('"right", 2.0, 0.1', '"right", [], 0.1', "line.py: the term right: observed is empty"),
        ('"right", 2.0, 0.1', '"right", np.ma.masked_equal([2.0, 0.0], 0), 0.1', "line.py: the term right: observed is a masked array"),
        ('"right", 2.0, 0.1', '"right", 2.0, [1, 2]', "line.py: the term right: sigma has 2 values for 1 observed ones"),
        ('"right", 2.0, 0.1', '"right", 2.0', "line.py: the term right: needs either sigma or covariance, found neither"),
        ('"right", 2.0, 0.1', '"right", 2.0, 0.1, covariance=[[1]]', "line.py: the term right: needs either sigma or covariance, found both"),
        ('"right", 2.0, 0.1', '"right", [2, 2], covariance=[[1, 2], [0, 1]]', "line.py: the term right: covariance[0, 1] = 2 and covariance[1, 0] = 0 differ"),
        ('"right", 2.0, 0.1', '"right", [2, 2], covariance=[[1, 2], [2, 1]]', "line.py: the term right: covariance is not positive definite: its correlation matrix has the eigenvalue -1 (condition number 3)"),
        ('"right", 2.0, 0.1', '"right", [2, 2], covariance=[[1, 0], [0, 0]]', "line.py: the term right: covariance[1, 1] is 0; a variance is positive"),
        ('"right", 2.0, 0.1', '"right", [2, 2], covariance=[1, 2]', "line.py: the term right: covariance has the shape (2,); expected (2, 2)"),
        ('Gaussian("right"', 'Gaussian("left"', "line.py: the term 'left' is declared twice"),
        ('"right", 2.0, 0.1', '"right", 2.0, 0.0', "line.py: the term right: sigma is 0; expected a positive number"),
        ('"right", 2.0, 0.1', '"right", 2.0, float("inf")', "line.py: the term right: sigma is inf"),
        ('"right", 2.0, 0.1', '"right", float("nan"), 1.0', "line.py: the term right: observed is nan"),
        ('"right", 2.0, 0.1', '"right", 2.0, 0.1, scale="S.1"', "line.py: the scale 'S.1' is not a name"),
        ('"right", 2.0, 0.1', '"right", 2.0, 0.1, labels=("a", "b")', "line.py: the term right: labels has 2 entries for 1 observed values"),
        ('"right", 2.0, 0.1', '"right", 2.0, 0.1, x=[1, 2]', "line.py: the term right: x has the shape (2,) for 1 observed values"),
        ('Gaussian("right", 2.0, 0.1)', '__import__("hpcscan").Poisson("right", [3, -2])', "line.py: the term right: observed[1] is -2; a count is not negative"),
        ('Gaussian("right", 2.0, 0.1)', '__import__("hpcscan").Poisson("right", float("inf"))', "line.py: the term right: observed is inf; expected a finite number"),
        ('title = "a', 'derived = (Derived("S_opt"),)\n    title = "a', "line.py: derive returned nothing; declared is S_opt"),
        ('title = "a', 'derived = (Derived("pull"),)\n    title = "a', "line.py: the name 'pull' is one of a result's own"),
        ('title = "a', 'derived = (Derived("z", dimension=Dimension("slope", ("a",))),)\n    title = "a', "line.py: the name 'slope' is used twice"),
        ('title = "a', 'derived = (Derived("z", dimension=Dimension("d", ())),)\n    title = "a', "line.py: the dimension d needs a non-empty text"),
        ('title = "a', 'derived = (Derived("z", dimension=Dimension("d", "a")), Derived("q", dimension=Dimension("d", "b")))\n    title = "a', "line.py: the dimension d is declared with different labels"),
        ('title = "a straight line"', "title = None", "line.py: title is not text"),
        # What it computes
        ("base = offset", "base = 1 // 0\n        base = offset", "line.py:14: predict raised ZeroDivisionError"),
        ('"left": base', '"left": base * 1j', "line.py: predict['left'] returned values of type complex128; expected real numbers"),
        ('"left": base', '"left": base.astype(object)', "line.py: predict['left'] returned values of type object"),
        ('"left": base', '"left": None', "line.py: predict['left'] returned shape (); expected (2, 1) for 2 rows"),
        ('"left": base', '"left": base.T', "line.py: predict['left'] returned shape (1, 2); expected (2, 1)"),
        ('{"left": base, "right": base + slope}', "base", "line.py: predict returned a ndarray; expected a mapping"),
        ('"left": base, ', "", "line.py: predict returned no left; expected the terms left, right"),
        ('"left": base', '"left": base, "middle": base', "line.py: predict returned 'middle' besides; expected the terms left, right"),
        ("base = offset", "slope += 1\n        base = offset", "line.py:14: predict raised ValueError: output array is read-only"),
        ("base = offset", "offset[0] = 1\n        base = offset", "line.py:14: predict raised ValueError: assignment destination is read-only"),
        ("    def predict", "    def jacobian(self, slope, offset):\n        return np.ones((3, 2))\n\n    def predict", "line.py: jacobian returned a ndarray; expected a mapping"),
        ("    def predict", "    def jacobian(self, slope, offset):\n        return {'left': {'offset': 1.0}}\n\n    def predict", "line.py: jacobian['left']['offset'] returned shape (); expected (2, 1)"),
        ("    def predict", "    def jacobian(self, slope, offset):\n        return {'left': {'of': offset}}\n\n    def predict", "line.py: jacobian['left'] returned the parameter 'of', which is not declared"),
        ("    def predict", "    def jacobian(self, slope, offset):\n        return offset.nope\n\n    def predict", "line.py:14: jacobian raised AttributeError"),
        ("    def predict", "    def derive(self, scales, slope, offset):\n        return 3\n\n    def predict", "line.py: derive returned a int; expected a mapping"),
        ("    def predict", "    def derive(self, scales, slope, offset):\n        return {'u': 3}\n\n    def predict", "line.py: derive returned u; declared is nothing"),
        ("    def predict", "    derived = (Derived('u'),)\n    def derive(self, scales, slope, offset):\n        return {'u': slope}\n\n    def predict", "line.py: derive['u'] returned shape (2, 1); expected (2,)"),
        ("    def predict", "    def check(self, **values):\n        return values.nope\n\n    def predict", "line.py:14: check raised AttributeError"),
        ("    def predict", "    def check(self, **values):\n        return ['wrong']\n\n    def predict", "line.py: check raised ValueError"),
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
        "raise OptionError((('shift',), 'is too much'), (('x',), 'is odd'))",
    )
    edit("line.py:Line", "line.py:Line\n  options:\n    shift: 3", "scan.yaml")
    assert refusal().split("\n") == [
        "scan.yaml:5:3: model.options.x is odd",
        "scan.yaml:6:12: model.options.shift is too much",
    ]


def test_what_a_plugin_says_of_values_is_located_at_the_axis(folder):
    edit(
        "    def predict",
        "    def check(self, slope, offset):\n        return [('slope', f'ends at {slope[-1]:g}')]\n\n    def predict",
    )
    assert refusal() == "scan.yaml:2:3: scan.slope ends at 1"


def test_a_plugin_may_predict_nonsense_somewhere_and_not_everywhere(folder):
    edit("base = offset + self.shift", "base = np.log(offset - 0.9)")
    assert read_checked("scan.yaml").grid.n_points == 3
    edit("offset - 0.9", "-1 - offset**2")
    nothing = r"and nothing better at any of 48 places on the grid and in the start ranges; expected finite numbers"
    assert re.fullmatch(rf"scan.yaml:4:11: line.py: predict returned nan for \S+, {nothing}", refusal())


def test_an_unset_option_without_default_is_none(folder):
    edit("float = 0.0", "float | None = None")
    edit("self.shift = shift", "self.shift = 0 if shift is None else shift")
    config = read_checked("scan.yaml")
    assert config.model.options == {"shift": None}
    assert "shift: null" in config.resolved


def test_the_file_is_not_utf8(folder):
    Path("line.py").write_bytes(b"x = 1\ny = '\xff'\n")
    assert refusal() == "scan.yaml:4:11: cannot read line.py:2:6: byte 0xff is not UTF-8 text"


class Swapped(Model):
    """Remembers the points that it was asked for."""

    parameters = (Parameter("a"), Parameter("b"), Parameter("p", 0.0, 4.0, start=(1.0, 2.0)), Parameter("q", 3.0, 3.0))
    data = (Gaussian("o", 1.0, 1.0),)

    def __init__(self):
        self.seen = []

    def predict(self, **values):
        self.seen.append({name: column[:, 0].tolist() for name, column in values.items()})
        return {"o": values["p"]}


def test_the_probe_asks_at_the_corners_whatever_the_order_of_the_axes():
    model = Swapped()
    grid = Grid((GridAxis("b", (1.0, 2.0)), GridAxis("a", (10.0, 20.0, 30.0))))
    probe_model(pose(model, ("b", "a")), grid)
    assert model.seen == [
        {"a": [10.0, 30.0], "b": [1.0, 2.0], "p": [1.5, 1.25], "q": [3.0, 3.0]},
        {"a": [10.0], "b": [1.0], "p": [1.5], "q": [3.0]},
        {"a": [30.0], "b": [2.0], "p": [1.25], "q": [3.0]},
    ]


@pytest.mark.parametrize(
    "change", ["offset.sum()", "offset.mean(axis=0)", "offset[0]", "offset[-1]", "np.random.rand()"]
)
def test_rows_that_depend_on_others_or_on_chance_are_refused(folder, change):
    edit("base = offset", f"base = {change} + offset")
    assert refusal().startswith("scan.yaml:4:11: line.py: predict returned ")
    assert "a row must depend on its own arguments, and on nothing else" in refusal()


@pytest.mark.parametrize(
    ("derivative", "message"),
    [
        ("1.0 + 0 * offset", None),
        ("0.995 + 0 * offset", None),
        ("2.0 + 0 * offset", "jacobian['left']['offset'] returned 2 for left, where differences of predict give 1"),
        ("-1.0 + 0 * offset", "jacobian['left']['offset'] returned -1 for left, where differences of predict give 1"),
    ],
)
def test_a_derivative_that_is_wrong_is_refused(folder, derivative, message):
    jacobian = f"    def jacobian(self, slope, offset):\n        return {{'left': {{'offset': {derivative}}}}}\n\n"
    edit("    def predict", f"{jacobian}    def predict")
    if message is None:
        read_checked("scan.yaml")
    else:
        assert refusal() == f"scan.yaml:4:11: line.py: {message}"


def test_a_trial_takes_no_longer_than_a_point_may(folder):
    edit("    def predict", "    def predict(self, slope, offset):\n        while True: pass\n\n    def old")
    edit("line.py:Line", "line.py:Line\nfit: {time_limit: 0.2}", "scan.yaml")
    assert refusal() == (
        "scan.yaml:4:11: 0.2 s are over, and predict has not returned "
        "(a trial at the first and the last grid point, within the start ranges)"
    )


RANGES = (
    "    def ranges(self, slope):\n"
    "        low, one = ({{n: np.full((len(slope), 1), v) for n in ('left', 'right')}} for v in (-99.0, 1.0))\n"
    "        nan = {{n: v * np.nan for n, v in low.items()}}\n        return {}\n\n"
)


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        ("3", "ranges returned a int; expected Ranges(lower, upper) or None"),
        ("(low, low)", "ranges returned a tuple; expected Ranges(lower, upper) or None"),
        ("Ranges(low, {'left': low['left'], 'right': 3})", "ranges.upper['right'] returned shape (); expected (2, 1)"),
        ("Ranges(low, {'left': low['left']})", "ranges.upper returned no right; expected the terms left, right"),
        ("Ranges(one, low)", "lower = 1 above upper = -99 for left"),
        ("Ranges(low, one, 'middle')", "exact = 'middle'; expected the name of a term of one value, or None"),
        ("1 / 0", "ranges raised ZeroDivisionError"),
        ("Ranges(low, one, 'left')", None),
        ("Ranges(nan, nan)", None),
        ("None", None),
    ],
)
def test_ranges_are_tried_like_predictions(folder, returned, problem):
    edit("import numpy as np", "import numpy as np; from hpcscan.model import Ranges")
    edit("    def predict", RANGES.format(returned) + "    def predict")
    if problem is None:
        assert read_checked("scan.yaml").model.name == "Line"
    else:
        assert problem in refusal()


def test_an_exact_term_is_for_models_without_scales(folder):
    edit("import numpy as np", "import numpy as np; from hpcscan.model import Ranges")
    edit("    def predict", RANGES.format("Ranges(low, one, 'left')") + "    def predict")
    edit('"left", 1.0, 0.1', '"left", 1.0, 0.1, scale="S"')
    assert "models without profiled scales" in refusal()


def test_an_exception_in_a_built_in_model_is_a_bug_and_passes():
    class Broken(Swapped):
        def predict(self, **values):
            raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        probe_model(pose(Broken(), ("a", "b")), Grid((GridAxis("a", (1.0,)), GridAxis("b", (1.0,)))))


def test_an_unknown_built_in_model_is_refused():
    with pytest.raises(UsageError, match="did you mean leptons"):
        build_model(ModelChoice("lepton", {}))


def test_options_of_the_lepton_model_are_located():
    with pytest.raises(UsageError) as caught:
        build_model(ModelChoice("leptons", {"bounds": {"muon.A": (0.0, 2.0)}}))
    assert [mistake.where for mistake in caught.value.mistakes] == ["model.options.bounds.muon.A"]


@pytest.mark.parametrize("mapping", ["global_scale", "electron_anchor"])
def test_every_name_of_a_result_that_is_not_the_models_is_reserved(mapping):
    model = leptons(mapping=mapping)
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
    of_scale = {"data": (Gaussian("o", 1.0, 1.0, scale="S"),)}
    for own in ({"parameters": (*Swapped.parameters, Parameter(name))}, {"derived": (Derived(name),)}):
        model = type("Clash", (Swapped,), of_scale | own)()
        (problem,) = declaration_problems(model, own_names())
        assert problem.startswith(f"the name {name!r} is ")


OPTIONS = """\
import numpy as np
from pathlib import Path
from typing import Annotated, Literal
from hpcscan.model import Gaussian, Model, Option, Parameter


class Many(Model):
    parameters = (Parameter("a", 0.0, 1.0),)

    def __init__(
        self,
        file: Path,
        n: int = 2,
        kind: Literal["flat", "round"] = "flat",
        on: bool = True,
        names: list[str] = ["x"],
        weights: dict[str, float] = {"x": 1.0},
        ranges: dict[Literal["x", "y"], tuple[float, float]] | None = None,
        mass: Annotated[float | dict[str, float], Option("mass of the bob", unit="kg")] = 1.0,
        label: str | None = None,
    ):
        self.all = dict(locals())
        self.data = (Gaussian("d", np.loadtxt(file, ndmin=1), 0.1),)

    def predict(self, a):
        return {"d": a + 0 * self.data[0].values}
"""


def test_options_are_the_arguments_of_the_constructor(folder):
    """Read by their types; a path is relative to the configuration."""
    Path("sub").mkdir()
    Path("sub/many.py").write_text(OPTIONS)
    Path("sub/d.txt").write_text("0.5 0.7\n")
    Path("sub/scan.yaml").write_text(
        "model:\n  plugin: many.py\n  options:\n    {file: d.txt, n: -3, kind: round, on: false, names: [p, q],"
        " weights: {y: 2}, ranges: {y: [1, 2]}, mass: {bob: 2}, label: m}\n"
    )
    config = read_checked("sub/scan.yaml")
    assert config.model.options == {
        "file": Path("sub/d.txt"), "n": -3, "kind": "round", "on": False, "names": ["p", "q"],
        "weights": {"x": 1.0, "y": 2.0}, "ranges": {"y": (1.0, 2.0)}, "mass": {"bob": 2.0}, "label": "m",
    }  # fmt: skip
    model = build_model(config.model)
    assert [o.observed for o in model.observables] == [0.5, 0.7]
    before = identity(config)
    Path("sub/d.txt").write_text("0.5 0.8\n")
    after = identity(read_checked("sub/scan.yaml"))
    assert [key for key in before if before[key] != after[key]] == ["model.options.file"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "scan.yaml:3:3: model.options.file: expected a value; it has no default"),
        ("file: 3", "model.options.file: expected text on one line, found the number 3"),
        ("file: none.txt", "cannot read none.txt: No such file or directory"),
        ("file: d.txt, n: 2.5", "model.options.n: expected a whole number"),
        ("file: d.txt, kind: rund", "model.options.kind: 'rund' is not a choice; did you mean round?"),
        ("file: d.txt, on: 3", "model.options.on: expected true or false, found the number 3"),
        ("file: d.txt, names: p", "model.options.names: expected a list, found the text 'p'"),
        ("file: d.txt, names: [p, 3]", "model.options.names.1: expected text on one line, found the number 3"),
        ("file: d.txt, weights: {x: p}", "model.options.weights.x: expected a number, found the text 'p'"),
        ("file: d.txt, ranges: {z: [1, 2]}", "model.options.ranges.z is not a known name; known here: x, y"),
        ("file: d.txt, ranges: {x: [1]}", "model.options.ranges.x: expected [lower, upper], found a list"),
        ("file: d.txt, mass: [1]", "model.options.mass: expected a number, found a list"),
        ("file: d.txt, masse: 3", "model.options.masse is not a known key; did you mean model.options.mass?"),
    ],
)
def test_an_option_of_the_wrong_kind_is_told_at_its_place(folder, options, message):
    Path("many.py").write_text(OPTIONS)
    Path("d.txt").write_text("0.5\n")
    Path("scan.yaml").write_text(f"model:\n  plugin: many.py\n  options: {{{options}}}\n")
    assert message in refusal()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "scan: {slope: {values: [0]}, offset: {values: [0, 2]}}",
            "scan.offset: 2 is outside the bounds of the parameter, [-1, 1]",
        ),
        ("scan: {slope: {values: [0]}}\nfix: {offset: -3}", "fix.offset: -3 is outside the bounds"),
        (
            "scan: {slope: {values: [0]}}\nfix: {slope: 0}",
            "2:14: fix.slope: slope is scanned as well; keep one of them",
        ),
        (
            "scan: {slope: {values: [0]}}\nfix: {ofset: 0}",
            "2:14: fix.ofset is not a parameter of the model; did you mean offset?",
        ),
        ("scan: {slop: {values: [0]}}", "1:8: scan.slop is not a parameter of the model; did you mean slope?"),
        ("scan: {slope: {values: [0]}}\nfix: {offset: x}", "fix.offset: expected a number, found the text 'x'"),
        ("scan: {slope: {values: [0]}}\nfix: [offset]", "fix: expected a mapping"),
        (
            "scan: {offset: {values: [0]}}",
            "the parameter slope: it is neither scanned nor fixed, so it is profiled: an infinite bound needs",
        ),
        ("", "the parameter slope: it is neither scanned nor fixed"),
    ],
)
def test_what_becomes_of_the_parameters_has_to_make_sense(folder, text, message):
    Path("scan.yaml").write_text(f"{text}\nmodel: line.py\n")
    assert message in refusal()


def test_any_parameter_is_scanned_fixed_or_profiled(folder):
    Path("scan.yaml").write_text("scan: {offset: {values: [0, 0.5]}}\nfix: {slope: 2}\nmodel: line.py:Line\n")
    config = read_checked("scan.yaml")
    model = build_model(config.model)
    assert ([p.name for p in model.axes], [p.name for p in model.parameters]) == (["offset"], [])
    assert model.predict(np.array([[0.5]]), np.empty((1, 0))).tolist() == [[0.5, 2.5]]
    assert identity(config)["fix.slope"] == "2.0"


def test_a_file_with_several_models_needs_a_name(folder):
    edit("class Line", "class Other(Model):\n    pass\n\n\nclass Line")
    edit("line.py:Line", "line.py", "scan.yaml")
    assert refusal() == "scan.yaml:4:11: line.py has 2 models (Other, Line); name one, as in file.py:ClassName"
