"""Text from files and models is shown, and obeyed by nothing."""

from __future__ import annotations

import csv
import io
import logging
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.commands.cli import main
from hpcscan.output.log import logging_to
from hpcscan.words.tables import Table, csv_text, facts, latex_text, table
from hpcscan.words.visible import csv_cell, html_text, on_one_line, visible

ANY = st.text(st.characters(exclude_categories=()), max_size=30)
OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def obeyed(text, but=""):
    return {c for c in text if unicodedata.category(c) in OBEYED and c not in but}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain β, χ² and 日本", "plain β, χ² and 日本"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m\x00\x7f", r"\x9b31m\x00\x7f"),
        ("a\u202eb\u2066c\u200b", r"a\u202eb\u2066c\u200b"),
        ("\ud83d \U000e0001", r"\ud83d \U000e0001"),
        ("\r\u2028", r"\r\u2028"),
        ("lines\n\tstay", "lines\n\tstay"),
    ],
)
def test_what_is_obeyed_is_shown(text, shown):
    assert visible(text) == shown


@given(ANY)
def test_nothing_that_is_obeyed_is_left(text):
    """And what is left can be written in UTF-8; once is enough."""
    assert obeyed(visible(text), "\n\t") == set()
    assert obeyed(on_one_line(text)) == set()
    assert visible(visible(text)) == visible(text)
    assert on_one_line(text).encode().decode() == on_one_line(text)
    assert on_one_line(visible(text)) == on_one_line(text)


@given(ANY)
def test_markup_is_text(text):
    """A browser reads the shown text, and no tag, in an element as in an attribute."""
    seen = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            seen.append((tag, dict(attrs)))

        def handle_data(self, data):
            seen.append(data)

    Reader().feed(f'<p title="{html_text(text)}">x</p>')
    assert seen == [("p", {"title": visible(text)}), "x"]
    seen.clear()
    reader = Reader(convert_charrefs=True)
    reader.feed(f"<p>{html_text(text)}</p>")
    reader.close()
    assert seen == [("p", {}), *([visible(text)] if text else [])]


@pytest.mark.parametrize("number", ["-1", "+1.5e-3", "-inf", "nan", "-0.25", "3"])
def test_a_number_is_a_number_in_csv(number):
    assert csv_cell(number) == number


@pytest.mark.parametrize("formula", ["=1+1", "+SUM(A1)", "-2+3", "@x", "\t=1", "\r=1", "−", "＝1"])
def test_a_formula_is_a_text_in_csv(formula):
    assert csv_cell(formula)[0] in "'−"
    assert csv_cell(formula).lstrip("'") == on_one_line(formula)


@given(ANY)
def test_no_cell_begins_like_a_formula(text):
    """Rows and columns stay what they are, too."""
    written = csv_text(Table("name", "caption", (text, "b"), ((text, text), ("1", text))))
    rows = list(csv.reader(io.StringIO(written)))
    assert [len(row) for row in rows] == [2, 2, 2]
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "@", "\t") or (cell[:1] in ("+", "-") and not number(cell))]
    assert obeyed(written, "\n") == set()


def number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


@given(ANY)
def test_tables_on_a_terminal_and_in_latex(text):
    one = Table("name", "caption", ("a", "b"), ((text, "1"),))
    assert obeyed(one.lines(), "\n") == set()
    assert obeyed(table(("a", "b"), ((text, "1"),)), "\n") == set()
    assert len(table(("a", "b"), ((text, "1"),)).split("\n")) == 2
    assert obeyed(latex_text(one), "\n") == set()
    assert obeyed(visible(facts([("name", text)])), "\n\t") == set()


def test_messages_are_shown_too(capsys, tmp_path):
    """Whatever is named in them; in a log as on a terminal, where every line has its time."""
    assert main(["check", "a\x1b[2Jb\u202e.nc"]) == 2
    assert capsys.readouterr().err.startswith(r"a\x1b[2Jb\u202e.nc: does not exist")
    with logging_to(tmp_path / "log"):
        logging.getLogger("hpcscan").warning("one \x1b[31m\x85\u2028two\nthree")
    first, second = (tmp_path / "log").read_text().splitlines()
    assert first.partition(" ")[2] == r"one \x1b[31m\x85\u2028two"
    assert second.partition(" ")[2] == "three"
