"""A sample of random mistakes in configurations; tests/stress/configurations.py makes more of them."""

from __future__ import annotations

import pytest

from commands.fuzz import endings, problem, write_cases

TIMES = 60


def test_mutated_configurations(own_mpi, tmp_path):
    """Each is refused with messages, or is a valid run; none shows a traceback, and none hangs."""
    ended = list(endings(write_cases(tmp_path, TIMES, seed=7), own_mpi, ranks=2))
    assert len(ended) == TIMES
    assert [ending for ending in ended if ending.problem] == []
    assert {0, 2} <= {ending.exit_code for ending in ended}


@pytest.mark.parametrize(
    ("exit_code", "text"),
    [
        (2, ""),
        (2, "Traceback (most recent call last):"),
        (2, "out.nc: written: out.nc"),
        (0, "written: out.nc"),
        (1, "done"),
        (75, "stopped early"),
        (70, "rank 0 on here: internal error"),
        (74, "cannot write out.nc"),
        (1, "RuntimeWarning: overflow"),
    ],
)
def test_what_is_wrong_is_seen(tmp_path, exit_code, text):
    """A run that says what it should not, or says that it wrote what is not there."""
    assert problem(exit_code, text, tmp_path)
