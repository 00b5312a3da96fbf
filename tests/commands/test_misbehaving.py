"""A few of the models that misbehave; `tests/stress/misbehaving.py` runs all, on more ranks."""

from __future__ import annotations

import pytest
from stress.misbehaving import run
from stress.unruly import CASES

ALONE = (
    "os._exit of posix",
    "os._exit between calls",
    "os._exit of a handler",
    "os._exit at exit",
    "os._exit at import",
    "sys.exit at start",
    "exit of C",
    "Py_Exit",
    "KeyboardInterrupt",
    "own BaseException",
    "RecursionError",
    "exception without text",
    "SystemExit of a thread",
    "blocks every signal, once",
    "Pool with a time limit",
    "child that stays",
    "thread that stays",
    "closes the streams",
    "clears the environment",
    "array that raises",
)
TOGETHER = ("os._exit(0)", "GeneratorExit", "Pool", "fork that returns", "thread that stays", "reads standard input")


@pytest.mark.parametrize("name", ALONE)
def test_a_model_that_misbehaves_on_one_rank(name, tmp_path):
    """The run ends in time, with the code that is true, and names the cause."""
    outcome = run(CASES[name], tmp_path, 1, None)
    assert outcome.wrong(CASES[name]) == "", outcome.text


@pytest.mark.parametrize("name", TOGETHER)
def test_a_model_that_misbehaves_on_several_ranks(name, launch, tmp_path):
    """With both MPIs."""
    outcome = run(CASES[name], tmp_path, 2, launch)
    assert outcome.wrong(CASES[name]) == "", outcome.text
