"""Numerical criteria: whether a scan can be trusted, whatever it says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hpcscan.analysis.certainty import unconverged
from hpcscan.analysis.findings import Findings
from hpcscan.analysis.fitted import Fitted, Line
from hpcscan.analysis.landscape import Landscape
from hpcscan.analysis.profiles import RESOLVED, AxisProfile
from hpcscan.gate.criterion import NUMERICAL, Criterion
from hpcscan.tolerance import TIE_RELATIVE, is_gap_closed
from hpcscan.words.numbers import count, place, rounded, rounded_up

#: Largest |Δχ² − level| in the middle of an arc of a contour that is resolved.
MOST_OFF = 0.01
#: Statuses in the order in which they explain a scan that is not complete.
_CAUSES = {
    "not_run": "the scan is not finished: continue it with --resume",
    "timed_out": "points ran out of time: raise fit.time_limit, or ask for fewer starts (fit.starts)",
    "failed": "the model raised, or gave no finite prediction or scale: the log says which and where",
}


def numerical_criteria(findings: Findings) -> tuple[Criterion, ...]:
    """Judge convergence, proof, smoothness and the steps of the grid."""
    fitted = findings.fitted
    # Levels that were not crossed have nothing to be judged.
    of_answer = () if fitted is None or not fitted.has_intervals else (_lowest(fitted), *_answered(findings, fitted))
    return (_converged(findings), _proven(findings), _smooth(findings), _fine(findings), *of_answer)


def _converged(findings: Findings) -> Criterion:
    landscape, least = findings.landscape, findings.settings.gate.converged
    n, n_points = landscape.count("converged"), landscape.grid.n_points
    wanted = "all" if least == 1 else f"at least {least:.4g} of them"
    holds = n >= least * n_points
    cause = "" if holds else _why_not_converged(findings)
    return Criterion(NUMERICAL, "points converged", holds, f"{n:,} of {n_points:,}{_others(landscape)}", wanted, cause)


def _others(landscape: Landscape) -> str:
    names = [name for name in landscape.status.present if name != "converged"]
    parts = [f"{landscape.count(name):,} {name.replace('_', ' ')}" for name in names]
    return "".join(f", {part}" for part in parts)


def _why_not_converged(findings: Findings) -> str:
    """Format the causes, with the place of the first point of each."""
    landscape = findings.landscape
    is_lowest = landscape.lowest is not None and not landscape.converged[landscape.lowest]
    causes = ["the fit of the lowest point did not converge: do not read it as a minimum"] if is_lowest else []
    causes += [
        f"{text} (first: {place(landscape.grid, landscape.status.first(name))})"
        for name, text in _CAUSES.items()
        if landscape.count(name)
    ]
    # Which points lack what is known of every point: each reason has advice of its own.
    causes += [
        f"{of.why} ({count(int(of.points.sum()), 'point')}, first: {place(landscape.grid, int(np.argmax(of.points)))})"
        for of in unconverged(findings.scan, landscape)
    ]
    return "; ".join(causes)


def _proven(findings: Findings) -> Criterion:
    name, found, most = "minima proven", findings.evidence, findings.settings.gate.gap
    wanted = f"chi2 at most {most:g} (or {TIE_RELATIVE:g} chi2) above its proven bound"
    if not found.n_bounded:
        # A model without enclosures offers no bound: that fails nothing, and proves nothing.
        text = f"none; at {found.n_converged:,} of {count(found.n_known, 'point')} enough starts agree"
        return Criterion(NUMERICAL, name, None, text, wanted)
    points = count(found.n_bounded, "point")
    if found.n_contradicted:
        text = f"at {found.n_contradicted:,} of {points} chi2 is below its bound, by up to {-found.lowest_gap:.2g}"
        return Criterion(
            NUMERICAL, name, False, text, wanted, "the model's ranges are wrong, or what it computes when enclosed"
        )
    # Proven where the gap is closed; elsewhere starts may agree, or the optimiser has stopped too early.
    without = found.n_known - found.n_bounded
    text = f"{found.n_closed:,} of {points}, largest gap {found.largest_gap:.2g}"
    text += f"; {without:,} without a bound" if without else ""
    if found.n_closed == found.n_bounded:
        return Criterion(NUMERICAL, name, True, text, wanted)
    if found.is_supported:
        return Criterion(NUMERICAL, name, None, f"{text}; at the others enough starts agree", wanted)
    cause = (
        f"chi2 lies up to {found.largest_gap:.3g} (median {found.median_gap:.3g}) above the proven bound: smaller "
        f"differences in chi2 mean nothing; {_what_closes(findings)}"
    )
    return Criterion(NUMERICAL, name, False, text, wanted, cause)


def _what_closes(findings: Findings) -> str:
    """Describe what may close gaps: a larger budget where proofs have used boxes, and better minima."""
    landscape, scan = findings.landscape, findings.scan
    starts = "raise fit.starts or fit.max_iter"
    is_open = ~is_gap_closed(landscape.chi2, landscape.chi2 - landscape.gap, landscape.precision)
    n_boxes = scan.at_points("n_boxes")[is_open & ~np.isnan(landscape.gap)] if scan.has("n_boxes") else np.zeros(0)
    if not n_boxes.any():
        return starts
    return f"the proofs stay open after up to {int(n_boxes.max()):,} boxes: raise fit.proof.boxes; or {starts}"


def _smooth(findings: Findings) -> Criterion:
    name, landscape, most = "delta chi2 smooth", findings.landscape, findings.settings.gate.spikes
    n, wanted = int(landscape.out_of_line.sum()), f"at most {count(most, 'point')} out of line"
    # A point is compared with the line through two neighbours.
    if max(landscape.grid.shape, default=1) < 3:
        return Criterion(NUMERICAL, name, None, "no axis has three values to compare", wanted)
    if n <= most:
        return Criterion(NUMERICAL, name, True, f"{count(n, 'point')} out of line", wanted)
    first = place(landscape.grid, int(np.argmax(landscape.out_of_line)))
    cause = f"noise of the optimiser, or a grid too coarse for the landscape (first: {first})"
    return Criterion(NUMERICAL, name, False, f"{count(n, 'point')} out of line", wanted, cause)


def _fine(findings: Findings) -> Criterion:
    name, found, profiles = "grid fine enough", findings.conditions.fine, findings.profiles
    wanted = f"numerical errors of minimum and interval up to {RESOLVED:g} of the half-width at delta chi2 = 1"
    # Another criterion has failed then, or there is no minimum to be resolved.
    if not findings.landscape.is_sound or not profiles.closed:
        return Criterion(NUMERICAL, name, None, found.text, wanted)
    coarse = " and ".join(axis.name for axis in profiles.coarse)
    cause = f"what lies between the values of the grid is a guess: scan more values of {coarse} around the minimum"
    return Criterion(NUMERICAL, name, found.holds, found.text, wanted, cause if coarse else "")


def _lowest(fitted: Fitted) -> Criterion:
    """Judge whether the best fit is known to be the lowest."""
    name, wanted = "best fit", "proven, or agreed on by random starts with everything free"
    cause = (
        "no proof closed, and random starts end elsewhere or on a plateau: what is quoted may belong to another minimum"
    )
    holds = fitted.is_supported
    found = fitted.evidence if holds else fitted.doubt
    return Criterion(NUMERICAL, name, holds, found, wanted, "" if holds else cause)


def _answered(findings: Findings, fitted: Fitted) -> Iterator[Criterion]:
    """Judge what was fitted after the grid: regions that the grid does not show, and lines that are off their level."""
    scanned = findings.profiles.axes
    if fitted.levels("interval"):
        # A region between two values of the grid was found by chance: others may have been missed.
        hidden = [text for axis in scanned for text in _hidden(axis, fitted)]
        cause = "the grid steps over what the fits have found, and there may be more: scan these values"
        text = "; ".join(hidden) or "every region holds values of the grid"
        yield Criterion(
            NUMERICAL,
            "regions seen by the grid",
            not hidden,
            text,
            "at least one value in each",
            cause if hidden else "",
        )
    lines = fitted.every_line
    if not lines:
        return
    # The middle of an arc is where a line that was drawn straight lies farthest off.
    bad = [(plane, line) for plane, line in lines if not line.is_resolved or line.error > MOST_OFF]
    found = (
        f"{count(len(lines), 'line')}, largest |delta chi2 - level| {rounded_up(max(line.error for _, line in lines))}"
    )
    where = "; ".join(dict.fromkeys(_around(plane, line) for plane, line in bad))
    cause = f"chi2 is too rough there for smooth lines, or has steps; scan more values at {where}" if bad else ""
    text = f"{len(bad)} of {found}" if bad else found
    yield Criterion(
        NUMERICAL, "contours resolved", not bad, text, f"every line within {MOST_OFF:g} of its level", cause
    )


def _hidden(axis: AxisProfile, fitted: Fitted) -> Iterator[str]:
    """Format the regions between two values of the grid, at the highest level."""
    highest = max(fitted.levels("interval"))
    for region in fitted.regions(axis.name, highest) or []:
        if not ((axis.values >= region.lower) & (axis.values <= region.upper)).any():
            ends = (rounded(end, abs(region.upper - region.lower) / 20) for end in (region.lower, region.upper))
            yield f"{axis.name} from {' to '.join(ends)}"


def _around(plane: tuple[str, str], line: Line) -> str:
    """Format the rectangle around a line."""
    low, high = line.points.min(axis=0), line.points.max(axis=0)
    # Two digits of the size of the rectangle.
    step = np.abs(high - low) / 20
    sides = (f"{rounded(a, d)} to {rounded(b, d)}" for a, b, d in zip(low, high, step, strict=True))
    return " and ".join(f"{name} = {side}" for name, side in zip(plane, sides, strict=True))
