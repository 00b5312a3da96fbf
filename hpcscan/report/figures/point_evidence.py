"""How far each point can be trusted: its evidence, the gap to its bound, what bounds hold, and whether starts agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.landscape import Statuses
from hpcscan.arrays import Array
from hpcscan.report.figures.axes import PaperAxis, draw_field, formatter, hatch_cells, panel_height, paper_axes
from hpcscan.report.figures.canvas import INK, WIDTH, Drawing, blank, colours
from hpcscan.report.projection import Projection
from hpcscan.report.table_rows import spaced
from hpcscan.tolerance import tie_tolerance
from hpcscan.words.numbers import place

_Shade = str | tuple[float, float, float, float]
#: From good to bad; where axes are hidden, the worst counts. What has converged with neither proof nor agreement is a
#: run of differential evolution; a minimum that is only known to be the only one near has not converged.
LOOKS: dict[str, tuple[_Shade, str]] = {
    "proven": (colours()(0.0), ""),
    "agreed": (colours()(0.35), ""),
    "converged": (colours()(0.65), ""),
    "unique": ("#56b4e9", "\\\\\\\\"),
    "not_run": ("white", "...."),
    "timed_out": ("0.8", "////"),
    "not_converged": ("#e69f00", "xxxx"),
    "failed": (INK, ""),
}
ORDER = tuple(LOOKS)
_UNIQUE = ORDER.index("unique")
#: A gap below this is none: it is rounding.
NO_GAP = 1e-12

#: Points whose starts are drawn, evenly chosen from a large grid.
MOST_POINTS = 400


def state_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw evidence, gap and bounds side by side, each where its points are not all alike."""
    if panels := _differing(findings):
        projection = Projection.of(findings.landscape)
        title, caption = ", ".join(panels).capitalize(), _caption(findings, projection, panels)
        yield Drawing("status", title, caption, lambda: _draw(findings, projection, panels))


def _differing(findings: Findings) -> list[str]:
    """Choose what differs between points: why a minimum is believed, whether the gap counts, how many bounds hold."""
    gap, limit = findings.landscape.gap, findings.settings.gate.gap
    is_open = np.where(np.isnan(gap), -1, gap > limit)
    parts = {"evidence": _ranked(findings), "gap": is_open, "active bounds": _held(findings)}
    return [name for name, part in parts.items() if len(np.unique(part)) > 1]


def _held(findings: Findings) -> Array:
    """Count the parameters that bounds hold at each point."""
    held: Array = np.count_nonzero(findings.scan.at_points("bound_multiplier"), axis=1).astype(float)
    return held


def _caption(findings: Findings, projection: Projection, panels: Sequence[str]) -> str:
    landscape = findings.landscape
    ranked = _ranked(findings)
    numbers = [(name, int(np.count_nonzero(ranked == rank))) for rank, name in enumerate(ORDER)]
    counts = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in numbers if n)
    # What a word does not say by itself.
    near = "; unique: starts do not agree, but there is no other minimum near" if (ranked == _UNIQUE).any() else ""
    gap = landscape.gap[landscape.known]
    proof = "nothing is proven"
    if np.isfinite(gap).any():
        proof = f"the largest is {np.nanmax(gap):.2g}; gaps below {NO_GAP:g} are shown as that"
    says = {
        "evidence": f"Evidence: why the minimum of each point is believed, or how its fit ended ({counts}{near}).",
        "gap": f"Gap: χ² above its proven lower bound; {proof}.",
        "active bounds": "Bounds: number of parameters that a bound holds with a multiplier, so that it raises χ².",
    }
    return f"{' '.join(says[name] for name in panels)}{projection.worst_note}"


def _draw(findings: Findings, projection: Projection, chosen: Sequence[str]) -> Figure:
    # One axis makes strips, which stand below each other.
    is_strip, n = len(projection.shown) == 1, len(chosen)
    rows, columns = (n, 1) if is_strip else (1, n)
    height = panel_height(projection) * (n if is_strip else 1)
    figure, panels = blank(rows, columns, height=height, width=WIDTH if is_strip else max(3.2 * n, 4.8))
    axes = paper_axes(findings.scan, projection)
    draw = {"evidence": _evidence, "gap": _gap, "active bounds": _bounds}
    for number, (panel, name) in enumerate(zip(panels, chosen, strict=True)):
        draw[name](figure, panel, axes, findings, projection)
        if number and not is_strip:
            panel.set_ylabel("")
    return figure


