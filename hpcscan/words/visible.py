"""Text from files and models where it leaves the program: what a terminal or a browser would obey is shown instead."""

from __future__ import annotations

import unicodedata
from html import escape

#: Control and format characters (escape sequences, bidi overrides, no width), lone surrogates, separators of lines.
_OBEYED = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_LINES = frozenset("\n\t")
#: A cell that begins with one of these is read as a formula by some spreadsheet.
_FORMULA = frozenset("=+-@\t\r＝＋－＠")
_SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}


def visible(text: str) -> str:
    r"""Write control characters as escapes such as ``\x1b``; lines and tabs stay."""
    return text if _is_plain(text) else "".join(c if c in _LINES else _shown(c) for c in text)


def on_one_line(text: str) -> str:
    """Write control characters as escapes, also ends of lines and tabs: for a name, a cell, a value."""
    return text if text.isprintable() else "".join(map(_shown, text))


def html_text(text: str) -> str:
    """Escape a text for HTML, between tags and in attributes."""
    return escape(visible(text))


def csv_cell(text: str) -> str:
    """Write a cell that no spreadsheet takes for a formula: with an apostrophe in front, unless it is a number."""
    is_formula = text[:1] in _FORMULA and not _is_number(text)
    return f"'{on_one_line(text)}" if is_formula else on_one_line(text)


def _is_plain(text: str) -> bool:
    return text.isprintable() or all(part.isprintable() for part in text.split("\n"))


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _OBEYED:
        return character
    if ord(character) > 0xFF:
        return character.encode("ascii", "backslashreplace").decode("ascii")
    return _SHORT.get(character, f"\\x{ord(character):02x}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
