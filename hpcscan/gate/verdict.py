"""The verdict: what a scan shows, how far it is proven, and what decides; the same words wherever it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from textwrap import wrap

import numpy as np

from hpcscan.analysis.certainty import EvidenceSummary, n_untried
from hpcscan.analysis.findings import Findings
from hpcscan.analysis.fitted import Fitted
from hpcscan.analysis.landscape import Landscape
from hpcscan.analysis.profile_text import interval_text, minimum_text
from hpcscan.analysis.toy_results import region_texts, toys_text
from hpcscan.distribution import survival
from hpcscan.gate.criterion import NUMERICAL
from hpcscan.gate.gate import WIDTH, Gate, gate_in_few_lines, judge
from hpcscan.words.numbers import chi2_text, corner, count, equals, place, probability, with_errors, with_unit

#: Active bounds that are listed; the scan has all of them.
MOST_BOUNDS = 9


@dataclass(frozen=True)
class Verdict:
    """What a scan is worth.

    Attributes
    ----------
    found, certainty, decision : str
        One sentence each: the landscape, how far its minima are proven, and the first reason for or against it.
    gate : Gate
        All criteria, in the order in which they count as reasons.
    counts : tuple of str
        Lines with the counts behind the sentences.
    toys : str
        What toys say; "" where none were asked for.
    """

    found: str
    certainty: str
    decision: str
    gate: Gate
    counts: tuple[str, ...]
    toys: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The three sentences; one of toys besides, where these were asked for."""
        return (self.found, self.certainty, self.decision, *([self.toys] if self.toys else []))

    @property
    def is_open(self) -> bool:
        """Whether every criterion of the gate holds that applies."""
        return self.gate.is_open

    def __str__(self) -> str:
        numbered = [
            line for number, sentence in enumerate(self.sentences, 1) for line in _wrapped(f"{number}. {sentence}")
        ]
        return "\n".join([*numbered, *gate_in_few_lines(self.gate), *self.counts])


def _wrapped(text: str) -> list[str]:
    return wrap(text, WIDTH, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False)


def _under(text: str) -> list[str]:
    return wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def verdict(findings: Findings) -> Verdict:
    """Judge a scan."""
    gate = judge(findings)
    toys = toys_text(findings.toys, findings.settings.gate.wilks) if findings.toys else ""
    about = _found(findings), _certainty(findings), _decision(findings, gate)
    return Verdict(*about, gate, tuple(_counts(findings)), toys)


def confidence_sentence(findings: Findings) -> str:
    """Format whether the levels are confidence levels, and if not, for which reasons."""
    if findings.has_confidence:
        return "The levels of delta chi2 are confidence levels: all conditions hold"
    missing = "; ".join(condition.name for condition in findings.conditions.missing)
    return f"The levels are levels of delta chi2, not confidence levels; not fulfilled: {missing}"


def _found(findings: Findings) -> str:
    landscape, axes = findings.landscape, findings.profiles.axes
    if landscape.lowest is None:
        return "There is no best point: no point has a chi2."
    if findings.fitted is not None and not landscape.is_flat:
        return _fitted(findings, findings.fitted)
    chi2 = equals(landscape.lowest_chi2)
    # Where all points are equal none is the best, whatever was fitted.
    if landscape.is_flat:
        names = " and ".join(axis.name for axis in axes) or "anything"
        # What has not converged is no property of the data.
        shown = "the data do not" if landscape.is_sound else "these fits do not tell whether the data"
        return (
            f"The landscape is flat, chi2 {chi2} at all {len(landscape.known):,} points: there is no best point, and "
            f"{shown} determine {names}."
        )
    n_equal = len(landscape.equal)
    ties = f"; {n_equal:,} points are equal to it within the tolerance, and this is the first" if n_equal > 1 else ""
    at = f"The lowest chi2 is at {place(landscape.grid, landscape.lowest)}: chi2 {chi2}"
    if landscape.edges:
        return f"{at}, {corner(landscape.edges)}: an edge of the grid, and not a minimum inside it{ties}."
    level = "at 1σ" if findings.has_confidence else "at delta chi2 = 1"
    # Only a minimum that the grid encloses on both sides is quoted with its width.
    measured = [f"{axis.name} = {interval_text(axis, axis.intervals[0])}" for axis in axes if axis.is_enclosed]
    others = [axis.name for axis in axes if not axis.is_enclosed]
    widths = f"; {level}: {', '.join(measured)}" if measured else ""
    without = f"; {' and '.join(others)}: no minimum within the grid that could be quoted" if others else ""
    return f"{at}{', inside the grid' if axes else ''}{widths}{without}{ties}."


