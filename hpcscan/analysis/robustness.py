"""Whether a conclusion depends on the optimiser: the same points, fitted by different means, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array
from hpcscan.tolerance import tie_tolerance
from hpcscan.words.numbers import chi2_text
from hpcscan.words.tables import Table

#: A line means nothing where its differences are uncertain by more than this share of its depth.
NOISE = 0.01


@dataclass(frozen=True)
class Series:
    """χ² that one method found, budget by budget or point by point along a line.

    Attributes
    ----------
    chi2, lower_bound : array, shape (n,)
        NaN where unknown.
    """

    method: str
    chi2: Array
    lower_bound: Array

    @property
    def gap(self) -> Array:
        """χ² above its proven bound."""
        gap: Array = self.chi2 - self.lower_bound
        return gap


@dataclass(frozen=True)
class Conclusion:
    """What one method says.

    Attributes
    ----------
    what : str
        Equal for methods that say the same.
    is_noise : bool
        Whether the optimiser's own errors are as large as what it shows.
    """

    what: str
    text: str
    is_noise: bool = False


def budget_table(budgets: Sequence[int], where: str, series: Sequence[Series]) -> Table:
    """Tabulate the χ² of a point against the iterations that a fit may take."""
    columns = [column for one in series for column in _columns(one, [_chi2(value) for value in one.chi2])]
    caption = f"Optimiser budget: chi2 at {where}, by the largest number of iterations"
    return _table("budget", caption, "max_iter", [f"{budget}" for budget in budgets], columns)


def line_table(axis: str, values: Array, where: str, series: Sequence[Series]) -> Table:
    """Tabulate Δχ² along an axis, for each method against its own lowest point."""
    columns = []
    for one in series:
        lowest = np.nanmin(one.chi2) if np.isfinite(one.chi2).any() else np.nan
        columns += _columns(one, [_number(value - lowest, 6) for value in one.chi2])
    caption = f"Line along {axis}{where}: delta chi2 of each method against its own lowest point"
    return _table(f"line-{axis}", caption, axis, [f"{value:g}" for value in values], columns)


def _columns(series: Series, values: list[str]) -> list[tuple[str, list[str]]]:
    """Return the columns of one method: what it found and, where that is known, how far above the proven bound."""
    columns = [(_name(series), values)]
    if np.isfinite(series.gap).any():
        columns.append(("above bound", [_number(value, 3) for value in series.gap]))
    return columns


def _table(name: str, caption: str, first: str, labels: list[str], columns: list[tuple[str, list[str]]]) -> Table:
    header = (first, *(title for title, _ in columns))
    return Table(name, caption, header, tuple(zip(labels, *(texts for _, texts in columns), strict=True)))


def budget_conclusion(budgets: Sequence[int], series: Series, claim: int) -> Conclusion:
    """Describe from which budget on a fit no longer changes, and whether that is by the claimed one."""
    final = series.chi2[-1]
    if not np.isfinite(final):
        return Conclusion("nothing", f"{_name(series)}: no chi2 with the largest budget")
    tolerance = float(tie_tolerance(np.array(final)))
    # The first budget from which on all are equal to the largest.
    is_equal = np.abs(series.chi2 - final) <= tolerance
    first = len(is_equal) - int(np.argmin(is_equal[::-1])) if not is_equal.all() else 0
    what, text = "stable", f"stable from {budgets[first]} iterations on"
    # Where only the largest budget equals itself, nobody knows whether more would change it again.
    if 0 < first == len(budgets) - 1 or budgets[first] > claim:
        before = budgets[max(0, first - 1)]
        change = series.chi2[max(0, first - 1)] - final
        what, text = "not stable", f"chi2 still falls by {change:.3g} from {before} to {budgets[-1]} iterations"
        text += f", so it is not stable by {claim}" if budgets[-1] > claim else ""
    return Conclusion(what, f"{_name(series)}: {text}{_above(series.gap[-1], tolerance)}")


def _above(gap: float, tolerance: float) -> str:
    if not np.isfinite(gap):
        return ""
    return f", {gap:.3g} above the proven minimum" if gap > max(tolerance, 1e-3) else ", at the proven minimum"


def line_conclusion(axis: str, values: Array, series: Series, expected: tuple[float, float] | None) -> Conclusion:
    """Describe where along a line χ² is lowest, whether that is a minimum, and whether it is the claimed one."""
    chi2 = series.chi2
    if not np.isfinite(chi2).any():
        return Conclusion("nothing", f"{_name(series)}: no chi2")
    depth = float(np.nanmax(chi2) - np.nanmin(chi2))
    if depth <= tie_tolerance(np.array(np.nanmin(chi2))):
        return Conclusion("flat", f"{_name(series)}: flat, no minimum in {axis}{_claimed(expected)}")
    k, known = int(np.nanargmin(chi2)), np.flatnonzero(np.isfinite(chi2))
    what, found = f"minimum at {k}", f"lowest at {axis} = {values[k]:g}, inside the line"
    if k in (known[0], known[-1]):
        what, side = ("upper edge", "upper") if k == known[-1] else ("lower edge", "lower")
        found = f"lowest at {axis} = {values[k]:g}, the {side} edge: no minimum{_claimed(expected)}"
    elif expected:
        side = "within" if expected[0] <= values[k] <= expected[1] else "outside"
        found += f" and {side} what is expected, {expected[0]:g} to {expected[1]:g}"
    noise = _noise(series, depth)
    return Conclusion(what, f"{_name(series)}: {found}{noise}", is_noise=bool(noise))


def _claimed(expected: tuple[float, float] | None) -> str:
    return f"; expected from {expected[0]:g} to {expected[1]:g}" if expected else ""


def _noise(series: Series, depth: float) -> str:
    """Describe by how much the differences between points are uncertain, where that matters."""
    known = series.gap[np.isfinite(series.gap)]
    # A constant distance from the bound moves the whole line; what varies bends it.
    noise = float(np.ptp(known)) if len(known) else 0.0
    if noise <= NOISE * depth:
        return ""
    return (
        f"; this is noise: its distance from the proven minimum varies by {noise:.3g}, the line's depth is {depth:.3g}"
    )


def verdict_on_methods(conclusions: Sequence[Conclusion]) -> str:
    """Format whether the methods come to the same conclusion."""
    # A method whose own errors are as large as what it shows supports no conclusion, not even the same.
    if any(conclusion.is_noise for conclusion in conclusions):
        return "the conclusion depends on the optimiser: only a method without noise can be believed"
    if len({conclusion.what for conclusion in conclusions}) == 1:
        return "all methods come to the same conclusion"
    return "the conclusion depends on the optimiser"


def _chi2(value: float) -> str:
    return chi2_text(value) if np.isfinite(value) else "–"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if np.isfinite(value) else "–"


def _name(series: Series) -> str:
    return series.method.replace("_", " ")
