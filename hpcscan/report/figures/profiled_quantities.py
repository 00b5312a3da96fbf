"""Profiled parameters, scales and derived quantities: where they lie, which a bound holds, and maps of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator

from hpcscan.analysis.findings import Findings
from hpcscan.arrays import Array, BoolArray
from hpcscan.gate.physical_criteria import is_determined
from hpcscan.report.figures.axes import draw_bar, draw_curve, draw_field, formatter, panel_height, paper_axes, plain
from hpcscan.report.figures.canvas import INK, Drawing, blank, colours
from hpcscan.report.projection import Projection
from hpcscan.report.result_tables import where
from hpcscan.words.numbers import in_unit, spread, typeset, with_unit

#: With more parameters the tables are the better place.
MOST = 24

#: Points between the end of a bar and its number: there is a triangle between them.
BESIDE = 7.0
#: Letters of a unit that has room beside a name.
SHORT_UNIT = 6
#: With more entries the tables are the better place.
MOST_LABELS = 12


def scale_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw every scale: its value, or the width of its interval where it is not determined."""
    projection = Projection.of(findings.landscape)
    for name in findings.scan.scales:
        shown, text, label = _scale(findings, projection, name)
        if not np.isfinite(shown).any():
            continue
        yield Drawing(
            f"scale-{name}",
            f"The scale {name}",
            text + projection.lowest_note,
            lambda shown=shown, label=label: _single(findings, projection, shown, label),  # type: ignore[misc]
        )


def _scale(findings: Findings, projection: Projection, name: str) -> tuple[Array, str, str]:
    """Choose what is shown of a scale, and describe that: the ranges are those of what is seen."""
    scan = findings.scan
    best, unit = scan.at_points(f"{name}_opt"), scan.unit(f"{name}_opt")
    shown = projection.at_lowest(best)
    if name in scan.profiled_scales:
        lower, upper = scan.at_points(f"{name}_opt_lower"), scan.at_points(f"{name}_opt_upper")
        # Where any scale within an interval does as well, its width is what is known.
        if not is_determined(lower, upper):
            text = (
                f"Width of the interval of {name} that reaches the lowest χ² of each point. {name} is not determined: "
                f"its best fits ({with_unit(spread(best), unit)}) are arbitrary within it and are not shown."
            )
            return (
                projection.at_lowest(upper - lower),
                text,
                with_unit(f"width of the interval of {name},", typeset(unit)),
            )
    if flips(best):
        # Points that differ by a symmetry of the model alone would look like structure.
        text = f"Size of the best fit of {name}: {with_unit(spread(np.abs(shown)), unit)}; both signs occur."
        return np.abs(shown), text, in_unit(f"|{name}|", unit)
    text = f"Best fit of {name}: {with_unit(spread(shown), unit)}."
    return shown, text, in_unit(name, unit)


def flips(values: Array) -> bool:
    """Whether both signs occur, and the sizes differ far less than the values."""
    known = values[np.isfinite(values)]
    return bool(len(known) and np.min(known) < 0 < np.max(known) and 4 * np.ptp(np.abs(known)) < np.ptp(known))


def _single(findings: Findings, projection: Projection, shown: Array, label: str) -> Figure:
    if len(projection.shown) == 1:
        figure, (panel,) = blank(height=2.8)
        draw_curve(panel, paper_axes(findings.scan, projection)[0], shown, label)
        return figure
    figure, (panel,) = blank(height=panel_height(projection) + 0.4)
    mesh = draw_field(panel, paper_axes(findings.scan, projection), shown)
    draw_bar(mesh, panel, label)
    return figure


class Role(Enum):
    """What determines a parameter."""

    FIXED = "fixed"
    HELD = "held by its bound"
    OPEN = "not determined"
    DETERMINED = "determined by the data"


