"""The descent from many starts: by the fitter that a problem's objective needs."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.fitting import quasi_newton, secant, trust_region
from hpcscan.fitting.ends import Launch, Minima, Supply
from hpcscan.fitting.tries import Leaving
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.likelihood.scalar import ScalarObjective


def descend(  # noqa: PLR0913  (what is minimised, and what is wanted of it)
    objective: Objective | ScalarObjective,
    ends: Minima,
    supply: Supply,
    max_iter: int,
    leaving: Leaving | None = None,
    *,
    with_ranks: bool = True,
) -> None:
    """Minimise χ² from the starts that are supplied, until there are no more.

    Parameters
    ----------
    ends : Minima
        Where rows end is written here. What is found needless on its way stays `not_run`, but its cost counts.
    max_iter : int
        Steps that a row may try.
    leaving : Leaving, optional
        Says which rows need not go on.
    with_ranks : bool
        Whether ranks of the Jacobian are wanted where that is made of differences.
    """
    if isinstance(objective, ScalarObjective):
        quasi_newton.descend(objective, ends, supply, max_iter, leaving)
    else:
        # The first rows tell whether derivatives have to be had by differences.
        first = supply.more(ends)
        if first is not None:
            needs_differences = objective.needs_differences(first.given, first.start)
            continued = _Continued(first, supply)
            if needs_differences:
                secant.descend(objective, ends, continued, max_iter, leaving, with_ranks=with_ranks)
            else:
                trust_region.descend(objective, ends, continued, max_iter, leaving)


def minimise(  # noqa: PLR0913  (what is minimised, and what is wanted of it)
    objective: Objective | ScalarObjective,
    given: Given,
    start: Array,
    max_iter: int,
    leaving: Leaving | None = None,
    *,
    with_ranks: bool = True,
) -> Minima:
    """Minimise χ² from every start.

    Parameters
    ----------
    given : Given
        At n rows.
    start : array, shape (n_parameters, n)
        Inside the box.
    max_iter : int
        Steps that a row may try.
    leaving : Leaving, optional
    with_ranks : bool
        See `descend`.

    Returns
    -------
    Minima
        A row whose start is not finite has status `failed`; one that ran out of steps, `not_converged`.
    """
    n = start.shape[1]
    ends = Minima.not_run(len(start), n)
    descend(objective, ends, Once(Launch(np.arange(n), given, start)), max_iter, leaving, with_ranks=with_ranks)
    return ends


class _Continued:
    """A supply of which the first rows have been taken already."""

    def __init__(self, first: Launch, supply: Supply) -> None:
        self._first: Launch | None = first
        self._supply = supply

    def more(self, ends: Minima) -> Launch | None:
        first, self._first = self._first, None
        return first or self._supply.more(ends)

    def needless(self, ends: Minima) -> BoolArray:
        return self._supply.needless(ends)

    def dispensable_above(self, ends: Minima) -> Array:
        return self._supply.dispensable_above(ends)


class Once:
    """A supply that begins everything at once."""

    def __init__(self, launch: Launch) -> None:
        self._launch: Launch | None = launch

    def more(self, ends: Minima) -> Launch | None:
        """Return everything, once."""
        launch, self._launch = self._launch, None
        return launch

    def needless(self, ends: Minima) -> BoolArray:
        """Leave nothing out."""
        return np.zeros(len(ends.chi2), bool)

    def dispensable_above(self, ends: Minima) -> Array:
        """Wait for all."""
        return np.full(len(ends.chi2), np.inf)
