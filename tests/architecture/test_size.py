"""Files and functions that fit into a head."""

import ast

from architecture.sources import Source, offenders

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60


def too_long(source: Source) -> set[str]:
    """Names of functions that are too long, and of the file itself if it is."""
    functions = [node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = {f.name for f in functions if (f.end_lineno or 0) - f.lineno + 1 >= MOST_LINES_OF_A_FUNCTION}
    return long | ({"the file"} if len(source.text.splitlines()) >= MOST_LINES_OF_A_FILE else set())


def test_files_and_functions_are_short():
    assert offenders(too_long) == {}


def test_what_is_too_long_is_seen():
    text = "def f():\n" + "    x = 1\n" * 58
    assert too_long(Source("a", text)) == set()
    assert too_long(Source("a", f"{text}    x = 1\n")) == {"f"}
    assert too_long(Source("a", "x = 1\n" * 400)) == {"the file"}
