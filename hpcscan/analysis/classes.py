"""The classes of χ²: good, acceptable, bad, and more freedom than data."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import numpy as np

from hpcscan.analysis.freedom import Freedom
from hpcscan.analysis.landscape import Indices
from hpcscan.dataset.scan import ScanData
from hpcscan.distribution import survival
from hpcscan.settings import GateSettings
from hpcscan.words.numbers import chi2_text

#: A deviance of smaller expected counts is not distributed as χ².
LEAST_COUNT = 5.0


@dataclass(frozen=True)
class Chi2Class:
    """The class of a χ².

    Attributes
    ----------
    name : str
    is_acceptable : bool or None
        None where nothing tells it.
    text : str
        The value, its class, and the degrees of freedom (dof) with χ²/dof and p-value where there are some.
    """

    name: str
    is_acceptable: bool | None
    text: str


def degrees_of_freedom(scan: ScanData, freedom: Freedom) -> int:
    """Count the data beyond the rank of everything fitted: the terms of a χ² that has a distribution.

    0 where there are none or the number is not known, where a σ is a tolerance, and for a −2 ln L of which only
    differences mean something.
    """
    return 0 if scan.has_tolerances or scan.is_scalar else max(0, freedom.n_spare or 0)


def counts_warning(scan: ScanData, points: Indices) -> str:
    """Say that counts are too small for the deviance to be distributed as χ²; "" where they are not."""
    if not scan.has_counts or not len(points):
        return ""
    # A count has no standard deviation of its own.
    is_count = np.isnan(scan.variables["sigma"].values)
    expected = scan.at_points("predicted")[points][:, is_count]
    n_small = int((expected < LEAST_COUNT).any(axis=0).sum())
    if not n_small:
        return ""
    return f"; {n_small} of {int(is_count.sum())} counts are expected below {LEAST_COUNT:g}, so that p is rough"


def chi2_class(chi2: float, gate: GateSettings, n_free: int, *, has_tolerances: bool, warning: str = "") -> Chi2Class:
    """Judge a χ².

    Parameters
    ----------
    chi2 : float
        NaN where there is none.
    gate : GateSettings
    n_free : int
        Degrees of freedom. With some, χ² is judged by its p-value: how seldom a correct model exceeds it. Without any,
        its size means something only where σ is a tolerance.
    has_tolerances : bool
    warning : str, optional
        What is said of the p-value.
    """
    if isnan(chi2):
        return Chi2Class("no point has a chi2", False, "no point has a chi2")
    if not n_free and not has_tolerances:
        return Chi2Class("not tested", None, f"{chi2_text(chi2)}: no degrees of freedom, and so no goodness of fit")
    if not n_free:
        name, is_acceptable = _by_size(chi2, gate)
        return Chi2Class(name, is_acceptable, f"{chi2_text(chi2)}: {name}")
    name, is_acceptable = _by_chance(p_value := survival(chi2, n_free), gate)
    chance = f"{n_free} dof, chi2/dof {chi2 / n_free:.3g}, p = {p_value:.2g}{warning}"
    return Chi2Class(name, is_acceptable, f"{chi2_text(chi2)}: {name} ({chance})")


def wanted_chi2(gate: GateSettings, n_free: int, *, has_tolerances: bool) -> str:
    """Write what a χ² is held to."""
    if not n_free and not has_tolerances:
        return ""
    if n_free:
        acceptable, good = gate.p_value
        return f"p at least {good:g} good, at least {acceptable:g} acceptable"
    low, high = gate.chi2_good
    return f"{low:g} to {high:g} good, up to {gate.chi2_acceptable:g} acceptable"


def _by_chance(p_value: float, gate: GateSettings) -> tuple[str, bool]:
    acceptable, good = gate.p_value
    if p_value < acceptable:
        return "bad", False
    return ("good" if p_value >= good else "acceptable"), True


def _by_size(chi2: float, gate: GateSettings) -> tuple[str, bool]:
    low, high = gate.chi2_good
    if chi2 > gate.chi2_acceptable:
        return "bad", False
    if chi2 > high:
        return "acceptable", True
    if chi2 >= low:
        return "good", True
    return "more freedom than data", False
