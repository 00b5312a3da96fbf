"""Tables line up."""

from hypothesis import given
from hypothesis import strategies as st

from hpcscan.words.tables import facts, table

cells = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=1, max_size=5)))
def test_every_cell_stands_in_its_column(rows):
    """The first column is flush left, the others flush right, two spaces apart."""
    lines = table(rows[0], rows[1:]).split("\n")
    assert [line.split() for line in lines] == rows
    ends = [2 * j - 2 + sum(max(len(row[k]) for row in rows) for k in range(j)) for j in range(2, len(rows[0]) + 1)]
    for line, row in zip(lines, rows, strict=True):
        assert line.startswith(row[0])
        assert all(line[:end].endswith(cell) for end, cell in zip(ends, row[1:], strict=True))


def test_an_empty_cell_at_the_end_leaves_no_trailing_space():
    assert table(("a", "unit"), [("1", ""), ("2", "m")]).split("\n") == ["a  unit", "1", "2     m"]


def test_facts_align_their_values():
    assert facts([("a", "1"), ("long name", "2")]) == "a          1\nlong name  2"
