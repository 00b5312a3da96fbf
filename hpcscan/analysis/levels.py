"""Levels of Δχ² as they are drawn and named."""

from __future__ import annotations

from dataclasses import dataclass

from hpcscan.analysis.profiles import SIGMAS
from hpcscan.distribution import confidence, delta_chi2_level


@dataclass(frozen=True)
class Level:
    """One level.

    Attributes
    ----------
    n_sigma : int
    n_parameters : int
    value : float
    name : str
        With its confidence level only where that may be quoted.
    """

    n_sigma: int
    n_parameters: int
    value: float
    name: str


def levels(n_parameters: int, has_confidence: bool) -> tuple[Level, ...]:
    """Give the levels of 1σ, 2σ, 3σ for so many parameters."""
    return tuple(_level(n_sigma, n_parameters, has_confidence) for n_sigma in SIGMAS)


def _level(n_sigma: int, n_parameters: int, has_confidence: bool) -> Level:
    value = delta_chi2_level(n_sigma, n_parameters)
    text = f"Δχ² = {value:g}" if value.is_integer() else f"Δχ² = {value:.2f}"
    if has_confidence:
        text = f"{n_sigma}σ, {100 * confidence(n_sigma):.4g} % ({text})"
    return Level(n_sigma, n_parameters, value, text)
