"""A first call of a model at the corners of the grid, so that a broken plugin stops before the scan starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.config.plugin import blaming, fault
from hpcscan.config.validated import PluginSource
from hpcscan.grid import Grid
from hpcscan.guard.guarded import guarded
from hpcscan.guard.spot import Doubt, ask_again
from hpcscan.guard.time_limit import TimeLimit, TimeUpError
from hpcscan.likelihood.precision import measured_precision
from hpcscan.model.problem import Problem, scale_names
from hpcscan.model.returned import WrongResultError, as_derived
from hpcscan.tolerance import Precision

#: What a first call may take where fit.time_limit does not say.
PROBE_SECONDS = 60.0
#: A row may differ by so much, relative to the largest prediction, when it is computed in another batch.
SAME_ROW = 1e-9
#: Where in the start ranges the rows lie.
PLACES = (0.5, 0.25, 0.875, 0.625, 0.375, 0.125, 0.75)
#: Where nothing is possible at first, so many grid points are tried, and so many places at each.
N_POINTS, N_TRIALS = 16, 16
#: Added to messages.
WHEN = " (a trial at the first and the last grid point, within the start ranges)"

#: Steps of central differences, relative to the start ranges; what two of them differ by is the error of either.
STEPS = (1e-4, 1e-3)

#: A derivative may differ from a difference by this × that error, and by this share of the largest of its value.
ERRORS, SHARE = 10.0, 1e-2

#: Rounding of what is differentiated, relative to its size.
ROUNDING = 1e-14


def probe_model(problem: Problem, grid: Grid, plugin: PluginSource | None = None, seconds: float | None = None) -> None:
    """Call everything that a model computes, on a few rows, and hold the results to their shapes and types.

    The arguments cannot be written to: a model that changes them in place is refused here. Values that are not finite
    are a mistake only where there is nothing else; the fit copes with some.

    Parameters
    ----------
    plugin : PluginSource, optional
        Where the model comes from, if it is a user's.
    seconds : float, optional
        What all calls together may take; without it nobody watches them.

    Raises
    ------
    UsageError
        Located at the configuration key ``model.plugin``.
    """
    points, parameters = _rows(problem, grid)
    limit = TimeLimit(seconds)
    try:
        with limit.armed():
            for name, ask in _QUESTIONS.items():
                with blaming(plugin, name, WHEN), np.errstate(all="ignore"), limit:
                    found = ask(problem, points, parameters)
                    if found is not None:
                        _refuse_what_is_nowhere(problem, grid, found)
    except TimeUpError:
        raise fault(f"{limit.seconds:g} s are over, and {name} has not returned{WHEN}") from None


def doubts_of_trial(problem: Problem, grid: Grid, seconds: float | None = None) -> tuple[Doubt, ...]:
    """Ask for the rows of the trial again, as spot checks do later: in the same call, and in another batch.

    A difference that is small enough for `probe_model` to let it pass is no mistake, but has to be told.
    """
    points, parameters = _rows(problem, grid)
    limit = TimeLimit(seconds)
    safe = guarded(problem, limit)
    try:
        with limit.armed(), np.errstate(all="ignore"):
            predicted = safe.predict(points, parameters).copy()
            return ask_again(safe, points, parameters, predicted)
    except (TimeUpError, Exception):  # noqa: BLE001 - the trial was passed; what is wrong now will be told of a point
        return ()


def _ask(problem: Problem, points: Array, parameters: Array) -> Array:
    return problem.twice_nll(points, parameters)[:, None] if problem.is_scalar else problem.predict(points, parameters)


def _ask_prediction(problem: Problem, points: Array, parameters: Array) -> Array:
    together = _ask(problem, points, parameters)
    # One of the first grid point, and one of the last: whoever takes some row for all rows is wrong at one of them.
    for row in (0, 1):
        alone = _ask(problem, _frozen(points[row : row + 1]), _frozen(parameters[row : row + 1]))
        _refuse_another_row(problem, together, row, alone[0])
    return together


def _refuse_another_row(problem: Problem, together: Array, row: int, alone: Array) -> None:
    among = together[row]
    if np.allclose(alone, among, rtol=SAME_ROW, atol=SAME_ROW * _largest(together), equal_nan=True):
        return
    worst = int(np.argmax(np.nan_to_num(np.abs(alone - among), nan=np.inf)))
    entry = "" if problem.is_scalar else f" of {problem.observables[worst].name}"
    found = f"{alone[worst]} for a row alone, and {among[worst]} for the same row among {len(together)}{entry}"
    rule = "a row must depend on its own arguments, and on nothing else"
    raise WrongResultError(_function(problem), f"{found}; {rule}")


def _refuse_what_is_nowhere(problem: Problem, grid: Grid, values: Array) -> None:
    """Refuse a model that predicts no likelihood at any of many places, none of the given rows being possible."""
    if _is_possible(problem, values).any():
        return
    low, high = np.array([p.start_range for p in problem.parameters], float).reshape(-1, 2).T
    index = np.unique(np.linspace(0, grid.n_points - 1, N_POINTS).astype(int)).tolist()
    points = np.repeat(_points(problem, grid, index), N_TRIALS, axis=0)
    places = np.random.default_rng(0).random((len(points), len(low)))
    values = _ask(problem, _frozen(points), _frozen(low + places * (high - low)))
    if _is_possible(problem, values).any():
        return
    k = int(np.argmin(np.isfinite(values[0]) & ~(_is_count(problem) & (values[0] < 0))))
    entry = "" if problem.is_scalar else f" for {problem.observables[k].name}"
    where = f"and nothing better at any of {len(values)} places on the grid and in the start ranges"
    expected = "finite numbers" + ", and expectations of counts that are not negative" * bool(_is_count(problem).any())
    raise WrongResultError(_function(problem), f"{values[0, k]:g}{entry}, {where}; expected {expected}")


def _is_possible(problem: Problem, values: Array) -> BoolArray:
    """Whether rows are finite, and no expectation of counts is negative."""
    is_negative = _is_count(problem) & (values < 0)
    return np.asarray((np.isfinite(values) & ~is_negative).all(axis=1))


def _is_count(problem: Problem) -> BoolArray:
    return np.array([False] if problem.is_scalar else [o.kind == "poisson" for o in problem.observables], bool)


def _function(problem: Problem) -> str:
    return "twice_nll" if problem.is_scalar else "predict"


def _largest(values: Array) -> float:
    return float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))


def _ask_derivatives(problem: Problem, points: Array, parameters: Array) -> None:
    if problem.has_jacobian or problem.has_gradient:
        refuse_wrong_derivatives(problem, points, parameters)


def _ask_ranges(problem: Problem, points: Array, _: Array) -> None:
    problem.prediction_ranges(points)


def _ask_enclosure(problem: Problem, points: Array, parameters: Array) -> None:
    """Ask for boxes that have a row at one end, in all parameters, and compare what is predicted for it."""
    enclose = problem.enclose_by_name
    if enclose is None or not problem.parameters:
        return
    n = len(points)
    held = {axis.name: points[:, j : j + 1] for j, axis in enumerate(problem.axes)}
    held |= {p.name: np.full((n, 1), value) for p, value in problem.fixed_parameters}
    ends = np.array([p.start_range for p in problem.parameters], float).T
    lower, upper = (
        held | {p.name: other[:, j : j + 1] for j, p in enumerate(problem.parameters)}
        for other in (np.minimum(parameters, ends[0]), np.maximum(parameters, ends[1]))
    )
    low, high = enclose({k: v.copy() for k, v in lower.items()}, {k: v.copy() for k, v in upper.items()})
    predicted = problem.predict(points, parameters)[:, : low.shape[1]]
    margin = SAME_ROW * np.abs(predicted)
    is_missed = np.isfinite(predicted) & ((predicted < low - margin) | (predicted > high + margin))
    if is_missed.any():
        row, k = np.argwhere(is_missed)[0]
        ends_text = f"{low[row, k]:.9g} to {high[row, k]:.9g} for {problem.observables[k].name}"
        where = "in a box that holds parameters for which predict gives"
        raise WrongResultError("enclose", f"{ends_text} {where} {predicted[row, k]:.9g}; expected all predictions")


def _ask_derive(problem: Problem, points: Array, parameters: Array) -> None:
    scales = {name: _frozen(np.ones(len(points))) for name in scale_names(problem)}
    as_derived(problem.derived, problem.derive(points, parameters, scales), len(points))


def _ask_simulate(problem: Problem, points: Array, parameters: Array) -> None:
    """Draw data once, and ask for the likelihood of some: that of one row must not depend on the data of others."""
    if not len(problem.data):
        return
    drawn = problem.simulate(np.random.default_rng(0), points[:1], parameters[:1])
    observed = np.broadcast_to(problem.data, (len(points), len(drawn)))
    before, after = (
        problem.twice_nll(points, parameters, data)[:, None] for data in (observed, _first(observed, drawn))
    )
    _refuse_another_row(problem, before, 1, after[1])


def _first(observed: Array, drawn: Array) -> Array:
    data = observed.copy()
    data[0] = drawn
    return _frozen(data)


#: What a model is asked; predictions are given back.
_QUESTIONS: dict[str, Callable[[Problem, Array, Array], Array | None]] = {
    "predict": _ask_prediction,
    "jacobian": _ask_derivatives,
    "ranges": _ask_ranges,
    "enclose": _ask_enclosure,
    "derive": _ask_derive,
    "simulate": _ask_simulate,
}


def probe_precision(problem: Problem, grid: Grid) -> Precision:
    """Measure the precision of the model's numbers at the first and the last grid point."""
    return measured_precision(guarded(problem, TimeLimit(None)), _points(problem, grid, [0, grid.n_points - 1]))


