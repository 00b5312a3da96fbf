"""Whether a model computes with enclosed arrays what it computes with numbers.

Its code may ask what it was given (isinstance, hasattr, an exception that it catches), keep a state or draw random
numbers: then an enclosure is of another function. So at every point some values are computed in both ways. What a model
encloses by a function of its own is written by hand, and compared with a prediction in every box.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.proof.enclosure import Enclosed
from hpcscan.proof.problem import Problem

#: Values of the free parameters that are tried at a point: the given ones, and some within the bounds; half of them are
#: enclosed in boxes, of this width relative to the bounds.
N_TRIED, WIDTH = 4, 1e-4
#: The same for an enclosure of the model's own: it may be wrong in wide boxes alone, or take no notice of a width.
N_COMPARED, NARROWEST = 48, 1e-6
#: Why nothing is proven at a point where they differ.
UNFAITHFUL = (
    "the model predicts something else for enclosed arrays than for numbers: its code must not ask for the types of "
    "its arguments, keep a state or draw random numbers; or set fit.proof to false"
)
#: The same for an enclosure of the model's own.
MISSED = "the model's enclose leaves out what predict computes"
#: Its multiples share the bounds evenly, and lie on no value that a user may have written.
GOLDEN = 0.6180339887498949
#: Enclosures contain what is computed by the same operations; this much is left to functions that err more than they
#: should, relative to the prediction, and in units of σ.
RELATIVE, ABSOLUTE = 1e-10, 1e-7


def is_apart(computed: Array, enclosed: Enclosed) -> BoolArray:
    """Tell which predictions, in units of σ, are outside their enclosures."""
    margin = RELATIVE * np.abs(computed) + ABSOLUTE
    apart = (computed < enclosed.value[0] - margin) | (computed > enclosed.value[1] + margin)
    if enclosed.undefined is not None:
        apart |= enclosed.undefined == 2
    return np.asarray(apart & np.isfinite(computed))


def missed(problem: Problem, values: Mapping[str, Array], computed: Array, enclosed: Enclosed) -> str:
    """Describe the first prediction outside the model's own enclosure, with the parameters that belong to its row."""
    row, k = np.argwhere(is_apart(computed, enclosed))[0]
    names = [f"{b.term}[{i}]" if len(b.sigma) > 1 else b.term for b in problem.blocks for i in range(len(b.sigma))]
    low, high, is_there = (a[row, k] * problem.sigma[k] for a in (*enclosed.value, computed))
    at = ", ".join(f"{name}={np.ravel(value)[row]:.6g}" for name, value in values.items())
    what = f"{names[k]} is said to be within {low:.9g} and {high:.9g} in a box around {at}, and is {is_there:.9g} there"
    return f"{MISSED}: {what}; correct it, or set fit.proof to false"


def faithful(problem: Problem, held: Mapping[str, Array], given: Array) -> tuple[BoolArray, str]:
    """Compare predictions with their enclosures, for each of n points.

    Parameters
    ----------
    problem : Problem
    held : mapping of str to array, shape (n,)
    given : array, shape (n, n_free)
        Values within the bounds.

    Returns
    -------
    is_faithful : bool array, shape (n,)
        A point has the same answer whatever other points are asked about with it.
    why : str
        Empty where all are.

    Raises
    ------
    NotEnclosable
    """
    n, n_free = given.shape
    low, high = _range(problem, given)
    n_tried = N_TRIED if problem.own is None else N_COMPARED
    share = np.mod(np.outer(np.arange(1, n_tried), np.arange(1, n_free + 1)) * GOLDEN, 1.0)
    values = np.concatenate([given[None], low + share[:, None] * (high - low)])
    reach = _widths(problem)[:, None] * (high - low)
    ends = (np.clip(values + side * reach, problem.lower, problem.upper) for side in (0.0, -0.3, 1.0))
    inside, first, last = (a.reshape(n_tried * n, n_free).T[:, :, None] for a in ends)
    row = np.tile(np.arange(n), n_tried)
    some = {name: value[row] for name, value in held.items()}
    computed = problem.evaluate(some, dict(zip(problem.parameters, inside[..., 0], strict=True)))
    boxes = {name: Enclosed((first[j], last[j])) for j, name in enumerate(problem.parameters)}
    enclosed = problem.enclose(some, boxes)
    differs, why = is_apart(computed, enclosed).any(axis=1), ""
    if differs.any():
        named = {**some, **dict(zip(problem.parameters, inside, strict=True))}
        why = UNFAITHFUL if problem.own is None else missed(problem, named, computed, enclosed)
    return ~np.asarray(differs.reshape(n_tried, n).any(axis=0)), why


def _widths(problem: Problem) -> Array:
    """Return the widths of boxes relative to the bounds, shape (n_tried, n_free)."""
    n_free = len(problem.parameters)
    if problem.own is None:
        return np.tile(WIDTH * (np.arange(N_TRIED) >= N_TRIED // 2)[:, None], (1, n_free))
    # Some are wide in one parameter and narrow in another.
    share = np.mod(np.outer(np.arange(N_COMPARED), np.arange(2, n_free + 2)) * GOLDEN, 1.0)
    return np.asarray(NARROWEST**share)


def _range(problem: Problem, given: Array) -> tuple[Array, Array]:
    """Return the bounds; something about the given values where there are none."""
    reach = 1 + np.abs(given)
    low = np.where(np.isfinite(problem.lower), problem.lower, np.minimum(given - reach, problem.upper))
    high = np.where(np.isfinite(problem.upper), problem.upper, np.maximum(given + reach, problem.lower))
    return low, high
