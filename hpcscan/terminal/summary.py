"""The end of a scan in words: what was found, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hpcscan.fit.records import PointResults, Status
from hpcscan.model.interface import Model, scale_names
from hpcscan.scan.grid import Grid
from hpcscan.scan.surface import Surface, count_status, survey
from hpcscan.terminal.numbers import chi2_text, count

#: Active bounds that are listed; the file has all of them.
MOST_BOUNDS = 9


def summary(grid: Grid, model: Model, results: PointResults) -> str:
    """Summarise a scan in a few lines."""
    surface = survey(grid, results)
    lines = [
        f"status: {_statuses(results)}",
        *_lowest_point(grid, results, surface),
        *_scales(model, results, surface),
        *_active_bounds(model, results),
    ]
    return "\n".join(lines)


def _statuses(results: PointResults) -> str:
    counts = {status: n for status, n in count_status(results).items() if n}
    parts = [f"{n:,} {status.name.lower().replace('_', ' ')}" for status, n in counts.items()]
    return f"{', '.join(parts)} of {count(len(results.status), 'point')}"


def _lowest_point(grid: Grid, results: PointResults, surface: Surface) -> Iterator[str]:
    """Name the best point, or say why there is none."""
    if surface.lowest is None:
        yield "best point: none, no point has a chi2"
        return
    chi2 = float(results.chi2[surface.lowest])
    if surface.is_flat:
        yield f"best point: none, the landscape is flat: chi2 {_equals(chi2)} at all {surface.n_known:,} points"
        return
    place = _place(grid, surface.lowest)
    yield f"lowest point: {place}, chi2 {_equals(chi2)}"
    if surface.n_lowest > 1:
        yield f"  {surface.n_lowest:,} points are equal to it within the tolerance; this is the first"
    if surface.edges:
        sides = " and ".join(f"the {side} end of {axis}" for axis, side in surface.edges)
        yield f"  it lies at {sides}: this is an edge of the grid, not a minimum inside it"
    if results.status[surface.lowest] != Status.CONVERGED:
        yield "  its fit did not converge: do not read it as a minimum"


def _equals(chi2: float) -> str:
    text = chi2_text(chi2)
    return text if text.startswith("<") else f"= {text}"


def _place(grid: Grid, index: int) -> str:
    values = grid.points([index])[0]
    return ", ".join(f"{axis.name} = {value:.6g}" for axis, value in zip(grid.axes, values, strict=True))


def _scales(model: Model, results: PointResults, surface: Surface) -> Iterator[str]:
    """Quote every profiled scale at the best point, or its scatter over a flat landscape."""
    unit = "" if model.scale_unit == "1" else f" {model.scale_unit}"
    for k, name in enumerate(scale_names(model)):
        values = results.scale[:, k]
        if surface.is_flat:
            low, high = np.nanmin(values), np.nanmax(values)
            yield f"{name}_opt: between {low:.4g} and {high:.4g}{unit} over the points"
        elif surface.lowest is not None:
            yield f"{name}_opt: {values[surface.lowest]:.6g}{unit} at the lowest point"


def _active_bounds(model: Model, results: PointResults) -> Iterator[str]:
    """List the bounds on which fits rest, the most frequent first."""
    n_known = int(np.count_nonzero(np.isfinite(results.chi2)))
    n_at = {
        (parameter.name, side): int(np.count_nonzero(results.at_bound[:, j] == sign))
        for j, parameter in enumerate(model.parameters)
        for side, sign in (("lower", -1), ("upper", 1))
    }
    active = sorted((item for item in n_at.items() if item[1]), key=lambda item: -item[1])
    if not n_known:
        return
    yield f"active bounds: {'none' if not active else ''}".rstrip()
    for (name, side), n in active[:MOST_BOUNDS]:
        yield f"  {name} at its {side} bound at {n:,} of {count(n_known, 'point')}"
    if len(active) > MOST_BOUNDS:
        yield f"  and {len(active) - MOST_BOUNDS} more; see at_bound in the file"