def _points(problem: Problem, grid: Grid, point_index: list[int]) -> Array:
    names = [axis.name for axis in grid.axes]
    return grid.points(point_index)[:, [names.index(axis.name) for axis in problem.axes]]


def _rows(problem: Problem, grid: Grid) -> tuple[Array, Array]:
    """First and last grid point, at different places in the start ranges: rows that are mixed up show."""
    # As many rows as a term has values would hide a transposed result.
    sizes = Counter(o.term for o in problem.observables).values()
    n_rows = next(n for n in (2, 3, 5, 7) if n not in sizes or n == 7)
    points = _points(problem, grid, [0, grid.n_points - 1, 0, grid.n_points - 1, 0, 0, 0][:n_rows])
    low, high = np.array([p.start_range for p in problem.parameters], float).reshape(-1, 2).T
    return _frozen(points), _frozen(low + np.array(PLACES[:n_rows])[:, None] * (high - low))


def _frozen(values: Array) -> Array:
    values.setflags(write=False)
    return values


def refuse_wrong_derivatives(problem: Problem, points: Array, parameters: Array) -> None:
    """Compare the derivatives that a model gives with differences, and refuse one that is wrong wherever it is not 0.

    One direction tells whether any is wrong, by four calls; which, is asked only then.

    Parameters
    ----------
    problem : Problem
        With `jacobian` or `gradient`.
    points, parameters : array, shape (n, n_axes) and (n, n_parameters)

    Raises
    ------
    WrongResultError
    """
    given, is_given = _derivatives(problem, points, parameters)
    low, high = np.array([p.start_range for p in problem.parameters], float).reshape(-1, 2).T
    width = np.where((high > low) & is_given.any(axis=0), high - low, 0.0)
    weights = 0.7 + 0.3 * np.cos(np.arange(len(width)))
    is_whole = is_given[:, width > 0].all(axis=1)
    if not (_is_wrong(problem, points, parameters, given, width * weights) & is_whole).any():
        return
    for j in np.flatnonzero(width):
        direction = np.where(np.arange(len(width)) == j, width, 0.0)
        wrong = _is_wrong(problem, points, parameters, given, direction) & is_given[:, j]
        if wrong.any():
            k = int(np.argmax(wrong))
            slopes = _slope(problem, points, parameters, direction, STEPS[0])[:, k] / width[j]
            row = int(np.nanargmax(np.abs(slopes - given[:, k, j])))
            raise WrongResultError(_name(problem, k, int(j)), _account(problem, k, given[row, k, j], slopes[row]))


