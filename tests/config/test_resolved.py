"""The resolved text is complete and reads back as the same configuration; any other text is a `UsageError`."""

import pickle
from pathlib import Path

import pytest
import yaml
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from hpcscan.config.composing import compose
from hpcscan.config.nodes import yaml_text
from hpcscan.config.read import parse_config, read_config, stored_settings
from hpcscan.errors import UsageError
from hpcscan.settings import FitSettings, ReportSettings, RunSettings

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted(path.name for path in CONFIGS.glob("*.yaml"))

finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(1e-6, 1.0)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_configuration_reads_back_from_its_resolved_text(name):
    path = str(CONFIGS / name)
    config = read_config(path)
    assert parse_config(config.resolved, path) == config
    assert config.output == f"results/{name.replace('.yaml', '.nc')}"


def test_the_shipped_configurations_are_these():
    shapes = {name: read_config(str(CONFIGS / name)).grid.shape for name in SHIPPED}
    assert shapes == {
        "smoke.yaml": (4, 3), "sanity.yaml": (3, 3), "modest.yaml": (9, 6), "full.yaml": (16, 10),
        "published-bounds.yaml": (16, 10), "gradient-off.yaml": (16, 10), "electron-anchor.yaml": (16, 10),
        "beta-line.yaml": (9, 1), "w-line.yaml": (1, 6),
        "budget-50.yaml": (1, 1), "budget-100.yaml": (1, 1), "budget-200.yaml": (1, 1), "budget-500.yaml": (1, 1),
        "pendulum.yaml": (9, 10, 6), "sensitivity.yaml": (9, 6), "counting.yaml": (31,), "bounded-mean.yaml": (33,),
        "moments.yaml": (9, 3), "moments-authors.yaml": (9, 3),
    }  # fmt: skip


def test_the_comparison_runs_differ_from_the_published_box_in_one_option():
    published = read_config(str(CONFIGS / "published-bounds.yaml")).model.options
    changed = {"gradient-off": {"eta": 0.0}, "electron-anchor": {"mapping": "electron_anchor"}}
    for name in ("gradient-off", "electron-anchor", "beta-line", "w-line", "budget-50", "budget-500"):
        options = read_config(str(CONFIGS / f"{name}.yaml")).model.options
        assert options == {**published, **changed.get(name, {})}


def test_a_line_of_the_grid_is_the_same_as_in_the_reference():
    values = read_config(str(CONFIGS / "sanity.yaml")).grid.axes
    assert values[0].values == (3.0, 3.075, 3.15)
    assert values[1].values == (0.01, 0.0141421356237, 0.02)


def test_a_configuration_with_a_plugin_reads_back(folder):
    Path("sub").mkdir()
    Path("line.py").rename("sub/line.py")
    Path("scan.yaml").rename("sub/scan.yaml")
    config = read_config("sub/scan.yaml")
    assert config.model.plugin.path == "sub/line.py"
    assert 'plugin: "line.py:Line"' in config.resolved
    assert parse_config(config.resolved, "sub/other.yaml") == config
    assert pickle.loads(pickle.dumps(config)) == config


BOUNDS = st.dictionaries(
    st.sampled_from(["tau.U", "muon.A"]), st.tuples(positive, positive).map(lambda pair: tuple(sorted(pair)))
)


@given(
    ends=st.lists(st.floats(0, 1e12), min_size=2, max_size=2, unique=True),
    points=st.integers(2, 50), spacing=st.sampled_from(["linear", "log"]),
    ws=st.lists(positive, min_size=1, max_size=5, unique=True), seed=st.integers(0, 2**63 - 1),
    eta=st.floats(0, 1e12), bounds=BOUNDS,
    chunk=st.sampled_from(["auto", "1", "1e3"]),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_whatever_is_accepted_reads_back_equal(ends, points, spacing, ws, seed, eta, bounds, chunk):  # noqa: PLR0917
    options = yaml_text({"options": {"eta": eta, "bounds": bounds}}).replace("\n", "\n  ")
    text = f"""\
scan:
  beta: {{min: {min(ends)!r}, max: {max(ends)!r}, points: {points}, spacing: {spacing}}}
  w: {{values: {sorted(ws)}}}
model:
  name: leptons
  {options}
fit: {{seed: {seed}}}
run: {{chunk: {chunk}}}
"""
    try:
        config = parse_config(text, "c.yaml")
    except UsageError:
        reject()
    again = parse_config(config.resolved, "other.yaml")
    assert again == config
    assert again.resolved == config.resolved


SCALARS = st.none() | st.booleans() | st.integers() | finite | st.text().filter(str.isprintable)
NAMES = st.text(min_size=1, max_size=20).filter(str.isprintable)


@given(st.dictionaries(NAMES, st.dictionaries(NAMES, SCALARS | st.lists(SCALARS).map(tuple)) | SCALARS, min_size=1))
def test_the_writer_writes_what_the_reader_reads(tree):
    mistakes = []
    root = compose(yaml_text(tree), lambda line, column: f"{line}:{column}", mistakes)
    assert not mistakes
    assert plain(root) == tree


def plain(node):
    if isinstance(node.value, dict):
        return {name: plain(child) for name, child in node.value.items()}
    return tuple(map(plain, node.value)) if isinstance(node.value, tuple) else node.value


def test_other_yaml_readers_see_the_same_values():
    text = changed_output("yes")
    seen = yaml.safe_load(parse_config(text, "c.yaml").resolved)
    assert seen["model"]["options"]["sigma"] == 1e-5
    assert seen["output"] == "yes"
    assert seen["scan"]["w"]["min"] == 0.01


def changed_output(output: str) -> str:
    text = (CONFIGS / "smoke.yaml").read_text()
    return text.replace("results/smoke.nc", output).replace(
        "{name: leptons}", "{name: leptons, options: {sigma: 1e-5}}"
    )


@st.composite
def mutations(draw):
    """A shipped configuration with lines or characters deleted, doubled or replaced."""
    text = (CONFIGS / draw(st.sampled_from(SHIPPED))).read_text()
    # Small axes keep the test fast; points beyond the limit are tested elsewhere.
    for _ in range(draw(st.integers(1, 4))):
        by_line = draw(st.booleans())
        parts = text.splitlines(keepends=True) if by_line else list(text)
        if not parts:
            break
        i = draw(st.integers(0, len(parts) - 1))
        other = (
            draw(st.sampled_from(parts)) if by_line else draw(st.characters() | st.sampled_from("{}[]:,-.e0 \n'#&*!"))
        )
        parts[i : i + 1] = draw(st.sampled_from([[], [parts[i]] * 2, [other], [parts[i], other]]))
        text = "".join(parts)
    return text


@given(mutations())
@settings(max_examples=500, deadline=None)
def test_a_mutated_configuration_is_read_or_refused_but_never_crashes(text):
    try:
        config = parse_config(text, "c.yaml")
    except UsageError as error:
        assert all(m.where.startswith("c.yaml:") and m.message.isprintable() for m in error.mistakes)
    else:
        assert parse_config(config.resolved, "c.yaml") == config


def test_what_is_not_written_has_the_defaults_of_the_records():
    """The records, the reader and the judging of a result share one table."""
    config = parse_config("scan: {beta: {values: [3.0]}, w: {values: [0.01]}}\nmodel: {name: leptons}\n", "c.yaml")
    assert (config.fit, config.run) == (FitSettings(), RunSettings())
    assert stored_settings(config.resolved, ("beta", "w")) == ReportSettings()
