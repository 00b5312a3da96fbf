"""The shift of a minimum between two scans, and the closure χ of the status report."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from hpcscan.analysis.profile_text import minimum_text
from hpcscan.analysis.profiles import AxisProfile
from hpcscan.words.wording import rounded, with_unit


@dataclass(frozen=True)
class Closure:
    """How near two minima are to a reference.

    Attributes
    ----------
    first, second : float
        χ = exp(−(minimum − reference)): 1 where a minimum is at the reference.
    """

    first: float
    second: float

    @classmethod
    def of(cls, first: float, second: float, reference: float) -> Closure:
        """Compute it from two minima."""
        return cls(exp(-(first - reference)), exp(-(second - reference)))

    @property
    def share(self) -> float:
        """Share of the gap to 1 that the second closes: (χ₂ − χ₁)/(1 − χ₁); NaN where there is no gap."""
        gap = 1 - self.first
        return (self.second - self.first) / gap if gap else float("nan")


def shift_lines(first: AxisProfile, second: AxisProfile) -> list[tuple[str, str]]:
    """Compare the minima of one axis; without two measured ones there is no shift to speak of."""
    lines = [("first", minimum_text(first)), ("second", minimum_text(second))]
    without = [name for name, axis in (("first", first), ("second", second)) if not axis.is_measured]
    if without:
        which = "neither scan has" if len(without) == 2 else f"the {without[0]} scan has not"
        return [*lines, ("shift", f"none to speak of: {which} a minimum in {first.name}")]
    error = first.error + second.error
    shift = second.position - first.position
    text = with_unit(f"{'+' if shift > 0 else ''}{rounded(shift, error or abs(shift) / 1000)}", first.unit)
    if abs(shift) <= error:
        return [*lines, ("shift", f"none: {text} is within the numerical error {error:.1g}")]
    width = min(first.half_width, second.half_width)
    small = f"; less than the half-width {width:.2g} at delta chi2 = 1" if abs(shift) < width else ""
    return [*lines, ("shift", f"{text} (numerical error {error:.1g}){small}"), *_closure_lines(first, second)]


def _closure_lines(first: AxisProfile, second: AxisProfile) -> list[tuple[str, str]]:
    reference = first.reference if first.reference is not None else second.reference
    if reference is None:
        return []
    closure = Closure.of(first.position, second.position, reference)
    is_nearer = abs(second.position - reference) < abs(first.position - reference)
    direction = "towards" if is_nearer else "away from"
    lines = [
        ("direction", f"{direction} the reference {reference:g}"),
        ("closure", f"exp(-({first.name} - {reference:g})): {closure.first:.3f} to {closure.second:.3f}"),
    ]
    if abs(1 - closure.first) > first.error:
        lines.append(("gap closed", f"{100 * closure.share:.0f} %"))
    return lines
