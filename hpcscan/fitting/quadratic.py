"""The quadratic model of χ² around rows of parameters, inside the box and in units of its widths.

Its Gauss–Newton equations are many small systems, made of the plain arithmetic of `hpcscan.likelihood.linear`, so that
a row has the same bits in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.likelihood.box import Box
from hpcscan.likelihood.linear import (
    TINY,
    LargeSystem,
    SmallSystem,
    gram,
    least_damped,
    products,
    sum_of_squares,
    system_of,
    weighted_sum,
)
from hpcscan.likelihood.objective import Evaluation, Given, Objective
from hpcscan.likelihood.rows import Rows

#: Damping, relative to the trace, below which an eigenvalue counts as zero.
NO_DAMPING = 1e-14
#: Error of the part of a Hessian that is made of differences, relative to its largest entry.
BEND_ERROR = 1e-8

#: A step so short, relative to the box's widths, leads to the floor of a valley and not along it.
SHORT = 1e-2
#: Parameters from which Newton's systems are for LAPACK even where they bend down.
LARGE_HESSIAN = 16
#: Derivatives that are computed in one go, about.
NUMBERS_TOGETHER = 2_000_000
#: Step of the differences that give the Hessian from gradients, relative to the box's widths.
HESSIAN_STEP = 1e-6


@dataclass(frozen=True)
class NormalEquations(Rows):
    """The equations (JᵀJ) s = −Jᵀr, solved in the smaller of two equal forms.

    With fewer observables than parameters, s = −Jᵀ(JJᵀ)⁻¹ z needs systems of the observables' size only. There z is the
    part of r that the parameters can move: (JJᵀ) z = J Jᵀr. Solving for r itself would amplify the rounding of the part
    that they cannot, which is nearly all of r where bounds set a floor.

    Attributes
    ----------
    jacobian : array, shape (m, p, n)
        J.
    gradient : array, shape (p, n)
        Jᵀr.
    decrement : array, shape (n,)
        Estimated χ² above the minimum, gᵀ(JᵀJ)⁻¹g without the directions that change nothing.
    moved : array, shape (m, n), or None
        z in the first form.
    newton : array, shape (p, n), or None
        The step s to the minimum of the quadratic model, in the second form; else see `newton_step`.
    hessian : array, shape (p, p, n), or None
        JᵀJ, or half the Hessian of χ², in the second form.
    least_damping : array, shape (n,), or None
        What keeps the second form's system solvable, relative to its trace.
    """

    jacobian: Array
    gradient: Array
    decrement: Array
    moved: Array | None = None
    newton: Array | None = None
    hessian: Array | None = None
    least_damping: Array | None = None

    @classmethod
    def of(cls, jacobian: Array, gradient: Array) -> NormalEquations:
        """Set up the equations for J of shape (m, p, n) and Jᵀr of shape (p, n)."""
        m, p, n = jacobian.shape
        if m > p:
            return cls._second_form(jacobian, gram(jacobian.transpose(1, 0, 2)), gradient, np.full(n, NO_DAMPING))
        system = system_of(gram(jacobian), NO_DAMPING)
        z = system.solve(products(jacobian, gradient))
        return cls(jacobian, gradient, sum_of_squares(z), moved=z)

    @classmethod
    def of_bent(cls, jacobian: Array, bend: Array, gradient: Array) -> NormalEquations:
        """Set up Newton's equations: JᵀJ and Σ r ∂²r, shape (p, p, n), are half the Hessian of χ²."""
        hessian = gram(jacobian.transpose(1, 0, 2)) + bend
        trace = np.abs(np.einsum("iin->in", hessian)).sum(axis=0) + TINY
        error = BEND_ERROR * np.abs(bend).max(axis=(0, 1)) / trace
        return cls._second_form(jacobian, hessian, gradient, np.maximum(NO_DAMPING, error))

    @classmethod
    def of_hessian(cls, hessian: Array, gradient: Array) -> NormalEquations:
        """Set up Newton's equations for half a Hessian, shape (p, p, n), of something that has no residuals."""
        p, n = gradient.shape
        return cls._second_form(np.empty((0, p, n)), hessian, gradient, np.full(n, NO_DAMPING))

    @classmethod
    def _second_form(cls, jacobian: Array, hessian: Array, gradient: Array, least: Array) -> NormalEquations:
        newton = -hessian_system(jacobian, hessian, least).solve(gradient)
        decrement = -np.add.reduce(gradient * newton, axis=0)
        return cls(jacobian, gradient, decrement, newton=newton, hessian=hessian, least_damping=least)

    def newton_step(self) -> Array:
        """Compute the step s to the minimum of the quadratic model, shape (p, n)."""
        if self.newton is not None or self.moved is None:
            return np.asarray(self.newton)
        return -weighted_sum(system_of(gram(self.jacobian), NO_DAMPING).solve(self.moved), self.jacobian)

    def change(self, step: Array) -> Array:
        """Compute the change of χ² that the quadratic model promises for a step: 2 gᵀs + sᵀ(JᵀJ)s, shape (n,)."""
        image = self._image(step)
        # In the first form g = Jᵀz, so that gᵀs = zᵀ(J s).
        start, end = (self.gradient, step) if self.moved is None else (self.moved, image)
        return np.asarray(np.add.reduce((2 * start + image) * end, axis=0))

    def curvature(self, step: Array) -> Array:
        """Compute sᵀ(JᵀJ)s, shape (n,)."""
        image = self._image(step)
        return np.asarray(np.add.reduce(image * (step if self.moved is None else image), axis=0))

    def without(self, is_fixed: BoolArray, step: Array) -> NormalEquations:
        """Return the equations of the other parameters when those that are fixed have made their step."""
        free, image = 1.0 - is_fixed, self._image(step * is_fixed)
        jacobian = self.jacobian * free
        if self.moved is not None:
            return NormalEquations.of(jacobian, weighted_sum(self.moved + image, jacobian))
        assert self.hessian is not None
        assert self.least_damping is not None
        hessian, gradient = self.hessian * (free * free[:, None]), free * (self.gradient + image)
        return self._second_form(jacobian, hessian, gradient, self.least_damping)

    def undo(self, error: Array, is_fixed: BoolArray) -> Array:
        """Return the step of the other parameters, shape (p, n), that takes back an error of r, shape (m, n)."""
        jacobian = self.jacobian * (1.0 - is_fixed)
        return NormalEquations.of(jacobian, weighted_sum(error, jacobian)).newton_step()

    def _image(self, step: Array) -> Array:
        return products(self.jacobian if self.hessian is None else self.hessian, step)


