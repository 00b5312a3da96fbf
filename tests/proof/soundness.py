"""Try to refute bounds: random boxes and incumbents, many points in each that are computed in floating point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.proof.bounds import bound
from hpcscan.proof.structure import structures
from hpcscan.proof.system import Boxes, System, centre
from proof.problems import Case

#: Rounding of what is recomputed in floating point, relative to measured values and predictions in units of σ.
ROUNDING = 1e-13


@dataclass
class Trial:
    """What was tried and found."""

    n_boxes: int = 0
    n_points: int = 0
    n_below: int = 0
    n_lost: int = 0
    n_bounding: int = 0

    def __add__(self, other: Trial) -> Trial:
        return Trial(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@np.errstate(all="ignore")
def tried(case: Case, n_boxes: int, n_points: int, seed: int) -> Trial:
    """Bound random boxes of a case and look for points that contradict."""
    rng = np.random.default_rng(seed)
    total = Trial()
    for structure in structures(case.problem, case.held, case.n):
        held = {name: value[structure.points] for name, value in case.held.items()}
        base = np.tile(np.array(case.start, float), (len(structure.points), 1))
        for part in structure.parts:
            total += _tried(System(case.problem, part, held, base), n_boxes // len(structure.parts), n_points, rng)
    return total


def _tried(system: System, n: int, n_points: int, rng: np.random.Generator) -> Trial:
    free = list(system.free)
    lower, upper = system.problem.lower[free], system.problem.upper[free]
    start = system.base[0, free]
    low = np.where(np.isfinite(lower), lower, np.minimum(start - 10 * (1 + np.abs(start)), upper))
    high = np.where(np.isfinite(upper), upper, np.maximum(start + 10 * (1 + np.abs(start)), lower))
    point = rng.integers(len(system.base), size=n)
    best = _descended(system, low, high, rng)
    is_near = rng.random((n, 1)) < 0.6
    middle = np.where(is_near, best[point], low + rng.random((n, len(free))) * (high - low))
    # A third of the boxes is narrower than 1e-5 of the range.
    size = np.where(rng.random((n, 1)) < 0.4, 10 ** rng.uniform(-12, -5, (n, 1)), 10 ** rng.uniform(-5, 0, (n, 1)))
    width = size * 10 ** rng.uniform(-1, 0, (n, len(free))) * (high - low)
    shift = rng.random(width.shape)
    box = np.clip(middle - width * shift, low, high), np.clip(middle + width * (1 - shift), low, high)
    is_whole = (rng.random((n, len(free))) < 0.3) & (np.arange(len(free)) >= system.n_x)
    box = np.where(is_whole, lower, box[0]), np.where(is_whole, upper, box[1])
    z = np.clip(middle, *box)[:, system.n_x :]
    boxes = Boxes(point, *box, z, np.ones((n, len(system.target)), bool), np.zeros(n))
    middle = _profiled(system, point, np.clip(middle, *box), box)
    chi2 = np.minimum(system.chi2(point, middle), 1e9)
    near = chi2 * (1 + 10 ** rng.uniform(-8, 0, n)), chi2 * 10 ** rng.uniform(-1, 0.5, n), np.full(n, 1e6)
    incumbent = np.choose(rng.integers(3, size=n), near)
    inside = np.maximum(box[0], low), np.minimum(box[1], high)
    total = Trial()
    for twice in (False, True):
        outcome = bound(system, boxes, incumbent, twice)
        total += Trial(n, 0, 0, 0, int((outcome.bound > 0.5 * np.minimum(chi2, incumbent)).sum()))
        found = incumbent, outcome.bound, outcome.boxes
        total += _refuted(system, boxes, (inside, middle), found, n_points // 2, rng)
    return total


def _profiled(system: System, point, x, box):
    """Give the best linear parameters in a box for given nonlinear ones: what comes nearest to a bound."""
    at, n_x = x.copy(), system.n_x
    low, high = box[0].copy(), box[1].copy()
    low[:, :n_x] = high[:, :n_x] = x[:, :n_x]
    boxes = Boxes(point, low, high, x[:, n_x:], np.ones((len(x), len(system.target)), bool), np.zeros(len(x)))
    with np.errstate(all="ignore"):
        at[:, n_x:] = centre(system, boxes).z
    return at


def _descended(system: System, low, high, rng) -> np.ndarray:
    """Find a good value for every point by random search that narrows."""
    n = len(system.base)
    best = np.tile(np.clip(system.base[0, list(system.free)], low, high), (n, 1))
    value = system.chi2(np.arange(n), best)
    for k in range(200):
        step = 10 ** rng.uniform(-8 * k / 200, 0, (n, 1)) * rng.normal(size=best.shape) * (high - low)
        trial = np.clip(best + step, low, high)
        chi2 = system.chi2(np.arange(n), trial)
        best, value = np.where((chi2 < value)[:, None], trial, best), np.minimum(chi2, value)
    return best


def _refuted(system, boxes, inside, found, n_points, rng) -> Trial:  # noqa: PLR0917 - all at once
    """Look for points below the bound and the incumbent, and for such that were cut off."""
    incumbent, bounds, shrunk = found
    total, ((low, high), best) = Trial(), inside
    value = system.chi2(boxes.point, best)
    for k in range(n_points):
        share = rng.random(low.shape)
        share = np.where(rng.random(low.shape) < 0.3, np.round(share), share)
        x = low + share * (high - low)
        if k % 2 and k > 6:
            x = best + (x - best) * 10 ** -rng.uniform(0, 6)
        x = np.clip(x, low, high) if k else best
        if k % 3:
            x = _profiled(system, boxes.point, x, (boxes.lower, boxes.upper))
        chi2, rounding = _measured(system, boxes.point, x)
        best, value = np.where((chi2 < value)[:, None], x, best), np.minimum(chi2, value)
        most = np.sqrt(chi2) + rounding
        is_known = np.isfinite(chi2)
        total.n_points += int(is_known.sum())
        total.n_below += int((is_known & (most < np.sqrt(np.minimum(bounds, incumbent)))).sum())
        margin = 1e-14 * np.abs(x)
        is_out = ((x < shrunk.lower - margin) | (x > shrunk.upper + margin)).any(1)
        total.n_lost += int((is_known & is_out & (most < np.sqrt(incumbent)) & (bounds < incumbent)).sum())
    return total


def _measured(system: System, point, x):
    """Give χ², with the best scales, and how much its root may be rounded."""
    chi2 = system.chi2(point, x)
    f = system.evaluate(point, x)
    size = np.abs(system.target)
    for g in range(system.n_s):
        mine = system.group == g
        with np.errstate(all="ignore"):
            scale = (f * system.target)[:, mine].sum(1) / (f**2)[:, mine].sum(1)
        f = np.where(mine, f * scale[:, None], f)
    size = np.abs(system.metric.whitened(np.nan_to_num(f))) + np.abs(system.metric.whitened(size))
    return chi2, ROUNDING * np.sqrt((size**2).sum(1))
