"""A configuration is read completely, or every mistake in it is named with its place."""

# ruff: noqa: E501  (tables: one case per line)

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcscan.config.keys import options_of
from hpcscan.config.read import MAX_MISTAKES, parse_config, read_config
from hpcscan.errors import UsageError
from hpcscan.models.leptons.model import LeptonModel
from hpcscan.settings import FitSettings, StartRange

GOOD = """\
scan:
  w: {min: 0.005, max: 0.05, points: 10, spacing: log}
  beta: {values: [2.95, 3, 3.1]}
model:
  name: leptons
  options:
    bounds: {muon.U: [0.03, 0.2]}
    masses: {muon: 105.66}
fit: {starts: 8, seed: 7}
"""


def mistakes_of(text: str, *overrides: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        parse_config(text, "c.yaml", overrides)
    return [str(mistake) for mistake in caught.value.mistakes]


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def test_what_is_written_and_what_is_left_out():
    config = parse_config(GOOD, "some/where.yaml")
    assert [axis.name for axis in config.grid.axes] == ["w", "beta"]
    assert config.grid.shape == (10, 3)
    assert config.grid.axes[0].values[::9] == (0.005, 0.05)
    assert config.grid.axes[1].values == (2.95, 3.0, 3.1)
    assert config.fit == FitSettings(starts=8, seed=7)
    assert config.points_per_chunk is None
    assert config.output == "results/where.nc"
    assert config.model.name == "leptons"
    assert config.model.plugin is None


def test_options_are_complete_and_by_name_kinds_keep_the_other_defaults():
    options = parse_config(GOOD, "c.yaml").model.options
    assert list(options) == [option.name for option in options_of(LeptonModel)]
    assert options["masses"] == {"electron": 0.511, "muon": 105.66, "tau": 1776.8}
    assert options["bounds"] == {"muon.U": (0.03, 0.2)}
    assert options["box"] == "widened"


def test_an_empty_section_is_as_good_as_none():
    text = GOOD.replace("fit: {starts: 8, seed: 7}", "fit:\nrun: {}\noutput:")
    assert parse_config(text, "c.yaml").fit == FitSettings()


def test_numbers_are_read_as_people_write_them():
    config = parse_config(changed("min: 0.005", "min: 5e-3").replace("starts: 8", "starts: 1e2"), "c.yaml")
    assert config.grid.axes[0].values[0] == 0.005
    assert config.fit.starts == 100


def test_axis_values_have_12_digits_and_no_negative_zero():
    text = changed("{values: [2.95, 3, 3.1]}", "{values: [-0.0, 0.1234567890123456789]}")
    values = parse_config(text, "c.yaml").grid.axes[1].values
    assert [str(value) for value in values] == ["0.0", "0.123456789012"]


def test_a_line_through_zero_has_an_exact_zero(folder):
    Path("scan.yaml").write_text(
        Path("scan.yaml").read_text().replace("min: 0, max: 1, points: 3", "min: -0.3, max: 0.3, points: 7")
    )
    assert read_config("scan.yaml").grid.axes[0].values == (-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3)


RANGE = "{min: 0.005, max: 0.05, points: 10, spacing: log}"
LIST = "{values: [2.95, 3, 3.1]}"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        # Names
        (changed("starts: 8", "start: 8"), "9:7", "fit.start is not a known key; did you mean fit.starts?"),
        (GOOD + "starts: 8\n", "10:1", "starts is not a known key; did you mean fit.starts?"),
        (GOOD + "qqq: 8\n", "10:1", "qqq is not a known key; known here: answer, fit, fix, gate, model, output, report, run, scan"),
        (GOOD + "qreport: {}\n", "10:1", "qreport is not a known key"),
        (changed("spacing: log", "spaces: log"), "2:42", "scan.w.spaces is not a known key; did you mean scan.w.spacing?"),
        (changed("    masses", "    mases"), "8:5", "did you mean model.options.masses?"),
        (changed("{muon.U", "{myon.U"), "7:14", "model.options.bounds.myon.U is not a known name; did you mean muon.U?"),
        (changed("seed: 7", "starts: 9"), "9:18", "duplicate key starts, first at c.yaml:9:7"),
        (changed("  beta:", "  bta:"), "3:3", "scan.bta is not a parameter of the model; did you mean beta?"),
        (changed("  beta:", "  a.b:"), "3:3", "scan.a.b is not a parameter of the model"),
        (changed("name: leptons", "name: lepton"), "5:9", "'lepton' is not a built-in model; did you mean leptons?"),
        # Types
        (changed("starts: 8", "starts: '8'"), "9:15", "fit.starts: expected auto or a whole number, found the text '8'; remove the quotes"),
        (changed("starts: 8", "starts: true"), "9:15", "found true (true or false)"),
        (changed("starts: 8", "starts: 8.5"), "9:15", "found the number 8.5"),
        (changed("starts: 8", "starts: 0"), "9:15", "found the number 0"),
        (changed("starts: 8", "starts: -1"), "9:15", "found the number -1"),
        (changed("starts: 8", "starts: [8]"), "9:15", "found a list"),
        (changed("starts: 8", "starts: {min: 4}"), "9:15", "found a mapping"),
        (changed("starts: 8", "starts: "), "9:14", "found nothing (null)"),
        (changed("seed: 7", "seed: -1"), "9:24", "whole number from 0"),
        (changed("seed: 7", "seed: 1" + "0" * 400), "9:24", "found the number 1000"),
        (changed("seed: 7", "seed: 9223372036854775808"), "9:24", "whole number from 0"),
        (changed("seed: 7", "max_iter: 0"), "9:28", "fit.max_iter"),
        (changed("seed: 7", "method: multi"), "9:26", "fit.method: 'multi' is not a choice; did you mean multistart?"),
        (changed("seed: 7", "method: 1"), "9:26", "expected multistart or differential_evolution, found the number 1"),
        (GOOD + "run: {chunk: many}\n", "10:14", "run.chunk: expected auto or a whole number, found the text 'many'"),
        (GOOD + "run: {chunk: 0}\n", "10:14", "run.chunk"),
        (GOOD + "run: [1]\n", "10:6", "run: expected a mapping with chunk, max_time, found a list"),
        (GOOD + "output: 3\n", "10:9", "output: expected text on one line, found the number 3"),
        (GOOD + "output: results/\n", "10:9", "expected the name of a file"),
        (GOOD + "output: ''\n", "10:9", "found the text ''"),
        (changed("min: 0.005", "min: '0.005'"), "2:12", "scan.w.min: expected a number, found the text '0.005'; remove the quotes"),
        (changed("min: 0.005", "min: 0,005"), "2:14", "005 is not a name"),
        (changed("min: 0.005", "min: yes"), "2:12", "found the text 'yes'"),
        (changed("min: 0.005", "min: true"), "2:12", "expected a number, found true (true or false)"),
        (changed(RANGE, "0.02"), "2:6", "scan.w: expected a mapping with max, min, points, spacing, values, found the number 0.02"),
        (changed("masses: {muon: 105.66}", "masses: 3"), "8:13", "expected a mapping of names"),
        (changed("masses: {muon: 105.66}", "sigma: {muon: x}"), "8:19", "model.options.sigma.muon: expected a number"),
        (changed("masses: {muon: 105.66}", "eta: x"), "8:10", "model.options.eta: expected a number, found the text 'x'"),
        (changed("masses: {muon: 105.66}", "box: wide"), "8:10", "'wide' is not a choice; did you mean widened?"),
        (changed("[0.03, 0.2]", "[0.03]"), "7:22", "model.options.bounds.muon.U: expected [lower, upper]"),
        (changed("[0.03, 0.2]", "[0.3, 0.2]"), "7:22", "(0.3, 0.2): the lower bound is above the upper; swap them"),
        (changed("[0.03, 0.2]", "[0.03, b]"), "7:29", "expected a number"),
        # Numbers that are none
        (changed("min: 0.005", "min: .nan"), "2:12", "expected a finite number, found the number .nan"),
        (changed("min: 0.005", "min: -.inf"), "2:12", "expected a finite number"),
        (changed("max: 0.05", "max: 1e999"), "2:24", "expected a finite number, found the number 1e999"),
        (changed("max: 0.05", "max: 1" + "0" * 400), "2:24", "expected a finite number"),
        (changed("[0.03, 0.2]", "[0.03, .inf]"), "7:29", "expected a finite number"),
        # Axes
        (changed("min: 0.005", "min: 0.06"), "2:12", "scan.w.min: min 0.06 is above max 0.05; swap them"),
        (changed("points: 10", "points: 0"), "2:38", "scan.w.points: expected a whole number from 1 to 1000000"),
        (changed("points: 10", "points: -3"), "2:38", "found the number -3"),
        (changed("points: 10", "points: 1" + "0" * 30), "2:38", "scan.w.points"),
        (changed("points: 10", "points: 1"), "2:38", "use values: [...]"),
        (changed("min: 0.005", "min: 0.05"), "2:37", "min and max are both 0.05, which is one point, not 10"),
        (changed("min: 0.005", "min: 0"), "2:12", "log spacing needs min above 0"),
        (changed("spacing: log", "spacing: lgo"), "2:51", "'lgo' is not a choice; did you mean log?"),
        (changed(RANGE, "{min: 1, max: 1.00000000001, points: 1000}"), "2:43", "not distinct"),
        (changed(RANGE, "{min: -1e308, max: 1e308, points: 9}"), "2:40", "finite"),
        (changed(RANGE, "{min: 0.01, max: 0.02}"), "2:3", "points missing; give min, max and points, or values"),
        (changed(RANGE, "{spacing: log}"), "2:3", "min, max, points missing"),
        (changed(RANGE, "{}"), "2:3", "min, max, points missing"),
        (changed(RANGE, ""), "2:3", "min, max, points missing"),
        (changed(LIST, "{values: [1], min: 1}"), "3:18", "values cannot be combined with min; keep one of them"),
        (changed(LIST, "{values: [1], spacing: log}"), "3:18", "values cannot be combined with spacing"),
        (changed(LIST, "{values: []}"), "3:18", "the list is empty"),
        (changed(LIST, "{values: 3}"), "3:18", "expected a list of numbers, found the number 3"),
        (changed(LIST, "{values: [1, x]}"), "3:22", "scan.beta.values.1: expected a number, found the text 'x'"),
        (changed(LIST, "{values: [1, 3, 2]}"), "3:25", "2.0 comes after 3.0; write the values in increasing order"),
        (changed(LIST, "{values: [1, 2, 2]}"), "3:25", "2.0 is there twice"),
        (changed(LIST, "{values: [1, 2, 2.0000000000001]}"), "3:25", "2.0 is there twice, to 12 digits"),
        # What only the model knows
        (changed("min: 0.005", "min: -0.005").replace("spacing: log", "spacing: linear"), "2:3", "scan.w reaches -0.005"),
        (changed("masses: {muon: 105.66}", "eta: -1"), "8:10", "model.options.eta is -1"),
        (changed("masses: {muon: 105.66}", "sigma: {tau: 0}"), "8:18", "model.options.sigma.tau is 0"),
        (changed("masses: {muon: 105.66}", "masses: {tau: 0}"), "8:19", "model.options.masses.tau is 0"),
        (changed("masses: {muon: 105.66}", "r_max: 0.4"), "7:5", "model.options.bounds.electron.R_c (0.5, 1.5)"),
        (changed("{muon.U: [0.03, 0.2]}", "{muon.A: [0.5, 1.2]}"), "7:22", "model.options.bounds.muon.A"),
        (changed("masses: {muon: 105.66}", "eta: -1").replace("starts: 8", "starts: x"), "8:10", "model.options.eta is -1"),
        (changed("min: 0.005", "min: -0.005").replace("log", "linear").replace("seed: 7", "seed: x"), "2:3", "scan.w reaches"),
        (changed("max: 0.05, points: 10", "max: 0.001, points: 0"), "2:12", "min 0.005 is above max 0.001"),
        # Whole sections
        ("model: {name: leptons}\n", "1:1", "the parameter beta: it is neither scanned nor fixed, so it is profiled: an infinite"),
        ("scan: {}\nmodel: {name: leptons}\n", "1:1", "the parameter w: it is neither scanned nor fixed"),
        ("scan: 3\nmodel: {name: leptons}\n", "1:7", "scan: expected a mapping"),
        (GOOD.partition("model:")[0], "1:1", "model needs a name, such as leptons, or a plugin"),
        (changed("  name: leptons\n", ""), "4:1", "model needs a name, such as leptons, or a plugin"),
        (changed("name: leptons", "name: 3"), "5:9", "model.name: expected text on one line, found the number 3"),
        (changed("name: leptons", "name: leptons\n  plugin: a.py:B"), "6:11", "model has both name and plugin; keep one"),
        ("just text\n", "1:1", "expected a mapping with scan, fix, model, fit, answer, toys, run, report, gate, output, found the text 'just text'"),
        ("- a\n", "1:1", "found a list"),
        ("", "1:1", "nothing is written here; expected a configuration, such as scan, model and output"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place_and_a_way_out(text, place, words):
    mistakes = mistakes_of(text)
    found = [mistake for mistake in mistakes if mistake.startswith(f"c.yaml:{place}: ")]
    assert any(words in mistake for mistake in found), mistakes


def test_a_model_may_be_a_name_alone():
    short = GOOD.partition("model:")[0] + "model: leptons\n"
    assert parse_config(short, "c.yaml").model.name == "leptons"
    [mistake] = mistakes_of(short.replace("leptons", "lepton"))
    assert mistake.startswith("c.yaml:4:8: model.name: 'lepton' is not a built-in model; did you mean leptons?")


def test_a_model_section_that_is_no_section_is_one_mistake():
    assert mistakes_of(GOOD.partition("model:")[0] + "model: 3\n") == [
        "c.yaml:4:8: model: expected a mapping with name, options, plugin, rows_per_call, found the number 3"
    ]


def test_sections_for_anchors_and_merge_keys():
    """What is written beside a merge key comes first, and the first of several merged mappings next."""
    text = """\
x-axis: &axis {min: 3.0, max: 3.2, points: 5}
x-more: &more {points: 9, spacing: log}
scan:
  beta: {<<: [*axis, *more], max: 3.4}
  w: {<<: *axis, min: 0.01, max: 0.02}
model: leptons
"""
    config = parse_config(text, "c.yaml")
    np.testing.assert_allclose(config.grid.axes[0].values, np.geomspace(3.0, 3.4, 5))
    assert config.grid.axes[1].values == (0.01, 0.0125, 0.015, 0.0175, 0.02)
    wrong = mistakes_of(text.replace("<<: *axis, min", "<<: 3, min"))
    assert "c.yaml:5:11: << merges a mapping, or a list of them" in wrong


def test_a_scan_section_that_is_no_section_is_one_mistake():
    assert len(mistakes_of("scan: [1]\nmodel: {name: leptons}\n")) == 1


def test_every_mistake_is_named_at_once_in_the_order_of_the_file():
    text = """\
scan:
  w: {min: 2, max: 1, points: 3}
  bta: {min: 1, max: x, points: 0}
model: {name: leptons, options: {eta: off, box: wide}}
fit: {start: 3, seed: -1}
fit: {}
"""
    places = [mistake.split(" ")[0] for mistake in mistakes_of(text, "run.chnk=1")]
    assert places == [
        "c.yaml:2:12:", "c.yaml:3:3:", "c.yaml:3:22:", "c.yaml:3:33:",
        "c.yaml:4:39:", "c.yaml:4:49:", "c.yaml:5:7:", "c.yaml:5:23:", "c.yaml:6:1:", "--set",
    ]  # fmt: skip


def test_a_flood_of_mistakes_is_cut():
    mistakes = mistakes_of(changed("[2.95, 3, 3.1]", str(["x"] * 1000)))
    assert len(mistakes) == MAX_MISTAKES + 1
    assert mistakes[-1] == f"… and {1000 - MAX_MISTAKES} more mistakes"


def test_the_grid_is_counted_before_it_is_made(folder):
    plugin = (
        Path("line.py")
        .read_text()
        .replace('Parameter("slope")', '*(Parameter(name) for name in "abc")')
        .replace("slope, offset", "offset, **slope")
    )
    Path("line.py").write_text(plugin)
    axis = "{min: 0, max: 1, points: 1000000}"
    text = f"scan: {{a: {axis}, b: {axis}, c: {axis}}}\nmodel: {{plugin: line.py:Line}}\n"
    [mistake] = mistakes_of(text)
    assert (
        mistake == "c.yaml:1:1: scan: 1000000 (a) × 1000000 (b) × 1000000 (c) points; at most 1000000000 are possible"
    )


def test_a_thousand_axes_are_not_multiplied_out():
    axes = ", ".join(f"a{i}: {{min: 0, max: 1, points: 1000000}}" for i in range(1000))
    mistakes = mistakes_of(f"scan: {{{axes}}}\nmodel: {{name: leptons}}\n")
    assert mistakes[0].startswith("c.yaml:1:1: scan: 1000000 (a0) × 1000000 (a1)")


def test_an_override_replaces_one_key():
    config = parse_config(GOOD, "c.yaml", ["fit.starts=1e1", "scan.w.points=4", "run.chunk=3", "output=a b.nc"])
    assert (config.fit.starts, config.fit.seed, config.run.chunk, config.output) == (10, 7, 3, "a b.nc")
    assert config.grid.shape == (4, 3)


def test_an_override_reaches_names_with_dots():
    config = parse_config(GOOD, "c.yaml", ["model.options.bounds.tau.U=[0.1, 0.2]"])
    assert config.model.options["bounds"] == {"muon.U": (0.03, 0.2), "tau.U": (0.1, 0.2)}


def test_an_override_may_bring_a_whole_section():
    config = parse_config(GOOD, "c.yaml", ["scan.w={values: [0.02]}", "fit={max_iter: 5}"])
    assert config.grid.axes[0].values == (0.02,)
    assert config.fit == FitSettings(max_iter=5)


def test_starts_may_be_a_range():
    config = parse_config(GOOD, "c.yaml", ["fit.starts={min: 4, max: 64}", "fit.proof=false"])
    assert config.fit.starts == StartRange(4, 64)
    assert not config.fit.proof
    assert parse_config(config.resolved, "c.yaml") == config


def test_the_later_override_wins():
    assert parse_config(GOOD, "c.yaml", ["fit.seed=1", "fit.seed=2"]).fit.seed == 2


def test_the_output_option_replaces_the_key():
    assert parse_config(GOOD + "output: a.nc\n", "c.yaml", [], "-strange: [name.nc").output == "-strange: [name.nc"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fit.start=3", "--set fit.start=…: fit.start is not a known key; did you mean fit.starts?"),
        ("fit.starts=x", "--set fit.starts=…: fit.starts: expected auto or a whole number, found the text 'x'"),
        ("fit.starts=", "--set fit.starts=…: fit.starts: expected a whole number from 1 to 1000000, found nothing (null)"),
        ("fit.starts=[1", "--set fit.starts=…: this is not valid YAML"),
        ("fit.starts", "--set fit.starts: expected KEY=VALUE, such as fit.starts=32"),
        ("=3", "--set =3: expected KEY=VALUE"),
        ("fit..starts=3", "--set fit..starts=3: expected KEY=VALUE"),
        ("fit.starts.x=3", "--set fit.starts.x=…: fit.starts: expected a whole number"),
        ("fit=3", "--set fit=…: fit: expected a mapping with fresh_starts, max_iter, method, precision, proof, repair_waves, seed, starts, time_limit, found the number 3"),
        ("fit.starts={min: 8, max: 4}", "--set fit.starts=…: fit.starts: min 8 is above max 4; swap them"),
        ("fit.starts={min: 8}", "--set fit.starts=…: fit.starts: expected a whole number, {min: …, max: …} or auto"),
        ("fit.starts={min: 0, max: 4}", "--set fit.starts=…: fit.starts.min: expected a whole number from 1"),
        ("fit.precision=1.5", "--set fit.precision=…: fit.precision: expected a number from 0 to 1, found the number 1.5"),
        ("fit.proof=1", "--set fit.proof=…: fit.proof: expected {boxes: …} or false, found the number 1"),
        ("fit.repair_waves=-1", "--set fit.repair_waves=…: fit.repair_waves: expected a whole number from 0"),
        ("a" + ".a" * 9999 + "=3", "--set a.a.a.a"),
        ("a\x1bb=3", "--set 'a\\x1bb=3': expected KEY=VALUE"),
        ("model.options.bounds.tau.U=[2, 1]", "--set model.options.bounds.tau.U=…: model.options.bounds.tau.U (2, 1): the lower bound is above"),
        ("scan.w.min=1", "--set scan.w.min=…: scan.w.min: min 1.0 is above max 0.05"),
        ("scan.v.min=1", "--set scan.v.min=…: scan.v is not a parameter of the model"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_blamed_on_its_option(override, message):
    assert any(mistake.startswith(message) for mistake in mistakes_of(GOOD, override)), mistakes_of(GOOD, override)


@given(st.sampled_from(["fit.starts", "scan.w", "model", "model.options.bounds.muon.U", ""]), st.text(max_size=30))
@settings(deadline=None)
def test_no_override_ends_in_another_exception(name, text):
    for override in (text, f"{name}={text}", f"{name}.{text}"):
        try:
            parse_config(GOOD, "c.yaml", [override])
        except UsageError as error:
            assert all(mistake.message.isprintable() for mistake in error.mistakes)


def test_a_wrong_output_option_is_blamed_on_it():
    with pytest.raises(UsageError, match=r"^-o: output: expected the name of a file"):
        parse_config(GOOD, "c.yaml", [], "results/")


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path):
    cases = {
        "missing.yaml": "No such file",
        ".": "directory",
        "bytes.yaml": "byte 0xff is not UTF-8",
        "nul\0.yaml": "null byte",
        "result.nc": "is a netCDF file",
        "huge.yaml": "larger than",
    }
    (tmp_path / "bytes.yaml").write_bytes("a: 1\nbé: ".encode() + b"\xff\n")
    (tmp_path / "result.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(2**30)
    for name, words in cases.items():
        with pytest.raises(UsageError, match=words):
            read_config(str(tmp_path / name))
    with pytest.raises(UsageError, match=r"bytes\.yaml:2:5: "):
        read_config(str(tmp_path / "bytes.yaml"))


def test_an_unreadable_file_is_a_mistake(tmp_path, monkeypatch):
    """Root reads everything, so the refusal is played."""
    path = tmp_path / "secret.yaml"
    path.write_text(GOOD)

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match="Permission denied"):
        read_config(str(path))


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_config(str(path)).grid.shape == (10, 3)


def test_reading_a_configuration_loads_no_heavy_library():
    code = f"""
import sys
from hpcscan.config.read import parse_config
from hpcscan.commands.keys_listing import describe_keys
parse_config({GOOD!r}, "c.yaml"), describe_keys("leptons")
print(sorted({{"mpi4py", "scipy", "netCDF4", "matplotlib"}} & set(sys.modules)))
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
