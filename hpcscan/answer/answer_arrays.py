"""From an answer to what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hpcscan.answer.answer_record import END_FLAGS, AnswerRecord, Kept
from hpcscan.answer.fitted_intervals import FittedEnd
from hpcscan.answer.grid_answer import FittedAnswer
from hpcscan.answer.surroundings import STANDING_FLAGS
from hpcscan.arrays import Array, IntArray
from hpcscan.distribution import survival
from hpcscan.fitting.records import Evidence
from hpcscan.likelihood.terms import pulls
from hpcscan.model.problem import Problem, scale_unit

_END = {meaning: value for value, meaning in END_FLAGS} | {"": 0}


@dataclass(frozen=True)
class Levels:
    """Confidence levels by Δχ², for one parameter and for two."""

    one: Mapping[float, float]
    two: Mapping[float, float]


def record_of(answer: FittedAnswer, problem: Problem, levels: Levels, names: Sequence[str]) -> AnswerRecord:
    """Turn an answer into what is kept of it.

    Parameters
    ----------
    problem : Problem
        As it was posed for the grid.
    names : sequence of str
        The scanned parameters, in the order of the grid.
    """
    arrays = {
        **_best_fit(answer, problem),
        **_gradient(answer, names),
        **_intervals(answer, levels.one),
        **_contours(answer, levels.two),
    }
    sentence = answer.judgement.sentence
    if not answer.is_settled:
        sentence = "; ".join(filter(None, [sentence, "lower and lower values were found: the answer has not settled"]))
    return AnswerRecord(float(answer.minima.chi2[0]), arrays, sentence)


def _best_fit(answer: FittedAnswer, problem: Problem) -> dict[str, Kept]:
    # A coordinate may be a logarithm: d(parameter)/dz brings derivatives into the parameter's own unit.
    frame, around, z = answer.frame, answer.around, answer.minima.z
    natural = frame.natural(z[:1])[0]
    slope = np.where([c.is_log for c in frame.coordinates], natural, 1.0)
    lower, upper, kinds = _errors(answer, natural)
    judgement = answer.judgement
    # What a bound holds, or what is fixed, has a value as good as what the data determine.
    is_known = judgement.is_determined | around.is_held | (frame.lower == frame.upper)
    has_value = is_known & judgement.is_one_place & judgement.has_intervals
    value = np.where(has_value, natural, np.nan)
    has_tolerances = any(o.is_tolerance for o in problem.observables)
    # −2 ln L of a model of its own has no distribution, nor has χ² where σ is a tolerance.
    n_dof = 0 if problem.is_scalar or has_tolerances else max(0, len(problem.observables) - around.rank)
    of, unit = ("fitted",), ""
    # Parameters have units of their own; that of a scale follows from model and data.
    units = {p.name: p.unit for p in (*problem.axes, *problem.parameters)}
    labels = [units[name] if name in units else scale_unit(problem, name) for name in frame.names]
    chi2 = float(answer.minima.chi2[0])
    p_value = survival(chi2, n_dof) if n_dof else np.nan
    return {
        "fitted_name": _names(of, "name of the parameter or scale", frame.names),
        "fitted_unit": _names(of, "unit of the parameter or scale", labels),
        "best_fit_value": Kept(of, value, "best fit", unit),
        "best_fit_lowest": Kept(of, natural, "where chi2 is lowest, whether that is one place or not", unit),
        "best_fit_error_lower": Kept(of, lower, "from the best fit down to where delta chi2 = 1: negative", unit),
        "best_fit_error_upper": Kept(of, upper, "from the best fit up to where delta chi2 = 1", unit),
        "best_fit_error_lower_end": Kept(of, kinds[0], "why it ends there", None, END_FLAGS),
        "best_fit_error_upper_end": Kept(of, kinds[1], "why it ends there", None, END_FLAGS),
        "best_fit_at_bound": Kept(
            of,
            np.where(around.is_held, frame.side(z)[0], 0).astype(np.int8),
            "whether a bound, or an end of the grid, holds it",
            None,
            ((-1, "lower_bound"), (0, "free"), (1, "upper_bound")),
        ),
        "best_fit_is_determined": Kept(
            of,
            is_known.astype(np.int8),
            "whether the data, or a bound, determine it there",
            None,
            ((0, "no"), (1, "yes")),
        ),
        "best_fit_multiplier": Kept(of, around.multiplier / slope, "change of chi2 per change of the bound", unit),
        "best_fit_covariance": Kept(
            ("fitted", "fitted_again"), answer.covariance * slope * slope[:, None], "covariance of the best fit", unit
        ),
        **_why_lowest(answer),
        "p_value": Kept((), np.array(p_value), "probability that a correct model has a larger chi2"),
        "n_dof": Kept((), np.array(n_dof, np.int32), "degrees of freedom; 0 where chi2 has no distribution"),
        "best_fit_predicted": Kept(("observable",), around.predicted, "scaled prediction at the best fit", unit),
        "best_fit_pull": Kept(
            ("observable",), pulls(problem, around.predicted[None].copy())[0], "(predicted - observed) / sigma there"
        ),
        **_parts(problem, around.parts),
    }


def _parts(problem: Problem, values: Mapping[str, Array]) -> dict[str, Kept]:
    """Return the parts of predictions that the model names."""
    return {
        f"best_fit_{one.name}": Kept((one.dimension.name,), values[one.name], f"{one.name} at the best fit", one.unit)
        for one in problem.derived
        if one.part_of and one.dimension is not None
    }


def _why_lowest(answer: FittedAnswer) -> dict[str, Kept]:
    """Return χ² of the best fit, what that is, and why nothing is lower."""
    # No bound is NaN in a file, where infinity would look like a number.
    judged, bound = np.array(answer.judgement.standing, np.int8), answer.lower_bound
    return {
        "best_fit_chi2": Kept((), answer.minima.chi2[0], "chi2 of the best fit, from which delta_chi2 is measured"),
        "best_fit_standing": Kept((), judged, "what the best fit is", None, STANDING_FLAGS),
        "best_fit_evidence": Kept(
            (),
            np.array(answer.evidence, np.int8),
            "why it is the lowest",
            None,
            tuple((int(evidence), evidence.name.lower()) for evidence in Evidence),
        ),
        "best_fit_lower_bound": Kept(
            (), np.array(bound if np.isfinite(bound) else np.nan), "no chi2 within the bounds is lower"
        ),
        "best_fit_unique_within": Kept(
            (), np.array(answer.unique_within), "standard deviations around it within which there is no other minimum"
        ),
    }


def _errors(answer: FittedAnswer, natural: Array) -> tuple[Array, Array, tuple[IntArray, IntArray]]:
    """Return the distances to the ends of one standard deviation, and why these are ends."""
    n = len(natural)
    lower, upper = np.full(n, np.nan), np.full(n, np.nan)
    kinds = np.zeros(n, np.int8), np.zeros(n, np.int8)
    for k, region in answer.errors.items():
        about = answer.frame.coordinates[k]
        # A bound is no distance at which Δχ² is 1: there the error stays unknown, and the kind says why.
        for column, kind, end in ((lower, kinds[0], region.lower), (upper, kinds[1], region.upper)):
            kind[k] = _END[end.kind]
            if end.kind == "crossed":
                column[k] = float(about.natural(np.array(end.value))) - natural[k]
    return lower, upper, kinds


def _gradient(answer: FittedAnswer, names: Sequence[str]) -> dict[str, Kept]:
    """Return dχ² of the grid's profile by the scanned parameters, per unit of each."""
    if not answer.slopes.shape[1]:
        return {}
    return {
        "scanned_name": _names(("scanned",), "name of the scanned parameter", names),
        "chi2_gradient": Kept(("point", "scanned"), answer.slopes, "slope of chi2 along the scanned parameter", ""),
    }