def hessian_system(
    jacobian: Array, hessian: Array, least: Array, damping: Array | float = 0.0
) -> SmallSystem | LargeSystem:
    """Prepare to solve Newton's equations.

    Where all residuals can be matched, a Hessian bends down as often as up, and LAPACK would have to find out which
    ones: up to `LARGE_HESSIAN` parameters, plain arithmetic is faster then.
    """
    m, p, _ = jacobian.shape
    if 0 < m <= p < LARGE_HESSIAN:
        return SmallSystem.of(hessian, least_damped(hessian, least, damping))
    return system_of(hessian, least, damping)


@dataclass(frozen=True)
class Predictions(Rows):
    """Scaled predictions, linearised at the present scales, in σ and the box's widths.

    Attributes
    ----------
    value, residual : array, shape (m, n)
        a and a − t.
    slope : array, shape (m, p, n)
        A; zero for parameters that are held.
    """

    value: Array
    residual: Array
    slope: Array


@dataclass(frozen=True)
class QuadraticModel(Rows):
    """What is known around rows of parameters.

    Attributes
    ----------
    equations : NormalEquations
        The quadratic model of χ².
    predictions : Predictions or None
        The linear one of the scaled predictions, where there are no more observables than parameters.
    """

    equations: NormalEquations
    predictions: Predictions | None = None


def expand(objective: Objective, given: Given, x: Array, at: Evaluation) -> QuadraticModel:
    """Expand χ² around each row by Gauss and Newton, without the parameters whose descent leads out of the box."""
    slopes = objective.slopes(given, x, at)
    scaled = objective.weighed(slopes, at)
    jacobian = objective.profiled(slopes, scaled, at)
    gradient = weighted_sum(at.residual, jacobian)
    is_held = is_held_by_box(objective.box, x, gradient)
    equations = NormalEquations.of(*reversed(without_held(is_held, gradient, jacobian)))
    if objective.terms.has_counts:
        return QuadraticModel(above_walls(equations, objective.at_walls(given, at)))
    # The linear model of predictions is that of the residuals where these are differences to the data.
    if equations.hessian is not None:
        return QuadraticModel(equations)
    _, scaled = without_held(is_held, gradient, scaled)
    return QuadraticModel(equations, Predictions(at.residual + objective.target(given), at.residual, scaled))


def expand_fully(objective: Objective, given: Given, x: Array, at: Evaluation) -> QuadraticModel:
    """Do the same with the whole Hessian, JᵀJ + Σ r ∂²r; the second part by differences of J.

    Gauss and Newton leave that out, which is what bends χ² where a large residual is at an extremum of a prediction.
    """
    jacobian = objective.jacobian(given, x, at)
    gradient = weighted_sum(at.residual, jacobian)
    is_held = is_held_by_box(objective.box, x, gradient)
    bend = _bend(objective, given, x, at, jacobian, is_held)
    gradient, jacobian = without_held(is_held, gradient, jacobian)
    if not objective.terms.has_counts:
        return QuadraticModel(NormalEquations.of_bent(jacobian, bend, gradient))
    # What a wall weighs is none of the Hessian, and stays.
    walls = objective.at_walls(given, at)
    bend -= gram((jacobian * ~walls[:, None]).transpose(1, 0, 2))
    return QuadraticModel(above_walls(NormalEquations.of_bent(jacobian, bend, gradient), walls))


