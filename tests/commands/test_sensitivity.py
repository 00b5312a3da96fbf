"""The command as a whole, on a model that takes no time: the same tables on one rank and on several."""

from pathlib import Path

import pytest

from hpcscan.errors import Exit

PLUGIN = """\
import numpy as np
from hpcscan.model import Gaussian, Model, Parameter


class Bowl(Model):
    parameters = (Parameter("x"), Parameter("y"), Parameter("a", -3.0, 3.0))
    data = tuple(Gaussian(name, 0.0, 1.0) for name in ("one", "two", "three"))

    def predict(self, x, y, a):
        if (y == 0.5).any():
            raise ValueError("not here")
        return {"one": x - 1 + a, "two": y, "three": a - 0.5 * y + 1.5}
"""
CONFIG = """\
scan: {x: {min: -1, max: 1, points: 21}, y: {values: [-1, 0.5, 1, 2]}}
model: {plugin: bowl.py:Bowl}
fit: {starts: 16, proof: false}
gate: {minimum: {x: [0.5, 1]}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bowl.py").write_text(PLUGIN)
    (tmp_path / "scan.yaml").write_text(CONFIG)
    return tmp_path


COMMAND = ("-m", "hpcscan", "sensitivity", "scan.yaml", "--budgets", "50,100")


def test_it_prints_a_table_for_the_budget_and_for_each_line(alone, folder):
    job = alone(*COMMAND, cwd=folder)
    assert job.returncode == Exit.COMPLETE, job.stderr
    assert "Optimiser budget: chi2 at x = 0, y = 1" in job.stdout
    assert "multistart: stable from 50 iterations on" in job.stdout
    assert "differential evolution: stable from 50 iterations on" in job.stdout
    assert job.stdout.count("the same conclusion") == 3
    along_x = rows(job.stdout, "Line along x at y = 1")
    assert len(along_x) == 9, "21 values are thinned out"
    # The minimum over a is (x − 2.5 + y/2)²/2 + y².
    for x, *found in along_x:
        exact = (float(x) - 2) ** 2 / 2 - (1 - 2) ** 2 / 2
        assert [float(delta) for delta in found] == pytest.approx([exact, exact], abs=1e-5)
    assert "x = 1, the upper edge: no minimum; expected from 0.5 to 1" in job.stdout


def test_where_the_model_raises_there_is_no_number(alone, folder):
    job = alone(*COMMAND, cwd=folder)
    assert rows(job.stdout, "Line along y at x = 0") == [
        ["-1", "2.5", "2.5"], ["0.5", "–", "–"], ["1", "0", "0"], ["2", "2.125", "2.125"],
    ]  # fmt: skip


def test_where_it_raises_everywhere_each_method_tells_it_once(alone, folder):
    job = alone(*COMMAND, "--at", "x=0,y=0.5", cwd=folder)
    assert job.returncode == Exit.COMPLETE, job.stderr
    assert job.stdout.count("no chi2") == 4, "budget and line along x, for both methods"
    assert job.stderr.count(" failed on rank ") == 2


def test_lines_go_through_the_point_that_is_asked_for(alone, folder):
    job = alone(*COMMAND, "--at", "y=0.25,x=0.3", cwd=folder)
    assert job.returncode == Exit.COMPLETE, job.stderr
    assert "chi2 at x = 0.3, y = 0.25" in job.stdout
    assert "Line along x at y = 0.25" in job.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("missing.yaml",), "missing.yaml"),
        (("scan.yaml", "--at", "x=1"), "no value for y"),
        (("scan.yaml", "--budgets", "200,100"), "not a list of numbers of iterations"),
    ],
)
def test_wrong_usage_is_one_message(alone, folder, options, words):
    job = alone("-m", "hpcscan", "sensitivity", *options, cwd=folder)
    assert (job.returncode, job.stdout) == (Exit.USAGE, "")
    assert words in job.stderr
    assert len(job.stderr.splitlines()) == 1


def test_the_tables_do_not_depend_on_the_number_of_ranks(launch, alone, folder):
    job = launch(3, *COMMAND, cwd=folder)
    assert job.returncode == Exit.COMPLETE, job.stderr
    assert job.stdout == alone(*COMMAND, cwd=folder).stdout


def rows(text: str, caption: str) -> list[list[str]]:
    block = text[text.index(caption) :].split("\n\n", maxsplit=1)[0]
    return [line.split() for line in block.splitlines()[2:]]
