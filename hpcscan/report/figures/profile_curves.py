"""Profiles of each axis, with thresholds and intervals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.interpolation import refined
from hpcscan.analysis.planes import levels
from hpcscan.analysis.profile_text import interval_text, minimum_text
from hpcscan.analysis.profiles import SIGMAS, AxisProfile, ProfileShape
from hpcscan.analysis.surface import Surface
from hpcscan.arrays import Array
from hpcscan.report.figures.axes import (
    MOST_DOTS,
    MOST_VECTORS,
    PaperAxis,
    formatter,
    is_large,
    plain,
    set_horizontal,
    ticks,
)
from hpcscan.report.figures.canvas import GREY, INK, WIDE, WIDTH, Drawing, blank
from hpcscan.words.numbers import rounded, rounded_ends

#: A measured minimum is shown up to this Δχ².
TOP = 15.0
#: Values of a curve that is drawn.
MOST_ON_CURVE = 24_000
TITLES = {
    ProfileShape.UNKNOWN: "no point has a χ²",
    ProfileShape.FLAT: "flat: no minimum",
    ProfileShape.EDGE: "no minimum inside the grid",
    ProfileShape.PLATEAU: "no single minimum",
    ProfileShape.SEVERAL: "not one place",
    ProfileShape.SHALLOW: "no minimum above the noise",
}
STYLES = ("solid", "dashed", "dotted")


def line_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the profiles of all scanned axes side by side."""
    axes = findings.profiles.axes
    if axes:
        says = " ".join(f"{_result(axis)}." for axis in axes)
        yield Drawing("profiles", "Profile of each axis", _caption(findings), lambda: _draw(findings), says)


def _caption(findings: Findings) -> str:
    axes = findings.profiles.axes
    after = ", after profiling the others" if len(axes) > 1 else ""
    drawn = "; ".join(
        f"{style}: {level.name}" for style, level in zip(STYLES, levels(1, findings.has_confidence), strict=True)
    )
    results = " ".join(f"{_result(axis)}." for axis in axes)
    curve = "" if findings.landscape.is_sound else " No curve is drawn through points that cannot be trusted."
    log = " The scale is linear up to 10 and logarithmic above." if any(map(_is_log, axes)) else ""
    return f"Δχ² along each axis{after}; dots are grid values. Levels, one parameter: {drawn}.{curve}{log} {results}"


def _result(axis: AxisProfile) -> str:
    if axis.is_measured:
        return f"{axis.name} at Δχ² = 1: {interval_text(axis, axis.intervals[0])}"
    return f"Minimum in {axis.name}: {minimum_text(axis)}"


def _is_log(axis: AxisProfile) -> bool:
    # A measured minimum is shown near it, on a linear scale.
    return is_large(axis.delta_chi2) and not axis.is_measured and not _regions(axis)


def _regions(axis: AxisProfile) -> list[tuple[float, float]]:
    """Return the regions below the first level whose ends are both known."""
    one = axis.intervals[0]
    if one is None or axis.is_open:
        return []
    ends = [(one.lower, one.upper), *one.regions]
    return [(lower.value, upper.value) for lower, upper in ends if not (lower.is_open or upper.is_open)]