def _bend(  # noqa: PLR0913, PLR0917  (what is expanded, and what is known of it)
    objective: Objective, given: Given, x: Array, at: Evaluation, jacobian: Array, is_held: BoolArray
) -> Array:
    """Compute Σ r ∂²r, shape (p, p, n), without held parameters."""
    box, offsets, (m, p, n) = objective.box, _offsets(objective, x), jacobian.shape
    left = replace(at, residual=_left_by_short_step(objective, at, jacobian, is_held))
    bend, free = np.zeros((p, *x.shape)), np.flatnonzero(~box.is_fixed)
    # As many parameters in one go as memory lets pass.
    together = max(1, NUMBERS_TOGETHER // max(1, m * p * n))
    for some in (free[i : i + together] for i in range(0, len(free), together)):
        places, rows = np.tile(x, len(some)), np.tile(np.arange(n), len(some))
        for k, j in enumerate(some):
            places[j, k * n : (k + 1) * n] += offsets[j]
        of_rows = given.take(rows)
        moved = objective.evaluate(of_rows, places)
        jacobians = objective.jacobian(of_rows, places, moved)
        for k, j in enumerate(some):
            own = np.arange(k * n, (k + 1) * n)
            change = objective.bend(left, jacobian, moved.take(own), jacobians.take(own, axis=-1))
            column = change / (offsets[j] / box.width[j])
            bend[j] = np.where(is_held | is_held[j], 0.0, column)
    return np.asarray((bend + bend.swapaxes(0, 1)) / 2)


def _left_by_short_step(objective: Objective, at: Evaluation, jacobian: Array, is_held: BoolArray) -> Array:
    """Return the residuals, shape (m, n), as a short step leaves them where it can match them all.

    Along a narrow valley it is the multipliers that bend χ², which are what is left of the residuals at its floor; a
    residual of much weight differs from its multiplier wherever the floor is not met exactly. With a damping λ that
    keeps the step shorter than `SHORT`, they are r − J (JᵀJ + λ)⁻¹Jᵀr = λ (J Jᵀ + λ)⁻¹ r.
    """
    m, p, _ = jacobian.shape
    if m > p or objective.terms.has_counts:
        return at.residual
    free = jacobian * (1.0 - is_held)
    damping = np.sqrt(sum_of_squares(weighted_sum(at.residual, free))) / SHORT + TINY
    return np.asarray(damping * system_of(gram(free), 0.0, damping).solve(at.residual))


def above_walls(equations: NormalEquations, walls: BoolArray) -> NormalEquations:
    """Do not promise what lies behind walls: the quadratic model has its minimum a little beyond them."""
    if not walls.any():
        return equations
    through = np.minimum(products(equations.jacobian, equations.newton_step()), 0.0) * walls
    behind = np.minimum(sum_of_squares(through), np.maximum(equations.decrement, 0.0))
    return replace(equations, decrement=equations.decrement - behind)


def without_held(is_held: BoolArray, gradient: Array, *derivatives: Array) -> list[Array]:
    """Set the entries of held parameters to zero, in the gradient and in derivatives that are finite where it is."""
    if not is_held.any():
        return [gradient, *derivatives]
    # A product is several times faster than a choice for every entry.
    free = 1.0 - is_held
    without = [values * free for values in (gradient, *derivatives)]
    if not np.isfinite(without[0]).all():
        for values in without:
            values[np.isnan(values) & is_held] = 0.0
    return without


def _offsets(objective: Objective, x: Array) -> Array:
    """Choose a small step of every parameter towards the farther bound."""
    box, noise = objective.box, objective.precision.relative
    step = np.minimum(max(HESSIAN_STEP, np.cbrt(noise)) * box.width, (box.upper - box.lower) / 2)
    offsets: Array = np.where(box.upper - x >= x - box.lower, step, -step)
    return offsets


def is_held_by_box(box: Box, x: Array, gradient: Array) -> BoolArray:
    """Mark the parameters whose descent leads out of the box, and those that are fixed."""
    is_held: BoolArray = ((x <= box.lower) & (gradient > 0)) | ((x >= box.upper) & (gradient < 0)) | box.is_fixed
    return is_held


def estimated_distance(objective: Objective, given: Given, x: Array, at: Evaluation) -> Array:
    """Estimated distance to the minimum (EDM) in χ² units at each row of x."""
    return expand(objective, given, x, at).equations.decrement
