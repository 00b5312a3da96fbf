"""The terms of which data are made: arrays of measured values, and how far a prediction may be from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hpcscan.arrays import Array

#: A covariance whose entries differ from their mirror images by more than this share of √(V_ii V_jj) is not symmetric.
ASYMMETRY = 1e-8
#: A covariance with a larger condition number, in units of its standard deviations, has no inverse in this arithmetic.
LARGEST_CONDITION = 1e14


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Values with normal errors: ((S f − y)/σ)² summed over them, or (S f − y)ᵀ V⁻¹ (S f − y).

    Attributes
    ----------
    name : str
    observed : float or array, shape (size,)
        The values y, in `unit`.
    sigma : float or array, shape (size,), optional
        Their standard deviations; one stands for all.
    covariance : array, shape (size, size), optional
        V, instead of `sigma`.
    scale : str, optional
        Name of the profiled scale S that multiplies the prediction f; None where it is compared as it is.
    unit : str
    x : array, shape (size,), optional
        Where the values were taken: an abscissa for tables and figures.
    labels : sequence of str, optional
        Names of the single values; their numbers where they are not given.
    label, description : str
        How the term is written in figures, and what it is.
    x_label, x_unit : str
        How the abscissa is written in figures, and its unit.
    is_tolerance : bool
        σ says how near the model should come, and is no statistical error: then χ² has no p-value.
    """

    name: str
    observed: ArrayLike
    sigma: ArrayLike | None = None
    covariance: ArrayLike | None = None
    scale: str | None = None
    unit: str = "1"
    x: ArrayLike | None = None
    labels: tuple[str, ...] | None = None
    label: str = ""
    description: str = ""
    x_label: str = ""
    x_unit: str = "1"
    is_tolerance: bool = False

    @property
    def values(self) -> Array:
        """The observed values, shape (size,)."""
        return _numbers(self.observed)

    @property
    def errors(self) -> Array:
        """Standard deviations, shape (size,): σ, or √V_ii."""
        if self.covariance is not None:
            return np.asarray(np.sqrt(np.diagonal(np.asarray(self.covariance, float))))
        return np.broadcast_to(_numbers(self.sigma), self.values.shape)

    def problems(self) -> list[str]:
        """Describe what is wrong with the declaration."""
        found = _problems_of_values(self)
        if found:
            return found
        if (self.sigma is None) == (self.covariance is None):
            return ["needs either sigma or covariance, found " + ("both" if self.sigma is not None else "neither")]
        found = self._problems_of_covariance() if self.sigma is None else self._problems_of_sigma()
        # (y/σ)² is χ² where nothing is predicted: beyond the largest number it could not be compared.
        with np.errstate(over="ignore"):
            if not found and not np.isfinite(((self.values / self.errors) ** 2).sum()):
                found = ["the square of observed/sigma is beyond the largest number"]
        return found

    def _problems_of_sigma(self) -> list[str]:
        try:
            sigma, size = _numbers(self.sigma), len(self.values)
        except (TypeError, ValueError):
            return [f"sigma is {self.sigma!r:.60}; expected numbers"]
        if len(sigma) not in (1, size):
            return [f"sigma has {len(sigma)} values for {size} observed ones; expected one, or one for each"]
        wrong = np.flatnonzero(~(np.isfinite(sigma) & (sigma > 0)))
        return (
            [f"sigma{_entry(sigma, wrong[0])} is {sigma[wrong[0]]:g}; expected a positive number"] if len(wrong) else []
        )

    def _problems_of_covariance(self) -> list[str]:  # noqa: PLR0911  (one for each condition)
        """Describe why V is no covariance, with the entry or the condition number."""
        size = len(self.values)
        try:
            matrix = _numbers(self.covariance)
        except (TypeError, ValueError):
            return [f"covariance is {self.covariance!r:.60}; expected a matrix of numbers"]
        if matrix.shape != (size, size):
            return [f"covariance has the shape {matrix.shape}; expected {(size, size)} for {size} observed values"]
        if not np.isfinite(matrix).all():
            i, j = np.argwhere(~np.isfinite(matrix))[0]
            return [f"covariance[{i}, {j}] is {matrix[i, j]}; expected finite numbers"]
        if not (diagonal := np.diagonal(matrix)).min() > 0:
            i = int(np.argmin(diagonal))
            return [f"covariance[{i}, {i}] is {diagonal[i]:g}; a variance is positive"]
        # Conditions are those of the correlation matrix: they do not depend on units.
        sigma = np.sqrt(diagonal)
        # A rounding of V_ij and V_ji, as in a table of few digits, is no asymmetry.
        off = np.abs(matrix - matrix.T) / np.outer(sigma, sigma)
        if off.max() > ASYMMETRY:
            i, j = np.unravel_index(np.argmax(off), off.shape)
            entries = f"covariance[{i}, {j}] = {matrix[i, j]:.6g} and covariance[{j}, {i}] = {matrix[j, i]:.6g}"
            return [f"{entries} differ; a covariance is symmetric"]
        # V⁻¹ exists if all are positive, and has digits left if their ratio is not too large.
        eigenvalues = np.linalg.eigvalsh(matrix / np.outer(sigma, sigma))
        if eigenvalues[0] <= 0:
            worst = f"its correlation matrix has the eigenvalue {eigenvalues[0]:.3g}"
            return [f"covariance is not positive definite: {worst} (condition number {_condition(eigenvalues)})"]
        if eigenvalues[-1] / eigenvalues[0] > LARGEST_CONDITION:
            limit = f"its correlation matrix has the condition number {_condition(eigenvalues)}"
            return [f"covariance cannot be inverted: {limit}, above {LARGEST_CONDITION:g}"]
        return []