def _evidence(figure: Figure, panel: Axes, axes: list[PaperAxis], findings: Findings, projection: Projection) -> None:
    # Ranks are ordered from good to bad, so that the largest is the worst.
    codes = projection.worst(_ranked(findings))
    shades = ListedColormap([shade for shade, _ in LOOKS.values()])
    norm = BoundaryNorm(np.arange(-0.5, len(ORDER)), len(ORDER))
    draw_field(panel, axes, codes, norm, shades, is_short=True)
    across = axes[1] if len(axes) == 2 else None
    handles = []
    for code, (name, (shade, hatch)) in enumerate(LOOKS.items()):
        is_so = codes == code
        if is_so.any():
            hatch_cells(panel, axes[0], across, is_so, hatch)
            handles.append(Patch(facecolor=shade, edgecolor=INK, hatch=hatch, label=name.replace("_", " ")))
    panel.set_title("evidence")
    below = -0.18 if len(axes) == 2 else -0.55
    panel.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, below), ncols=2, frameon=False)


def _ranked(findings: Findings) -> Array:
    """Return for every point the place of its evidence, or of its status, in the order from good to bad."""
    status, scan = findings.landscape.status, findings.scan
    ranked = np.full(len(status.codes), np.nan)
    for rank, name in enumerate(ORDER):
        ranked[status.are(name)] = rank
    if scan.has("evidence"):
        # Only what has converged has evidence that counts; what has not may still be the only minimum near.
        why = Statuses(scan.at_points("evidence"), scan.variables["evidence"].flags)
        for name in ("agreed", "proven"):
            ranked[status.are("converged") & why.are(name)] = ORDER.index(name)
        ranked[status.are("not_converged") & why.are("unique")] = _UNIQUE
    return ranked


def _gap(figure: Figure, panel: Axes, axes: list[PaperAxis], findings: Findings, projection: Projection) -> None:
    panel.set_title("gap: χ² − proven bound")
    gap = projection.worst(findings.landscape.gap)
    # Colours by powers of ten, with some range even where all gaps are rounding.
    top = max(float(np.nanmax(gap, initial=0.0)), 1e-3)
    mesh = draw_field(panel, axes, np.maximum(gap, NO_GAP), LogNorm(NO_GAP, top), is_short=True)
    if np.isnan(gap).all():
        _say(panel, "nothing is proven")
        return
    bar = figure.colorbar(mesh, ax=panel)
    bar.ax.minorticks_off()
    bar.ax.yaxis.set_major_formatter(formatter())


def _bounds(figure: Figure, panel: Axes, axes: list[PaperAxis], findings: Findings, projection: Projection) -> None:
    held = _held(findings)
    # Without a χ² there is nothing that a bound could hold up.
    held[~np.isfinite(findings.landscape.chi2)] = np.nan
    panel.set_title("parameters held by bounds")
    n = max(int(np.nanmax(held, initial=0.0)), 1)
    mesh = draw_field(
        panel, axes, projection.worst(held), BoundaryNorm(np.arange(-0.5, n + 1), colours().N), is_short=True
    )
    step = max(1, n // 6)
    figure.colorbar(mesh, ax=panel, ticks=range(0, n + 1, step)).ax.minorticks_off()


def _say(panel: Axes, text: str) -> None:
    box = {"facecolor": "white", "edgecolor": "none"}
    panel.text(0.5, 0.5, text, transform=panel.transAxes, ha="center", va="center", bbox=box)


def start_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the starts of each point in the order of their χ²; nothing where none ended elsewhere than others."""
    if _differ(findings):
        yield Drawing("starts", "Agreement of the starts", _starts_caption(findings), lambda: _draw_starts(findings))


def _differ(findings: Findings) -> bool:
    """Whether the starts of any point ended at different χ²."""
    scan = findings.scan
    if not scan.has("start_chi2") or not len(findings.landscape.known):
        return False
    chi2 = scan.at_points("start_chi2")[findings.landscape.known]
    # A file may have no starts at all.
    highest = np.where(np.isfinite(chi2), chi2, -np.inf).max(axis=1, initial=-np.inf)
    return bool((highest - findings.landscape.chi2[findings.landscape.known] > _floor(findings)).any())


def _starts_caption(findings: Findings) -> str:
    known = findings.landscape.known
    at_minimum = findings.scan.at_points("n_starts_at_minimum")[known]
    n_starts = findings.scan.at_points("n_starts")[known]
    some = f" of {MOST_POINTS} of {len(known):,} points" if len(known) > MOST_POINTS else ""
    # The worst point by its share of starts that agree.
    share = at_minimum / np.maximum(n_starts, 1)
    worst = np.argmin(share)
    return (
        f"χ² where each start ended or was left{some}, above the lowest of its point, sorted: one thin line for each "
        f"point, the thick line for {place(findings.landscape.grid, int(findings.examined[0]))}. Values below "
        f"{_floor(findings):.1g} are equal. At the median point {100 * np.median(share):.0f} % of the starts reach the "
        f"minimum, at the worst {at_minimum[worst]:,} of {n_starts[worst]:,}."
    )


def _draw_starts(findings: Findings) -> Figure:
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
    # In the grey band differences of χ² are none.
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
