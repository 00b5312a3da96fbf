"""What makes two configurations the same scan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpcscan.config.read import parse_config
from hpcscan.config.validated import PluginSource
from hpcscan.output.identity import differences, identity

TEXT = """\
scan: {beta: {values: [3.0, 3.1]}, w: {values: [0.01]}}
model: {name: leptons, options: {eta: 0.03}}
fit: {starts: 4}
run: {chunk: 3}
output: out.nc
"""


def read(text=TEXT, *overrides):
    return parse_config(text, "scan.yaml", overrides)


def test_every_key_of_model_fit_and_answer_counts():
    keys = identity(read())
    assert {key.partition(".")[0] for key in keys} == {"model", "fit", "answer"}
    assert keys["model.name"] == "leptons"
    assert keys["model.options.eta"] == "0.03"
    assert keys["fit.starts"] == "4"
    assert {"fit.seed", "fit.method", "fit.max_iter", "fit.proof.boxes", "model.options.frame"} <= keys.keys()


@pytest.mark.parametrize(
    "override", ["output=other.nc", "run.chunk=7", "run.max_time=30m", "scan.w={values: [0.02]}", "fit.time_limit=5"]
)
def test_what_does_not_count(override):
    """Where and how it runs, how far the grid reaches, and how long a point may take."""
    assert differences(identity(read()), identity(read(TEXT, override))) == []


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("fit.seed=43", "fit.seed: 42 before, 43 now"),
        ("fit.starts={min: 2, max: 8}", "fit.starts"),
        ("fit.method=differential_evolution", 'fit.method: "multistart" before, "differential_evolution" now'),
        ("model.options.eta=0.04", "model.options.eta: 0.03 before, 0.04 now"),
        ("model.options.bounds.muon.U=[0.03, 0.2]", "model.options.bounds.muon.U: unset before, [0.03, 0.2] now"),
    ],
)
def test_what_counts_is_named_with_old_and_new(override, line):
    found = differences(identity(read()), identity(read(TEXT, override)))
    assert any(text.startswith(line) for text in found), found


PLUGIN = PluginSource("a/model.py", "Slow", "class Slow:\n    size = 1 + 2\n")


def of(plugin):
    config = read()
    return identity(replace(config, model=replace(config.model, name="Slow", plugin=plugin)))


def with_text(text):
    return replace(PLUGIN, text=text)


def test_a_plugin_counts_by_what_it_says():
    """Not by its place."""
    assert of(replace(PLUGIN, path="b/model.py")) == of(PLUGIN)
    (line,) = differences(of(PLUGIN), of(with_text("class Slow: pass\n")))
    assert line.startswith("model.plugin: Slow (source ")
    assert len(differences(of(PLUGIN), of(replace(PLUGIN, class_name="Fast")))) == 1
    assert len(differences(of(PLUGIN), identity(read()))) == 2


@pytest.mark.parametrize(
    "text", ["# Fast\n\nclass Slow:  # no\n\n\n    size = 1 + 2\n", "class Slow:\n  size = (1 +\n    2)"]
)
def test_comments_and_layout_of_a_plugin_do_not_count(text):
    assert of(with_text(text)) == of(PLUGIN)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = '1'"),
        ("x = None", "x = ()"),
        ("f()", "f(None)"),
        ("def f(): return", "def f(): return None"),
        ("a = b = c", "a = b, c"),
        ("{**a}", "{a: a}"),
        ("if a: pass\nelse: pass", "if a: pass\npass"),
        ("x[1:]", "x[:1]"),
        ("def f(a, /, b): pass", "def f(a, b): pass"),
    ],
)
def test_what_a_plugin_computes_counts(one, other):
    assert of(with_text(one)) != of(with_text(other))


def test_a_deep_source_counts_too():
    """A sum of many terms is a tree as deep as it is long."""
    text = "x = " + " + ".join(["a"] * 900)
    assert of(with_text(f"{text} # the same")) == of(with_text(text))
    assert of(with_text(f"{text} + b")) != of(with_text(text))


def test_modules_beside_a_plugin_count():
    """Those that it imports, with their names, in any order."""
    shapes, tools = ("shapes", "a/shapes.py", "SIDE = 2\n"), ("tools", "a/tools.py", "x = 1")
    both = replace(PLUGIN, modules=(shapes, tools))
    assert of(replace(PLUGIN, modules=(tools, shapes))) == of(both)
    assert of(replace(PLUGIN, modules=(("shapes", "b/shapes.py", "SIDE = 2  # cm\n"), tools))) == of(both)
    (line,) = differences(of(both), of(replace(PLUGIN, modules=(("shapes", "a/shapes.py", "SIDE = 3"), tools))))
    assert line.startswith("model.modules.shapes: source ")
    (line,) = differences(of(both), of(replace(PLUGIN, modules=(tools,))))
    assert line.endswith(", unset now")
