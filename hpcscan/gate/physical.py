"""Physical criteria: what a scan says about the model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hpcscan.analysis.classes import chi2_class, wanted_chi2
from hpcscan.analysis.distribution import largest_pull
from hpcscan.analysis.facts import CAUSE
from hpcscan.analysis.findings import Findings
from hpcscan.analysis.profile_text import interval_text, minimum_text
from hpcscan.analysis.profiles import AxisProfile, Shape
from hpcscan.arrays import Array
from hpcscan.gate.criterion import PHYSICAL, Criterion
from hpcscan.report.leptons import has_leptons
from hpcscan.settings import LEPTON_SCALE
from hpcscan.words.wording import spread, with_unit

#: A scale is determined where its interval is narrower than this share of its size.
DETERMINED = 1e-6


def physical_criteria(findings: Findings) -> tuple[Criterion, ...]:
    """Judge χ², the minimum, the scales and the observables."""
    return _chi2(findings), *_minima(findings), *_scales(findings), _pulls(findings)


def _chi2(findings: Findings) -> Criterion:
    gate, n_free = findings.settings.gate, findings.n_free
    found = chi2_class(findings.landscape.lowest_chi2, gate, n_free)
    causes = {"more freedom than data": _too_free(findings), "bad": _floor(findings)}
    cause = causes.get(found.name, "every point failed")
    wanted, holds = wanted_chi2(gate, n_free), found.is_acceptable
    return Criterion(PHYSICAL, "lowest chi2", holds, found.text, wanted, _unless(holds, cause))


def _unless(holds: bool | None, cause: str) -> str:
    return "" if holds else cause


def _too_free(findings: Findings) -> str:
    freedom = findings.freedom
    n = freedom.n_parameters + freedom.n_axes + freedom.n_scales
    return (
        f"{n} quantities are free for {freedom.n_data} data, so that chi2 can vanish without testing the model; fix "
        "parameters or add observables"
    )


def _floor(findings: Findings) -> str:
    """Name the bounds that hold χ² up; without any, the model itself misses the data."""
    bounds = findings.active_bounds
    if not bounds:
        return "no bound holds chi2 up: the model misses the data, or a unit is wrong"
    causes = [bound for bound in bounds if bound.cost >= CAUSE * bounds[0].cost]
    names = " and ".join(f"{b.parameter} at its {b.side} bound {b.value:g}" for b in causes)
    return f"bounds set this floor, not the optimiser: {names}; widen them"


def _minima(findings: Findings) -> Iterator[Criterion]:
    """Judge the axes for which a minimum is expected; all of them where nothing is said."""
    expected, scanned = findings.settings.gate.minimum, findings.profiles.axes
    named = [axis for axis in scanned if axis.name in expected]
    for axis in named or scanned:
        yield _minimum(findings, axis, expected.get(axis.name))
    for name in expected:
        if name not in [axis.name for axis in scanned]:
            yield Criterion(PHYSICAL, f"minimum in {name}", None, "the axis has one value", "")


def _minimum(findings: Findings, axis: AxisProfile, expected: tuple[float, float] | None) -> Criterion:
    wanted = "inside the grid" + (f", from {expected[0]:g} to {expected[1]:g}" if expected else "")
    found, holds, cause = minimum_text(axis), axis.is_measured, ""
    if axis.is_measured:
        found = interval_text(axis, axis.intervals[0]) if not axis.is_open else found
        if expected and not expected[0] - axis.error <= axis.position <= expected[1] + axis.error:
            holds, cause = False, "the minimum is elsewhere: the model, or the expectation, is not right"
        if axis.width_class == "flat":
            holds, cause = False, f"the landscape is flat: half-width {axis.half_width:.2g} at delta chi2 = 1"
        if not findings.landscape.is_sound:
            holds, cause = False, "points did not converge or are out of line: this may be noise of the optimiser"
    else:
        cause = _no_minimum(axis)
    return Criterion(PHYSICAL, f"minimum in {axis.name}", holds, found, wanted, cause)


def _no_minimum(axis: AxisProfile) -> str:
    if axis.shape is Shape.EDGE and not axis.edge:
        return "the scan is not whole: see the numerical criteria"
    return {
        Shape.UNKNOWN: "every point failed",
        Shape.FLAT: f"the data do not determine {axis.name}",
        Shape.EDGE: f"chi2 falls towards the {axis.edge} end: the minimum, if any, lies beyond the grid",
        Shape.SHALLOW: "the differences are smaller than the numerical error",
    }[axis.shape]


def scale_ends(findings: Findings, name: str) -> tuple[float, float]:
    """Give the ends of what a scale can be at the lowest point, or at every one of those that are equal to it.

    Where the file has no interval of it, or they have nothing in common, it is the range of the best fits.
    """
    scan, points = findings.scan, findings.examined
    if name in scan.profiled_scales:
        low = np.max(scan.at_points(f"{name}_opt_lower")[points])
        high = np.min(scan.at_points(f"{name}_opt_upper")[points])
        if low <= high:
            return float(low), float(high)
    best = scan.at_points(f"{name}_opt")[points]
    return float(np.nanmin(best)), float(np.nanmax(best))


def is_determined(lower: Array, upper: Array) -> bool:
    """Tell whether the intervals of a scale are narrow enough to quote a value; also where there is no interval."""
    width = np.asarray(upper) - np.asarray(lower)
    size = np.maximum(np.abs(lower), np.abs(upper))
    return not bool(np.any(width > DETERMINED * size))


def _scales(findings: Findings) -> Iterator[Criterion]:
    wished = findings.settings.gate.scale or (LEPTON_SCALE if has_leptons(findings.scan) else None)
    for name in findings.scan.scales:
        title, wanted = f"{name}_opt", f"{wished[0]:g} to {wished[1]:g}" if wished else ""
        if not len(findings.examined):
            yield Criterion(
                PHYSICAL, title, False if wished else None, "no point has a chi2", wanted, "every point failed"
            )
            continue
        ends = scale_ends(findings, name)
        found = with_unit(spread(np.array(ends), 6), findings.scan.unit(title))
        if not is_determined(np.array(ends[0]), np.array(ends[1])):
            found = with_unit(spread(np.array(ends)), findings.scan.unit(title))
            found = f"not determined: every value from {found} is as good"
        holds = ends[0] <= wished[1] and ends[1] >= wished[0] if wished else None
        cause = "a unit of the prediction or of the data is wrong, or the energies are near zero"
        yield Criterion(PHYSICAL, title, holds, found, wanted, cause if holds is False else "")


def _pulls(findings: Findings) -> Criterion:
    name, (most, wanted) = "observables", _wanted_pull(findings)
    pull = np.abs(findings.scan.at_points("pull")[findings.examined])
    if not pull.size or np.isnan(pull).all():
        return Criterion(PHYSICAL, name, False, "no point has a prediction", wanted, "every point failed")
    worst = np.nanmax(pull, axis=0)
    label = findings.scan.labels("observable")[int(np.argmax(worst))]
    shown = f"{worst.max():.3g}" if worst.max() >= 1e-3 else "below 0.001"
    holds = bool(worst.max() <= most)
    outside = int((worst > most).sum())
    cause = f"{outside} of {len(worst)} are further off; see the table of observables"
    return Criterion(PHYSICAL, name, holds, f"largest pull {shown} ({label})", wanted, _unless(holds, cause))


def _wanted_pull(findings: Findings) -> tuple[float, str]:
    """Give the largest |pull|, and say what it is."""
    gate, n_data = findings.settings.gate, findings.freedom.n_data
    if gate.pull is not None or not findings.n_free:
        most = 1.0 if gate.pull is None else gate.pull
        return most, f"within {most:g} sigma"
    chance = gate.p_value[0]
    most = largest_pull(n_data, chance)
    return most, f"within {most:.3g} sigma: a correct model has a larger pull among {n_data} data with p = {chance:g}"
