"""What a model is made of, found without any numbers of its box: linear parameters, and parts that share nothing.

Every parameter is marked in turn, and `predict` is called with degrees alone (over the whole box of the parameters, so
that what it decides holds everywhere). Parameters are linear together as long as no prediction has a degree above one
in all of them; each must be under one scale, or under none, so that S z is as free as z is. The deviance of counts is
bounded over finite ranges: what has no bounds there or is under a scale of theirs is not linear. A constrained
parameter that multiplies one datum is a factor of it, where something else is not linear beside it: see
`proof.counts`. Of a model that is enclosed by its own function nothing is known of the structure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.proof.box_problem import BoxProblem
from hpcscan.proof.enclosure import Enclosed

#: Intervals round a product with 0 are rounded outward by numbers far below this, and it is far below all others.
NOTHING = 1e-300
#: So many predictions are marked in one call of the model.
TOGETHER = 50_000


@dataclass(frozen=True, eq=False)
class Part:
    """Parameters and scales that share predictions among themselves and with no others.

    Attributes
    ----------
    nonlinear, linear : tuple of int
        Indices of free parameters.
    rows : array of int
        The predictions that depend on them.
    scales : tuple of int
        Indices of the scales in these rows.
    scale_of_linear : tuple of int
        For every linear parameter, the place in `scales` of the one of its rows; n_scales where they have none.
    factors : tuple of pairs of int
        Parameters that are factors of one prediction, and its place among all; without rows of their constraints.
    groups : tuple of tuple of int
        Where parameters share nothing but one scale, and have finite bounds and one datum: those of every row.
    """

    nonlinear: tuple[int, ...]
    linear: tuple[int, ...]
    rows: IntArray
    scales: tuple[int, ...]
    scale_of_linear: tuple[int, ...]
    factors: tuple[tuple[int, int], ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, eq=False)
class Structure:
    """The parts of a problem at some of its points.

    Attributes
    ----------
    points : array of int
        Where it holds.
    parts : tuple of Part
    constant : array of int
        Rows that depend on nothing free.
    """

    points: IntArray
    parts: tuple[Part, ...]
    constant: IntArray


def structures(problem: BoxProblem, held: Mapping[str, Array], n: int) -> list[Structure]:
    """Find the structures of a problem at n points, each with the points where it holds.

    Raises
    ------
    NotEnclosable
    """
    dependence = _dependence(problem, held, n) if problem.own is None else _unknown_dependence(problem, n)
    found: dict[bytes, list[int]] = {}
    for k in range(n):
        found.setdefault(b"".join(kind[k].tobytes() for kind in dependence), []).append(k)
    return [_structure(problem, np.array(ks), *(kind[ks[0]] for kind in dependence)) for ks in found.values()]


def _dependence(problem: BoxProblem, held: Mapping[str, Array], n: int) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Find which rows each parameter touches, (n, n_free, n_rows), which are linear together and which are factors.

    The latter two of shape (n, n_free).
    """
    p = len(problem.parameters)
    # As many parameters as are reasonable are marked in one call, each at all points.
    per_call = max(1, TOGETHER // (n * len(problem.sigma)))
    ones = np.repeat(np.eye(p, dtype=bool)[:, None], n, axis=1)
    alone = np.concatenate(
        [_degrees(problem, held, ones[k : k + per_call]) for k in range(0, p, per_call)]
        or [np.zeros((0, n, len(problem.sigma)), np.int8)]
    ).transpose(1, 0, 2)
    touched = alone > 0
    is_factor = _factors(problem, held, alone)
    if is_factor.any():
        # Only what is not linear beside something else: a product.
        shared = _degrees(problem, held, np.ones((1, n, p), bool))[0] > 1
        is_factor &= (touched & shared[:, None] & ~problem.is_constraint).any(axis=2)
    may_be = _linear_alone(problem, alone) & ~is_factor
    if not may_be.any() or _degrees(problem, held, may_be[None]).max() <= 1:
        return touched, may_be, is_factor
    linear = np.zeros((n, p), bool)
    for j in np.flatnonzero(may_be.any(axis=0)):
        tried = linear.copy()
        tried[:, j] = may_be[:, j]
        linear[:, j] = tried[:, j] & (_degrees(problem, held, tried[None])[0].max(axis=1) <= 1)
    return touched, linear, is_factor


def _unknown_dependence(problem: BoxProblem, n: int) -> tuple[BoolArray, BoolArray, BoolArray]:
    """Take all predictions to depend on all parameters, in no simple way; constraints are what they are."""
    touched = np.ones((len(problem.parameters), len(problem.sigma)), bool)
    for row, constraint in enumerate(problem.constraints, len(problem.sigma) - len(problem.constraints)):
        touched[:, row] = np.array(problem.parameters) == constraint.parameter
    none = np.zeros((n, len(problem.parameters)), bool)
    return np.tile(touched, (n, 1, 1)), none, none.copy()


def _degrees(problem: BoxProblem, held: Mapping[str, Array], marked: BoolArray) -> IntArray:
    """Compute the degrees of the predictions in parameters marked, (k, n, n_free), over all bounds: (k, n, n_rows)."""
    k, n, p = marked.shape
    flat, one = marked.reshape(k * n, p).astype(np.int8), np.ones((k * n, 1))
    free = {
        name: Enclosed((problem.lower[j] * one, problem.upper[j] * one), degree=flat[:, j, None])
        for j, name in enumerate(problem.parameters)
    }
    degree = problem.enclose({name: np.tile(value, k) for name, value in held.items()}, free).degree
    shape = k, n, len(problem.sigma)
    return np.zeros(shape, np.int8) if degree is None else np.ascontiguousarray(degree).reshape(shape)


def _linear_alone(problem: BoxProblem, alone: IntArray) -> BoolArray:
    """Return which parameters are linear by themselves, shape (n, n_free)."""
    touched = alone > 0
    is_endless = ~np.isfinite(problem.upper - problem.lower)[:, None]
    has_counts = np.isin(problem.scale_of, problem.scale_of[problem.is_count & (problem.scale_of >= 0)])
    is_counted = (touched & (has_counts | (problem.is_count & is_endless))).any(axis=2)
    scale = np.where(touched, problem.scale_of, -2)
    most = scale.max(axis=2, keepdims=True)
    is_single = (most == np.where(touched, scale, most)).all(axis=2)
    return np.asarray((alone.max(axis=2) == 1) & is_single & ~is_counted & (problem.lower < problem.upper))


def _factors(problem: BoxProblem, held: Mapping[str, Array], alone: IntArray) -> BoolArray:
    """Find constrained parameters that multiply one datum, without scale and correlation: shape (n, n_free)."""
    n, p = alone.shape[:2]
    touched, suits = alone > 0, ~problem.is_constraint & (problem.scale_of < 0)
    for block in problem.correlated:
        suits[block] = False
    data, constraints = touched & ~problem.is_constraint, touched & problem.is_constraint
    is_factor = (data.sum(axis=2) == 1) & (constraints.sum(axis=2) == 1) & (data & suits).any(axis=2)
    is_factor &= (alone.max(axis=2) == 1) & (problem.lower >= 0) & (problem.lower < problem.upper)
    # The first one of a datum, if there are more.
    taken = np.cumsum(data & is_factor[..., None], axis=1)
    is_factor &= ((taken == 1) & data).any(axis=2)
    if not is_factor.any():
        return np.asarray(is_factor)
    # What is affine in a parameter and vanishes with it is a product, whatever the others are.
    ends = [np.where(is_factor, 0.0, end) for end in (problem.lower, problem.upper)]
    free = {name: Enclosed((ends[0][:, j, None], ends[1][:, j, None])) for j, name in enumerate(problem.parameters)}
    lower, upper = problem.enclose(held, free).value
    vanishes = np.maximum(np.abs(lower), np.abs(upper)) <= NOTHING
    return np.asarray(is_factor & (data & vanishes[:, None]).any(axis=2).reshape(n, p))


def _structure(
    problem: BoxProblem, points: IntArray, touched: BoolArray, linear: BoolArray, is_factor: BoolArray
) -> Structure:
    """Join parameters and scales that meet in a row."""
    n_free, n_scales = len(problem.parameters), len(problem.scales)
    label = np.arange(n_free + n_scales)
    members = np.concatenate([touched, problem.scale_of == np.arange(n_scales)[:, None]])
    for block in problem.correlated:
        members[:, block] |= members[:, block].any(axis=1, keepdims=True)
    for row in members.T:
        met = np.unique(label[row])
        label[np.isin(label, met)] = met.min(initial=n_free + n_scales)
    parts = []
    for one in dict.fromkeys(label.tolist()):
        mine = label == one
        rows = np.flatnonzero(members[mine].any(axis=0))
        if not len(rows):
            continue
        own = np.flatnonzero(mine[:n_free] & is_factor)
        factors = tuple((int(j), int(np.flatnonzero(touched[j] & ~problem.is_constraint)[0])) for j in own)
        rows = rows[~(touched[own][:, rows].any(axis=0) & problem.is_constraint[rows])]
        free = np.flatnonzero(mine[:n_free] & ~is_factor)
        nonlinear, z = (tuple(int(j) for j in free if linear[j] == kind) for kind in (False, True))
        scales = tuple(int(g) for g in np.flatnonzero(mine[n_free:]))
        places = {**{g: k for k, g in enumerate(scales)}, -1: len(scales)}
        of_linear = tuple(places[int(problem.scale_of[touched[j]][0])] for j in z)
        groups = _groups(problem, touched, (free, rows), scales) if not factors else ()
        parts.append(Part(nonlinear, z, rows, scales, of_linear, factors, groups))
    return Structure(points, tuple(parts), np.flatnonzero(~members.any(axis=0)))


def _groups(
    problem: BoxProblem, touched: BoolArray, members: tuple[IntArray, IntArray], scales: tuple[int, ...]
) -> tuple[tuple[int, ...], ...]:
    """Find the parameters of every row, where each has one row, under the one scale; empty where it is not so."""
    free, rows = members
    own, about = touched[free][:, rows], problem.is_count | (problem.scale_of < 0)
    for block in problem.correlated:
        about[block] = True
    is_finite = np.isfinite(problem.upper[free] - problem.lower[free]).all()
    is_apart = len(rows) > 1 and (own.sum(axis=1) == 1).all() and own.any(axis=0).all() and not about[rows].any()
    if len(scales) != 1 or not is_finite or not is_apart:
        return ()
    return tuple(tuple(int(j) for j in free[mine]) for mine in own.T)
