"""YAML text becomes a tree with places; whatever is wrong is a mistake with a place."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.config.composing import MAX_DEPTH, compose
from hpcscan.config.nodes import Node, resolve_plain
from hpcscan.errors import Mistake, UsageError


def read(text: str) -> tuple[Node, list[Mistake]]:
    mistakes: list[Mistake] = []
    return compose(text, lambda line, column: f"{line}:{column}", mistakes), mistakes


def first_mistake(text: str) -> str:
    try:
        _, mistakes = read(text)
    except UsageError as error:
        mistakes = list(error.mistakes)
    return str(mistakes[0])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_prints_is_read_back_exactly(value):
    assert resolve_plain(repr(value)) == value
    assert resolve_plain(f"{value:.17e}") == value


@given(st.integers(-(10**30), 10**30))
def test_integers_stay_integers(value):
    assert resolve_plain(str(value)) == value
    assert isinstance(resolve_plain(str(value)), int)


@given(st.text(max_size=12))
def test_any_text_resolves_to_some_scalar(text):
    value = resolve_plain(text)
    assert value is None or isinstance(value, str | bool | int | float)
    if isinstance(value, str):
        assert value == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1.0e5", 1e5),
        ("1e5", 1e5),
        ("1.", 1.0),
        (".5", 0.5),
        ("+3", 3),
        ("0x1F", 31),
        ("0o17", 15),
        ("010", 10),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("1e999", math.inf),
        ("true", True),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("Null", None),
    ],
)
def test_the_core_schema_of_yaml_1_2(text, value):
    assert resolve_plain(text) == value
    assert type(resolve_plain(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["off", "yes", "on", "n", "1:30", "1_000", "1,5", "inf", "nan", "0b1", "1e", "٣", "--1"]
)
def test_what_only_looks_like_a_number_or_a_switch_is_text(text):
    assert resolve_plain(text) == text


def test_not_a_number_is_a_float():
    assert math.isnan(resolve_plain(".nan"))


def test_quoted_scalars_are_always_text():
    node, mistakes = read("[\"1\", 'true', \"\", '~']")
    assert [item.value for item in node.value] == ["1", "true", "", "~"]
    assert not mistakes


def test_places_count_from_one_and_point_at_key_and_value():
    node, _ = read("a: 1\nbb:\n  c: [x, yy]\n")
    bb = node.entries["bb"]
    assert (bb.key_where, bb.entries["c"].key_where) == ("2:1", "3:3")
    assert [item.where for item in bb.entries["c"].value] == ["3:7", "3:10"]


def test_an_alias_has_the_value_of_its_anchor_and_its_own_place():
    node, mistakes = read("a: &x {b: 1}\nc: *x\n")
    assert node.entries["c"].entries["b"].value == 1
    assert node.entries["c"].where == "2:4"
    assert not mistakes


BOMB = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "start", "words"),
    [
        ("a: 1\na: 2\n", "2:1:", "duplicate key a, first at 1:1"),
        ("x: {b: 1, 'b': 2}", "1:11:", "duplicate key b, first at 1:5"),
        ("1: a\n", "1:1:", "1 is not a name"),
        ("true: a\n", "1:1:", "true is not a name"),
        ("? [a]\n: b\n", "1:3:", "not a name"),
        ("'': b\n", "1:1:", "1 to 200 characters"),
        ("a: &x [*x]\n", "1:8:", "contains itself"),
        ("a: *nowhere\n", "1:4:", "no anchor"),
        (BOMB, "6:", "entries, aliases included"),
        ("a: 1\n---\nb: 2\n", "2:1:", "second document"),
        ("a: 1\n--- b\n", "2:1:", "second document"),
        ("a: !!python/object:os.system x\n", "1:4:", "tag"),
        ("a: !!str 1\n", "1:4:", "tag"),
        ("a: ! 1\n", "1:4:", "tag"),
        ("a: [1, 2\nb: 3\n", "2:2:", "not valid YAML"),
        ("a: 'x\n", "2:1:", "not valid YAML"),
        ("a: 1\n\tb: 2\n", "2:1:", "not valid YAML"),
        ("a: b: c\n", "1:5:", "not valid YAML"),
        ("a: {b: 1}}\n", "1:10:", "not valid YAML"),
        ("%YAML 9.9\n---\na: 1\n", "1:1:", "not valid YAML"),
        ('a: "\\UFFFFFFFF"\n', "1:1:", "not valid YAML"),
        ("a: 1\nb: x\0y\n", "2:5:", "not allowed"),
        ("a: \x1b\n", "1:4:", "not allowed"),
        ('a: "\\e[31m"\n', "1:4:", "cannot be printed"),
        ('a: "\\ud800"\n', "1:4:", "cannot be printed"),
        ("a: |\n  b\n  c\n", "1:4:", "line breaks"),
        ("", "1:1:", "nothing is written"),
        ("# only a comment\n", "2:1:", "nothing is written"),
        ("a: " + "[" * 100_000, f"1:{4 + MAX_DEPTH}:", "nested deeper"),
        ("- " * 100_000 + "x", "1:", "nested deeper"),
        ("{a: " * 50_000, "1:", "nested deeper"),
    ],
)
def test_a_wrong_text_is_a_mistake_with_its_place(text, start, words):
    message = first_mistake(text)
    assert message.startswith(start)
    assert words in message
    assert message.isprintable()


def test_all_duplicates_are_named_at_once():
    _, mistakes = read("a: 1\na: 2\nb: 3\nb: 4\n2: 5\n")
    assert [mistake.where for mistake in mistakes] == ["2:1", "4:1", "5:1"]


def test_the_first_of_two_equal_keys_is_kept():
    node, _ = read("a: 1\na: 2\n")
    assert node.entries["a"].value == 1


def test_an_integer_of_a_million_digits_is_read_in_no_time():
    assert resolve_plain("9" * 1_000_000) == math.inf


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("a0-:'\" #"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", min_size=1), inner, max_size=3),
    max_leaves=10,
)


def plain(node: Node) -> object:
    if isinstance(node.value, tuple):
        return [plain(item) for item in node.value]
    if isinstance(node.value, dict):
        return {name: plain(item) for name, item in node.value.items()}
    return node.value


@given(JSON)
def test_json_is_read_as_json(value):
    node, mistakes = read(json.dumps(value))
    assert plain(node) == value
    assert not mistakes


@given(st.text(max_size=60))
def test_no_text_ends_in_another_exception(text):
    try:
        read(text)
    except UsageError as error:
        assert all(mistake.where and mistake.message.isprintable() for mistake in error.mistakes)


@given(st.text("[]{}:,-?&*!|>'\"%@`ab1.\n #~\\", max_size=40))
def test_no_heap_of_indicators_ends_in_another_exception(text):
    try:
        read(text)
    except UsageError as error:
        assert all(mistake.where for mistake in error.mistakes)
