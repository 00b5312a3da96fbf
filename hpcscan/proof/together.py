"""Proof of optimality where observables share parameters: branch and bound over the coordinates of their groups.

Each group of observables is followed along a coordinate of the model's choice (`hpcscan.model.Together`). A part of its
range has a range of every prediction in the group, found once. A box takes one part of each group; within it all
predictions are independent of each other, so that the minimum over the scales is exact (`proof.certificate`).

The coordinate that is divided is the one whose parts raise the bounds most, all together: all are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.model.problem import Problem, scale_names
from hpcscan.model.returned import Joint, PredictionRanges
from hpcscan.proof.certificate import Certificate, least_chi2, sigmas, unknown

#: A part is divided into so many.
PARTS = 4
#: An interval that spans more than this factor is divided at geometric means.
SPAN = 2.0
#: Boxes are divided whose bound is in this share of the gap, the lowest ones.
SHARE = 0.5
#: Scales that reach the minimum are told apart to this share of their size, with this many boxes and divisions at most.
RESOLVED, MOST_KEPT, MOST_ROUNDS = 2.0**-24, 48, 16
#: A gap up to this share of the tie tolerance is closed here, so that rounding does not open it again.
CLOSED = 0.5


@dataclass(frozen=True, eq=False)
class Bound:
    """What was proven at n points; NaN where nothing was tried.

    Attributes
    ----------
    certificate : Certificate
        With the scales of the boxes that may hold the minimum, where the gap is closed.
    n_boxes : array of int, shape (n,)
    """

    certificate: Certificate
    n_boxes: IntArray


def bound_together(
    problem: Problem,
    points: Array,
    known: tuple[Array, Array],
    most_boxes: int,
    ranges: PredictionRanges | None = None,
) -> Bound:
    """Bound the profile χ² from below where the model says what predictions can be together.

    Parameters
    ----------
    points : array, shape (n, n_axes)
    known : pair of arrays, shape (n,)
        χ² of fits, and differences of it that are none: what is above need not be told apart. Where χ² is not finite,
        or not above its tie, nothing is tried.
    most_boxes : int
        Budget of every point.
    ranges : PredictionRanges, optional
        At these points, where they are known already.

    Returns
    -------
    Bound
        A point has the same bits whatever other points are bounded with it, if the model's ranges have.
    """
    n, (chi2, tie) = len(points), known
    result = Bound(unknown(n, len(scale_names(problem))), np.zeros(n, np.int64))
    row = np.flatnonzero(np.isfinite(chi2) & (chi2 > tie))
    if ranges is None or len(row) < n:
        ranges = problem.prediction_ranges(points[row]) if len(row) else None
    if ranges is None or ranges.exact is not None or not ranges.joint:
        return result
    row_is_known = (ranges.lower <= ranges.upper).all(axis=1)
    search = _Search(problem, ranges, (chi2[row], tie[row]), most_boxes)
    search.run(np.flatnonzero(row_is_known))
    done = row[row_is_known]
    result.n_boxes[done] = search.n_boxes[row_is_known]
    for name in ("chi2_lower_bound", "scale_lower", "scale_upper"):
        getattr(result.certificate, name)[done] = getattr(search.found, name)[row_is_known]
    return result


@dataclass(frozen=True, eq=False)
class _JointBoxes:
    """Boxes, each a part of every group.

    Attributes
    ----------
    point : int array, shape (n,)
    parts : int array, shape (n_groups, n)
    bound : array, shape (n,)
        No χ² in the box is below.
    """

    point: IntArray
    parts: IntArray
    bound: Array

    def take(self, some: BoolArray) -> _JointBoxes:
        """Select boxes."""
        return _JointBoxes(self.point[some], self.parts[:, some], self.bound[some])

    @classmethod
    def joined(cls, several: Sequence[_JointBoxes]) -> _JointBoxes:
        """Put boxes together, in this order."""
        return cls(*(np.concatenate([getattr(b, f.name) for b in several], axis=-1) for f in fields(cls)))


class _Search:
    """The boxes of n points, and what is known of those that are done.

    Parameters
    ----------
    known : pair of arrays, shape (n,)
    """

    def __init__(self, problem: Problem, ranges: PredictionRanges, known: tuple[Array, Array], most_boxes: int) -> None:
        self._problem, self._most_boxes = problem, most_boxes
        self._chi2, self._tie = known
        self._threshold = self._chi2 - CLOSED * self._tie
        sigma = sigmas(problem)
        self._lower, self._upper = ranges.lower.T / sigma, ranges.upper.T / sigma
        self._trees = [_CoordinateTree(joint, sigma) for joint in ranges.joint]
        n = len(self._chi2)
        self.n_boxes = np.zeros(n, np.int64)
        self.found = unknown(n, len(scale_names(problem)))
        self.found.chi2_lower_bound[:] = np.inf

    def run(self, points: IntArray) -> None:
        """Bound and divide boxes until all are done."""
        parts = np.tile(points, (len(self._trees), 1))
        boxes = _JointBoxes(points, parts, self._bounded(points, parts).chi2_lower_bound)
        np.add.at(self.n_boxes, points, 1)
        kept = []
        while True:
            is_done = self._is_done(boxes)
            done, boxes = boxes.take(is_done), boxes.take(~is_done)
            np.minimum.at(self.found.chi2_lower_bound, done.point, done.bound)
            kept.append(done.take(done.bound <= self._chi2[done.point]))
            if not len(boxes.point):
                break
            # The lowest boxes first: then the lowest bound is as high as the budget allows.
            lowest = np.full(len(self._chi2), np.inf)
            np.minimum.at(lowest, boxes.point, boxes.bound)
            lowest = lowest[boxes.point]
            is_low = boxes.bound <= lowest + SHARE * (self._threshold[boxes.point] - lowest)
            np.add.at(self.n_boxes, boxes.point[is_low], 1)
            boxes = _JointBoxes.joined([boxes.take(~is_low), self._divided(boxes.take(is_low))])
        self._resolve(_JointBoxes.joined(kept))

    def _is_done(self, boxes: _JointBoxes) -> BoolArray:
        """Whether boxes hold no χ² that is lower, or the budget of their point would be exceeded."""
        is_closed = boxes.bound >= self._threshold[boxes.point]
        n_open = np.bincount(boxes.point[~is_closed], minlength=len(self._chi2))
        return np.asarray(is_closed | (self.n_boxes + n_open > self._most_boxes)[boxes.point])

    def _resolve(self, boxes: _JointBoxes) -> None:
        """Find the scales of boxes that may hold the minimum of their point, divided until they are narrow.

        Nothing is said of them where the gap stays open: such boxes may be far from the minimum.
        """
        low, high = self.found.scale_lower, self.found.scale_upper
        is_closed = self.found.chi2_lower_bound >= self._threshold
        boxes = boxes.take(is_closed[boxes.point])
        for _ in range(MOST_ROUNDS):
            low[boxes.point], high[boxes.point] = np.nan, np.nan
            scales = self._bounded(boxes.point, boxes.parts)
            for k in range(low.shape[1]):
                np.fmin.at(low[:, k], boxes.point, scales.scale_lower[:, k])
                np.fmax.at(high[:, k], boxes.point, scales.scale_upper[:, k])
            size = np.maximum(np.abs(low), np.abs(high))
            is_wide = (np.isinf(size) | (high - low > RESOLVED * size)).any(axis=1)
            # Flat directions stay as wide as they are.
            n_boxes = np.bincount(boxes.point, minlength=len(self._chi2))
            is_busy = (is_wide & (n_boxes <= MOST_KEPT))[boxes.point]
            if not is_busy.any():
                break
            divided = self._divided(boxes.take(is_busy))
            boxes = _JointBoxes.joined([boxes.take(~is_busy), divided.take(divided.bound <= self._chi2[divided.point])])

    def _divided(self, boxes: _JointBoxes) -> _JointBoxes:
        """Divide boxes along the coordinate whose parts have the highest bounds, and otherwise the widest part."""
        n, shape = len(boxes.point), (len(boxes.parts), PARTS * len(boxes.point))
        tried, bounds, gains = [], [], []
        # A bound above χ² serves as well as any.
        room = (self._chi2 + self._tie)[boxes.point] - boxes.bound
        point = np.tile(boxes.point, PARTS)
        for g, tree in enumerate(self._trees):
            child = np.repeat(boxes.parts[None], PARTS, axis=0)
            child[:, g] = tree.divided(boxes.parts[g])
            bound = self._bounded(point, child.transpose(1, 0, 2).reshape(shape)).chi2_lower_bound
            bound = np.maximum(bound.reshape(PARTS, n), boxes.bound)
            gain = sum(np.minimum(one - boxes.bound, room) for one in bound)
            tried.append(child)
            bounds.append(bound)
            gains.append(gain + 1e-12 * room * tree.width(boxes.parts[g]))
        best, box = np.argmax(gains, axis=0), np.arange(n)
        chosen = np.stack(tried)[best, :, :, box].transpose(2, 1, 0).reshape(shape)
        return _JointBoxes(point, chosen, np.stack(bounds)[best, :, box].T.ravel())

    def _bounded(self, point: IntArray, parts: IntArray) -> Certificate:
        """Bound χ² in boxes."""
        lower, upper = self._lower[:, point], self._upper[:, point]
        for tree, part in zip(self._trees, parts, strict=True):
            places = tree.joint.places
            lower[places] = np.maximum(lower[places], tree.low[:, part])
            upper[places] = np.minimum(upper[places], tree.high[:, part])
        return _of_possible(self._problem, lower, upper)


def _of_possible(problem: Problem, lower: Array, upper: Array) -> Certificate:
    """Bound χ² where ranges are not crossed; it is infinite where some are."""
    with np.errstate(invalid="ignore"):
        is_possible = (lower <= upper).all(axis=0)
        least = least_chi2(problem, np.where(is_possible, lower, 0.0), np.where(is_possible, upper, 0.0))
    least.chi2_lower_bound[~is_possible] = np.inf
    return least


class _CoordinateTree:
    """The parts of one group's coordinate, at all points: the whole ranges first, then what they are divided into.

    Parameters
    ----------
    sigma : array, shape (n_observables, 1)
    """

    def __init__(self, joint: Joint, sigma: Array) -> None:
        self.joint, self._sigma = joint, sigma[joint.places]
        n = len(joint.lower)
        self._point, self._lower, self._upper = np.arange(n), joint.lower, joint.upper
        self._first_child = np.full(n, -1)
        self.low, self.high = self._enclosed(self._point, joint.lower, joint.upper)

    def _enclosed(self, point: IntArray, lower: Array, upper: Array) -> tuple[Array, Array]:
        low, high = self.joint.enclose(point, lower, upper)
        return low.T / self._sigma, high.T / self._sigma

    def width(self, parts: IntArray) -> Array:
        """Return the relative widths of parts, at most 2."""
        lower, upper = self._lower[parts], self._upper[parts]
        return (upper - lower) / np.maximum(np.maximum(np.abs(lower), np.abs(upper)), 1e-300)

    def divided(self, parts: IntArray) -> IntArray:
        """Return what parts are divided into, shape (PARTS, n); what is not known yet is enclosed, once."""
        new = np.unique(parts[self._first_child[parts] < 0])
        if len(new):
            edges = _edges(self._lower[new], self._upper[new])
            lower, upper, point = edges[:-1].T.ravel(), edges[1:].T.ravel(), np.repeat(self._point[new], PARTS)
            low, high = self._enclosed(point, lower, upper)
            # What a part can be, its own parts can be at most.
            of_parent = np.repeat(new, PARTS)
            low, high = np.maximum(low, self.low[:, of_parent]), np.minimum(high, self.high[:, of_parent])
            self._first_child[new] = len(self._point) + PARTS * np.arange(len(new))
            self._point = np.concatenate([self._point, point])
            self._lower, self._upper = np.concatenate([self._lower, lower]), np.concatenate([self._upper, upper])
            self._first_child = np.concatenate([self._first_child, np.full(len(point), -1)])
            self.low, self.high = np.concatenate([self.low, low], axis=1), np.concatenate([self.high, high], axis=1)
        return np.asarray(self._first_child[parts] + np.arange(PARTS)[:, None])


def _edges(lower: Array, upper: Array) -> Array:
    """Divide intervals in four, at means or, where one spans much, at geometric means; shape (PARTS + 1, n)."""
    is_wide = (lower > 0) & (upper > SPAN * lower)

    def between(a: Array, b: Array) -> Array:
        # Rounding never leaves the interval.
        mean = np.where(is_wide, np.sqrt(np.abs(a)) * np.sqrt(np.abs(b)), 0.5 * (a + b))
        return np.asarray(np.minimum(np.maximum(mean, a), b))

    middle = between(lower, upper)
    return np.stack([lower, between(lower, middle), middle, between(middle, upper), upper])
