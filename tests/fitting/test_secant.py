"""Descents by secants: as many starts end at the minimum as with central differences, for fewer rows."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.problems import CASES

from hpcscan.arrays import Array
from hpcscan.fitting import secant, starts, trust_region
from hpcscan.fitting.descent import Once
from hpcscan.fitting.ends import Launch, Minima
from hpcscan.fitting.guided import SAME
from hpcscan.fitting.records import Status
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.objective import Given, Objective

N_STARTS = 16
CHOSEN = {case.name: case for case in CASES}


def descended(name: str, how: object) -> tuple[Minima, Array]:
    """Descend from the same starts, half of them near ends in all parameters; give ends and rows of each."""
    objective = Objective(CHOSEN[name].problem(), n_points=N_STARTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starts, "NEAR_ENDS", float(len(objective.box.start)))
        start = draw_starts(objective.box, np.zeros((1, 1)), 3, N_STARTS)[:, 0]
    ends = Minima.not_run(len(start), N_STARTS)
    given = Given(np.zeros((1, N_STARTS)), owner=np.arange(N_STARTS))
    how.descend(objective, ends, Once(Launch(np.arange(N_STARTS), given, start)), 200)
    return ends, objective.tally.n_rows


def test_no_starts_are_lost_and_rows_are_saved() -> None:
    """Large residuals and local minima, curved valleys, poles: NIST's, and Moré, Garbow and Hillstrom's.

    Which of two minima a start ends in is a matter of its steps; together as many end at the lowest.
    """
    n_at = np.zeros(2, int)
    for name in ("BoxBOD", "Rat42", "MGH09", "Freudenstein", "Bard", "Wood", "Broyden"):
        (mine, my_rows), (central, rows) = (descended(name, how) for how in (secant, trust_region))
        lowest = np.fmin(np.nanmin(mine.chi2), np.nanmin(central.chi2))
        is_at = [ends.chi2 <= lowest + 1e-6 * (1 + lowest) for ends in (mine, central)]
        n_at += [one.sum() for one in is_at]
        assert my_rows.mean() < 0.8 * rows.mean(), name
        assert (mine.status[is_at[0]] == Status.CONVERGED).all(), name
    assert n_at[0] >= n_at[1]


def test_a_minimum_is_as_exact_as_one_by_central_differences() -> None:
    """Far better than what makes two values of χ² different, and than what a start is compared with."""
    (mine, _), (central, _) = (descended("Bard", how) for how in (secant, trust_region))
    difference = np.nanmin(mine.chi2) - np.nanmin(central.chi2)
    assert abs(difference) < 1e-9 * np.nanmin(central.chi2)
    assert abs(difference) < 1e-3 * SAME