def _derivatives(problem: Problem, points: Array, parameters: Array) -> tuple[Array, BoolArray]:
    """Return the derivatives, shape (n, n_values, n_parameters), and which of them the model knows."""
    if problem.is_scalar:
        gradient = problem.gradient(points, parameters)[:, None]
        return gradient, np.ones(gradient.shape[1:], bool)
    known = problem.jacobian(points, parameters)
    return known.values, np.ones(known.values.shape[1:], bool) if known.is_given is None else known.is_given


def _is_wrong(problem: Problem, points: Array, parameters: Array, given: Array, direction: Array) -> BoolArray:
    """Whether the slope of a value along a direction differs from differences, where it has one: shape (n_values,)."""
    slope = given @ direction
    near, far = (_slope(problem, points, parameters, direction, step) for step in STEPS)
    size = np.abs(_values(problem, points, parameters)).max(axis=0)
    largest = np.maximum(np.abs(slope), np.abs(near)).max(axis=0)
    allowed = ERRORS * np.abs(near - far) + SHARE * largest + ERRORS * ROUNDING / STEPS[0] * size
    is_off, is_flat = np.abs(slope - near) > allowed, np.maximum(np.abs(slope), np.abs(near)) <= SHARE * largest
    return np.asarray((is_off | is_flat).all(axis=0) & is_off.any(axis=0))


def _slope(problem: Problem, points: Array, parameters: Array, direction: Array, step: float) -> Array:
    """Differentiate along a direction by a central difference: shape (n, n_values)."""
    after, before = (_values(problem, points, parameters + sign * step * direction) for sign in (1, -1))
    return (after - before) / (2 * step)


def _values(problem: Problem, points: Array, parameters: Array) -> Array:
    parameters.setflags(write=False)
    return problem.twice_nll(points, parameters)[:, None] if problem.is_scalar else problem.predict(points, parameters)


def _name(problem: Problem, k: int, j: int) -> str:
    parameter = problem.parameters[j].name
    return (
        f"gradient[{parameter!r}]" if problem.is_scalar else f"jacobian[{problem.observables[k].term!r}][{parameter!r}]"
    )


def _account(problem: Problem, k: int, given: float, slope: float) -> str:
    value = "" if problem.is_scalar else f" for {problem.observables[k].name}"
    function = "twice_nll" if problem.is_scalar else "predict"
    return f"{given:.6g}{value}, where differences of {function} give {slope:.6g}"
