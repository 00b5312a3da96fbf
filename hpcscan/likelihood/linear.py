"""Products and solutions of many small systems at once, by plain arithmetic; the systems are the last axis.

Only + − × ÷ and square roots are used, in a fixed order, so a row has the same bits in any batch and on any processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array

#: What keeps a system without any free direction solvable.
TINY = 1e-300


def weighted_sum(weights: Array, vectors: Array) -> Array:
    """Give Σᵢ wᵢ vᵢ for k weights, shape (k, n), and vectors, shape (k, length, n)."""
    total: Array = np.add.reduce(weights[:, None] * vectors, axis=0)
    return total


def products(vectors: Array, other: Array) -> Array:
    """Give the scalar products of k vectors, shape (k, length, n), with another, shape (length, n)."""
    result: Array = np.add.reduce(vectors * other, axis=1)
    return result


def sum_of_squares(values: Array) -> Array:
    """Give the squared length of vectors of shape (length, n)."""
    total: Array = np.add.reduce(values * values, axis=0)
    return total


def gram(vectors: Array) -> Array:
    """Give the matrix of scalar products of k vectors, shape (k, length, n)."""
    k, _, n = vectors.shape
    matrix = np.empty((k, k, n))
    for i in range(k):
        matrix[i, : i + 1] = matrix[: i + 1, i] = products(vectors[: i + 1], vectors[i])
    return matrix


@dataclass(frozen=True)
class System:
    """Symmetric systems (M + λ) y = b, decomposed: the rows of Lᵀ, shape (k, k, n), and the pivots, shape (k, n)."""

    upper: Array
    pivot: Array

    @classmethod
    def of(cls, matrix: Array, least_damping: Array | float, damping: Array | float = 0.0) -> System:
        """Decompose M + λ, for λ of shape (n,) that is at least so large relative to the trace."""
        k, _, n = matrix.shape
        matrix = matrix.copy()
        diagonal = matrix.reshape(k * k, n)[:: k + 1]
        damping = np.maximum(damping, least_damping * np.add.reduce(np.abs(diagonal), axis=0) + TINY)
        diagonal += damping
        # Rounding may push a pivot of a singular matrix below the damping that it carries in exact arithmetic.
        # Where a Hessian bends down, the pivot's size serves: the step is still one of descent.
        pivot = np.empty((k, n))
        for i in range(k):
            np.maximum(np.abs(matrix[i, i]), damping, out=pivot[i])
            row = matrix[i, i + 1 :]
            if len(row):
                scaled = row / pivot[i]
                matrix[i + 1 :, i + 1 :] -= row[:, None] * scaled
                row[:] = scaled
        return cls(matrix, pivot)

    def solve(self, right: Array) -> Array:
        """Solve for right-hand sides of shape (k, n), or several of them: (k, any, n)."""
        y, k = right.copy(), len(right)
        upper, pivot = (self.upper, self.pivot) if y.ndim == 2 else (self.upper[:, :, None], self.pivot[:, None])
        for i in range(k - 1):
            y[i + 1 :] -= upper[i, i + 1 :] * y[i]
        y /= pivot
        for i in reversed(range(k - 1)):
            y[i] -= np.add.reduce(upper[i, i + 1 :] * y[i + 1 :], axis=0)
        return y
