"""Products and solutions of many systems at once; the systems are the last axis.

Small ones are done by plain arithmetic: only + − × ÷ and square roots, in a fixed order, so that a row has the same
bits in any batch and on any processor. Larger ones are handed to BLAS and LAPACK one by one, in one call for all: a row
has the same bits in any batch there too, on processors of one type and with one thread. Their arrays are best in
Fortran's order, in which the numbers of a row lie together; how they lie makes no difference to the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, IntArray, is_large
from hpcscan.likelihood.rows import never_alone

#: So many products are made no slower in one call than half of them in several.
FEW = 8192
#: What keeps a system without any free direction solvable.
TINY = 1e-300


def weighted_sum(weights: Array, vectors: Array) -> Array:
    """Compute Σᵢ wᵢ vᵢ for k weights, shape (k, n), and vectors, shape (k, length, n)."""
    if is_large(vectors.shape):
        return _images(_together(vectors), weights)
    total: Array = np.add.reduce(weights[:, None] * vectors, axis=0)
    return total


def products(vectors: Array, other: Array) -> Array:
    """Compute the scalar products of k vectors, shape (k, length, n), with another, shape (length, n)."""
    if is_large(vectors.shape):
        return _images(np.swapaxes(_together(vectors), 1, 2), other)
    result: Array = np.add.reduce(vectors * other, axis=1)
    return result


def sum_of_squares(values: Array) -> Array:
    """Compute the squared length of vectors of shape (length, n)."""
    total: Array = np.add.reduce(values * values, axis=0)
    return total


def gram(vectors: Array) -> Array:
    """Compute the matrix of scalar products of k vectors, shape (k, length, n)."""
    k, _, n = vectors.shape
    if is_large(vectors.shape):
        rows = _together(vectors.transpose(1, 0, 2))
        return _matmul(rows, np.swapaxes(rows, 1, 2)).T
    # Of few numbers all products at once are the quickest, though half of them would do.
    if k * vectors.size <= FEW:
        return np.asarray(np.add.reduce(vectors[:, None] * vectors, axis=2))
    matrix = np.empty((k, k, n))
    for i in range(k):
        matrix[i, : i + 1] = matrix[: i + 1, i] = products(vectors[: i + 1], vectors[i])
    return matrix


def least_damped(matrix: Array, least_damping: Array | float, damping: Array | float = 0.0) -> Array:
    """Compute λ, shape (n,): the damping, and at least the least one relative to the trace of a matrix (k, k, n)."""
    k, _, n = matrix.shape
    trace = np.add.reduce(np.abs(matrix.reshape(k * k, n)[:: k + 1]), axis=0)
    return np.asarray(np.maximum(damping, least_damping * trace + TINY))


def system_of(matrix: Array, least_damping: Array | float, damping: Array | float = 0.0) -> SmallSystem | LargeSystem:
    """Prepare to solve (M + λ) y = b for symmetric M, shape (k, k, n), and λ of shape (n,) as of `least_damped`."""
    kind = LargeSystem if is_large(matrix.shape) else SmallSystem
    return kind.of(matrix, least_damped(matrix, least_damping, damping))


@dataclass(frozen=True)
class SmallSystem:
    """Symmetric systems (M + λ) y = b, decomposed: the rows of Lᵀ, shape (k, k, n), and the pivots, shape (k, n)."""

    upper: Array
    pivot: Array

    @classmethod
    def of(cls, matrix: Array, damping: Array) -> SmallSystem:
        """Decompose M + λ, for λ of shape (n,)."""
        k, _, n = matrix.shape
        matrix = matrix.copy(order="C")
        matrix.reshape(k * k, n)[:: k + 1] += damping
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


@dataclass(frozen=True)
class LargeSystem:
    """Systems M + λ for LAPACK, shape (n, k, k), and those that are not positive definite, by their places."""

    matrix: Array
    others: IntArray
    turned: SmallSystem | None

    @classmethod
    def of(cls, matrix: Array, damping: Array) -> LargeSystem:
        """Add λ, shape (n,). What is not positive definite then gets the pivots of `SmallSystem`."""
        k, rows = len(matrix), matrix.T.copy()
        rows.reshape(-1, k * k)[:, :: k + 1] += damping[:, None]
        others = np.array(_not_definite(rows), np.intp)
        rows[others] = np.eye(k)
        pair = never_alone(others)
        turned = SmallSystem.of(matrix.take(pair, axis=-1), damping[pair]) if len(others) else None
        return cls(rows, others, turned)

    def solve(self, right: Array) -> Array:
        """Solve for right-hand sides of shape (k, n), or several of them: (k, any, n)."""
        columns = np.moveaxis(right.reshape(len(right), -1, right.shape[-1]), -1, 0)
        solved: Array = np.asarray(np.linalg.solve(self.matrix, columns), np.float64)
        result = np.ascontiguousarray(np.moveaxis(solved, 0, -1).reshape(right.shape))
        if self.turned is not None:
            pair = never_alone(self.others)
            result[..., pair] = self.turned.solve(right.take(pair, axis=-1))
        return result


def _not_definite(matrices: Array, first: int = 0) -> list[int]:
    """List the places, from `first` on, of matrices that are not positive definite: mostly none, or few."""
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return [first]
        half = len(matrices) // 2
        return _not_definite(matrices[:half], first) + _not_definite(matrices[half:], first + half)
    return []


def _together(vectors: Array) -> Array:
    """Return vectors of shape (k, length, n) as (n, length, k), in the order of that shape.

    In one order only, since BLAS takes other ways with other ones.
    """
    return np.ascontiguousarray(vectors.T)


def _images(matrices: Array, vectors: Array) -> Array:
    """Multiply matrices, shape (n, k, length), by vectors of shape (length, n): shape (k, n).

    In C's order, as vectors always are: numpy sums those of another one in another order, and which it is must not
    depend on what else is in a batch.
    """
    columns = np.ascontiguousarray(vectors.T)[:, :, None]
    return np.ascontiguousarray(_matmul(matrices, columns)[:, :, 0].T)


def _matmul(some: Array, others: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(np.matmul(some, others))