def _fitted(findings: Findings, fitted: Fitted) -> str:
    """Describe where the best fit is, or why there is no place to be named."""
    # A p-value only where χ² has a distribution.
    chance = (
        f" ({findings.n_free} dof, p = {probability(survival(fitted.chi2, findings.n_free))})"
        if findings.n_free
        else ""
    )
    at = f"The best fit has {'−2 ln L' if findings.scan.is_scalar else 'chi2'} {equals(fitted.chi2)}{chance}"
    remark = f"; {fitted.sentence}" if fitted.sentence else ""
    if not fitted.has_intervals:
        return f"{at}{remark}{_where_instead(findings.landscape)}."
    level = "at 1σ" if findings.has_confidence else "at delta chi2 = 1"
    axes = findings.profiles.axes
    found = [f"{axis.name} = {interval_text(axis, axis.intervals[0])}" for axis in axes if axis.is_quotable]
    if not axes:
        found = _each_parameter(findings, fitted)
    if not fitted.has_value:
        # Where several places are equally good there is an interval around them, and no value.
        several = [axis for axis in axes if not axis.is_measured and axis.intervals[0] is not None]
        found += [f"{axis.name} from {interval_text(axis, axis.intervals[0])}" for axis in several]
    others = [minimum_text(axis) for axis in axes if axis.is_measured and not axis.is_quotable]
    widths = f"; {level}: {', '.join(found)}" if found else ""
    limits = f"; {' and '.join(others)}, whose interval ends with the grid or at a bound" if others else ""
    return f"{at}{widths}{limits}{remark}."


def _each_parameter(findings: Findings, fitted: Fitted) -> list[str]:
    """List the parameters of a single fit, which has no profiles to quote."""
    values, errors, ends = fitted.values, fitted.errors, fitted.error_ends
    units = zip(fitted.names, findings.scan.units("fitted"), strict=True)
    return [
        f"{name} = {with_unit(with_errors(values[name], *errors[name], ends[name]), unit)}"
        if isfinite(values[name])
        else f"{name} not determined"
        for name, unit in units
    ]


def _where_instead(landscape: Landscape) -> str:
    """Format the lowest point of the grid where it is an edge of the grid: no best fit, but where to scan more."""
    if landscape.lowest is None or not landscape.edges:
        return ""
    edge = f"{corner(landscape.edges)}: an edge of the grid, and not a minimum inside it"
    return f"; the lowest point of the grid is at {place(landscape.grid, landscape.lowest)}, {edge}"


def _certainty(findings: Findings) -> str:
    """Describe how far the minima are proven."""
    found, landscape, fitted = findings.evidence, findings.landscape, findings.fitted
    points, statistic = count(found.n_known, "point"), "−2 ln L" if findings.scan.is_scalar else "chi2"
    if found.n_contradicted:
        return (
            f"The lower bounds are wrong at {found.n_contradicted:,} of {points}: chi2 lies up to "
            f"{-found.lowest_gap:.3g} below what they say is possible, so that no proof of this model counts before "
            "its ranges, or a predict that computes something else when it is enclosed, are corrected."
        )
    if not found.n_known:
        return "Nothing is proven, and nothing is known."
    # From the strongest statement to the weakest: proven, agreed, open.
    if found.is_proven:
        return _proven(findings, points, statistic)
    weaker = f", which is weaker{_chance(found)}" if found.n_converged else ""
    agreed = f"enough starts agree on the minimum{weaker}"
    if not landscape.scanned and fitted is not None and not fitted.is_supported:
        # The answer has looked at the same problem again, and found something else.
        agreed = "starts with everything free end elsewhere, and the best fit is not agreed on either"
    if not found.n_bounded:
        return f"Nothing is proven; at {found.n_converged:,} of {points} {agreed}.{_only_near(found)}"
    # Some points are proven: the others agree, or are open.
    n_open = found.n_known - found.n_closed
    if found.is_supported:
        bounded = (
            f"; chi2 lies up to {found.largest_gap:.2g} above its proven bound there"
            if found.n_bounded == found.n_known
            else ""
        )
        others = f"at the other {found.n_agreed:,} {agreed}{bounded}.{_only_near(found)}"
        return f"Proven at {found.n_closed:,} of {points}; {others}"
    return (
        f"Not proven at {n_open:,} of {points}: chi2 lies up to {found.largest_gap:.3g} above its proven bound "
        f"(median {found.median_gap:.3g}), and smaller differences between points mean nothing."
        f"{_only_near(found)}"
    )


def _only_near(found: EvidenceSummary) -> str:
    """Describe what is shown of the neighbourhoods of minima without a proof."""
    if not found.n_unique:
        return ""
    where = f"At {found.n_unique:,} of {count(found.n_known, 'point')}" if found.n_known > 1 else "There"
    return (
        f" {where} the minimum is shown to be the only one within {found.least_within:g} standard deviations or more, "
        "which says nothing of lower ones elsewhere."
    )