def _intervals(answer: FittedAnswer, levels: Mapping[float, float]) -> dict[str, Kept]:
    """List all regions of all scanned parameters."""
    names = answer.frame.names
    # One row for each region: a parameter may have several at one level.
    rows = [
        (of.coordinate, cl, region)
        for of in answer.lines
        for level, cl in levels.items()
        for region in of.regions[level]
    ]
    if not rows:
        return {}
    of = ("interval",)
    # Each end has a value, its numerical error, why it is there, and what rests on an end of the grid.
    sides = {"lower": [r.lower for *_, r in rows], "upper": [r.upper for *_, r in rows]}
    coordinates = [answer.frame.coordinates[k] for k, *_ in rows]
    kept = {
        "interval_parameter": _numbered(of, [k for k, *_ in rows], "parameter of the interval", names),
        "interval_cl": Kept(of, np.array([cl for _, cl, _ in rows], float), "confidence level"),
    }
    for side, ends in sides.items():
        values = [float(c.natural(np.array(end.value))) for c, end in zip(coordinates, ends, strict=True)]
        errors = [
            numerical_error(c.is_log, value, end) for c, value, end in zip(coordinates, values, ends, strict=True)
        ]
        held = [names.index(end.held[0]) if end.held else -1 for end in ends]
        kept[f"interval_{side}"] = Kept(of, np.array(values), f"{side} end", "")
        kept[f"interval_{side}_error"] = Kept(of, np.array(errors), f"numerical error of the {side} end", "")
        kept[f"interval_{side}_end"] = _ends(of, [end.kind for end in ends], f"why the {side} end is there")
        kept[f"interval_{side}_held"] = _numbered(of, held, "other parameter that rests on an end of the grid", names)
    return kept


