"""Whether a model computes with enclosed arrays what it computes with numbers.

Its code may ask what it was given (isinstance, hasattr, an exception that it catches), keep a state or draw random
numbers: then an enclosure is of another function. So at every point some values are computed in both ways.
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
#: Its multiples share the bounds evenly, and lie on no value that a user may have written.
GOLDEN = 0.6180339887498949
#: Enclosures contain what is computed by the same operations; this much is left to functions that err more than they
#: should, relative to the prediction, and in units of σ.
RELATIVE, ABSOLUTE = 1e-10, 1e-7


def is_faithful(problem: Problem, held: Mapping[str, Array], given: Array) -> BoolArray:
    """Compare predictions with their enclosures, for each of n points: shape (n,).

    Parameters
    ----------
    problem : Problem
    held : mapping of str to array, shape (n,)
    given : array, shape (n, n_free)
        Values within the bounds.

    Returns
    -------
    bool array, shape (n,)
        A point has the same answer whatever other points are asked about with it.

    Raises
    ------
    NotEnclosable
    """
    n = len(given)
    low, high = _range(problem, given)
    share = np.mod(np.outer(np.arange(1, N_TRIED), np.arange(1, given.shape[1] + 1)) * GOLDEN, 1.0)
    values = np.concatenate([given[None], low + share[:, None] * (high - low)])
    reach = WIDTH * (high - low) * (np.arange(N_TRIED) >= N_TRIED // 2)[:, None, None]
    ends = (np.clip(values + side * reach, problem.lower, problem.upper) for side in (0.0, -0.3, 1.0))
    inside, first, last = (a.reshape(N_TRIED * n, given.shape[1]).T[:, :, None] for a in ends)
    row = np.tile(np.arange(n), N_TRIED)
    some = {name: value[row] for name, value in held.items()}
    computed = problem.evaluate(some, dict(zip(problem.parameters, inside[..., 0], strict=True)))
    boxes = {name: Enclosed((first[j], last[j])) for j, name in enumerate(problem.parameters)}
    enclosed = problem.enclose(some, boxes)
    margin = RELATIVE * np.abs(computed) + ABSOLUTE
    is_apart = (computed < enclosed.value[0] - margin) | (computed > enclosed.value[1] + margin)
    if enclosed.undefined is not None:
        is_apart |= enclosed.undefined == 2
    differs = (is_apart & np.isfinite(computed)).any(axis=1)
    return ~np.asarray(differs.reshape(N_TRIED, n).any(axis=0))


def _range(problem: Problem, given: Array) -> tuple[Array, Array]:
    """Return the bounds; something about the given values where there are none."""
    reach = 1 + np.abs(given)
    low = np.where(np.isfinite(problem.lower), problem.lower, np.minimum(given - reach, problem.upper))
    high = np.where(np.isfinite(problem.upper), problem.upper, np.maximum(given + reach, problem.lower))
    return low, high
