"""The verdict in three sentences: what was found, how far it is proven, and what to do."""

from __future__ import annotations

import numpy as np

from hpcscan.analysis.facts import equals
from hpcscan.analysis.findings import Findings
from hpcscan.analysis.profile_text import interval_text
from hpcscan.gate.criterion import NUMERICAL
from hpcscan.gate.gate import Gate
from hpcscan.words.numbers import count
from hpcscan.words.wording import corner, place


def verdict(findings: Findings, gate: Gate) -> tuple[str, str, str]:
    """Give the three sentences."""
    return _found(findings), _certainty(findings), _decision(gate)


def _found(findings: Findings) -> str:
    landscape, axes = findings.landscape, findings.profiles.axes
    if landscape.lowest is None:
        return "No point of this scan has a chi2: there is nothing to judge."
    chi2 = equals(landscape.lowest_chi2)
    if landscape.is_flat:
        names = " and ".join(axis.name for axis in axes)
        return (
            f"The landscape is flat: chi2 {chi2} at all {len(landscape.known):,} points, so that these data do not "
            f"determine {names or 'anything'}, and no minimum and no interval follows."
        )
    at = f"chi2 is lowest at {place(landscape.grid, landscape.lowest)} (chi2 {chi2})"
    if landscape.edges:
        return (
            f"{at}: {corner(landscape.edges)}, an edge of the grid and not a minimum, so that no best value and no "
            f"interval around one follows for {' and '.join(name for name, _ in landscape.edges)}."
        )
    measured = [f"{axis.name} = {interval_text(axis, axis.intervals[0])}" for axis in axes if axis.is_measured]
    widths = f"; at delta chi2 = 1: {', '.join(measured)}" if measured else ""
    others = [axis.name for axis in axes if not axis.is_measured]
    without = f", but no minimum is measured in {' and '.join(others)}" if others else ""
    return f"{at}, inside the grid{without}{widths}."


def _certainty(findings: Findings) -> str:
    landscape = findings.landscape
    n, n_points = int(landscape.converged.sum()), landscape.grid.n_points
    text = f"{n:,} of {count(n_points, 'point')} converged"
    gap = landscape.gap[landscape.known]
    n_bounded = int(np.isfinite(gap).sum())
    if not n_bounded:
        return f"{text}; no minimum is proven, because there is no certificate: starts agree, which is weaker."
    largest = float(np.nanmax(gap))
    n_open = int((gap > np.maximum(findings.settings.gate.gap, 1e-9 * landscape.chi2[landscape.known])).sum())
    if n_open:
        return f"{text}; at {count(n_open, 'point')} chi2 lies above what is possible, by up to {largest:.3g}."
    where = "all" if n_bounded == len(gap) == n_points else f"{n_bounded:,}"
    return f"{text}, and the minimum is proven at {where} of them (largest gap {largest:.1g})."


def _decision(gate: Gate) -> str:
    if gate.is_open:
        return "Every criterion of the gate holds: a wider scan is worth its cost."
    numerical = [criterion for criterion in gate.failed if criterion.group == NUMERICAL]
    first = (numerical or list(gate.failed))[0]
    meaning = (
        "the numbers cannot be trusted yet" if numerical else "the numbers can be trusted, but what they say fails"
    )
    return f"The gate is closed and {meaning}, first of all {first.name} ({first.found}): {first.cause}."