def numerical_error(is_log: bool, value: float, end: FittedEnd) -> float:
    """Return how far the parameter may be off: p (e^δ − 1) where the coordinate is ln p, and what is rounded of it."""
    return float(value * np.expm1(end.error) + np.spacing(value)) if is_log and end.error else end.error


def _contours(answer: FittedAnswer, levels: Mapping[float, float]) -> dict[str, Kept]:
    """List all vertices of all lines."""
    # Vertices of all lines stand in one column; the number of the line tells them apart.
    lines = [(contour.pair, line) for contour in answer.contours for line in contour.lines]
    if not lines:
        return {}
    frame, names, of = answer.frame, answer.frame.names, ("contour",)
    number = np.repeat(np.arange(len(lines)), [len(line.vertices) for _, line in lines])
    columns = [
        np.concatenate([frame.coordinates[pair[axis]].natural(line.vertices[:, axis]) for pair, line in lines])
        for axis in (0, 1)
    ]
    return {
        "contour_x": Kept(("vertex",), columns[0], "value of the first parameter on the line", ""),
        "contour_y": Kept(("vertex",), columns[1], "value of the second parameter on the line", ""),
        "contour_line": Kept(("vertex",), number.astype(np.int32), "number of the line"),
        "contour_first": _numbered(of, [pair[0] for pair, _ in lines], "first parameter of the line", names),
        "contour_second": _numbered(of, [pair[1] for pair, _ in lines], "second parameter of the line", names),
        "contour_cl": Kept(of, np.array([levels[line.level] for _, line in lines]), "confidence level"),
        "contour_begin": _ends(of, [line.ends[0] for _, line in lines], "why the line begins there"),
        "contour_end": _ends(of, [line.ends[1] for _, line in lines], "why the line ends there"),
        "contour_error": Kept(
            of, np.array([line.error for _, line in lines]), "largest |delta chi2 - level| at the middles of its arcs"
        ),
        "contour_is_resolved": Kept(
            of,
            np.array([line.is_resolved for _, line in lines], np.int8),
            "whether every arc of it is on the level",
            None,
            ((0, "no"), (1, "yes")),
        ),
    }


def _names(dims: tuple[str, ...], long_name: str, names: Sequence[str]) -> Kept:
    return Kept(dims, np.array([*names], object), long_name, None)


def _numbered(dims: tuple[str, ...], numbers: Sequence[int], long_name: str, names: Sequence[str]) -> Kept:
    # A parameter is written as its number, whose meaning CF keeps as a flag.
    flags = ((-1, "none"), *enumerate(names))
    return Kept(dims, np.array(numbers, np.int8), long_name, None, flags)


def _ends(dims: tuple[str, ...], kinds: Sequence[str], long_name: str) -> Kept:
    return Kept(dims, np.array([_END[kind] for kind in kinds], np.int8), long_name, None, END_FLAGS)
