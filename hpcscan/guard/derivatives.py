"""A trial of the derivatives that a model gives: a wrong one spoils errors and degrees of freedom without a word."""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.model.problem import Problem
from hpcscan.model.results import WrongResultError

#: Steps of central differences, relative to the start ranges; what two of them differ by is the error of either.
STEPS = (1e-4, 1e-3)
#: A derivative may differ from a difference by this × that error, and by this share of the largest of its value.
ERRORS, SHARE = 10.0, 1e-2
#: Rounding of what is differentiated, relative to its size.
ROUNDING = 1e-14


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
    """Give the derivatives, shape (n, n_values, n_parameters), and which of them the model knows."""
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
