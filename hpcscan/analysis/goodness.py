"""Goodness of fit: the count of freedom, measured at the lowest points, and the classes of χ² that it allows."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import numpy as np

from hpcscan.analysis.landscape import Indices, Landscape
from hpcscan.dataset.scan import ScanData
from hpcscan.distribution import survival
from hpcscan.settings import GateSettings
from hpcscan.tolerance import TIE_ABSOLUTE
from hpcscan.words.numbers import chi2_text, count, probability

#: A deviance of smaller expected counts is not distributed as χ².
LEAST_COUNT = 5.0


@dataclass(frozen=True)
class Freedom:
    """Constraints against parameters.

    Attributes
    ----------
    n_data, n_parameters, n_fixed, n_scales, n_axes : int
        Observables; profiled parameters, and those of them whose bounds are equal; profiled scales; scanned axes.
    rank : (int, int) or None
        Smallest and largest rank of the Jacobian of the profiled residuals among the free parameters, at fixed axes.
        Without the scales, which are profiled out. None where it is not known.
    n_flat, n_held : (int, int) or None
        Directions that change nothing; parameters that a bound holds with a multiplier.
    n_determined : int or None
        By how much the rank grows, at least, when the scanned axes join the parameters and the scales; None where it
        is not known.
    is_counted : bool
        False for a likelihood of one's own, whose data nobody counts: then `n_data` are constraints alone.
    """

    n_data: int
    n_parameters: int
    n_fixed: int
    n_scales: int
    n_axes: int
    rank: tuple[int, int] | None
    n_flat: tuple[int, int] | None
    n_held: tuple[int, int] | None
    n_determined: int | None
    is_counted: bool = True

    @property
    def n_spare(self) -> int | None:
        """Data beyond the rank of everything that is fitted: parameters, scales, axes; None where it is not known."""
        if self.rank is None or self.n_determined is None:
            return None
        return self.n_data - self.n_scales - self.rank[1] - self.n_determined

    @property
    def has_identified_axes(self) -> bool | None:
        """Whether the data determine all axes; None where that is not known."""
        return None if self.n_determined is None else self.n_determined >= self.n_axes

    @property
    def data_text(self) -> str:
        """Count the data, as far as they are counted."""
        if self.is_counted:
            return "1 datum" if self.n_data == 1 else f"{self.n_data:,} data"
        constraints = f" and {count(self.n_data, 'constraint')}" if self.n_data else ""
        return f"uncounted data of a likelihood{constraints}"

    @property
    def axes_text(self) -> str:
        """Format how many scanned axes the data determine."""
        if self.rank is None:
            return "not known: no point has a chi2, or a derivative at the lowest one is not finite"
        if self.n_determined is None:
            return "not known: not all axes are determined, and some of them have one value only"
        raised = f"the axes raise the rank of the Jacobian by {self.n_determined}"
        if not self.is_counted:
            return f"{self.n_determined} of {self.n_axes} ({raised})"
        # What is left of the data once scales and parameters have taken theirs.
        room = max(0, self.n_data - self.n_scales - self.rank[1])
        # Where bounds hold parameters, data that these would have taken up are left for the axes.
        n_held = self.n_held[1] if self.n_held else 0
        is_lent = self.n_determined > room - n_held
        held = (
            f", while bounds hold {count(n_held, 'parameter')}: no measurement"
            if n_held and self.n_determined and is_lent
            else ""
        )
        return f"{self.n_determined} of {self.n_axes}{held} ({raised}; {self.n_data} data leave room for {room})"

    @property
    def text(self) -> str:
        """Format in a line what is free, for how many data, and what of it changes nothing."""
        n_free = self.n_parameters - self.n_fixed
        scales = f", {count(self.n_scales, 'profiled scale')}" if self.n_scales else ""
        axes = f", {count(self.n_axes, 'scanned parameter')}" if self.n_axes else ""
        held = f"; bounds hold {_span(self.n_held)} of the parameters" if self.n_held and self.n_held[1] else ""
        flat = "" if self.n_flat is None else f"; flat directions at fixed axes: {_span(self.n_flat)}"
        return f"{self.data_text} for {count(n_free, 'profiled parameter')}{scales}{axes}{held}{flat}"


def count_freedom(scan: ScanData, landscape: Landscape) -> Freedom:
    """Count at the lowest point, or over all that are equal to it."""
    points = landscape.equal
    n_parameters, n_data = len(scan.labels("parameter")), len(scan.labels("observable"))
    # Equal bounds fix a parameter.
    lower, upper = scan.variables["parameter_lower"].values, scan.variables["parameter_upper"].values
    n_fixed, n_scales = int(np.count_nonzero(lower == upper)), len(scan.profiled_scales)
    flat = held = rank = None
    n_axes, determined = len(landscape.scanned), None
    n_flat, n_determined = (scan.at_points(name)[points] for name in ("n_flat_directions", "n_determined_axes"))
    # A count below zero is not known.
    if len(points) and min(n_flat.min(), n_determined.min()) >= 0:
        # Rank = free parameters − those that a bound holds − directions that change nothing.
        n_held = np.count_nonzero(scan.at_points("bound_multiplier")[points], axis=1)
        flat, held, rank = _range(n_flat), _range(n_held), _range(n_parameters - n_fixed - n_held - n_flat)
        determined = _determined(int(n_determined.min()), len(landscape.grid.axes), n_axes)
    return Freedom(
        n_data=n_data,
        n_parameters=n_parameters,
        n_fixed=n_fixed,
        n_scales=n_scales,
        n_axes=n_axes,
        rank=rank,
        n_flat=flat,
        n_held=held,
        n_determined=determined,
        is_counted=not scan.is_scalar,
    )


def _determined(of_all: int, n_axes: int, n_scanned: int) -> int | None:
    """Count the scanned axes among the determined ones; a file counts all axes, also those with one value."""
    if of_all == n_axes:
        return n_scanned
    return of_all if n_scanned == n_axes or of_all == 0 else None


def _range(values: np.ndarray[tuple[int, ...], np.dtype[np.int_]]) -> tuple[int, int]:
    return int(values.min()), int(values.max())


def freedom_lines(freedom: Freedom) -> list[tuple[str, str]]:
    """Write the count, as names and texts."""
    all_parameters = freedom.n_parameters + freedom.n_axes
    together = f"with the {freedom.n_scales} scales" if freedom.n_scales > 1 else "with the scale"
    fixed = f", {freedom.n_fixed} of them fixed" if freedom.n_fixed else ""
    lines = [
        ("data", freedom.data_text),
        ("parameters", f"{all_parameters} = {freedom.n_parameters} profiled{fixed} + {freedom.n_axes} scanned"),
        (together, f"{all_parameters + freedom.n_scales}" if freedom.n_scales else "no scale is profiled"),
    ]
    if freedom.rank is None or freedom.n_flat is None or freedom.n_held is None:
        return [*lines, ("rank", "not known")]
    with_scale = tuple(rank + freedom.n_scales for rank in freedom.rank)
    scale = f" ({_span(with_scale)} {together})" if freedom.n_scales else ""
    lines += [
        ("held by bounds", f"{_span(freedom.n_held)} of {freedom.n_parameters} parameters"),
        ("rank", f"{_span(freedom.rank)}{scale}: measured, at fixed axes"),
        ("flat directions", f"{_span(freedom.n_flat)}: change no prediction, at fixed axes"),
    ]
    return [*lines, ("scanned axes", freedom.axes_text if freedom.n_axes else "none")]


def _span(values: tuple[int, ...]) -> str:
    return f"{values[0]}" if values[0] == values[-1] else f"{values[0]} to {values[-1]}"


@dataclass(frozen=True)
class Chi2Class:
    """The class of a χ².

    Attributes
    ----------
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
    """Return the warning that counts are too small for the deviance to be distributed as χ²; "" where they are not."""
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
    n_free : int
        Degrees of freedom. With some, χ² is judged by its p-value: how seldom a correct model exceeds it. Without any,
        its size means something only where σ is a tolerance.
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
    # With degrees of freedom χ² has a distribution, and its size alone says nothing.
    name, is_acceptable = _by_chance(p_value := survival(chi2, n_free), gate)
    # What is not told apart from zero has no ratio either.
    ratio = f"{chi2 / n_free:.3g}" if chi2 >= TIE_ABSOLUTE else chi2_text(chi2)
    chance = f"{n_free} dof, chi2/dof {ratio}, p = {probability(p_value)}{warning}"
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
    # Tolerances are chosen, and a χ² far below 1 says that there was freedom enough to meet them at will.
    return "more freedom than data", False
