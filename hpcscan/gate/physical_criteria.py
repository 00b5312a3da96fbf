"""Physical criteria: what a scan says about the model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hpcscan.analysis.confidence import Condition, ends_at_bounds
from hpcscan.analysis.findings import Findings
from hpcscan.analysis.goodness import chi2_class, counts_warning, wanted_chi2
from hpcscan.analysis.profile_text import interval_text, minimum_text
from hpcscan.analysis.profiles import AxisProfile, ProfileShape
from hpcscan.arrays import Array
from hpcscan.distribution import largest_pull
from hpcscan.gate.criterion import PHYSICAL, Criterion
from hpcscan.words.numbers import chi2_text, count, spread, with_unit

#: A bound is a cause where it costs at least this share of the most costly one.
CAUSE = 1 / 30
#: A scale is determined where its interval is narrower than this share of its size.
DETERMINED = 1e-6


def physical_criteria(findings: Findings) -> tuple[Criterion, ...]:
    """Judge χ², the minimum, what determines it, the scales and the observables."""
    has_pulls = findings.freedom.n_data and not findings.scan.is_scalar
    pulls = (_pulls(findings),) if has_pulls else ()
    found = (_chi2(findings), *_minima(findings), *_determination(findings), *_scales(findings), *pulls)
    return (*found, *_toys(findings))


def _chi2(findings: Findings) -> Criterion:
    gate, n_free = findings.settings.gate, findings.n_free
    if findings.scan.is_scalar and len(findings.examined):
        value = f"-2 ln L = {chi2_text(findings.chi2)}: a number alone has no goodness of fit"
        return Criterion(PHYSICAL, "lowest chi2", None, value, "")
    warning = counts_warning(findings.scan, findings.examined)
    has_tolerances = findings.scan.has_tolerances
    found = chi2_class(findings.chi2, gate, n_free, has_tolerances=has_tolerances, warning=warning)
    # Why a χ² is not acceptable: too much freedom, a bound that holds it up, or nothing at all was fitted.
    causes = {"more freedom than data": _too_free(findings), "bad": _floor(findings)}
    cause = causes.get(found.name, "every point failed")
    wanted, holds = wanted_chi2(gate, n_free, has_tolerances=has_tolerances), found.is_acceptable
    return Criterion(PHYSICAL, "lowest chi2", holds, found.text, wanted, cause if holds is False else "")


def _too_free(findings: Findings) -> str:
    freedom = findings.freedom
    n = freedom.n_parameters - freedom.n_fixed + freedom.n_axes + freedom.n_scales
    return (
        f"{n} quantities are free for {freedom.n_data} data, so that chi2 can vanish without testing the model"
        f"{_left_open(findings)}; fix parameters or add observables"
    )


def _left_open(findings: Findings) -> str:
    """Describe how much of the fit the data leave open, at the lowest point and at those that are equal to it."""
    flat, n_parameters = findings.freedom.n_flat, findings.freedom.n_parameters
    if flat is None or not flat[1]:
        return ""
    number = f"{flat[0]}" if flat[0] == flat[1] else f"{flat[0]} to {flat[1]}"
    scales = [
        f"{name} is not determined (every value from {low:.4g} to {high:.4g} is as good)"
        for name in findings.scan.profiled_scales
        for low, high in [scale_interval(findings, name) or (0.0, 0.0)]
        if not is_determined(np.array(low), np.array(high))
    ]
    return ", and ".join([f": {number} of {n_parameters} parameter directions change nothing", *scales])


def _floor(findings: Findings) -> str:
    """Format the bounds that hold χ² up; without any, the model itself misses the data."""
    bounds = findings.active_bounds
    if not bounds:
        return "no bound holds chi2 up: the model misses the data, or a unit is wrong"
    # To first order: a bound that costs thirty times less is not what sets the floor.
    causes = [bound for bound in bounds if bound.cost >= CAUSE * bounds[0].cost]
    names = " and ".join(f"{b.parameter} at its {b.side} bound {b.value:g} ({b.cost:.2g})" for b in causes)
    text = f"bounds set this floor, not the optimiser: {names}"
    if others := bounds[len(causes) :]:
        ratio = causes[-1].cost / others[0].cost
        text += f", with {count(len(others), 'other active bound')} costing at least {ratio:.0f} times less"
    return f"{text} (change of chi2 per unit × width of the interval); widen them"


def _minima(findings: Findings) -> Iterator[Criterion]:
    """Judge the axes for which a minimum is expected; all of them where nothing is said."""
    expected, scanned = findings.settings.gate.minimum, findings.profiles.axes
    # Who names some axes says that the others need no minimum.
    named = [axis for axis in scanned if axis.name in expected]
    for axis in named or scanned:
        yield _minimum(findings, axis, expected.get(axis.name))
    for name in expected:
        if name not in [axis.name for axis in scanned]:
            yield Criterion(PHYSICAL, f"minimum in {name}", None, "the axis has one value", "")


def _minimum(findings: Findings, axis: AxisProfile, expected: tuple[float, float] | None) -> Criterion:
    wanted = "inside the grid" + (f", from {expected[0]:g} to {expected[1]:g}" if expected else "")
    found, holds, cause, doubt = minimum_text(axis), axis.is_enclosed, "", ""
    if axis.is_measured:
        if axis.is_open:
            doubt, cause = "not enclosed", _why_open(axis)
        elif not axis.is_enclosed:
            doubt, cause = "with no value of the grid within delta chi2 = 1", "scan more values around it"
        else:
            found = interval_text(axis, axis.intervals[0])
        if expected and not expected[0] - axis.error <= axis.position <= expected[1] + axis.error:
            holds, doubt = False, f"expected from {expected[0]:g} to {expected[1]:g}"
            cause = "the minimum is elsewhere: the model, or the expectation, is not right"
        if axis.width_class == "flat":
            holds, doubt = False, "wider than wanted"
            cause = f"the landscape is flat: half-width {axis.half_width:.2g} at delta chi2 = 1"
    else:
        cause = _no_minimum(axis)
    if not findings.landscape.is_sound and axis.shape not in (ProfileShape.UNKNOWN, ProfileShape.EDGE):
        holds, doubt = False, "in doubt while points did not converge or are out of line"
        cause = "see the numerical criteria: this may be what the optimiser has missed"
    found = f"{found}, {doubt}" if doubt else found
    return Criterion(PHYSICAL, f"minimum in {axis.name}", holds, found, wanted, cause)


def _why_open(axis: AxisProfile) -> str:
    """Describe why Δχ² does not rise to 1 on both sides; to be scanned is half as far again as the other side needs."""
    one = axis.intervals[0]
    assert one is not None
    reasons = {one.lower.reason, one.upper.reason}
    if "edge" not in reasons:
        where = "at a declared bound" if "bound" in reasons else "where points are missing"
        return f"the interval ends {where}, before delta chi2 has risen by 1: quote the other end as a limit"
    text = "the grid ends before delta chi2 has risen by 1 on both sides: scan more of this axis"
    if one.lower.is_open and one.upper.is_open:
        low, high = axis.values[0], axis.values[-1]
        return f"{text}, such as {low - (high - low):.4g} to {high + (high - low):.4g}"
    # The side that is closed tells about how far the other one reaches.
    known = one.upper.value - axis.position if one.lower.is_open else axis.position - one.lower.value
    end = axis.position - 1.5 * known if one.lower.is_open else axis.position + 1.5 * known
    return f"{text}, such as to {end:.4g}"


def _no_minimum(axis: AxisProfile) -> str:
    if axis.shape is ProfileShape.EDGE and not axis.edge:
        return "the scan is not whole: see the numerical criteria"
    return {
        ProfileShape.UNKNOWN: "every point failed",
        ProfileShape.FLAT: f"the data do not determine {axis.name}",
        ProfileShape.PLATEAU: f"the data do not tell these values of {axis.name} apart",
        ProfileShape.EDGE: f"chi2 falls towards the {axis.edge} end: the minimum, if any, lies beyond the grid",
        ProfileShape.SEVERAL: "quote the ends alone" + (", or scan one region at a time" if _is_divided(axis) else ""),
        ProfileShape.SHALLOW: "the differences are smaller than the numerical error",
    }[axis.shape]


def _is_divided(axis: AxisProfile) -> bool:
    """Whether the axis has several regions at 1σ."""
    return axis.intervals[0] is not None and bool(axis.intervals[0].n_others)


def _determination(findings: Findings) -> Iterator[Criterion]:
    """Judge whether the data, and not bounds of parameters, set the minimum and the levels around it."""
    if not findings.profiles.axes:
        return
    found = findings.conditions.identified
    cause = "more parameters or axes are free than the data constrain: fix some of them, or add observables"
    yield _condition("axes determined", found, "all", cause)
    cause = "chi2 around the minimum depends on where these bounds are: widen them, or quote them with the result"
    if findings.active_bounds:
        cause = f"{_floor(findings)}, or quote them with the result"
    elif ends_at_bounds(findings.profiles, findings.fitted):
        cause = (
            "a region that a bound cuts off covers more or less than its level: quote the regions of toys, which the "
            "section toys asks for"
        )
    yield _condition("bounds inside the contour", findings.conditions.unbounded, "none is active", cause)


def _condition(name: str, found: Condition, wanted: str, cause: str) -> Criterion:
    return Criterion(PHYSICAL, name, found.holds, found.text, wanted, cause if found.holds is False else "")


def scale_interval(findings: Findings, name: str) -> tuple[float, float] | None:
    """Return the values of a profiled scale that are as good at every one of the lowest points; None without any."""
    scan, points = findings.scan, findings.examined
    if name not in scan.profiled_scales or not len(points):
        return None
    # The intersection of the intervals: what is as good at all of these points.
    low = float(np.max(scan.at_points(f"{name}_opt_lower")[points]))
    high = float(np.min(scan.at_points(f"{name}_opt_upper")[points]))
    return (low, high) if low <= high else None


def scale_ends(findings: Findings, name: str) -> tuple[float, float]:
    """Return the ends of that interval or, where there is none, of the range of the best fits."""
    best = findings.scan.at_points(f"{name}_opt")[findings.examined]
    return scale_interval(findings, name) or (float(np.nanmin(best)), float(np.nanmax(best)))


def is_determined(lower: Array, upper: Array) -> bool:
    """Whether the intervals of a scale are narrow enough to quote a value; also where there is no interval."""
    width = np.asarray(upper) - np.asarray(lower)
    size = np.maximum(np.abs(lower), np.abs(upper))
    return not bool(np.any(width > DETERMINED * size))


def _scales(findings: Findings) -> Iterator[Criterion]:
    for name in findings.scan.scales:
        title = f"{name}_opt"
        wished = findings.settings.gate.scale or findings.scan.variables[title].expected_range
        wanted = f"{wished[0]:g} to {wished[1]:g}" if wished else ""
        if not len(findings.examined):
            yield Criterion(
                PHYSICAL, title, False if wished else None, "no point has a chi2", wanted, "every point failed"
            )
            continue
        ends, unit = scale_ends(findings, name), findings.scan.unit(title)
        found = with_unit(spread(np.array(ends), 6), unit)
        if not is_determined(np.array(ends[0]), np.array(ends[1])):
            text = with_unit(spread(np.array(ends)), unit)
            # An interval says that χ² leaves the scale open; without one the points disagree.
            is_open = scale_interval(findings, name) is not None
            found = (
                f"not determined: every value from {text} is as good" if is_open else f"best fits scatter from {text}"
            )
        holds = ends[0] <= wished[1] and ends[1] >= wished[0] if wished else None
        cause = "a unit of the prediction or of the data is wrong, or the energies are near zero"
        yield Criterion(PHYSICAL, title, holds, found, wanted, cause if holds is False else "")


def _pulls(findings: Findings) -> Criterion:
    name, (most, wanted) = "observables", _wanted_pull(findings)
    at_points = findings.scan.at_points("pull")[findings.examined]
    pull = np.abs(at_points if findings.fitted is None else findings.fitted.pulls[None])
    if not pull.size or np.isnan(pull).all():
        return Criterion(PHYSICAL, name, False, "no point has a prediction", wanted, "every point failed")
    # NaN only where no point has a pull of this observable.
    worst = np.fmax.reduce(pull, axis=0)
    if n_unknown := int(np.isnan(worst).sum()):
        found = f"{n_unknown} of {count(len(worst), 'observable')} have no pull"
        return Criterion(PHYSICAL, name, False, found, wanted, "their sigma or prediction is not a number")
    label = findings.scan.labels("observable")[int(np.argmax(worst))]
    shown = f"{worst.max():.3g}" if worst.max() >= 1e-3 else "below 0.001"
    if most is None:
        return Criterion(PHYSICAL, name, None, f"largest pull {shown} ({label})", wanted)
    holds = bool(worst.max() <= most)
    outside = int((worst > most).sum())
    cause = f"{outside} of {len(worst)} are further off; see the table of observables"
    return Criterion(PHYSICAL, name, holds, f"largest pull {shown} ({label})", wanted, "" if holds else cause)


def _wanted_pull(findings: Findings) -> tuple[float | None, str]:
    """Return the largest |pull| and what it is; None without degrees of freedom, where pulls say nothing."""
    gate, n_data = findings.settings.gate, findings.freedom.n_data
    if gate.pull is None and not findings.n_free and not findings.scan.has_tolerances:
        return None, ""
    if gate.pull is not None or not findings.n_free:
        most = 1.0 if gate.pull is None else gate.pull
        return most, f"within {most:g} sigma"
    # Of many pulls the largest is large: it is held to what a correct model exceeds with this probability.
    chance = gate.p_value[0]
    most = largest_pull(n_data, chance)
    return most, f"within {most:.3g} sigma: a correct model has a larger pull among {n_data} data with p = {chance:g}"


def _toys(findings: Findings) -> Iterator[Criterion]:
    """Judge Wilks' levels and the goodness of fit by toys, where there are any."""
    toys, gate = findings.toys, findings.settings.gate
    if toys is None:
        return
    if toys.refusal:
        yield Criterion(PHYSICAL, "levels by toys", None, f"no toys: {toys.refusal}", "")
        return
    covering = findings.conditions.covering
    cause = "counts are few, a bound is near or a parameter is not determined: quote the regions of the toys"
    wanted = f"critical values within {100 * gate.wilks:g} % of Wilks' levels"
    yield Criterion(PHYSICAL, "levels by toys", covering.holds, covering.text, wanted, "" if covering.holds else cause)
    p, lower, upper = toys.goodness
    if np.isfinite(p):
        holds, least = upper >= gate.p_value[0], gate.p_value[0]
        text = f"p = {p:.2g} ({lower:.2g} to {upper:.2g})"
        cause = "the model misses the data"
        yield Criterion(PHYSICAL, "goodness by toys", holds, text, f"p from {least:g} on", "" if holds else cause)
