"""A correlated Gaussian: Δχ², its ellipse and its widths in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Gaussian:
    """Δχ² = dᵀ C⁻¹ d with d the distance to the centre."""

    centre: tuple[float, ...]
    covariance: np.ndarray

    @classmethod
    def correlated(cls, centre: tuple[float, float], sigma: tuple[float, float], rho: float) -> Gaussian:
        mixed = rho * sigma[0] * sigma[1]
        return cls(centre, np.array([[sigma[0] ** 2, mixed], [mixed, sigma[1] ** 2]]))

    def chi2(self, *coordinates: np.ndarray) -> np.ndarray:
        distance = np.stack(np.broadcast_arrays(*coordinates), axis=-1) - np.array(self.centre)
        return np.einsum("...i,ij,...j", distance, np.linalg.inv(self.covariance), distance)

    def on(self, *axes: np.ndarray) -> np.ndarray:
        return self.chi2(*np.meshgrid(*axes, indexing="ij"))

    def sigma(self, axis: int) -> float:
        return float(np.sqrt(self.covariance[axis, axis]))
