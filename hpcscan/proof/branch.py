"""Proof of a minimum by branch and bound: boxes of the nonlinear parameters, until each is bounded or the budget ends.

All boxes of a level, of all points, are bounded together; a lower value found in a level counts from the next level on.
So what happens at a point depends on the point alone, not on the others or on how the boxes are cut into blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.proof.bounds import bound
from hpcscan.proof.box_problem import N_COMPARED, BoxProblem, faithful, is_apart, missed
from hpcscan.proof.enclosure import Enclosed
from hpcscan.proof.groups import GroupRanges
from hpcscan.proof.structure import Part, Structure, structures
from hpcscan.proof.system import Boxes, System

#: More nonlinear parameters that depend on each other are not tried: boxes grow exponentially.
MOST_NONLINEAR = 5
#: A box of which a side shrinks below this share is bounded again before it is divided.
SHRUNK = 0.4
#: A box is bounded with second derivatives where it was bounded by more than this share of the lowest χ² before.
NEAR = 0.8
#: A linear parameter is divided where every nonlinear one is narrower by this factor, relative to its bounds.
NARROW = 1e-12
#: A nonlinear parameter is not divided while another one is wider by this factor, relative to its bounds.
LATE = 2.0**-6
#: A linear parameter of counts is divided where it adds more to the error than a nonlinear one, by more than 1 over
#: this: the contraction of its range often makes that unnecessary.
RELUCTANCE = 0.1
#: What is narrower than this share of its bounds is not divided.
LEAST = 1e-14
#: A positive interval that spans more than this factor is divided at its geometric mean.
SPAN = 30.0
#: Numbers of double precision that a block of boxes may take, so that it stays in the processor's cache.
BLOCK = 60_000


@dataclass(frozen=True, eq=False)
class Proof:
    """What was proven at n points.

    Attributes
    ----------
    lower_bound : array, shape (n,)
        No χ² of any values within the bounds is below; −∞ where nothing was tried.
    chi2 : array, shape (n,)
        The lowest value that is known: the given one, or a better one.
    parameters : array, shape (n, n_free)
        Where it is.
    is_closed : bool array, shape (n,)
        Whether the gap is within the tolerance.
    is_improved : bool array, shape (n,)
        Whether a lower value than the given one was found: a start for a fit.
    n_boxes : array of int, shape (n,)
    n_rows : array of int, shape (n,)
        Rows that the model was asked for in floating point.
    obstacle : str
        Why nothing was tried, at some points at least; empty where something was.
    """

    lower_bound: Array
    chi2: Array
    parameters: Array
    is_closed: BoolArray
    is_improved: BoolArray
    n_boxes: IntArray
    n_rows: IntArray
    obstacle: str = ""

    @classmethod
    def none(cls, known: tuple[Array, Array], obstacle: str = "") -> Proof:
        """Return what is known where nothing was tried."""
        n = len(known[0])
        no = np.zeros(n, bool)
        n_boxes, n_rows = np.zeros(n, int), np.zeros(n, int)
        lowest = np.full(n, -np.inf)
        return cls(lowest, known[0].copy(), known[1].copy(), no, no.copy(), n_boxes, n_rows, obstacle)

    @classmethod
    def joined(cls, proofs: Sequence[Proof]) -> Proof:
        """Put the proofs of points one after another; the first obstacle stands for all."""
        columns: dict[str, Any] = {name: np.concatenate([getattr(p, name) for p in proofs]) for name in COLUMNS}
        return cls(**columns, obstacle=next((proof.obstacle for proof in proofs if proof.obstacle), ""))


#: What a proof has for every point.
COLUMNS = ("lower_bound", "chi2", "parameters", "is_closed", "is_improved", "n_boxes", "n_rows")


@dataclass(frozen=True)
class Tolerance:
    """A gap up to max(relative χ², absolute) is closed."""

    absolute: float = 1e-3
    relative: float = 1e-9

    def gap(self, chi2: Array) -> Array:
        """Return the gap that is closed: shape as χ²."""
        return np.maximum(self.absolute, self.relative * np.where(np.isfinite(chi2), chi2, 0.0))


def prove(
    problem: BoxProblem, held: Mapping[str, Array], known: tuple[Array, Array], most_boxes: int, tolerance: Tolerance
) -> Proof:
    """Prove minima, or find lower values.

    Parameters
    ----------
    held : mapping of str to array, shape (n,)
        Values of the parameters that are not free.
    known : pair of arrays, shape (n,) and (n, n_free)
        χ² of fits, infinite where there is none, and their parameters, finite and within the bounds.
    most_boxes : int
        Budget of every point and part.

    Returns
    -------
    Proof
        A point has the same bits whatever other points are proven with it.

    Raises
    ------
    NotEnclosable
        Where the model cannot be enclosed; with file and line.
    """
    # Infinite ends of intervals meet, and what they give is known to be anything.
    with np.errstate(all="ignore"):
        return _proven(problem, held, known, (most_boxes, tolerance))


def _proven(
    problem: BoxProblem, held: Mapping[str, Array], known: tuple[Array, Array], budget: tuple[int, Tolerance]
) -> Proof:
    total = Proof.none(known)
    may_prove, why = faithful(problem, held, known[1])
    total = replace(total, obstacle=why)
    for structure in structures(problem, held, len(known[0])):
        if why := obstacle(problem, structure):
            total = replace(total, obstacle=why)
            continue
        points = structure.points[may_prove[structure.points]]
        if not len(points):
            continue
        some = {name: value[points] for name, value in held.items()}
        proven = _prove(problem, structure, some, (known[0][points], known[1][points]), budget)
        for name in COLUMNS:
            getattr(total, name)[points] = getattr(proven, name)
        total = replace(total, obstacle=total.obstacle or proven.obstacle)
    if problem.own is not None:
        total.n_rows[:] += N_COMPARED
    return total


@dataclass(frozen=True)
class Prospect:
    """Whether a problem can be proven; the cost grows with the largest number of nonlinear parameters of a part.

    Attributes
    ----------
    nonlinear : tuple of tuple of str
        By independent parts, and groups with a scale in common alone.
    linear : tuple of str
    factors : tuple of str
        Of single data, minimised out.
    obstacle : str
        Why no proof is tried; empty where it is.
    """

    nonlinear: tuple[tuple[str, ...], ...]
    linear: tuple[str, ...]
    factors: tuple[str, ...]
    obstacle: str


def examine(problem: BoxProblem, held: Mapping[str, Array], n: int) -> Prospect:
    """Look at a problem without proving it; of points with different structures, at the hardest.

    Raises
    ------
    NotEnclosable
        Where the model cannot be enclosed; with file and line.
    """
    names = problem.parameters
    found = structures(problem, held, n)
    hardest = max(
        found, key=lambda s: (bool(obstacle(problem, s)), max((len(p.nonlinear) for p in s.parts), default=0))
    )
    plain = [part for part in hardest.parts if not part.groups]
    nonlinear = [part.nonlinear for part in plain if part.nonlinear]
    nonlinear += [group for part in hardest.parts for group in part.groups]
    return Prospect(
        tuple(tuple(names[j] for j in group) for group in nonlinear),
        tuple(names[j] for part in plain for j in part.linear),
        tuple(names[j] for part in hardest.parts for j, _ in part.factors),
        obstacle(problem, hardest),
    )


def obstacle(problem: BoxProblem, structure: Structure) -> str:
    """Return why a proof is not tried; empty where it is."""
    most = max((len(part.nonlinear) for part in structure.parts if not part.groups), default=0)
    if most > MOST_NONLINEAR:
        return f"{most} nonlinear parameters depend on each other, a proof is tried for at most {MOST_NONLINEAR}"
    width = problem.upper - problem.lower
    endless = [problem.parameters[j] for part in structure.parts for j in part.nonlinear if not np.isfinite(width[j])]
    if endless:
        return f"no finite bounds of {', '.join(endless)}: give bounds, such as one period of a phase"
    return ""


def _prove(
    problem: BoxProblem,
    structure: Structure,
    held: Mapping[str, Array],
    known: tuple[Array, Array],
    budget: tuple[int, Tolerance],
) -> Proof:
    """Add up the proofs of independent parts."""
    n, n_parts = len(known[0]), max(len(structure.parts), 1)
    most_boxes, tolerance = budget
    constant = _constant(problem, structure, held, known[1])
    n_rows = np.full(n, int(len(structure.constant) > 0))
    lower, upper, n_boxes = constant.copy(), constant.copy(), np.zeros(n, int)
    parameters, is_refuted, why = known[1].copy(), np.zeros(n, bool), ""
    for part in structure.parts:
        system = System(problem, part, held, known[1])
        allowed = replace(tolerance, absolute=tolerance.absolute / n_parts)
        start = known[1][:, system.free]
        tree = GroupRanges(system, start, allowed.gap) if part.groups else _Tree.of(system, start, allowed)
        tree.grow(most_boxes)
        lower, upper = lower + tree.lower_bound, upper + tree.chi2
        parameters[:, list(system.free)] = tree.parameters
        if part.factors:
            parameters[:, [j for j, _ in part.factors]] = system.best_factors(np.arange(n), tree.parameters)
        n_boxes += tree.n_boxes
        n_rows += system.n_rows
        if isinstance(tree, _Tree):
            is_refuted, why = is_refuted | tree.is_refuted, why or tree.why
    # Parts are added in floating point, a handful of roundings of what is not negative.
    lower = lower * (1 - (n_parts + 2) * 2.0**-52)
    is_improved = upper < known[0] * (1 - 1e-12)
    chi2 = np.where(is_improved, upper, known[0])
    # Above χ² by rounding is χ²; more than that would be a contradiction, and is left to be seen.
    lower = np.where(lower <= chi2 * (1 + 1e-9) + 1e-12, np.minimum(lower, chi2), lower)
    lower = np.where(is_refuted, -np.inf, lower)
    is_closed = np.abs(chi2 - lower) <= tolerance.gap(chi2)
    return Proof(
        lower, chi2, np.where(is_improved[:, None], parameters, known[1]), is_closed, is_improved, n_boxes, n_rows, why
    )


def _constant(problem: BoxProblem, structure: Structure, held: Mapping[str, Array], base: Array) -> Array:
    """Compute χ² of the rows on which nothing free has an influence."""
    if not len(structure.constant):
        return np.zeros(len(base))
    rows = structure.constant
    return System(problem, Part((), (), rows, (), ()), held, base).chi2(np.arange(len(base)), base[:, :0])


@dataclass(eq=False)
class _Tree:
    """The boxes of one part at n points, with the lowest χ² and bound of each point.

    A point is refuted where a prediction is not where the model's own enclosure says: nothing is proven there.
    """

    system: System
    tolerance: Tolerance
    open: Boxes
    chi2: Array
    parameters: Array
    lower_bound: Array
    n_boxes: IntArray
    width: Array
    is_refuted: BoolArray
    why: str = ""

    @classmethod
    def of(cls, system: System, start: Array, tolerance: Tolerance) -> _Tree:
        n, m = len(start), len(system.target)
        lower, upper = (
            np.tile(ends[list(system.free)], (n, 1)) for ends in (system.problem.lower, system.problem.upper)
        )
        start = np.clip(start, lower, upper)
        point = np.arange(n)
        boxes = Boxes(point, lower, upper, start[:, system.n_x :], np.ones((n, m), bool), np.zeros(n))
        chi2 = system.chi2(point, start)
        width = system.problem.upper[list(system.free)] - system.problem.lower[list(system.free)]
        none = np.zeros(n, int)
        return cls(system, tolerance, boxes, chi2, start, np.full(n, np.inf), none, width, none > 0)

    def grow(self, most_boxes: int) -> None:
        """Bound and divide boxes until all are done."""
        # χ² ≥ 0: what is below the tolerance is its own proof.
        self._finish(self.chi2[self.open.point] <= self.tolerance.gap(self.chi2)[self.open.point])
        while len(self.open):
            np.add.at(self.n_boxes, self.open.point, 1)
            before = self.open
            bounds, boxes, spread = self._bounded()
            self.open = replace(boxes, floor=bounds)
            threshold = (self.chi2 - self.tolerance.gap(self.chi2))[boxes.point]
            counts = np.bincount(boxes.point, bounds < threshold, len(self.chi2))
            is_spent = (self.n_boxes + 2 * counts > most_boxes)[boxes.point]
            index, is_again = _choice(self.system, before, self.open, spread, self.width)
            done = (bounds >= threshold) | is_spent | (index < 0)
            index, is_again = index[~done], is_again[~done]
            self._finish(done)
            self.open = _divided(self.open, index, is_again)
        self.lower_bound = np.minimum(self.lower_bound, self.chi2)

    def _finish(self, done: BoolArray) -> None:
        """Take boxes out; what they are bounded by is a bound of their points."""
        np.minimum.at(self.lower_bound, self.open.point[done], self.open.floor[done])
        self.open = self.open.take(~done)

    def _bounded(self) -> tuple[Array, Boxes, Array]:
        """Bound all open boxes, block by block, and lower χ² by what is found there."""
        incumbent = np.minimum(self.chi2, 1e200)[self.open.point]
        n_q = self.system.n_s + self.system.n_z
        size = max(8, BLOCK // (len(self.system.target) * (1 + self.system.n_x) * (1 + n_q)))
        # The best ones are near a minimum, most likely.
        is_near = self.open.floor > NEAR * incumbent
        kinds = [(np.flatnonzero(is_near == twice), twice) for twice in (False, True)]
        blocks = [(row[k : k + size], twice) for row, twice in kinds for k in range(0, len(row), size)]
        outcomes = [bound(self.system, self.open.take(row), incumbent[row], twice) for row, twice in blocks]
        back = np.argsort(np.concatenate([row for row, _ in blocks]))
        trial = np.concatenate([outcome.trial for outcome in outcomes])[back]
        predicted = self.system.evaluate(self.open.point, trial)
        chi2 = self.system.chi2_of(predicted)
        if self.system.problem.own is not None:
            told = [outcome.told for outcome in outcomes if outcome.told is not None]
            low, high = (np.concatenate(ends)[back] for ends in zip(*told, strict=True))
            self._compare(trial, predicted, Enclosed((low, high)))
        # The lowest of each point, the first among equal ones.
        order = np.lexsort((np.arange(len(chi2)), chi2, self.open.point))
        first = order[np.unique(self.open.point[order], return_index=True)[1]]
        better = first[chi2[first] < self.chi2[self.open.point[first]]]
        self.chi2[self.open.point[better]] = chi2[better]
        self.parameters[self.open.point[better]] = trial[better]
        spread = np.concatenate([outcome.spread for outcome in outcomes])[back]
        bounds = np.concatenate([outcome.bound for outcome in outcomes])[back]
        return bounds, Boxes.joined([outcome.boxes for outcome in outcomes]).take(back), spread

    def _compare(self, values: Array, predicted: Array, told: Enclosed) -> None:
        """Refute points where a prediction is not where the model's own enclosure says."""
        is_wrong, system = is_apart(predicted, told).any(axis=1), self.system
        if is_wrong.any():
            self.is_refuted[self.open.point[is_wrong]] = True
            held = {name: value[self.open.point] for name, value in system.held.items()}
            free = {system.problem.parameters[j]: values[:, k] for k, j in enumerate(system.free)}
            self.why = self.why or missed(system.problem, {**held, **free}, predicted, told)


