"""The descent from many starts: by the fitter that a problem's objective needs."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.fitting import quasi_newton, trust_region
from hpcscan.fitting.ends import Launch, Minima, Supply
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.likelihood.scalar import ScalarObjective


def descend(objective: Objective | ScalarObjective, ends: Minima, supply: Supply, max_iter: int) -> None:
    """Minimise χ² from the starts that are supplied, until there are no more.

    Parameters
    ----------
    objective : Objective or ScalarObjective
    ends : Minima
        Where rows end is written here. What is found needless on its way stays `not_run`, but its cost counts.
    supply : Supply
    max_iter : int
        Steps that a row may try.
    """
    if isinstance(objective, ScalarObjective):
        quasi_newton.descend(objective, ends, supply, max_iter)
    else:
        trust_region.descend(objective, ends, supply, max_iter)


def minimise(objective: Objective | ScalarObjective, given: Given, start: Array, max_iter: int) -> Minima:
    """Minimise χ² from every start.

    Parameters
    ----------
    objective : Objective or ScalarObjective
    given : Given
        At n rows.
    start : array, shape (n_parameters, n)
        Inside the box.
    max_iter : int
        Steps that a row may try.

    Returns
    -------
    Minima
        A row whose start is not finite has status `failed`; one that ran out of steps, `not_converged`.
    """
    n = start.shape[1]
    ends = Minima.not_run(len(start), n)
    descend(objective, ends, _Once(Launch(np.arange(n), given, start)), max_iter)
    return ends


class _Once:
    """Everything at the beginning."""

    def __init__(self, launch: Launch) -> None:
        self._launch: Launch | None = launch

    def more(self, ends: Minima) -> Launch | None:
        launch, self._launch = self._launch, None
        return launch

    def needless(self, ends: Minima) -> BoolArray:
        return np.zeros(len(ends.chi2), bool)
