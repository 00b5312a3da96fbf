"""Gauss–Newton equations for many small systems at once, by plain arithmetic.

They are made of the plain arithmetic of `hpcscan.likelihood.linear`, so a row has the same bits in any batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.likelihood.linear import TINY, gram, products, sum_of_squares, system_of, weighted_sum
from hpcscan.likelihood.rows import Rows

#: Damping, relative to the trace, below which an eigenvalue counts as zero.
NO_DAMPING = 1e-14
#: Error of the part of a Hessian that is made of differences, relative to its largest entry.
BEND_ERROR = 1e-8


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
        newton = -system_of(hessian, least).solve(gradient)
        decrement = -np.add.reduce(gradient * newton, axis=0)
        return cls(jacobian, gradient, decrement, newton=newton, hessian=hessian, least_damping=least)

    def newton_step(self) -> Array:
        """Give the step s to the minimum of the quadratic model, shape (p, n)."""
        if self.newton is not None or self.moved is None:
            return np.asarray(self.newton)
        return -weighted_sum(system_of(gram(self.jacobian), NO_DAMPING).solve(self.moved), self.jacobian)

    def change(self, step: Array) -> Array:
        """Give the change of χ² that the quadratic model promises for a step: 2 gᵀs + sᵀ(JᵀJ)s, shape (n,)."""
        image = self._image(step)
        # In the first form g = Jᵀz, so that gᵀs = zᵀ(J s).
        start, end = (self.gradient, step) if self.moved is None else (self.moved, image)
        return np.asarray(np.add.reduce((2 * start + image) * end, axis=0))

    def curvature(self, step: Array) -> Array:
        """Give sᵀ(JᵀJ)s, shape (n,)."""
        image = self._image(step)
        return np.asarray(np.add.reduce(image * (step if self.moved is None else image), axis=0))

    def without(self, is_fixed: BoolArray, step: Array) -> NormalEquations:
        """Give the equations of the other parameters when those that are fixed have made their step."""
        free, image = 1.0 - is_fixed, self._image(step * is_fixed)
        jacobian = self.jacobian * free
        if self.moved is not None:
            return NormalEquations.of(jacobian, weighted_sum(self.moved + image, jacobian))
        assert self.hessian is not None
        assert self.least_damping is not None
        hessian, gradient = self.hessian * (free * free[:, None]), free * (self.gradient + image)
        return self._second_form(jacobian, hessian, gradient, self.least_damping)

    def undo(self, error: Array, is_fixed: BoolArray) -> Array:
        """Give the step of the other parameters, shape (p, n), that takes back an error of r, shape (m, n)."""
        jacobian = self.jacobian * (1.0 - is_fixed)
        return NormalEquations.of(jacobian, weighted_sum(error, jacobian)).newton_step()

    def _image(self, step: Array) -> Array:
        return products(self.jacobian if self.hessian is None else self.hessian, step)
