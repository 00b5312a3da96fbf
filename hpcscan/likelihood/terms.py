"""How the terms of the data enter the fit: in units in which a normal term is a sum of squares."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.model.problem import Problem

#: The expectation of a count in a step is at least this: its inverse would grow without end. The merit has no floor.
LEAST_EXPECTATION = 1e-8


@dataclass(frozen=True)
class Whitening:
    """Correlated observables in units in which they are independent: L⁻¹ (f − y) for V = L Lᵀ."""

    place: slice
    inverse: Array

    @classmethod
    def of(cls, first: int, covariance: Array) -> Whitening:
        """Decompose a covariance, whose first observable has this place."""
        symmetric = (covariance + covariance.T) / 2
        inverse = np.linalg.solve(np.linalg.cholesky(symmetric), np.eye(len(symmetric)))
        return cls(slice(first, first + len(symmetric)), np.tril(inverse))

    def apply(self, columns: Array) -> Array:
        """Multiply columns of shape (size, ..., n); row by row, so that each has the same bits in any batch."""
        rows = np.moveaxis(columns, -1, 0)
        flat = np.ascontiguousarray(rows.reshape(len(rows), len(self.inverse), -1))
        whitened = np.matmul(self.inverse, flat).reshape(rows.shape)
        return np.ascontiguousarray(np.moveaxis(whitened, 0, -1))


@dataclass(frozen=True)
class Terms:
    """All observables of a problem, as the fit sees them.

    Attributes
    ----------
    sigma : array, shape (m, 1)
        1 for counts, which have no unit, and for whitened observables.
    target : array, shape (m, 1)
        Observed values in σ, whitened; counts as they are.
    whitenings : tuple of Whitening
    is_count : bool array, shape (m,)
    """

    sigma: Array
    target: Array
    whitenings: tuple[Whitening, ...]
    is_count: BoolArray

    @classmethod
    def of(cls, problem: Problem) -> Terms:
        """Collect the observables of a problem."""
        is_count = np.array([o.kind == "poisson" for o in problem.observables], bool)
        sigma = np.array([o.sigma for o in problem.observables], float)
        whitenings = tuple(Whitening.of(first, matrix) for first, matrix in problem.covariances.items())
        sigma[is_count] = 1.0
        for whitening in whitenings:
            sigma[whitening.place] = 1.0
        observed = np.array([o.observed for o in problem.observables], float)[:, None]
        terms = cls(sigma[:, None], observed, whitenings, is_count)
        return cls(sigma[:, None], terms.in_sigmas(observed), whitenings, is_count)

    def in_sigmas(self, columns: Array) -> Array:
        """Divide columns of shape (m, ..., n) by σ, and whiten those that are correlated."""
        result: Array = columns / self.sigma.reshape(-1, *[1] * (columns.ndim - 1))
        for whitening in self.whitenings:
            result[whitening.place] = whitening.apply(columns[whitening.place])
        return result

    @property
    def size(self) -> float:
        """Length of the data in σ, in √n for counts."""
        return float(np.sqrt(np.where(self.is_count[:, None], np.abs(self.target), self.target**2).sum()))

    @cached_property
    def has_counts(self) -> bool:
        """Whether any term is of counts."""
        return bool(self.is_count.any())


def deviance(expected: Array, counts: Array) -> Array:
    """Compute 2 (μ − n + n ln(n/μ)); infinite for μ < 0, and for μ = 0 where n > 0."""
    with np.errstate(all="ignore"):
        # With x = μ/n − 1 the deviance is 2 n (x − ln(1 + x)), which does not cancel where μ is near n.
        excess = (expected - counts) / counts
        logarithm = np.where(np.abs(excess) < 0.5, np.log1p(excess), np.log(expected / counts))
        value = np.where(counts > 0, 2 * counts * (excess - logarithm), 2 * expected)
    is_legal = (expected > 0) | ((expected == 0) & (counts == 0)) | np.isnan(expected)
    result: Array = np.where(is_legal, np.maximum(value, 0.0), np.inf)
    return result


def step_residual(expected: Array, counts: Array) -> Array:
    """(μ − n)/√μ: with J/√μ it has the exact gradient of the deviance, and the expected Hessian (Fisher scoring)."""
    with np.errstate(all="ignore"):
        slope = np.where(counts > 0, 1 - counts / expected, 1.0)
        residual: Array = slope * root_weight(expected)
    return residual


def root_expectation(residual: Array, counts: Array) -> Array:
    """√μ of what a step sees, (μ − n)/√μ; that of the least expectation where μ is less and n = 0."""
    length = np.sqrt(residual * residual + 4 * counts)
    # The form that does not cancel, on either side.
    root: Array = np.where(residual < 0, 2 * counts / (length - residual), (residual + length) / 2)
    return root


def root_weight(expected: Array) -> Array:
    """√μ, with a floor."""
    root: Array = np.sqrt(np.maximum(expected, LEAST_EXPECTATION))
    return root


def count_scale(expected: Array, counts: Array, squares: Array | float, products: Array | float) -> Array:
    """Profile a scale S ≥ 0 that counts share, possibly with normal observables, in closed form.

    −2 ln L is 2 (S F − N ln S) + S² Σa² − 2 S Σat, with F = Σf and N = Σn, and lowest where
    S² Σa² + S (F − Σat) − N = 0; without normal observables S = N/F.

    Parameters
    ----------
    expected, counts : array, shape (k, n) and (k, 1) or (k, n)
    squares, products : array, shape (n,), or float
        Σa² and Σat over normal observables, in σ.
    """
    with np.errstate(all="ignore"):
        total = np.broadcast_to(np.add.reduce(counts, axis=0), expected.shape[1:])
        linear = np.add.reduce(expected, axis=0) - products
        root = np.sqrt(linear * linear + 4 * squares * total)
        # The form that does not cancel, on either side.
        scale = np.where(linear > 0, 2 * total / (linear + root), (root - linear) / (2 * squares))
    # Where nothing is expected and nothing is seen.
    result: Array = np.where((linear >= 0) & (total == 0), 0.0, scale)
    return result


def pulls(problem: Problem, predicted: Array) -> Array:
    """Compare scaled predictions with the data: (S f − y)/σ, and sign(μ − n) √deviance for counts.

    Parameters
    ----------
    predicted : array, shape (n, n_observables)

    Returns
    -------
    array, shape (n, n_observables)
        For correlated observables in their own standard deviations, √V_ii.
    """
    observed = np.array([o.observed for o in problem.observables], float)
    sigma = np.array([o.sigma for o in problem.observables], float)
    result: Array = (predicted - observed) / sigma
    is_count: IntArray = np.flatnonzero([o.kind == "poisson" for o in problem.observables])
    if len(is_count):
        expected, counts = predicted[:, is_count], observed[is_count]
        result[:, is_count] = np.sign(expected - counts) * np.sqrt(deviance(expected, counts))
    return result