def _draw(findings: Findings) -> Figure:
    axes = findings.profiles.axes
    columns = 2 if len(axes) == 4 else min(len(axes), 3)
    rows = -(-len(axes) // columns)
    figure, panels = blank(rows, columns, height=3.2 * rows, width=WIDTH if columns < 3 else WIDE)
    for number, (panel, axis) in enumerate(zip(panels, axes, strict=False)):
        draw_profile(panel, findings, axis, is_short=len(axes) > 1)
        name_levels(panel, findings)
        if number % columns == 0:
            panel.set_ylabel("Δχ²")
    for panel in panels[len(axes) :]:
        panel.set_axis_off()
    return figure


def draw_profile(panel: Axes, findings: Findings, axis: AxisProfile, *, is_short: bool = True) -> None:
    """Draw Δχ² along an axis with its levels, interval and reference into a panel."""
    paper = PaperAxis.of(findings.scan, axis.number)
    set_horizontal(panel, paper, is_short)
    set_height(panel, axis)
    # Levels, the interval at the first of them, the reference; then the profile on top.
    for level, style in zip(levels(1, findings.has_confidence), STYLES, strict=True):
        panel.axhline(level.value, color=GREY, ls=style, lw=1)
    for lower, upper in _shaded(axis):
        panel.axvspan(lower, upper, color="0.88", lw=0)
    title = result_title(axis, paper)
    if axis.reference is not None and axis.values[0] <= axis.reference <= axis.values[-1]:
        panel.axvline(axis.reference, color=INK, ls="dashdot", lw=1)
        title += f"\n– · –  reference {paper.readable} = {plain(axis.reference)}"
    panel.set_title(title)
    _curve(panel, findings, axis)


def name_levels(panel: Axes, findings: Findings) -> None:
    """Write confidence levels beside their lines."""
    if findings.has_confidence:
        for sigma, level in zip(SIGMAS, levels(1, True), strict=True):
            beside = panel.get_yaxis_transform()
            panel.text(1.015, level.value, f"{sigma}σ", transform=beside, va="center", fontsize="small", color="0.35")


def _shaded(axis: AxisProfile) -> list[tuple[float, float]]:
    """Return what lies below the first level: to the end of the axis where it is a limit."""
    side = _limited(axis)
    if not side or axis.intervals[0] is None:
        return _regions(axis) if axis.is_quotable or not axis.is_measured else []
    one = axis.intervals[0]
    return [(one.lower.value, axis.values[-1]) if side == "lower" else (axis.values[0], one.upper.value)]


def _limited(axis: AxisProfile) -> str:
    """Return the side on which alone the level is reached, though a minimum is there; "" where there is no such."""
    one = axis.intervals[0]
    if one is None or not axis.is_measured or one.lower.is_open == one.upper.is_open:
        return ""
    side, other = ("upper", one.lower) if one.lower.is_open else ("lower", one.upper)
    return "" if other.reason == "hole" else side


def result_title(axis: AxisProfile, paper: PaperAxis) -> str:
    """Write the position with its errors as mathematics, in the unit of the axis; or a limit, or why there is none."""
    if not axis.is_measured or axis.intervals[0] is None:
        return TITLES.get(axis.shape, "")
    one, side = axis.intervals[0], _limited(axis)
    if side:
        end, sign = (one.lower, ">") if side == "lower" else (one.upper, "<")
        return f"{paper.readable} {sign} {rounded(end.value, max(end.error, axis.half_width))}".replace("-", "−")
    if not _regions(axis):
        return ""
    if not axis.is_quotable:
        return "the grid does not resolve the minimum"
    # Errors have two digits, or none below what is known, and the value as many places.
    lower, upper = axis.position - one.lower.value, one.upper.value - axis.position
    text, above, below, symmetric = rounded_ends(axis.position, lower, upper, axis.interval_error)
    value = rf"${text} \pm {symmetric}$" if above == below else f"${text}^{{+{above}}}_{{-{below}}}$"
    return f"{paper.readable} = {value.replace(',', '{,}').replace('−', '-')}"


def set_height(panel: Axes, axis: AxisProfile) -> None:
    """Show Δχ² around the levels or, where no minimum is measured and the range is large, all of it."""
    if _is_log(axis):
        panel.set_yscale("symlog", linthresh=10)
        panel.set_yticks(ticks(axis.delta_chi2))
        panel.yaxis.set_major_formatter(formatter())
        panel.yaxis.minorticks_off()
        panel.set_ylim(-1, 2 * float(np.nanmax(axis.delta_chi2)))
    else:
        panel.yaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
        panel.set_ylim(-0.5, TOP)


def profile_curve(findings: Findings, axis: AxisProfile) -> tuple[Array, Array]:
    """Sample Δχ² along an axis between its values: places, and heights."""
    curve = Surface.of(findings.scan).profiled((axis.number,)).above(findings.profiles.base)
    # Smooth to the eye for few values; a long axis has enough of its own.
    x = refined(curve.axes[0], max(1, min(24, MOST_ON_CURVE // len(axis.values))))
    return PaperAxis.of(findings.scan, axis.number).on_paper(x), curve.at(x)


def at_values(height: Array, n: int) -> Array:
    """Choose those heights of a curve that stand at the n values of its axis: dots lie on the curve."""
    return height[:: (len(height) - 1) // (n - 1)]


def _curve(panel: Axes, findings: Findings, axis: AxisProfile) -> None:
    """Draw the values, and the curve through them and their slopes where that means something."""
    delta = axis.delta_chi2
    if findings.landscape.is_sound:
        x, height = profile_curve(findings, axis)
        delta = at_values(height, len(delta))
        # Rounding of a flat profile would fill the panel.
        is_flat = axis.shape is ProfileShape.FLAT
        height, delta = (np.where(np.isfinite(f) & is_flat, 0.0, f) for f in (height, delta))
        panel.plot(x, height, color=INK, lw=1.2)
    delta = np.where(np.isfinite(delta), delta, np.nan)
    (dots,) = panel.plot(axis.values, delta, "o", ms=3.5, color=INK, clip_on=not _is_log(axis))
    if len(axis.values) > MOST_DOTS:
        dots.set(ms=1.2, mew=0, rasterized=len(axis.values) > MOST_VECTORS)
