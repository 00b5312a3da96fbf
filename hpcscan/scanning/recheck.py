"""Whether a model still predicts what it predicted: a few finished points are asked again when a scan is resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.border import account_of
from hpcscan.fitting.records import PointResults
from hpcscan.guard.guarded import guarded
from hpcscan.guard.time_limit import TimeLimit, TimeUpError
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.scalar import objective_of
from hpcscan.scanning.work import Common

#: In units of sigma: a prediction that differs by more is that of another model.
MOST = 1e-9
#: Or by so many roundings of the prediction, where sigma is small beside it.
ROUNDINGS = 64 * float(np.finfo(float).eps)
#: Or by so many times the noise of the model's numbers, where they are less precise.
NOISES = 16.0


@dataclass(frozen=True)
class Again:
    """Predictions of finished points, then and now.

    Attributes
    ----------
    point_index : int array, shape (n,)
    before, now : array, shape (n, n_observables)
        In the units of the observables.
    sigma : array, shape (n_observables,)
        1 for counts.
    precision : float
        Relative precision of the model's numbers.
    """

    point_index: IntArray
    before: Array
    now: Array
    sigma: Array
    precision: float = 0.0

    @property
    def difference(self) -> Array:
        """In units of sigma, shape (n, n_observables); infinite where one of two predictions is not finite."""
        with np.errstate(all="ignore"):
            difference = np.abs(self.now - self.before) / self.sigma
        is_same: BoolArray = (self.now == self.before) | (np.isnan(self.now) & np.isnan(self.before))
        return np.where(is_same, 0.0, np.where(np.isnan(difference), np.inf, difference))

    @property
    def allowed(self) -> Array:
        """What rounding may change, in units of sigma, shape (n, n_observables)."""
        relative = max(ROUNDINGS, NOISES * self.precision)
        return np.maximum(MOST, relative * np.nan_to_num(np.abs(self.before)) / self.sigma)

    @property
    def worst(self) -> tuple[int, int]:
        """Row and observable that differ most."""
        row, observable = np.unravel_index(np.argmax(self.difference / self.allowed), self.before.shape)
        return int(row), int(observable)

    @property
    def is_same_model(self) -> bool:
        """Whether no difference is more than rounding."""
        return bool((self.difference <= self.allowed).all())


def predict_again(common: Common, results: PointResults) -> Again | str:
    """Predict finished points at the parameters that were found there.

    Parameters
    ----------
    results : PointResults
        Points that have a minimum.

    Returns
    -------
    Again or str
        Or why that cannot be said: the model raised, or took longer than the fit of a point may.
    """
    limit = TimeLimit(common.settings.time_limit)
    try:
        with limit.armed():
            now = _predict(Common(guarded(common.model, limit), common.grid, common.settings), results)
    except TimeUpError:
        return f"no end within {common.settings.time_limit:g} s (fit.time_limit)"
    except Exception as error:  # noqa: BLE001 - whatever a model raises
        return account_of(error)
    sigma = np.nan_to_num(np.array([o.sigma for o in common.model.observables], float), nan=1.0)
    before, precision = results.predicted, common.settings.precision or 0.0
    if common.model.is_scalar:
        before, sigma = np.column_stack([before, results.chi2]), np.append(sigma, 1.0)
    return Again(results.point_index, before, now, sigma, precision)


def _predict(common: Common, results: PointResults) -> Array:
    """Predict the observables; of a scalar model −2 ln L as well, as the last one."""
    objective = objective_of(common.model)
    # Not alone: some models have other last bits in a batch of one.
    rows = np.resize(np.arange(len(results.status)), max(2, len(results.status)))
    points = np.ascontiguousarray(common.points(results.point_index)[rows].T)
    at = objective.evaluate(Given(points), np.ascontiguousarray(results.profiled_parameter[rows].T))
    predicted = objective.predicted(at).T
    if common.model.is_scalar:
        predicted = np.column_stack([predicted, at.chi2])
    return predicted[: len(results.status)]


def spread(n: int, most: int, read: Callable[[int], PointResults]) -> PointResults | None:
    """Choose points of a few blocks: of each block one that has a minimum, if any.

    Parameters
    ----------
    n : int
        Number of blocks.
    read : callable
        Gives the results of a block.
    """
    parts = []
    for block in np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int)).tolist():
        results = read(block)
        found = np.flatnonzero(np.isfinite(results.chi2))
        if len(found):
            parts.append(results.take(found[len(found) // 2 : len(found) // 2 + 1]))
    return PointResults.joined(parts) if parts else None
