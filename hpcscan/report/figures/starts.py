"""Where the starts of every point ended, and so whether they agree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from hpcscan.analysis.findings import Findings
from hpcscan.arrays import Array
from hpcscan.report.choice import spaced
from hpcscan.report.figures.canvas import INK, Drawing, blank
from hpcscan.report.figures.scale import formatter
from hpcscan.tolerance import tie_tolerance
from hpcscan.words.numbers import place

#: Points whose starts are drawn, evenly chosen from a large grid.
MOST_POINTS = 400


def start_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the starts of each point in the order of their χ²; nothing where none ended elsewhere than others."""
    if _differ(findings):
        yield Drawing("starts", "Agreement of the starts", _caption(findings), lambda: _draw(findings))


def _differ(findings: Findings) -> bool:
    """Whether the starts of any point ended at different χ²."""
    scan = findings.scan
    if not scan.has("start_chi2") or not len(findings.landscape.known):
        return False
    chi2 = scan.at_points("start_chi2")[findings.landscape.known]
    highest = np.where(np.isfinite(chi2), chi2, -np.inf).max(axis=1)
    return bool((highest - findings.landscape.chi2[findings.landscape.known] > _floor(findings)).any())


def _caption(findings: Findings) -> str:
    known = findings.landscape.known
    at_minimum = findings.scan.at_points("n_starts_at_minimum")[known]
    n_starts = findings.scan.at_points("n_starts")[known]
    some = f" of {MOST_POINTS} of {len(known):,} points" if len(known) > MOST_POINTS else ""
    share = at_minimum / np.maximum(n_starts, 1)
    worst = np.argmin(share)
    return (
        f"χ² where each start ended{some}, above the lowest of its point, sorted: one thin line for each point, the "
        f"thick line for {place(findings.landscape.grid, int(findings.examined[0]))}. Values below "
        f"{_floor(findings):.1g} are equal. At the median point {100 * np.median(share):.0f} % of the starts reach the "
        f"minimum, at the worst {at_minimum[worst]:,} of {n_starts[worst]:,}."
    )


def _draw(findings: Findings) -> Figure:
    figure, (panel,) = blank(height=3.4)
    known, floor = findings.landscape.known, _floor(findings)
    for point in known[spaced(len(known), MOST_POINTS)]:
        above = _above(findings, int(point), floor)
        panel.plot(np.arange(1, len(above) + 1), above, color="0.6", lw=0.5, alpha=0.5)
    above = _above(findings, int(findings.examined[0]), floor)
    panel.plot(np.arange(1, len(above) + 1), above, "o-", color=INK, lw=1.5, ms=3.5)
    panel.set_yscale("log")
    panel.set_ylim(floor / 3, max(panel.get_ylim()[1], 1e4 * floor))
    panel.yaxis.set_major_formatter(formatter())
    panel.yaxis.minorticks_off()
    panel.axhspan(floor / 3, floor, color="0.9", lw=0)
    panel.set_xlabel("start, sorted by χ²")
    panel.set_ylabel("χ² above the point's lowest")
    most = int(np.isfinite(findings.scan.at_points("start_chi2")[known]).sum(axis=1).max())
    if most <= 20:
        panel.set_xticks(range(1, most + 1))
    return figure


def _above(findings: Findings, point: int, floor: float) -> Array:
    """Sort where the starts ended, above the lowest χ² of the point; failed starts are left out."""
    chi2 = findings.scan.at_points("start_chi2")[point]
    chi2 = np.sort(chi2[np.isfinite(chi2)])
    above: Array = np.maximum(chi2 - findings.landscape.chi2[point], floor)
    return above


def _floor(findings: Findings) -> float:
    """Differences of χ² that are none, at any point."""
    return float(np.nanmax(tie_tolerance(findings.landscape.chi2)))
