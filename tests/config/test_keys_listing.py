"""`hpcscan keys` shows every key, within 100 columns."""

import re

import pytest

from hpcscan.commands.keys_listing import describe_keys, markdown_keys
from hpcscan.config.keys import options_of, split_name
from hpcscan.errors import UsageError
from hpcscan.models.leptons.model import LeptonModel
from hpcscan.settings import SETTINGS
from hpcscan.words.tables import fitted_lines


@pytest.mark.parametrize("model", [None, "leptons"])
def test_every_key_has_a_line_of_at_most_100_columns(model):
    lines = describe_keys(model).split("\n")
    starts = [line.split(" ")[0] for line in lines]
    assert {key.name for key in SETTINGS} <= set(starts)
    assert max(map(len, lines)) <= 100


def test_a_model_shows_its_options_parameters_and_terms():
    text = describe_keys("leptons")
    model = LeptonModel()
    starts = [line.split(" ")[0] for line in text.split("\n")]
    for names in (model.parameters, model.data):
        assert {item.name for item in names} <= set(starts)
    assert {f"model.options.{option.name}" for option in options_of(LeptonModel)} <= set(starts)
    assert "muon.U        0.02   0.2    model velocity" in text


def test_a_plugin_is_described(folder):
    text = describe_keys("line.py:Line")
    assert "Model: a straight line" in text
    assert "model.options.shift" in text
    assert "offset     -1     1" in text
    assert describe_keys("line.py") == text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lepton", "model.name: 'lepton' is not a built-in model; did you mean leptons?"),
        ("none.py:Line", "cannot read none.py: No such file or directory"),
        ("line.py:Lin", "line.py has no class Lin; did you mean Line?"),
        ("", "model.name: '' is not a built-in model"),
    ],
)
def test_a_model_that_is_not_there_is_a_mistake_without_a_place(folder, name, message):
    with pytest.raises(UsageError) as caught:
        describe_keys(name)
    assert str(caught.value).startswith(message)


def test_a_table_wraps_long_cells_and_keeps_words():
    rows = [("a", "b"), ("x" * 30, "one two " * 20)]
    lines = fitted_lines(rows)
    assert max(map(len, lines)) <= 100
    assert " ".join(lines).split().count("two") == 20


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("fit.starts", ("fit", "starts")),
        ("model.options.bounds.muon.U", ("model", "options", "bounds", "muon.U")),
        ("model.options.bounds", ("model", "options", "bounds")),
        ("model.options", ("model", "options")),
        ("scan.muon.U.points", ("scan", "muon.U", "points")),
        ("fix.muon.U", ("fix", "muon.U")),
        ("gate.minimum.muon.U", ("gate", "minimum", "muon.U")),
        ("scan.w", ("scan", "w")),
        ("no.such.key", ("no", "such", "key")),
        ("output", ("output",)),
    ],
)
def test_a_dotted_key_is_a_path_whose_last_name_may_have_dots(name, path):
    assert split_name(name) == path


def test_the_table_in_markdown_has_the_cells_of_every_setting():
    """What is inside a cell does not end it."""
    header, rule, *rows = markdown_keys().split("\n")
    cells = [re.split(r"(?<!\\)\|", row)[1:-1] for row in (header, rule, *rows)]
    assert {len(row) for row in cells} == {5}
    assert [row[0].strip() for row in cells[2:]] == [f"`{key.name}`" for key in SETTINGS]
    assert [row[4].strip().replace("\\", "") for row in cells[2:]] == [key.meaning for key in SETTINGS]
