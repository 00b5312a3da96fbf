"""The classes of χ²: good, acceptable, bad, and more freedom than data."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from hpcscan.report.settings import GateSettings
from hpcscan.statistics.levels import survival
from hpcscan.terminal.numbers import chi2_text


@dataclass(frozen=True)
class Chi2Class:
    """The class of a χ².

    Attributes
    ----------
    name : str
    is_acceptable : bool
    text : str
        The value, its class, and the p-value where there is one.
    """

    name: str
    is_acceptable: bool
    text: str


def chi2_class(chi2: float, gate: GateSettings, n_spare: int | None) -> Chi2Class:
    """Judge a χ².

    Parameters
    ----------
    chi2 : float
        NaN where there is none.
    gate : GateSettings
    n_spare : int or None
        Data beyond the rank. Only with some is a low χ² a success, and a p-value defined.
    """
    name, is_acceptable = _judged(chi2, gate, n_spare)
    text = name if isnan(chi2) else f"{chi2_text(chi2)}: {name}"
    if n_spare is not None and n_spare > 0 and not isnan(chi2):
        text += f" (p = {survival(chi2, n_spare):.2g} for {n_spare} degrees of freedom)"
    return Chi2Class(name, is_acceptable, text)


def _judged(chi2: float, gate: GateSettings, n_spare: int | None) -> tuple[str, bool]:
    low, high = gate.chi2_good
    if isnan(chi2):
        return "no point has a chi2", False
    if chi2 > gate.chi2_acceptable:
        return "bad", False
    if chi2 > high:
        return "acceptable", True
    if chi2 >= low:
        return "good", True
    if n_spare is not None and n_spare > 0:
        return "lower than the data scatter on average", True
    return "more freedom than data", False