def _proven(findings: Findings, points: str, statistic: str) -> str:
    found, chi2 = findings.evidence, findings.landscape.chi2[findings.landscape.known]
    low, high = float(chi2.min()), float(chi2.max())
    where = f"all {points}" if found.n_known > 1 else "the only point"
    level = f"{statistic} {equals(high)}"
    # One value where all points show the same digits.
    if chi2_text(low) != chi2_text(high):
        level = f"what was found there, {statistic} {equals(low)} to {chi2_text(high)}"
    return (
        f"Proven at {where}: no parameters within these bounds can do better than {level} (largest gap "
        f"{found.largest_gap:.1g}){_best_fit_is_weaker(findings)}."
    )


def _best_fit_is_weaker(findings: Findings) -> str:
    """Describe where points of the grid are proven and the best fit, with everything free, is not."""
    fitted = findings.fitted
    # Where nothing is scanned, the point is the best fit.
    if fitted is None or not fitted.has_intervals or fitted.evidence == "proven" or not findings.landscape.scanned:
        return ""
    weaker = "random starts agree on it" if fitted.is_supported else f"it is {fitted.doubt}"
    return f"; the best fit between the points is not proven: {weaker}"


def _chance(found: EvidenceSummary) -> str:
    """Describe what agreement excludes: none of n starts in a basin that draws 3/n of them has a probability of 5 %."""
    if not found.least_fresh:
        return ""
    share = f"{300 / found.least_fresh:.2g} %"
    return (
        f" (a better basin that draws more than {share} of the starts would have been found with a probability of "
        "95 %, if neighbours share their basins)"
    )


def _decision(findings: Findings, gate: Gate) -> str:
    """Return the first reason against the scan, or what may be said of it where there is none."""
    if gate.is_open:
        levels = "and the levels of delta chi2 are confidence levels"
        if missing := findings.conditions.missing:
            reason = f"{missing[0].name} ({missing[0].text})"
            levels = f"but the levels of delta chi2 are no confidence levels; not fulfilled: {reason}"
        return f"Every criterion of the gate holds, {levels}."
    # Criteria come in the order in which they count as reasons.
    first = gate.failed[0]
    is_numerical = first.group == NUMERICAL
    meaning = (
        "the numbers cannot be trusted yet" if is_numerical else "the numbers can be trusted, but what they say fails"
    )
    return f"The gate is closed and {meaning}, first of all {first.name} ({first.found}): {first.cause}."


def _counts(findings: Findings) -> Iterator[str]:
    landscape, scan = findings.landscape, findings.scan
    parts = [f"{landscape.count(name):,} {name.replace('_', ' ')}" for name in landscape.status.present]
    n_repaired = int(np.count_nonzero(scan.at_points("repaired")))
    yield (
        f"status: {', '.join(parts)} of {count(landscape.grid.n_points, 'point')}; {n_repaired:,} repaired, "
        f"{int(landscape.out_of_line.sum()):,} out of line with them"
    )
    if n := n_untried(scan):
        yield from _under(
            f"repair ran out of waves while {count(n, 'point')} still improved, and their neighbours may, too: "
            "raise fit.repair_waves"
        )
    if findings.toys and not findings.toys.refusal:
        yield from region_texts(findings.toys)
    if len(landscape.known):
        yield from _under(f"freedom: {findings.freedom.text}")
        yield from _held(findings)
    if note := scan.text("comment"):
        yield from _under(f"the model: {note}")


def _held(findings: Findings) -> Iterator[str]:
    """List the bounds that hold minima, the most frequent first, then the most costly; a touch does not count."""
    scan, n_known = findings.scan, count(len(findings.landscape.known), "point")
    # A parameter may end at a bound that χ² does not press it against.
    held = np.where(scan.at_points("bound_multiplier") != 0, scan.at_points("at_bound"), 0)
    n_at = {
        (name, side): int(np.count_nonzero(held[:, j] == sign))
        for j, name in enumerate(scan.labels("parameter"))
        for side, sign in (("lower", -1), ("upper", 1))
    }
    ranks = {(bound.parameter, bound.side): rank for rank, bound in enumerate(findings.active_bounds)}
    active = sorted(
        (item for item in n_at.items() if item[1]), key=lambda item: (-item[1], ranks.get(item[0], len(ranks)))
    )
    yield "held by bounds:" if active else "held by bounds: none"
    for (name, side), n in active[:MOST_BOUNDS]:
        yield f"  {name} at its {side} bound at {n:,} of {n_known}"
    if len(active) > MOST_BOUNDS:
        yield f"  and {len(active) - MOST_BOUNDS} more; see at_bound in the file"
