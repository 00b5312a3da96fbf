"""A first call of a model at the corners of the grid, so that a broken plugin stops before the scan starts."""

from __future__ import annotations

import numpy as np

from hpcscan.config.plugin import blaming, fault
from hpcscan.config.records import PluginSource
from hpcscan.grid import Grid
from hpcscan.guard.guarded import guarded
from hpcscan.guard.spot import Doubt, ask_again
from hpcscan.guard.time_limit import TimeLimit, TimeUpError
from hpcscan.model import Array, Model, scale_names
from hpcscan.model.results import WrongResultError, as_derived, as_numbers, as_ranges

#: What a first call may take where fit.time_limit does not say.
PROBE_SECONDS = 60.0
#: A row may differ by so much, relative to the largest prediction, when it is computed in another batch.
SAME_ROW = 1e-9
#: Where in the start ranges the rows lie.
PLACES = (0.5, 0.25, 0.875)
#: Added to messages.
WHEN = " (a trial at the first and the last grid point, within the start ranges)"


def probe_model(model: Model, grid: Grid, plugin: PluginSource | None = None, seconds: float | None = None) -> None:
    """Call everything that a model computes, on a few rows, and hold the results to their shapes and types.

    The arguments cannot be written to: a model that changes them in place is refused here. Values that are not finite
    are no mistake; the fit copes with them.

    Parameters
    ----------
    model : Model
    grid : Grid
    plugin : PluginSource, optional
        Where the model comes from, if it is a user's.
    seconds : float, optional
        What all calls together may take; without it nobody watches them.

    Raises
    ------
    UsageError
        Located at the configuration key ``model.plugin``.
    """
    points, parameters = _rows(model, grid)
    limit = TimeLimit(seconds)
    try:
        with limit.armed():
            for name, ask in _QUESTIONS.items():
                with blaming(plugin, name, WHEN), np.errstate(all="ignore"), limit:
                    ask(model, points, parameters)
    except TimeUpError:
        raise fault(f"{limit.seconds:g} s are over, and {name} has not returned{WHEN}") from None


def doubts_of_trial(model: Model, grid: Grid) -> tuple[Doubt, ...]:
    """Ask for the rows of the trial again, as spot checks do later: in the same call, and in another batch.

    A difference that is small enough for `probe_model` to let it pass is no mistake, but has to be told.
    """
    points, parameters = _rows(model, grid)
    safe = guarded(model, TimeLimit(None))
    try:
        with np.errstate(all="ignore"):
            predicted = safe.predict(points, parameters).copy()
    except Exception:  # noqa: BLE001 - the trial was passed; what is raised now will be told of a point
        return ()
    return ask_again(safe, points, parameters, predicted)


def _ask_predict(model: Model, points: Array, parameters: Array) -> None:
    shape = (len(points), len(model.observables))
    together = as_numbers("predict", model.predict(points, parameters), shape)
    alone = as_numbers("predict", model.predict(_frozen(points[:1]), _frozen(parameters[:1])), (1, shape[1]))
    if not np.allclose(alone, together[:1], rtol=SAME_ROW, atol=SAME_ROW * _largest(together), equal_nan=True):
        problem = f"{alone[0]} for a row alone, and {together[0]} for the same row among {len(points)}"
        raise WrongResultError("predict", f"{problem}; a row must depend on its own arguments, and on nothing else")


def _largest(values: Array) -> float:
    return float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))


def _ask_jacobian(model: Model, points: Array, parameters: Array) -> None:
    if type(model).jacobian is not Model.jacobian:
        shape = (len(points), len(model.observables), len(model.parameters))
        as_numbers("jacobian", model.jacobian(points, parameters), shape)


def _ask_ranges(model: Model, points: Array, _: Array) -> None:
    as_ranges(model, model.prediction_ranges(points), len(points))


def _ask_derive(model: Model, points: Array, parameters: Array) -> None:
    scales = {name: _frozen(np.ones(len(points))) for name in scale_names(model)}
    as_derived(model, model.derive(points, parameters, scales), len(points))


_QUESTIONS = {
    "predict": _ask_predict,
    "jacobian": _ask_jacobian,
    "prediction_ranges": _ask_ranges,
    "derive": _ask_derive,
}


def _rows(model: Model, grid: Grid) -> tuple[Array, Array]:
    """First and last grid point, at different places in the start ranges: rows that are mixed up show."""
    # As many rows as observables would hide a transposed result.
    n_rows = 3 if len(model.observables) == 2 else 2
    names = [axis.name for axis in grid.axes]
    columns = [names.index(axis.name) for axis in model.axes]
    points = grid.points([0, grid.n_points - 1, 0][:n_rows])[:, columns]
    low, high = np.array([p.start_range for p in model.parameters]).T
    return _frozen(points), _frozen(low + np.array(PLACES[:n_rows])[:, None] * (high - low))


def _frozen(values: Array) -> Array:
    values.setflags(write=False)
    return values