def parameter_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the parameters within their bounds and, of those that the data determine, maps."""
    roles = [_role(findings, j) for j in range(len(findings.scan.labels("parameter")))]
    if not 0 < len(roles) <= MOST or not len(findings.landscape.known):
        return
    # Within bounds there is a place to draw; without them the tables have the numbers.
    bounded = [j for j, (low, high) in enumerate(_bounds(findings)) if np.isfinite(high - low) and high > low]
    if bounded:
        text = (
            "Each parameter within its bounds, which are written at both ends. Hatched: free while some "
            "directions change nothing, so that its best fits are arbitrary and its bounds are shown instead. "
            "Triangles: held by a bound at a share of the points. Dark: range of the best fits over the grid."
            f"{' Star: the best fit.' if _has_best(findings, [roles[j] for j in bounded]) else ''}"
        )
        yield Drawing("parameters", "Profiled parameters", text, lambda: _rows(findings, bounded, roles))
    mapped = [j for j, role in enumerate(roles) if role is Role.DETERMINED]
    if mapped:
        projection = Projection.of(findings.landscape)
        mirrored = " Hatched: mirror images, whose scale has the other sign." if _mirrored(findings).any() else ""
        is_marked = len(projection.shown) == 2 and _best_place(findings, projection) is not None
        star = " The star is the best fit." if is_marked else ""
        at = f"at the minimum of each point.{projection.lowest_note}{mirrored}{star}"
        text = f"Parameters that the data determine, {at}"
        title = "Parameters along the scan" if len(projection.shown) == 1 else "Maps of parameters"
        yield Drawing("parameter-maps", title, text, lambda: _maps(findings, projection, mapped))


def _has_best(findings: Findings, roles: Sequence[Role]) -> bool:
    """Whether any of these parameters has a best fit that means something."""
    fitted = findings.fitted
    return fitted is not None and fitted.has_value and Role.DETERMINED in roles


def _bounds(findings: Findings) -> list[tuple[float, float]]:
    variables = findings.scan.variables
    pairs = zip(variables["parameter_lower"].values, variables["parameter_upper"].values, strict=True)
    return [(float(low), float(high)) for low, high in pairs]


def _role(findings: Findings, j: int) -> Role:
    scan, known = findings.scan, findings.landscape.known
    low, high = _bounds(findings)[j]
    # A flat direction anywhere makes best fits arbitrary: no map is drawn of them.
    flat = scan.at_points("n_flat_directions")[known] if scan.has("n_flat_directions") else np.zeros(1)
    if low == high:
        return Role.FIXED
    if len(known) and (scan.at_points("bound_multiplier")[known, j] != 0).all():
        return Role.HELD
    return Role.OPEN if flat.any() else Role.DETERMINED


def _written(findings: Findings) -> list[str]:
    """Return what the parameters are called in figures."""
    return [str(label) for label in findings.scan.variables["parameter_label"].values]


def _mirrored(findings: Findings) -> BoolArray:
    """Mark the points where a scale of either sign has the other one than at the lowest: they would look like jumps."""
    scan, lowest = findings.scan, findings.landscape.lowest
    found = np.zeros(findings.landscape.grid.n_points, bool)
    for values in (scan.at_points(f"{name}_opt") for name in scan.scales):
        if flips(values) and lowest is not None:
            found |= np.sign(values) != np.sign(values[lowest])
    return found


def _rows(findings: Findings, chosen: list[int], roles: list[Role]) -> Figure:
    figure, (panel,) = blank(height=0.9 + 0.32 * len(chosen))
    labels, bounds = _written(findings), _bounds(findings)
    for row, j in enumerate(chosen):
        _row(panel, row, findings, j, roles[j])
        for end, side, offset in zip(bounds[j], ("right", "left"), (-BESIDE, BESIDE), strict=True):
            _write(panel, (float(offset > 0), row), offset, plain(end), ha=side)
    units = [unit if len(unit) <= SHORT_UNIT else "" for unit in findings.scan.units("parameter")]
    panel.set_yticks(range(len(chosen)), [in_unit(labels[j], units[j]) for j in chosen])
    # The names stand left of the lower bounds, however long these are.
    longest = max(len(plain(bounds[j][0])) for j in chosen)
    panel.tick_params(axis="y", length=0, pad=BESIDE + (0.7 * longest + 0.7) * float(mpl.rcParams["font.size"]))
    panel.set(xlim=(0, 1), xticks=[], ylim=(len(chosen) - 0.4, -0.6))
    panel.spines[:].set_visible(False)
    shown = [role for role in Role if role in {roles[j] for j in chosen}]
    handles = [_handle(role) for role in shown]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _handle(role: Role) -> Patch:
    look = {
        Role.OPEN: {"facecolor": "white", "hatch": "////"},
        Role.HELD: {"facecolor": "0.93"},
    }
    return Patch(edgecolor=INK, label=role.value, **look.get(role, {"facecolor": colours()(0.8)}))


def _write(panel: Axes, at: tuple[float, float], offset: float, text: str, **look: Any) -> None:
    """Write beside a place, so many points to the right."""
    panel.annotate(text, at, xytext=(offset, 0), textcoords="offset points", va="center", **look)


def _row(panel: Axes, row: int, findings: Findings, j: int, role: Role) -> None:
    """Draw one parameter in units of its bounds."""
    known, (low, high) = findings.landscape.known, _bounds(findings)[j]
    is_open = role is Role.OPEN
    hatch, face = ("////", "white") if is_open else ("", "0.93")
    panel.barh(row, 1, height=0.5, color=face, edgecolor=INK, hatch=hatch, lw=0.8)
    # 0 and 1 are the bounds.
    part = (findings.scan.at_points("profiled_parameter")[known, j] - low) / (high - low)
    if role is Role.DETERMINED:
        width = max(part.max() - part.min(), 0.004)
        panel.barh(row, width, left=part.min(), height=0.5, color=colours()(0.8))
        if findings.fitted is not None and _has_best(findings, [role]):
            best = (findings.fitted.values[findings.scan.labels("parameter")[j]] - low) / (high - low)
            panel.plot(best, row, "*", ms=9, mfc="white", mec=INK, mew=0.8, clip_on=False)
    # How often either bound holds it, at that end.
    held = findings.scan.at_points("bound_multiplier")[known, j] != 0
    side = findings.scan.at_points("at_bound")[known, j]
    for place, sign, marker in ((0, -1, "<"), (1, 1, ">")):
        share = float(np.mean(held & (side == sign)))
        if share:
            panel.plot(place, row, marker, color=INK, ms=8, clip_on=False)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
            side, offset = ("left", BESIDE) if place == 0 else ("right", -BESIDE)
            _write(panel, (place, row), offset, f"{100 * share:.0f} %", ha=side, bbox=box, fontsize="small")


def _maps(findings: Findings, projection: Projection, chosen: list[int]) -> Figure:
    """Draw the parameters over two axes as maps, along one as curves."""
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    units, is_mirrored = findings.scan.units("parameter"), _mirrored(findings)
    is_line = len(projection.shown) == 1
    height = 2.4 if is_line else 0.8 * panel_height(projection)
    figure, panels = blank(rows, columns, height=height * rows, width=max(3.2 * columns, 4.8))
    axes, labels = paper_axes(findings.scan, projection), _written(findings)
    best = _best_place(findings, projection)
    for panel, j in zip(panels, chosen, strict=False):
        values = np.where(is_mirrored, np.nan, findings.scan.at_points("profiled_parameter")[:, j])
        if is_line:
            draw_curve(panel, axes[0], projection.at_lowest(values), in_unit(labels[j], units[j]), is_short=True)
            continue
        mesh = draw_field(panel, axes, projection.at_lowest(values), is_short=True)
        # A name beside the colours would read as that of the next panel's axis.
        panel.set_title(in_unit(labels[j], units[j]))
        draw_bar(mesh, panel)
        if best is not None:
            panel.plot(*([value] for value in best), "*", ms=11, mfc="white", mec=INK, mew=1.0, clip_on=False)
    for panel in panels[len(chosen) :]:
        panel.set_axis_off()
    return figure


def _best_place(findings: Findings, projection: Projection) -> list[float] | None:
    """Return the values of the shown axes at the best fit; None where it is not one place."""
    fitted, names = findings.fitted, [axis.name for axis in findings.scan.grid.axes]
    if fitted is None or not fitted.has_value:
        return None
    return [fitted.values[names[number]] for number in projection.shown]


def derived_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the quantities at the lowest point, or their ranges over all that are equal to it."""
    scan = findings.scan
    for dimension in scan.derived_dimensions if len(findings.examined) else ():
        names = scan.derived(dimension)
        # Quantities of one unit share an axis, those of another have a figure of their own.
        units = dict.fromkeys(scan.unit(name) for name in names)
        groups = [[name for name in names if scan.unit(name) == unit] for unit in units]
        for number, group in enumerate((g for g in groups if len(g) > 1), 1):
            if len(scan.labels(dimension)) <= MOST_LABELS:
                yield Drawing(
                    f"derived-{dimension}-{number}",
                    f"Quantities of each {dimension}",
                    _caption(findings, dimension, group),
                    lambda dimension=dimension, group=group: _draw(findings, dimension, group),  # type: ignore[misc]
                )


