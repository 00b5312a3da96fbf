"""`hpcscan point`: one point under the microscope, with every start in a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.config.building import build_model
from hpcscan.config.command_line import read_coordinates
from hpcscan.errors import Exit, PointError
from hpcscan.fitting.block import fit_starts
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.evidence import is_agreed
from hpcscan.fitting.records import UNKNOWN, PointResults, Status
from hpcscan.grid import place_text
from hpcscan.guard.failures import describe_exception, describe_time_out
from hpcscan.guard.guarded import guarded
from hpcscan.guard.time_limit import TimeLimit, TimeUpError
from hpcscan.likelihood.terms import pulls
from hpcscan.model.problem import Problem, scale_names, scale_unit
from hpcscan.program import read_checked
from hpcscan.settings import FitSettings
from hpcscan.words.numbers import chi2_text, count
from hpcscan.words.tables import MOST_ROWS, facts, table

_BOUND_NAMES = {-1: "lower", 0: "", 1: "upper"}


def point(config_path: str, overrides: Sequence[str], at: str) -> tuple[str, int]:
    """Fit one point, on or off the grid; return its description, and the exit code.

    Raises
    ------
    PointError
        Where the model raises, or takes longer than it may.
    """
    config = read_checked(config_path, overrides)
    model = build_model(config.model)
    coordinates = read_coordinates(model, at)
    ends, result = _fit(model, coordinates, config.fit)
    parts = [
        _verdict(model, coordinates, result),
        _observables(model, result),
        _parameters(model, result),
        _derived(model, result),
        _starts(ends),
        _start_parameters(model, ends),
    ]
    code = Exit.COMPLETE if result.status[0] == Status.CONVERGED else Exit.INCOMPLETE
    return "\n\n".join(part for part in parts if part), code


def _fit(model: Problem, coordinates: Array, settings: FitSettings) -> tuple[Minima, PointResults]:
    limit = TimeLimit(settings.time_limit)
    try:
        with limit.armed():
            return fit_starts(guarded(model, limit), coordinates, np.zeros(1, np.int64), settings)
    except TimeUpError:
        failure = describe_time_out(0, settings.time_limit or 0)
    except Exception as error:  # noqa: BLE001 - whatever a model raises
        failure = describe_exception(0, error)
    raise PointError(f"point {_place(model, coordinates)}: {failure.in_short}")


def _place(model: Problem, coordinates: Array) -> str:
    names = (axis.name for axis in model.axes)
    return place_text(names, (f"{value:.12g}" for value in coordinates[0])) or "the best fit"


def _status(result: PointResults) -> str:
    status = Status(result.status[0])
    text = status.name.lower().replace("_", " ")
    return f"{text}: the model predicts nothing finite at any start" if status == Status.FAILED else text


def _verdict(model: Problem, coordinates: Array, result: PointResults) -> str:
    scales = zip(scale_names(model), result.scale[0], strict=True)
    return facts([
        ("point", _place(model, coordinates)),
        ("status", _status(result)),
        ("chi2", chi2_text(float(result.chi2[0]))),
        *_proof(result),
        ("edm", f"{result.edm[0]:.2g}"),
        *((f"{name}_opt", f"{value:.8g} {_unit(scale_unit(model, name))}".rstrip()) for name, value in scales),
        ("flat", _flat(int(result.n_flat_directions[0]))),
        ("starts", _agreement(result)),
        ("cost", f"{result.n_evaluations[0]:,} evaluations in {result.n_iterations[0]:,} iterations"),
    ])  # fmt: skip


def _flat(n_directions: int) -> str:
    if n_directions == UNKNOWN:
        return "not known: a derivative by a parameter is not finite there, or the point failed"
    return f"{count(n_directions, 'direction')} of the parameters"


def _proof(result: PointResults) -> list[tuple[str, str]]:
    bound, gap, within = result.chi2_lower_bound[0], result.optimality_gap[0], result.unique_within[0]
    near = f"the only minimum within {within:g} standard deviations, which says nothing of lower ones elsewhere"
    nearby = [("unique", near if within else "not shown, however near")] if np.isfinite(within) else []
    if np.isnan(bound):
        return [("bound", "none; minima of this model cannot be proven, or fit.proof is false"), *nearby]
    return [("bound", f"{bound:.12g}, proven; chi2 is {gap:.2g} above it"), *nearby]


def _agreement(result: PointResults) -> str:
    n, converged, at_minimum = result.n_starts[0], result.n_starts_converged[0], result.n_starts_at_minimum[0]
    is_enough = is_agreed(result.n_starts, result.n_starts_at_minimum)[0]
    left = "; where so many agree, others that take long are left" if is_enough and converged < n else ""
    return f"{converged} of {n} converged, {at_minimum} of them at the minimum{left}"


def _observables(model: Problem, result: PointResults) -> str:
    off = pulls(model, result.predicted)[0]
    # Of many observables those with the largest pulls, in the model's order.
    shown = sorted(np.argsort(-np.nan_to_num(np.abs(off)), kind="stable")[:MOST_ROWS].tolist())
    rows = [
        (o.name, f"{o.observed:.8g}", _sigma(o.sigma), f"{p:.8g}", f"{pull:.4g}", _unit(o.unit))
        for k in shown
        for o, p, pull in [(model.observables[k], result.predicted[0, k], off[k])]
    ]
    left = len(off) - len(shown)
    note = f"\n{count(left, 'observable')} with smaller pulls left out" if left else ""
    return table(("observable", "observed", "sigma", "predicted", "pull", "unit"), rows) + note if rows else ""


def _sigma(sigma: float) -> str:
    return "–" if np.isnan(sigma) else f"{sigma:.3g}"


def _parameters(model: Problem, result: PointResults) -> str:
    rows = [
        (p.name, f"{value:.8g}", f"{p.lower:g}", f"{p.upper:g}", _BOUND_NAMES[int(side)], f"{slope:.4g}", _unit(p.unit))
        for p, value, side, slope in zip(
            model.parameters, result.profiled_parameter[0], result.at_bound[0], result.bound_multiplier[0], strict=True
        )
    ]
    return "" if not rows else table(("parameter", "value", "lower", "upper", "at bound", "dchi2/dbound", "unit"), rows)


def _unit(unit: str) -> str:
    return "" if unit == "1" else unit


def _derived(model: Problem, result: PointResults) -> str:
    rows = [
        (d.name, " ".join(f"{value:.6g}" for value in np.atleast_1d(result.derived[d.name][0])), _unit(d.unit))
        for d in model.derived
    ]
    return table(("derived", "value", "unit"), rows) if rows else ""


def _starts(ends: Minima) -> str:
    excess = ends.chi2 - np.nanmin(ends.chi2) if np.isfinite(ends.chi2).any() else ends.chi2
    rows = [
        (
            str(k),
            Status(ends.status[k]).name.lower().replace("_", " "),
            chi2_text(float(ends.chi2[k])),
            f"{excess[k]:.2g}",
            f"{ends.edm[k]:.2g}",
            str(ends.n_iterations[k]),
        )
        for k in _run(ends)
    ]
    return table(("start", "status", "chi2", "above lowest", "edm", "iterations"), rows)


def _start_parameters(model: Problem, ends: Minima) -> str:
    rows = [(str(k), *(f"{value:.5g}" for value in ends.x[:, k])) for k in _run(ends)]
    return "" if not model.parameters else table(("start", *(p.name for p in model.parameters)), rows)


def _run(ends: Minima) -> IntArray:
    """Return the starts that were run to their end."""
    return np.flatnonzero(ends.status != Status.NOT_RUN)