@dataclass(frozen=True, eq=False)
class Poisson:
    """Counts n with expectations μ = S f: the deviance 2 (μ − n + n ln(n/μ)), summed over them.

    Attributes
    ----------
    name : str
    observed : float or array, shape (size,)
        The counts n: zero or more; data sets of an Asimov kind need not be whole.
    scale, unit, x, labels, label, description, x_label, x_unit
        As for a `Gaussian`; a scale of counts is not negative.
    """

    name: str
    observed: ArrayLike
    scale: str | None = None
    unit: str = "1"
    x: ArrayLike | None = None
    labels: tuple[str, ...] | None = None
    label: str = ""
    description: str = ""
    x_label: str = ""
    x_unit: str = "1"

    is_tolerance = False
    covariance = None

    @property
    def values(self) -> Array:
        """The observed counts, shape (size,)."""
        return _numbers(self.observed)

    @property
    def errors(self) -> Array:
        """Counts have no standard deviation of their own: NaN, shape (size,)."""
        return np.full(self.values.shape, np.nan)

    def problems(self) -> list[str]:
        """Describe what is wrong with the declaration."""
        found = _problems_of_values(self)
        if not found and len(wrong := np.flatnonzero(self.values < 0)):
            counts = self.values
            found.append(f"observed{_entry(counts, wrong[0])} is {counts[wrong[0]]:g}; a count is not negative")
        return found


#: A term of the data.
Term = Gaussian | Poisson


def value_names(term: Term) -> tuple[str, ...]:
    """List every value of a term: the term's own name where there is one value, else with its label or number."""
    size = len(term.values)
    if term.labels is not None:
        return tuple(f"{term.name}.{label}" for label in term.labels)
    return (term.name,) if np.ndim(term.observed) == 0 else tuple(f"{term.name}.{k}" for k in range(size))


def value_dimension(term: Term) -> str:
    """Return the name of the dimension along which the values of a term lie, for parts of its prediction."""
    return f"{term.name.replace('.', '_')}_value"


def _numbers(values: Any) -> Array:
    found = np.asarray(values)
    # Complex numbers, dates and texts are refused here, where numpy might convert them.
    if found.dtype.kind not in "biufO":
        raise TypeError(f"values of type {found.dtype}")
    return np.atleast_1d(np.asarray(found, np.float64))


def _entry(values: Array, place: int) -> str:
    return f"[{place}]" if len(values) > 1 else ""


def _condition(eigenvalues: NDArray[np.floating[Any]]) -> str:
    return "infinite" if eigenvalues[0] == 0 else f"{eigenvalues[-1] / abs(eigenvalues[0]):.3g}"


def _problems_of_values(term: Term) -> list[str]:
    """Describe what is wrong with what all terms have."""
    for name in ("observed", "sigma", "covariance", "x"):
        value = getattr(term, name, None)
        # As a plain array it would show the numbers that it hides.
        if np.ma.isMaskedArray(value) and np.ma.getmaskarray(value).any():
            return [f"{name} is a masked array; give the values that count, without a mask"]
    try:
        values = _numbers(term.observed)
    except (TypeError, ValueError):
        return [f"observed is {term.observed!r:.60}; expected numbers"]
    if values.ndim != 1:
        return [f"observed has {values.ndim} dimensions; expected one value or a list of values (use .ravel())"]
    if not len(values):
        return ["observed is empty; give at least one value"]
    if len(wrong := np.flatnonzero(~np.isfinite(values))):
        return [f"observed{_entry(values, wrong[0])} is {values[wrong[0]]}; expected a finite number"]
    return [*_problems_of_labels(term, len(values)), *_problems_of_x(term, len(values))]


def _problems_of_labels(term: Term, size: int) -> list[str]:
    labels = term.labels
    if labels is None:
        return []
    if isinstance(labels, str) or not all(isinstance(label, str) and label.isprintable() and label for label in labels):
        return [f"labels is {labels!r:.60}; expected a text without control characters for each value"]
    if len(labels) != size:
        return [f"labels has {len(labels)} entries for {size} observed values"]
    return [] if len(set(labels)) == size else ["labels has the same text twice"]


def _problems_of_x(term: Term, size: int) -> list[str]:
    if term.x is None:
        return []
    try:
        x = _numbers(term.x)
    except (TypeError, ValueError):
        return [f"x is {term.x!r:.60}; expected numbers"]
    return [] if x.shape == (size,) else [f"x has the shape {x.shape} for {size} observed values"]
