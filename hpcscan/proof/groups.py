"""Proof for groups of parameters that share nothing but a scale, with one datum each: through what each can predict.

A datum of its own parameters alone can be anything in the range of its prediction, independently of the others; so the
minimum over the scale of the distances from all ranges is the minimum of χ², exactly (`proof.certificate`). What is
searched is the ends of the ranges: boxes of one group's parameters, divided where the end matters to χ². The groups
are many small problems in place of a large one.

A box in which the derivative by a parameter has one sign is worth no more than its face at one end of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.proof.certificate import ScaleMinimum, lowered_chi2, minimise_over_scale
from hpcscan.proof.enclosure import Enclosed, enclosed
from hpcscan.proof.intervals import Pair, add, multiply, outward
from hpcscan.proof.system import System

#: Intervals of double precision that are evaluated together, so that they stay in the processor's cache.
BLOCK = 30_000
#: Halvings of a path that leads to a prediction between two that are known.
HALVINGS = 40
#: Boxes are divided whose bound is in this share of the gap of their end, the lowest ones.
SHARE = 0.5
#: Where parameters matter alike, that counts which is relatively wider.
LITTLE = 1e-9


@dataclass(frozen=True, eq=False)
class _GroupBoxes:
    """Boxes of the parameters of one group each, in the search for one end of its range.

    Attributes
    ----------
    point, group, end : array of int, shape (n,)
        End 0 is the least prediction; end 1 the largest, which is the least of its negative.
    lower, upper : array, shape (n, k)
        Of the group's parameters; 0 beyond them.
    bound : array, shape (n,)
        No prediction in the box, with the sign of its end, is below.
    is_face : bool array, shape (n,)
        Whether it stands for a wider box, of which the bound is.
    widest : array of int, shape (n,)
        The parameter by which the prediction varies most.
    """

    point: IntArray
    group: IntArray
    end: IntArray
    lower: Array
    upper: Array
    bound: Array
    is_face: BoolArray
    widest: IntArray

    def __len__(self) -> int:
        return len(self.point)

    @property
    def place(self) -> tuple[IntArray, IntArray, IntArray]:
        """Where the end is in tables of all."""
        return self.point, self.group, self.end

    def take(self, some: BoolArray | IntArray | slice) -> _GroupBoxes:
        """Return some of the boxes."""
        return _GroupBoxes(*(getattr(self, f.name)[some] for f in fields(self)))

    @classmethod
    def joined(cls, several: Sequence[_GroupBoxes]) -> _GroupBoxes:
        """Return the boxes of several, in this order."""
        return cls(*(np.concatenate([getattr(b, f.name) for b in several]) for f in fields(cls)))


class GroupRanges:
    """The ranges of the predictions of all groups of a part at n points, and the χ² that follows from them.

    Parameters
    ----------
    system : System
        Of a part with groups.
    start : array, shape (n, n_x + n_z)
        Values within the bounds.
    gap : callable
        What gap is closed for a χ².

    Attributes
    ----------
    chi2, lower_bound : array, shape (n,)
        The lowest value that is known, and what none is below.
    parameters : array, shape (n, n_x + n_z)
    n_boxes : array of int, shape (n,)
    """

    def __init__(self, system: System, start: Array, gap: Callable[[Array], Array]) -> None:
        self._system, self._gap = system, gap
        self._groups = [[system.free.index(j) for j in group] for group in system.part.groups]
        free = list(system.free)
        self._lower, self._upper = system.problem.lower[free], system.problem.upper[free]
        n, m = len(start), len(system.target)
        self.parameters = np.clip(start, self._lower, self._upper)
        self.chi2 = system.chi2(np.arange(n), self.parameters)
        self.lower_bound, self.n_boxes = np.zeros(n), np.zeros(n, int)
        # Predictions with the signs of the ends: reached ones, where, and what none is below.
        f = system.evaluate(np.arange(n), self.parameters)
        self._reached = np.where(np.isfinite(f), f, np.inf)[..., None] * np.array([1.0, -1.0])
        self._reached = np.where(np.isfinite(f)[..., None], self._reached, np.inf)
        self._where = np.tile(self._own(self.parameters)[:, :, None], (1, 1, 2, 1))
        self._least = np.full((n, m, 2), -np.inf)

    def grow(self, most_boxes: int) -> None:
        """Bound and divide boxes until the gaps are closed, or the budget of a point is spent."""
        n, m = self._least.shape[:2]
        point, group, end = (a.ravel() for a in np.indices((n, m, 2)))
        lower, upper = (self._own(np.tile(side, (n, 1)))[point, group] for side in (self._lower, self._upper))
        none = np.zeros(len(point), int)
        boxes = _GroupBoxes(point, group, end, lower, upper, np.full(len(point), -np.inf), none > 0, none)
        # χ² ≥ 0: what is below the tolerance is its own proof.
        boxes = boxes.take((self.chi2 > self._gap(self.chi2))[boxes.point])
        kept = boxes.take(slice(0, 0))
        while len(boxes):
            np.add.at(self.n_boxes, boxes.point, 1)
            kept = _GroupBoxes.joined([kept, self._bounded(boxes)])
            kept = kept.take(kept.bound < self._reached[kept.place])
            self._least = self._reached.copy()
            np.minimum.at(self._least, kept.place, kept.bound)
            is_active, is_open = self._judged()
            wanted = is_open[kept.point] & is_active[kept.place]
            wanted &= kept.is_face | (kept.lower < kept.upper).any(1)
            # The lowest ones first: what is left of the others is often above what these reach.
            lowest, reached = self._least[kept.place], self._reached[kept.place]
            wanted &= ~(kept.bound > lowest + SHARE * (reached - lowest))
            counts = np.bincount(kept.point[wanted], minlength=n)
            wanted &= (self.n_boxes + 2 * counts <= most_boxes)[kept.point]
            boxes, kept = self._divided(kept.take(wanted)), kept.take(~wanted)
        self._descend()

    def _own(self, values: Array) -> Array:
        """Pick the parameters of each datum's group: (n, n_free) gives (n, m, k)."""
        most = max(len(group) for group in self._groups)
        own = np.zeros((len(values), len(self._groups), most))
        for g, group in enumerate(self._groups):
            own[:, g, : len(group)] = values[:, group]
        return own

    def _bounded(self, boxes: _GroupBoxes) -> _GroupBoxes:
        """Bound the predictions of boxes, and replace these by faces; predictions in their middles are reached."""
        size = max(8, BLOCK // (len(self._groups) * (1 + boxes.lower.shape[1])))
        parts = [boxes.take(slice(k, k + size)) for k in range(0, len(boxes), size)]
        found = _GroupBoxes.joined([self._bounded_together(part) for part in parts])
        middle = 0.5 * (found.lower + found.upper)
        f = self._predicted(found, middle)
        order = np.lexsort((np.arange(len(f)), f, found.end, found.group, found.point))
        key = np.stack(found.place)[:, order]
        first = order[np.flatnonzero(np.append(True, (key[:, 1:] != key[:, :-1]).any(0)))]
        best = first[f[first] < self._reached[found.take(first).place]]
        place = found.take(best).place
        self._reached[place], self._where[place] = f[best], middle[best]
        return found

    def _bounded_together(self, boxes: _GroupBoxes) -> _GroupBoxes:
        n, middle = len(boxes), 0.5 * (boxes.lower + boxes.upper)
        both = self._enclosed(
            _GroupBoxes.joined([boxes, boxes]),
            np.concatenate([boxes.lower, middle]),
            np.concatenate([boxes.upper, middle]),
        )
        whole, at = both[:n].detached(), both[n:].detached()
        sign = np.where(boxes.end == 0, 1.0, -1.0)
        value, lower, upper = _signed(whole.value, sign), boxes.lower.copy(), boxes.upper.copy()
        total = _signed(at.value, sign)
        size = value[1] - value[0]
        score = np.zeros(lower.shape)
        is_whole = np.ones(len(boxes), bool) if whole.undefined is None else whole.undefined == 0
        for k in range(lower.shape[1]):
            slope = _signed(whole.first.get(k, (np.zeros(len(boxes)),) * 2), sign)
            total = add(total, multiply(slope, outward(lower[:, k] - middle[:, k], upper[:, k] - middle[:, k])))
            wide = np.maximum(np.abs(slope[0]), np.abs(slope[1])) * (upper[:, k] - lower[:, k])
            score[:, k] = np.where(
                upper[:, k] > lower[:, k], np.fmin(wide, size) + LITTLE * self._share(boxes, k), -1.0
            )
            # Where the prediction is defined everywhere, it is least on the face that is downhill.
            low, high = _downhill((lower[:, k], upper[:, k]), slope)
            lower[:, k], upper[:, k] = np.where(is_whole, low, lower[:, k]), np.where(is_whole, high, upper[:, k])
        bound = np.maximum(np.maximum(value[0], np.where(is_whole, total[0], -np.inf)), boxes.bound)
        if whole.undefined is not None:
            bound = np.where(whole.undefined == 2, np.inf, bound)
        is_face = np.asarray(((lower > boxes.lower) | (upper < boxes.upper)).any(1))
        return _GroupBoxes(boxes.point, boxes.group, boxes.end, lower, upper, bound, is_face, score.argmax(1))

    def _share(self, boxes: _GroupBoxes, k: int) -> Array:
        """Return the widths of boxes by a parameter relative to its bounds."""
        whole = self._own((self._upper - self._lower)[None])[0][boxes.group, k]
        return np.asarray((boxes.upper[:, k] - boxes.lower[:, k]) / np.where(whole > 0, whole, 1.0))

    def _enclosed(self, boxes: _GroupBoxes, lower: Array, upper: Array) -> Enclosed:
        """Enclose the prediction of each box, with derivatives by the parameters of its group under 0, 1, ….

        The model predicts all groups at once: so boxes of different ones go into one call of it together, and share
        the keys of derivatives.
        """
        system, (row, point) = self._system, _packed(boxes)
        # One row alone may be summed in another order by numpy than in a batch: it gets company.
        point = point if len(point) > 1 else np.repeat(point, 2)
        base, one = system.base[point], np.ones((len(point), 1))
        free = {name: enclosed(base[:, j][:, None]) for j, name in enumerate(system.problem.parameters)}
        for g, group in enumerate(system.part.groups):
            mine = boxes.group == g
            for k, j in enumerate(group):
                ends = base[:, j].copy(), base[:, j].copy()
                ends[0][row[mine]], ends[1][row[mine]] = lower[mine, k], upper[mine, k]
                exact = (ends[0][:, None],) * 2 if np.array_equal(*ends) else (ends[0][:, None], ends[1][:, None])
                free[system.problem.parameters[j]] = Enclosed(exact, {k: (one, one)})
        held = {name: value[point] for name, value in system.held.items()}
        found, column = system.problem.enclose(held, free), system.part.rows[boxes.group]
        return found.move(lambda a: np.ascontiguousarray(a[row, column])).detached()

    def _predicted(self, boxes: _GroupBoxes, own: Array) -> Array:
        """Predict in floating point, with the sign of the end; infinite where it is not finite."""
        row, point = _packed(boxes)
        values = self.parameters[point].copy()
        for g, group in enumerate(self._groups):
            mine = boxes.group == g
            for k, j in enumerate(group):
                values[row[mine], j] = own[mine, k]
        f = self._system.evaluate(point, values)[row, boxes.group] * (1.0 - 2.0 * boxes.end)
        return np.where(np.isfinite(f), f, np.inf)

    def _judged(self) -> tuple[BoolArray, BoolArray]:
        """Bound χ² from the ranges; tell which ends matter to it, and where the gap is open."""
        target = np.repeat(self._system.target[:, None], len(self.chi2), axis=1)
        # An end that nothing reaches is not known from inside.
        is_reached = np.isfinite(self._reached).all(axis=(1, 2))
        inner = np.where(is_reached[:, None, None], self._reached, 0.0)
        outer, inside = (minimise_over_scale(target, *_ends(table)) for table in (self._least, inner))
        self.lower_bound = np.maximum(self.lower_bound, lowered_chi2(outer.distance, target))
        # A box in which nothing is defined bounds nothing.
        self.lower_bound[np.isposinf(self._least).any(axis=(1, 2))] = np.inf
        lowest = np.minimum(self.chi2, np.where(is_reached, sum(inside.distance**2), np.inf))
        is_open = lowest - self.lower_bound > 0.5 * self._gap(lowest)
        is_active = _active(outer, target, _ends(self._least)) | _active(inside, target, _ends(inner))
        # Where no end matters, something else is missing.
        is_active |= ~is_active.any(axis=(1, 2), keepdims=True) | ~is_reached[:, None, None]
        return is_active, is_open

    def _divided(self, boxes: _GroupBoxes) -> _GroupBoxes:
        """Divide boxes along their widest parameters; faces are bounded first."""
        faces, boxes = boxes.take(boxes.is_face), boxes.take(~boxes.is_face)
        at = np.arange(len(boxes)), boxes.widest
        first, second = boxes.upper.copy(), boxes.lower.copy()
        first[at] = second[at] = 0.5 * (boxes.lower[at] + boxes.upper[at])
        halves = [(boxes.lower, first), (second, boxes.upper)]
        place = boxes.point, boxes.group, boxes.end
        return _GroupBoxes.joined(
            [faces, *(_GroupBoxes(*place, *half, boxes.bound, boxes.is_face, boxes.widest) for half in halves)]
        )

    def _descend(self) -> None:
        """Lower χ² to what the reached predictions allow, on straight paths between those at the ends of a range."""
        is_reached = np.isfinite(self._reached).all(axis=(1, 2))
        row = np.flatnonzero(is_reached & (self.chi2 - self.lower_bound > 0.5 * self._gap(self.chi2)))
        if not len(row):
            return
        target = np.repeat(self._system.target[:, None], len(row), axis=1)
        ends = _ends(self._reached[row])
        scale = minimise_over_scale(target, *ends).lower
        with np.errstate(all="ignore"):
            wanted = np.clip(np.nan_to_num(target / scale), *ends).T
        low, high = self._where[row, :, 0], self._where[row, :, 1]
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            is_above = (self._system.evaluate(row, self._joined(row, middle)) >= wanted)[..., None]
            low, high = np.where(is_above, low, middle), np.where(is_above, middle, high)
        # A path that ends where it began is at an end of the range.
        near = [np.abs(self._system.evaluate(row, self._joined(row, x)) - wanted) for x in (low, high)]
        values = self._joined(row, np.where((near[0] < near[1])[..., None], low, high))
        chi2 = self._system.chi2(row, values)
        is_lower = chi2 < self.chi2[row]
        self.chi2[row[is_lower]], self.parameters[row[is_lower]] = chi2[is_lower], values[is_lower]

    def _joined(self, row: IntArray, own: Array) -> Array:
        """Put the parameters of groups together, where their bounds are."""
        values = self.parameters[row].copy()
        for g, group in enumerate(self._groups):
            values[:, group] = own[:, g, : len(group)]
        return np.clip(values, self._lower, self._upper)


def _packed(boxes: _GroupBoxes) -> tuple[IntArray, IntArray]:
    """Assign every box a row that it shares with boxes of the same point and other groups; and the points of rows."""
    key = np.stack([boxes.point, boxes.group])
    order = np.lexsort((np.arange(len(boxes)), *key[::-1]))
    is_first = np.append(True, (key[:, order[1:]] != key[:, order[:-1]]).any(0))
    turn = np.empty(len(boxes), int)
    turn[order] = np.arange(len(boxes)) - np.maximum.accumulate(np.where(is_first, np.arange(len(boxes)), 0))
    shared = boxes.point * (turn.max(initial=0) + 1) + turn
    _, first, row = np.unique(shared, return_index=True, return_inverse=True)
    return row, boxes.point[first]


def _downhill(ends: Pair, slope: Pair) -> Pair:
    """Cut an interval down to the end where a function is least that falls or rises everywhere."""
    lower, upper = ends
    rises, falls = slope[0] >= 0, (slope[0] < 0) & (slope[1] <= 0)
    return np.where(falls, upper, lower), np.where(rises, lower, upper)


def _signed(pair: Pair, sign: Array) -> Pair:
    """Multiply by ±1, exactly."""
    return np.minimum(sign * pair[0], sign * pair[1]), np.maximum(sign * pair[0], sign * pair[1])


def _ends(table: Array) -> Pair:
    """Turn (n, m, 2) with the signs of ends into ranges, shape (m, n)."""
    return table[..., 0].T, -table[..., 1].T


def _active(found: ScaleMinimum, target: Array, span: Pair) -> BoolArray:
    """Return which ends of ranges keep χ² from being lower, shape (n, m, 2)."""
    with np.errstate(all="ignore"):
        scale = np.where(np.isfinite(found.lower), found.lower, found.upper)
        is_low, is_high = (
            target < np.minimum(scale * span[0], scale * span[1]),
            target > np.maximum(scale * span[0], scale * span[1]),
        )
    is_free = ~(np.isfinite(scale) & (scale != 0))
    is_least = np.where(scale > 0, is_low, is_high) | is_free
    is_most = np.where(scale > 0, is_high, is_low) | is_free
    return np.stack([is_least.T, is_most.T], axis=-1)
