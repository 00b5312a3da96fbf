"""The end of a scan in words: what was found, and how far it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hpcscan.analysis.audit import spikes
from hpcscan.analysis.facts import three_facts
from hpcscan.analysis.surface import Surface, count_status, survey
from hpcscan.fit.records import PointResults
from hpcscan.grid import Grid
from hpcscan.model.interface import Model, scale_names
from hpcscan.words.numbers import count

#: Active bounds that are listed; the file has all of them.
MOST_BOUNDS = 9


def summary(grid: Grid, model: Model, results: PointResults) -> str:
    """Summarise a scan: the three facts that matter most, then the counts behind them."""
    surface = survey(grid, results)
    facts = three_facts(grid, model, results, surface)
    lines = [
        *(f"{number}. {fact}" for number, fact in enumerate(facts, 1)),
        f"status: {_statuses(results)}",
        f"repaired from neighbours: {count(int(results.repaired.sum()), 'point')}",
        f"out of line with neighbours: {count(int(spikes(grid, results.chi2).sum()), 'point')}",
        *_scales(model, results, surface),
        *_bounds(model, results),
    ]
    return "\n".join(lines)


def _statuses(results: PointResults) -> str:
    counts = {status: n for status, n in count_status(results).items() if n}
    parts = [f"{n:,} {status.name.lower().replace('_', ' ')}" for status, n in counts.items()]
    return f"{', '.join(parts)} of {count(len(results.status), 'point')}"


def _scales(model: Model, results: PointResults, surface: Surface) -> Iterator[str]:
    """Quote every profiled scale at the best point, or its scatter over a flat landscape."""
    unit = "" if model.scale_unit == "1" else f" {model.scale_unit}"
    for k, name in enumerate(scale_names(model)):
        values = results.scale[:, k]
        if surface.is_flat:
            low, high = np.nanmin(values), np.nanmax(values)
            yield f"{name}_opt: best fits scatter between {low:.4g} and {high:.4g}{unit}"
        elif surface.lowest is not None:
            yield f"{name}_opt: {values[surface.lowest]:.6g}{unit} at the lowest point"


def _bounds(model: Model, results: PointResults) -> Iterator[str]:
    """List the bounds that hold minima, the most frequent first; those that are touched by chance do not count."""
    held = np.where(results.bound_multiplier != 0, results.at_bound, 0)
    n_known = int(np.count_nonzero(np.isfinite(results.chi2)))
    n_at = {
        (parameter.name, side): int(np.count_nonzero(held[:, j] == sign))
        for j, parameter in enumerate(model.parameters)
        for side, sign in (("lower", -1), ("upper", 1))
    }
    active = sorted((item for item in n_at.items() if item[1]), key=lambda item: -item[1])
    if not n_known:
        return
    yield "held by bounds:" if active else "held by bounds: none"
    for (name, side), n in active[:MOST_BOUNDS]:
        yield f"  {name} at its {side} bound at {n:,} of {count(n_known, 'point')}"
    if len(active) > MOST_BOUNDS:
        yield f"  and {len(active) - MOST_BOUNDS} more; see at_bound in the file"