def _caption(findings: Findings, dimension: str, names: Sequence[str]) -> str:
    is_range = len(findings.examined) > 1
    marks = "bars, which span the values" if is_range else "dots"
    meanings = "; ".join(f"{name}: {findings.scan.variables[name].long_name}" for name in names)
    return (
        f"Size of quantities of each {dimension}, {where(findings)}, on a logarithmic scale. {meanings}. "
        f"The marks are {marks}; open ones stand for negative values."
    )


def _draw(findings: Findings, dimension: str, names: Sequence[str]) -> Figure:
    labels = findings.scan.labels(dimension)
    columns = min(len(labels), 4)
    rows = -(-len(labels) // columns)
    figure, panels = blank(rows, columns, height=3.2 * rows, width=7.2)
    for k, (panel, label) in enumerate(zip(panels, labels, strict=False)):
        panel.set_yscale("log")
        for position, name in enumerate(names):
            column = findings.scan.at_points(name)[findings.examined][:, k]
            size = np.abs(column[np.isfinite(column)])
            if size.any():
                shade = 0.25 + 0.65 * position / max(1, len(names) - 1)
                _mark(panel, position, size[size > 0], shade, is_negative=bool(np.any(column < 0)))
        low, high = panel.get_ylim()
        panel.set_ylim(low / 2, high * 2)
        panel.set_xlim(-0.6, len(names) - 0.4)
        low, high = panel.get_ylim()
        # Over few powers of ten more than these are needed to read a value.
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,)))
        panel.yaxis.set_major_formatter(formatter())
        panel.yaxis.minorticks_off()
        panel.set_title(label)
        panel.set_xticks(range(len(names)), names, rotation=40, ha="right")
    for panel in panels[len(labels) :]:
        panel.set_axis_off()
    unit = typeset(findings.scan.unit(names[0]))
    panels[0].set_ylabel(f"size ({unit})" if unit else "size")
    return figure


def _mark(panel: Axes, position: int, size: Array, shade: float, *, is_negative: bool) -> None:
    """Draw one value as a dot, and several as the range that they span; open where negative."""
    face = "white" if is_negative else colours()(shade)
    if len(size) == 1:
        panel.plot(position, size[0], "o", ms=7, mfc=face, mec=INK)
    else:
        panel.bar(position, size.max() - size.min(), bottom=size.min(), width=0.7, color=face, edgecolor=INK)
