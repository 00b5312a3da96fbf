"""The metric of χ²: residuals r in units of σ with a correlation matrix C, or without.

χ² = rᵀ C⁻¹ r is at least (a·r)²/(aᵀ C a) for every vector a, and for two of them, with the cosine γ of aᵀ C b,
(a·r)²/(aᵀ C a) + (b·r)²/(bᵀ C b) ≤ (1 + |γ|) χ². So C⁻¹ is never enclosed, and a vector that is 0 in some rows says
nothing of them: they may be left out. Without correlations C = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpcscan.arrays import Array
from hpcscan.proof.intervals import ULP
from hpcscan.proof.linear import dot, raised


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
