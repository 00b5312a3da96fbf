"""Linear algebra of many small systems at once, in plain elementwise arithmetic.

Every sum runs over the last, contiguous axis, so that a row has the same bits alone and in any batch, and on any
processor. Nothing here has to be exact: what is made of it is judged with margins of its own.

The metric of χ²: residuals r in units of σ with a correlation matrix C, or without.

χ² = rᵀ C⁻¹ r is at least (a·r)²/(aᵀ C a) for every vector a, and for two of them, with the cosine γ of aᵀ C b,
(a·r)²/(aᵀ C a) + (b·r)²/(bᵀ C b) ≤ (1 + |γ|) χ². So C⁻¹ is never enclosed, and a vector that is 0 in some rows says
nothing of them: they may be left out. Without correlations C = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpcscan.arrays import Array, BoolArray
from hpcscan.proof.intervals import ULP

#: A column that is left with less than this share of its length counts as dependent on the others.
DEPENDENT = 1e-10


def dot(a: Array, b: Array) -> Array:
    """Sum the products over the last axis."""
    product: Array = np.ascontiguousarray(a * b).sum(-1)
    return product


def orthonormalised(columns: Array, last: BoolArray | None = None) -> tuple[Array, Array]:
    """Orthonormalise columns by Gram and Schmidt, twice each.

    Parameters
    ----------
    columns : array, shape (k, n, m)
    last : bool array, shape (k, n), optional
        Columns that come after all others, and are not mixed into them.

    Returns
    -------
    vectors : array, shape (k, n, m)
        0 for a column that depends on others.
    combination : array, shape (k, k, n)
        Column c of the triangular matrix F with columns · F ≈ vectors is combination[c]; its diagonal is never 0.
        Columns that come last, and dependent ones, are only scaled.
    """
    k, n, _ = columns.shape
    vectors, combination = np.zeros(columns.shape), np.zeros((k, k, n))
    last = np.zeros((k, n), bool) if last is None else last
    rounds = (False, True) if last.any() else (False,)
    # Columns that come last are orthogonal to all others, but never mixed into them.
    for in_last in rounds:
        for c in range(k):
            turn = last[c] == in_last
            rest, coefficient = columns[c], np.zeros((k, n))
            # Once leaves rounding errors along the others, which the second time takes away.
            for _ in range(2):
                for b in range(k):
                    if b < c or in_last:
                        share = dot(vectors[b], rest)
                        rest = rest - share[:, None] * vectors[b]
                        coefficient[b] += share
            # What is left decides whether the column is one of its own.
            length, size = np.sqrt(dot(rest, rest)), np.sqrt(dot(columns[c], columns[c]))
            is_free = length > DEPENDENT * size
            norm = np.where(is_free, length, np.where(size > 0, size, 1.0))
            vectors[c] = np.where((is_free & turn)[:, None], rest / norm[:, None], vectors[c])
            # The same combination of the columns, for F.
            mixed = np.zeros((k, n))
            for b in range(0 if in_last else c):
                mixed = mixed - np.where(is_free & ~last[c], coefficient[b] * combination[b], 0.0)
            mixed[c] = 1.0
            combination[c] = np.where(turn, mixed / norm, combination[c])
    return vectors, combination


def without(vectors: Array, v: Array) -> Array:
    """Return what is left of v, shape (n, m), outside the span of orthonormal vectors."""
    for _ in range(2):
        for u in vectors:
            v = v - dot(u, v)[:, None] * u
    return v


def solved(matrix: Array, right: Array) -> Array:
    """Solve (1 − M) e = w by elimination without pivots, for M ≥ 0: shapes (k, k, n) and (k, n)."""
    k = len(right)
    a, w = np.eye(k)[:, :, None] - matrix, right.copy()
    for c in range(k):
        for r in range(c + 1, k):
            factor = a[r, c] / a[c, c]
            a[r] = a[r] - factor * a[c]
            w[r] = w[r] - factor * w[c]
    for c in reversed(range(k)):
        for r in range(c + 1, k):
            w[c] = w[c] - a[c, r] * w[r]
        w[c] = w[c] / a[c, c]
    return w


def raised(x: Array, n: int) -> Array:
    """Raise a sum of n rounded terms that are not negative by its rounding error."""
    return x * (1 + (n + 4) * ULP)


def least_squares_in_box(gram: Array, slope: Array, half: Array, sweeps: int = 12) -> Array:
    """Minimise d·A d + 2 b·d for |d| ≤ h, one coordinate after another.

    Parameters
    ----------
    gram : array, shape (k, k, n)
    slope, half : array, shape (k, n)
    """
    k = len(slope)
    d = np.zeros_like(slope)
    for _ in range(sweeps if k > 1 else 1):
        for j in range(k):
            others = slope[j] + sum((gram[j, i] * d[i] for i in range(k) if i != j), np.zeros_like(slope[j]))
            step = np.where(gram[j, j] > 0, -others / np.where(gram[j, j] > 0, gram[j, j], 1.0), 0.0)
            d[j] = np.clip(step, -half[j], half[j])
    return d


@dataclass(frozen=True, eq=False)
class Metric:
    """Products of vectors of m rows; see above.

    Attributes
    ----------
    correlation : array, shape (m, m), optional
        C, its entries rounded a few times; None for 1.
    """

    correlation: Array | None = None

    @cached_property
    def _whitening(self) -> Array:
        """L⁻¹ with L Lᵀ = C; approximate."""
        assert self.correlation is not None
        return np.asarray(np.linalg.inv(np.linalg.cholesky(self.correlation)))

    def whitened(self, r: Array) -> Array:
        """Return L⁻¹ r, whose square is χ², approximately: shape (..., m)."""
        return r if self.correlation is None else _product(self._whitening, r)

    def dual(self, v: Array) -> Array:
        """Return a vector a with a·r = v·(L⁻¹ r), approximately."""
        return v if self.correlation is None else _product(self._whitening.T, v)

    def norm(self, a: Array) -> Array:
        """Bound √(aᵀ C a) from above: shape (..., m) gives (...)."""
        return np.asarray(np.sqrt(self.inner(a, a)) * (1 + 4 * ULP))

    def inner(self, a: Array, b: Array) -> Array:
        """Bound |aᵀ C b| from above; two sums of m products, and entries of C that are rounded themselves."""
        m = a.shape[-1]
        if self.correlation is None:
            return raised(np.abs(dot(a, b)) + (m + 4) * ULP * dot(np.abs(a), np.abs(b)), m)
        middle = _product(self.correlation, b)
        spread = (2 * m + 16) * ULP * _product(np.abs(self.correlation), np.abs(b))
        return raised(np.abs(dot(a, middle)) + dot(np.abs(a), spread), m)


def _product(matrix: Array, r: Array) -> Array:
    """Multiply rows (..., m) by a matrix, one by one, so that each has the same bits alone and in a batch."""
    return np.asarray(np.matmul(r[..., None, :], np.ascontiguousarray(matrix.T))[..., 0, :])
