"""Damped normal equations for many small systems at once, by plain arithmetic.

Only + − × ÷ and square roots are used, in a fixed order, so a row has the same bits in any batch and on any processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.fit.records import IntArray
from hpcscan.model.interface import Array

#: Damping, relative to the trace, below which an eigenvalue counts as zero.
NO_DAMPING = 1e-12
#: The same for a Hessian, whose entries are known to about 1e-9.
HESSIAN_DAMPING = 1e-8
#: What keeps a system without any free direction solvable.
TINY = 1e-300


@dataclass(frozen=True)
class NormalEquations:
    """The equations (JᵀJ + λ) s = −Jᵀr in the smaller of two equal forms.

    With fewer observables than parameters, s = −Jᵀ(JJᵀ + λ)⁻¹ z needs a system of the observables' size only. There z
    is the part of r that the parameters can move: (JJᵀ) z = J Jᵀr. Solving for r itself would amplify the rounding of
    the part that they cannot, which is nearly all of r where bounds set a floor.

    Attributes
    ----------
    matrix : list of list of array
        Lower triangle of JJᵀ, JᵀJ or a Hessian, each entry of shape (n,).
    right : array, shape (m or p, n)
        z, or Jᵀr.
    decrement : array, shape (n,)
        Estimated χ² above the minimum, gᵀ(JᵀJ)⁻¹g without the directions that change nothing.
    jacobian : array, shape (m, p, n), or None
        J in the first form.
    least_damping : float
        What a step's damping is raised to.
    """

    matrix: list[list[Array]]
    right: Array
    decrement: Array
    jacobian: Array | None
    least_damping: float = 0.0

    @classmethod
    def of(cls, jacobian: Array, gradient: Array) -> NormalEquations:
        """Set up the equations for J of shape (m, p, n) and Jᵀr of shape (p, n)."""
        m, p, _ = jacobian.shape
        if m <= p:
            matrix = _gram(jacobian)
            z = _solve(matrix, NO_DAMPING, (jacobian * gradient).sum(axis=1))
            return cls(matrix, z, (z * z).sum(axis=0), jacobian)
        matrix = _gram(np.moveaxis(jacobian, 1, 0))
        undamped = _solve(matrix, NO_DAMPING, gradient)
        return cls(matrix, gradient, (gradient * undamped).sum(axis=0), None)

    @classmethod
    def of_hessian(cls, hessian: list[list[Array]], gradient: Array) -> NormalEquations:
        """Set up Newton's equations, with the lower triangle of half the Hessian of χ² in place of JᵀJ."""
        undamped = _solve(hessian, HESSIAN_DAMPING, gradient)
        return cls(hessian, gradient, (gradient * undamped).sum(axis=0), None, HESSIAN_DAMPING)

    def take(self, keep: IntArray) -> NormalEquations:
        """Select rows."""
        return NormalEquations(
            [[entry[keep] for entry in row] for row in self.matrix],
            self.right.take(keep, axis=-1),
            self.decrement[keep],
            None if self.jacobian is None else self.jacobian.take(keep, axis=-1),
            self.least_damping,
        )

    def step(self, damping: Array) -> Array:
        """Give s, shape (p, n), for a damping relative to the trace, shape (n,)."""
        solution = _solve(self.matrix, np.maximum(damping, self.least_damping), self.right)
        return -solution if self.jacobian is None else -(self.jacobian * solution[:, None]).sum(axis=0)

    def curvature(self, step: Array) -> Array:
        """Give sᵀ(JᵀJ)s, shape (n,)."""
        if self.jacobian is not None:
            image = (self.jacobian * step).sum(axis=1)
            norm2: Array = (image * image).sum(axis=0)
            return norm2
        total = np.zeros_like(self.decrement)
        for i, row in enumerate(self.matrix):
            total += step[i] * (row[i] * step[i] + 2 * sum(row[j] * step[j] for j in range(i)))
        return total


def _gram(vectors: Array) -> list[list[Array]]:
    """Lower triangle of the matrix of scalar products of k vectors: vectors has shape (k, length, n)."""
    return [[(row * vectors[j]).sum(axis=0) for j in range(i + 1)] for i, row in enumerate(vectors)]


def _solve(matrix: list[list[Array]], relative_damping: Array | float, right: Array) -> Array:
    """Solve (matrix + λ) y = right by Cholesky decomposition, λ being relative to the matrix's trace."""
    k = len(matrix)
    damping = relative_damping * sum(np.abs(matrix[i][i]) for i in range(k)) + TINY
    factor: list[list[Array]] = []
    y = np.empty_like(right)
    for i in range(k):
        row: list[Array] = []
        for j in range(i):
            row.append((matrix[i][j] - sum(row[q] * factor[j][q] for q in range(j))) / factor[j][j])
        pivot = matrix[i][i] + damping - sum(entry * entry for entry in row)
        # Rounding may push a pivot of a singular matrix below the damping that it carries in exact arithmetic. Where a
        # Hessian bends down, the pivot's size serves: the step is still one of descent.
        row.append(np.sqrt(np.maximum(np.abs(pivot), damping)))
        factor.append(row)
        y[i] = (right[i] - sum(row[q] * y[q] for q in range(i))) / row[i]
    for i in reversed(range(k)):
        y[i] = (y[i] - sum(factor[q][i] * y[q] for q in range(i + 1, k))) / factor[i][i]
    return y