def _choice(system: System, before: Boxes, after: Boxes, spread: Array, width: Array) -> tuple[IntArray, BoolArray]:
    """Choose the parameter to divide (−1: none can be), and the boxes that shrank so much that they are not divided."""
    n_x = system.n_x
    old, new = before.upper - before.lower, after.upper - after.lower
    is_wide = new > np.maximum(4e-16 * np.maximum(np.abs(after.lower), np.abs(after.upper)), LEAST * width)
    relative = np.where(np.isfinite(new), new / np.where(width > 0, width, 1.0), 0.0)
    # What is far wider than the others is divided first: the spread of one is often due to another. Among rows that are
    # all open, the relatively widest decides.
    share = relative[:, :n_x]
    is_late = share < LATE * share.max(1, keepdims=True, initial=0.0)
    by_x, by_z = spread[:, :n_x], spread[:, n_x:]
    score = by_x * (1 - is_late) + 1e-9 * (1 + by_x.max(1, keepdims=True, initial=0.0)) * share
    score = np.where(is_wide[:, :n_x], score, -1.0)
    is_narrow = relative[:, :n_x].max(1, initial=0.0) < NARROW * relative[:, n_x:].max(1, initial=0.0)
    may_divide = is_wide[:, n_x:] & np.isfinite(new[:, n_x:]) & (is_narrow[:, None] | (by_z > 0))
    linear = np.where(may_divide, np.where(by_z > 0, RELUCTANCE * by_z, relative[:, n_x:]), -1.0)
    score = np.concatenate([np.where(is_narrow[:, None], -1.0, score), linear], axis=1)
    index = np.where(score.max(1, initial=-1.0) >= 0, score.argmax(1), -1) if score.shape[1] else np.full(len(new), -1)
    shrinks = is_wide[:, :n_x] & (new[:, :n_x] < SHRUNK * old[:, :n_x])
    return index, np.asarray(shrinks.any(1))


def _divided(boxes: Boxes, index: IntArray, is_again: BoolArray) -> Boxes:
    """Divide boxes in two along a parameter; some are kept as they are."""
    if not len(boxes):
        return boxes
    halves = boxes.take(~is_again)
    row, k = np.arange(len(halves)), index[~is_again]
    lower, upper = halves.lower[row, k], halves.upper[row, k]
    middle = np.where((lower > 0) & (upper > SPAN * lower), np.sqrt(np.abs(lower * upper)), 0.5 * (lower + upper))
    first, second = halves.upper.copy(), halves.lower.copy()
    first[row, k] = second[row, k] = middle
    # A linear parameter starts inside.
    low, high = replace(halves, upper=first), replace(halves, lower=second)
    n_x = boxes.lower.shape[1] - boxes.z.shape[1]
    parts = [boxes.take(is_again), low, high]
    return Boxes.joined([replace(p, z=np.clip(p.z, p.lower[:, n_x:], p.upper[:, n_x:])) for p in parts])
