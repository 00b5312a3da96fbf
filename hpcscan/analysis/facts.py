"""The three facts about a scan that matter most, in words."""

from __future__ import annotations

import numpy as np

from hpcscan.analysis.audit import ActiveBound, Proof, active_bounds, proof, spikes
from hpcscan.analysis.surface import Surface
from hpcscan.arrays import Array
from hpcscan.fit.records import UNKNOWN, PointResults, Status
from hpcscan.grid import Grid
from hpcscan.model.interface import Model, scale_names
from hpcscan.tolerance import tie_tolerance
from hpcscan.words.numbers import chi2_text, count

#: A bound is a cause where it costs at least this share of the most costly one.
CAUSE = 1 / 30


def three_facts(grid: Grid, model: Model, results: PointResults, surface: Surface) -> list[str]:
    """Say where the lowest point is, whether that is proven, and what else to know first."""
    return [
        _landscape(grid, results, surface),
        _certainty(results, proof(results)),
        _first_worry(grid, results, surface) or _cause(model, results, surface) or _freedom(model, results, surface),
    ]


def place(grid: Grid, index: int) -> str:
    """Write the coordinates of a grid point."""
    values = grid.points([index])[0]
    return ", ".join(f"{axis.name} = {value:.6g}" for axis, value in zip(grid.axes, values, strict=True))


def equals(chi2: float) -> str:
    """Write a χ² as the end of an equation."""
    text = chi2_text(chi2)
    return text if text.startswith("<") else f"= {text}"


def _landscape(grid: Grid, results: PointResults, surface: Surface) -> str:
    if surface.lowest is None:
        return "There is no best point: no point has a chi2."
    chi2 = float(results.chi2[surface.lowest])
    axes = " and ".join(axis.name for axis in grid.axes)
    if surface.is_flat:
        return (
            f"The landscape is flat: chi2 {equals(chi2)} at all {surface.n_known:,} points. There is no best point; "
            f"the data do not determine {axes}."
        )
    text = f"The lowest chi2 is at {place(grid, surface.lowest)}: chi2 {equals(chi2)}."
    if surface.edges:
        sides = " and ".join(f"the {side} end of {axis}" for axis, side in surface.edges)
        text += f" That is {sides}: an edge of the grid, not a minimum inside it."
    if surface.n_lowest > 1:
        text += f" {surface.n_lowest:,} points are equal to it within the tolerance; this is the first."
    return text


def _certainty(results: PointResults, proven: Proof) -> str:
    """Say how far the minima are proven."""
    if proven.n_contradicted:
        return (
            f"The model's ranges are wrong at {proven.n_contradicted:,} of {count(proven.n_known, 'point')}: chi2 lies "
            f"up to {-proven.lowest_gap:.3g} below what they say is possible. No proof of this model counts before "
            "its prediction_ranges are corrected."
        )
    if not proven.n_known:
        return "Nothing is proven, and nothing is known."
    if not proven.n_bounded:
        n = int(np.count_nonzero(results.status == Status.CONVERGED))
        return (
            "Nothing is proven: the model offers no lower bound, or fit.certify is off. At "
            f"{n:,} of {count(proven.n_known, 'point')} at least two starts agree on the minimum."
        )
    if proven.n_closed == proven.n_known:
        low, high = np.nanmin(results.chi2), np.nanmax(results.chi2)
        level = equals(high) if chi2_text(low) == chi2_text(high) else f"{equals(low)} to {chi2_text(high)}"
        return (
            f"Proven at {_all(proven.n_known)}: no parameters within these bounds can do better than chi2 {level} "
            f"(largest gap {proven.largest_gap:.1g})."
        )
    n_open = proven.n_known - proven.n_closed
    return (
        f"Not proven at {n_open:,} of {count(proven.n_known, 'point')}: chi2 lies up to {proven.largest_gap:.3g} above "
        f"its proven bound (median {proven.median_gap:.3g}); smaller differences between points mean nothing."
    )


def _all(n: int) -> str:
    return f"all {n:,} points" if n > 1 else "the only point"


def _first_worry(grid: Grid, results: PointResults, surface: Surface) -> str | None:
    """Name what makes the scan untrustworthy; None where nothing does."""
    unconverged = int(np.count_nonzero(results.status != Status.CONVERGED))
    n_spikes = int(np.count_nonzero(spikes(grid, results.chi2)))
    if surface.lowest is not None and results.status[surface.lowest] != Status.CONVERGED:
        return "The fit of the lowest point did not converge: do not read it as a minimum."
    if unconverged:
        return f"{count(unconverged, 'point')} of {len(results.status):,} did not converge or failed."
    if n_spikes:
        return f"{count(n_spikes, 'point')} out of line with the neighbours, by more than the slope around explains."
    return None


def _cause(model: Model, results: PointResults, surface: Surface) -> str | None:
    """Name the bounds that hold the lowest χ² up; None where none does."""
    bounds = active_bounds(model, results, surface.lowest) if surface.lowest is not None else ()
    if not bounds:
        return None
    causes = [bound for bound in bounds if bound.cost >= CAUSE * bounds[0].cost]
    text = f"Bounds set this floor: {' and '.join(_bound(bound) for bound in causes)}"
    others = bounds[len(causes) :]
    if others:
        ratio = causes[-1].cost / others[0].cost
        text += f", with {count(len(others), 'other active bound')} costing at least {ratio:.0f} times less"
    return f"{text} (change of chi2 per unit × width of the interval)."


def _bound(bound: ActiveBound) -> str:
    return f"{bound.parameter} at its {bound.side} bound ({bound.cost:.2g})"


def _freedom(model: Model, results: PointResults, surface: Surface) -> str:
    """Say how much of the fit the data leave open at the lowest point, and at those that are equal to it."""
    lowest = np.asarray(np.nan if surface.lowest is None else results.chi2[surface.lowest])
    equal = np.flatnonzero(results.chi2 <= lowest + tie_tolerance(lowest))
    flat = results.n_flat_directions[equal]
    if UNKNOWN in flat:
        return "Which parameter directions the data leave open is not known: a derivative at the minimum is not finite."
    if not len(flat) or not flat.max():
        return "No bound holds the minimum, and no direction of the parameters is left open by the data."
    low, high = int(flat.min()), int(flat.max())
    number = f"{low}" if low == high else f"{low} to {high}"
    text = f"No bound holds the minimum, and {number} of {len(model.parameters)} parameter directions change nothing."
    scales = zip(scale_names(model), results.scale_lower[equal].T, results.scale_upper[equal].T, strict=True)
    return text + "".join(_open_scale(*scale) for scale in scales)


def _open_scale(name: str, lower: Array, upper: Array) -> str:
    """Give the values of a scale that are as good at all of some points; nothing where there is no interval of them."""
    if np.isnan(lower).any() or not lower.max() < upper.min():
        return ""
    return f" {name} is not determined: every value from {lower.max():.4g} to {upper.min():.4g} is as good."
