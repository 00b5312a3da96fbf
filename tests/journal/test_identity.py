"""What makes two configurations the same scan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hpcscan.config.read import parse_config
from hpcscan.config.records import PluginSource
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


def test_every_key_of_model_and_fit_counts():
    keys = identity(read())
    assert {key.partition(".")[0] for key in keys} == {"model", "fit"}
    assert keys["model.name"] == "leptons"
    assert keys["model.options.eta"] == "0.03"
    assert keys["fit.starts"] == "4"
    assert {"fit.seed", "fit.method", "fit.max_iter", "fit.certify", "model.options.frame"} <= keys.keys()


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


def test_a_plugin_counts_by_its_text():
    """Not by its place."""
    plugin = PluginSource("a/model.py", "Slow", "class Slow: ...\n")
    config = read()

    def of(source):
        return identity(replace(config, model=replace(config.model, name="Slow", plugin=source)))

    assert of(replace(plugin, path="b/model.py")) == of(plugin)
    (line,) = differences(of(plugin), of(replace(plugin, text="class Slow: pass\n")))
    assert line.startswith("model.plugin: Slow (source ")
    assert len(differences(of(plugin), of(replace(plugin, class_name="Fast")))) == 1
    assert len(differences(of(plugin), identity(config))) == 2
