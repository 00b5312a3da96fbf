"""Bounds are bounds: nothing that is computed in a box is below them, and nothing below the incumbent is cut off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hpcscan.proof import (
    array_functions,
    bounds,
    counts,
    expansion,
    functions,
    matrices,
    operations,
    reduction,
)
from hpcscan.proof.matrices import dot
from proof import soundness
from proof.problems import cases
from proof.soundness import tried


@pytest.mark.parametrize("name", cases())
def test_no_point_refutes_a_bound(name):
    """80 boxes, nearly half narrower than 1e-5 of the range, and 20 points in each."""
    found = tried(cases()[name], 80, 20, seed=1)
    assert (found.n_below, found.n_lost) == (0, 0)
    assert found.n_bounding > 20, "the bounds say something"


def raised(patch):
    """A bound higher by one millionth."""
    true = bounds.bound

    def bound(*arguments):
        outcome = true(*arguments)
        return replace(outcome, bound=outcome.bound * (1 + 1e-6))

    patch.setattr(soundness, "bound", bound)


def exchanged(patch):
    """What remains of the budget outside other vectors than those that the bound has used up."""
    true = reduction.Reduction._d
    spent = lambda s, j, p, budget, _: true(s, j, p, budget, s.nearest.squared(s.half, p))  # noqa: E731
    patch.setattr(reduction.Reduction, "_d", spent)
    patch.setattr(reduction, "_left", lambda table, other, budget, square: np.sqrt(np.maximum(budget**2 - square, 0)))


def without_mixed(patch):
    patch.setattr(operations, "_is_mixed", lambda x, z: False)


def without_cross(patch):
    patch.setattr(reduction.VectorProducts, "cross_reach", lambda table, half: np.zeros_like(table.columns.mid))


def small_budget(patch):
    true = reduction.Reduction.bounded
    patch.setattr(reduction.Reduction, "bounded", lambda s, budget: true(s, budget * (1 - 1e-4)))


def small_half(patch):
    true = expansion.expand

    def expand(*arguments):
        result = true(*arguments)
        return replace(result, half=result.half * 0.99)

    patch.setattr(bounds, "expand", expand)


def without_radius(patch):
    patch.setattr(expansion.Ball, "of", classmethod(lambda cls, p: cls(0.5 * (p[0] + p[1]), 0 * p[0])))


def without_jumps(patch):
    true = operations.choose
    patch.setattr(array_functions, "choose", lambda condition, a, b, jumps: true(condition, a, b, False))


def small_bounds(patch):
    """Linear parameters kept 1 % within their bounds."""
    true = reduction.Reduction._prior
    patch.setattr(reduction.Reduction, "_prior", lambda s, e: tuple(0.99 * end for end in true(s, e)))


def small_reach(patch):
    """Rows that may be off by 1 % less than √U."""
    true = bounds.consistent
    patch.setattr(bounds, "consistent", lambda *a: true(*a[:-1], 0.99 * a[-1]))


def spent_twice(patch):
    """Rows that the box leaves open may be off by what is left for the others."""
    true = bounds.consistent

    def consistent(system, boxes, middle, expansion, root):
        rest = bounds._distance(system, expansion, ~expansion.is_used)
        return true(system, boxes, middle, expansion, np.sqrt(np.maximum(root**2 - rest, 0)))

    patch.setattr(bounds, "consistent", consistent)


def unseen_domains(patch):
    """What leaves a domain in part counts as outside."""
    true = operations._outside
    outside = lambda *a: None if (o := true(*a)) is None else 2 * (o > 0).astype(np.int8)  # noqa: E731
    patch.setattr(operations, "_outside", outside)


def flat_waves(patch):
    """Sine and cosine without their extrema."""
    patch.setattr(functions, "_wave", lambda f, a, b, top: (np.fmin(f(a), f(b)), np.fmax(f(a), f(b))))


def affine_functions(patch):
    """Nonlinear functions of a linear parameter count as linear."""
    patch.setattr(operations, "_nonlinear", lambda degree: degree)


def small_slopes(patch):
    """Slopes of powers, 2 % too small."""
    true = operations.power_slope
    patch.setattr(operations, "power_slope", lambda x, exponent: tuple(0.98 * end for end in true(x, exponent)))


def without_correlation(patch):
    """Norms of vectors as if the data were independent."""
    patch.setattr(matrices.Metric, "inner", lambda s, a, b: np.abs(dot(a, b)))


def replaced(patch, change):
    """Parabolas in place of the deviance of counts, changed."""
    true = expansion.parabola
    patch.setattr(expansion, "parabola", lambda *a: change(true(*a), *a))


def steep_counts(patch):
    """The curvature in the middle in place of the least one."""

    def change(found, span, middle, n):
        return replace(
            found, factor=found.factor * np.sqrt(1 + found.loss), target=found.target * np.sqrt(1 + found.loss)
        )

    replaced(patch, change)


def tangent_to_a_line(patch):
    """Empty bins with a parabola that touches their line in the middle: it is above it everywhere else."""

    def change(found, span, middle, n):
        sag = (found.factor * 0.5 * (span[1] - np.maximum(span[0], 0))) ** 2
        return replace(found, constant=found.constant + np.where(n == 0, sag, 0))

    replaced(patch, change)


def unpaid_constant(patch):
    """Parabolas without what they have in addition to a square."""
    replaced(patch, lambda found, *_: replace(found, constant=np.maximum(found.constant, 0)))


def small_scales(patch):
    """Best scales of counts, half as large as they are."""
    true = expansion._scale_ranges
    patch.setattr(expansion, "_scale_ranges", lambda *a: tuple(0.5 * end for end in true(*a)))


def steep_scales(patch):
    """Best scales of counts as if their values were twice as precise."""
    true = expansion.shared_scale
    patch.setattr(expansion, "shared_scale", lambda a, b, n: true(4 * a, b, n))


def high_scales(patch):
    """The least χ² of the values of a scale, one thousandth higher."""
    true = bounds.lowered_chi2
    patch.setattr(bounds, "lowered_chi2", lambda *a: true(*a) * 1.001)


def ranges_without_scale(patch):
    """Parabolas over the ranges of f in place of those of S f."""
    patch.setattr(expansion, "_scaled", lambda system, span, scales: span)


def changed(patch, change):
    """Parabolas in place of data with factors, changed."""
    true = counts.Factors.parabola
    patch.setattr(counts.Factors, "parabola", lambda s, *a: change(true(s, *a), s, *a))


def steep_factors(patch):
    """Parabolas for the curvature in the middle."""

    def change(found, own, span, middle):
        more = np.sqrt(1 + found.loss)
        return replace(found, factor=found.factor * more, target=found.target * more)

    changed(patch, change)


def free_factors(patch):
    """Factors without the cost of their constraint: the curvature is lower than that of the datum."""
    true = counts.Factors._least_curvature
    patch.setattr(counts.Factors, "_least_curvature", lambda s, span: true(replace(s, sigma=0.1 * s.sigma), span))


def tangent_to_empty_factors(patch):
    """The parabola of a bin without counts at the height of its middle."""

    def change(found, own, span, middle):
        inner = np.maximum(span[0], 0.0), span[1]
        centre = 0.5 * (inner[0] + inner[1])
        height = own.loss(centre) - (found.factor * centre - found.target) ** 2
        return replace(found, constant=np.where(own.target == 0, height, found.constant))

    changed(patch, change)


def high_floor(patch):
    """The least loss of single data with factors, one millionth higher."""
    true = counts.Factors.least
    patch.setattr(counts.Factors, "least", lambda s, span: true(s, span) * (1 + 1e-6) + 1e-6)


def small_bends(patch):
    """What slopes change by, with a tenth of the second derivatives."""
    true = reduction._narrower
    less = lambda slopes, at, bends, half: true(slopes, at, bends, 0.1 * half)  # noqa: E731
    patch.setattr(reduction, "_narrower", less)


def without_curvature(patch):
    """Functions of an array differentiated twice as if they were straight."""
    true = operations._second
    patch.setattr(operations, "_second", lambda a, slope, curvature: true(a, slope, (0 * slope[0], 0 * slope[1])))


MUTANTS = {
    small_bends: "waves",
    without_curvature: "MGH09",
    steep_factors: "factors of values",
    free_factors: "factors, some empty",
    tangent_to_empty_factors: "factors, some empty",
    high_floor: "factors",
    small_scales: "counts, scaled",
    steep_scales: "counts and values, one scale",
    high_scales: "few data, two scales",
    ranges_without_scale: "counts, most empty, scaled",
    steep_counts: "counts",
    tangent_to_a_line: "counts, most empty",
    unpaid_constant: "counts and values",
    flat_waves: "waves",
    affine_functions: "kinks",
    small_slopes: "powers",
    without_correlation: "covariance",
    raised: "plateau",
    exchanged: "waves",
    without_mixed: "bilinear",
    without_cross: "pendulum",
    small_budget: "poles",
    small_half: "MGH09",
    without_radius: "oscillation",
    without_jumps: "jump",
    small_bounds: "positive amplitude",
    unseen_domains: "domain",
    small_reach: "reduced",
    spent_twice: "jump",
}


#: The least mutant is caught on every path.
RAISED = [(raised, name) for name in ("factors", "factors of values", "covariance")]


@pytest.mark.parametrize(("mutate", "name"), [*MUTANTS.items(), *RAISED])
def test_a_wrong_bound_is_refuted(mutate, name, monkeypatch):
    """Every mutant of the engine is caught, by a problem that does not refute the engine itself."""
    mutate(monkeypatch)
    trials = (tried(cases()[name], 150, 20, seed) for seed in range(1, 6))
    assert any(trial.n_below + trial.n_lost > 0 for trial in trials)
