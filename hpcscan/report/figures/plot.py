"""Figures on axes of one's own: matplotlib axes in and out."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray

from hpcscan.analysis.findings import Findings
from hpcscan.errors import UsageError
from hpcscan.report.figures.canvas import STYLE
from hpcscan.report.figures.maps import FEWEST, draw_corner, draw_plane
from hpcscan.report.figures.observed import draw_data, draw_pulls, pull_rows
from hpcscan.report.figures.profile_curves import draw_profile
from hpcscan.report.outcome import DataOutcome


class Plot:
    """What a report draws, piece by piece.

    Every method draws on the axes that it is given, or on new ones of `matplotlib.pyplot`, and returns them.

    Parameters
    ----------
    findings : Findings
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def contours(self, first: str, second: str, ax: Axes | None = None) -> Axes:
        """Draw the map of Δχ² over two scanned parameters, with contours and the best fit.

        Raises
        ------
        UsageError
            Where they are not two scanned parameters.
        """
        # Axes in the order in which they are named, whatever that of the grid.
        plane = next((plane for plane in self._findings.planes if {*plane.names} == {first, second}), None)
        if plane is None:
            asked, names = f"contours of {first!r} and {second!r}", self._scanned
            if len(names) < 2:
                raise UsageError(f"{asked}: a map needs two scanned parameters; here: {self._listed}")
            unknown = [name for name in (first, second) if name not in names]
            raise UsageError(f"{asked}: name two of the scanned parameters, {self._listed}{_near(unknown, names)}")
        panel = ax or _new()
        _, handles = draw_plane(panel, self._findings, plane if plane.names == (first, second) else plane.turned)
        panel.legend(handles=handles, fontsize="small")
        return panel

    def profile(self, name: str, ax: Axes | None = None) -> Axes:
        """Draw Δχ² along a scanned parameter, with levels and the interval.

        Raises
        ------
        UsageError
            Where it is not scanned.
        """
        axis = next((axis for axis in self._findings.profiles.axes if axis.name == name), None)
        if axis is None:
            near = _near([name], self._scanned)
            raise UsageError(f"profile of {name!r}: name one of the scanned parameters, {self._listed}{near}")
        panel = ax or _new()
        draw_profile(panel, self._findings, axis, is_short=False)
        panel.set_ylabel("Δχ²")
        return panel

    def data(self, term: str | None = None, ax: Sequence[Axes] | None = None) -> tuple[Axes, Axes]:
        """Draw a term of several values with its prediction at the best fit, and pulls on a second panel below.

        Parameters
        ----------
        term : str, optional
            The first one where it is not given.
        ax : two axes, optional
            Such as a column that `matplotlib.pyplot.subplots` gives.

        Raises
        ------
        UsageError
            Where there is no such term, or other than two axes are given.
        """
        outcome = self._outcome()
        known = outcome.series
        name = next(iter(known), None) if term is None else term
        if name is None or name not in known:
            near = _near([name], [*known])
            raise UsageError(f"data of {term!r}: terms of several values are: {', '.join(known) or 'none'}{near}")
        # Where no axes are given, the pulls stand below the data, on the same abscissa.
        given = plt.subplots(2, 1, sharex=True, height_ratios=(3, 1), layout="constrained")[1] if ax is None else ax
        panels = np.ravel(np.asarray(given, object)).tolist()
        if len(panels) != 2 or not all(isinstance(panel, Axes) for panel in panels):
            raise UsageError(
                "data: ax needs two axes, one for the data and one for their pulls, such as (above, below)"
            )
        above, below = panels
        draw_data(above, below, outcome, name, known[name])
        return above, below

    def pulls(self, ax: Axes | None = None) -> Axes:
        """Draw the pulls of constraints and of terms of one value.

        Raises
        ------
        UsageError
            Where there are none.
        """
        outcome = self._outcome()
        rows = pull_rows(outcome)
        if not len(rows):
            raise UsageError("pulls: no constraint and no term of one value; data() draws the others")
        panel = ax or _new()
        draw_pulls(panel, self._findings, outcome, rows)
        return panel

    def corner(self, ax: Sequence[Sequence[Axes]] | None = None) -> NDArray[np.object_]:
        """Draw profiles and maps of all scanned parameters as a triangle, on as many rows and columns of axes.

        Raises
        ------
        UsageError
            Where fewer than three are scanned.
        """
        n = len(self._findings.profiles.axes)
        if n < FEWEST:
            raise UsageError(f"corner: needs {FEWEST} scanned parameters or more; here: {self._listed}")
        # Texts of small panels are those of a report; all other style is the user's.
        with mpl.rc_context({key: STYLE[key] for key in ("font.size", "legend.fontsize")}):
            new = plt.subplots(n, n, figsize=(2.4 * n, 2.3 * n), layout="constrained")[1] if ax is None else ax
            panels = np.asarray(new, dtype=object)
            draw_corner(panels.tolist(), self._findings)
        return panels

    def _outcome(self) -> DataOutcome:
        outcome = DataOutcome.of(self._findings)
        if outcome is None:
            raise UsageError("this scan has no data, or no point with a χ²")
        return outcome

    @property
    def _scanned(self) -> list[str]:
        return [axis.name for axis in self._findings.profiles.axes]

    @property
    def _listed(self) -> str:
        return ", ".join(self._scanned) or "none"

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Raise a `UsageError` that names the figures."""
        raise UsageError(f"plot is not called itself; its methods draw: {', '.join(FIGURES)}")

    def __getattr__(self, name: str) -> NoReturn:
        # Whatever asks whether there is such an attribute expects this kind of error.
        raise AttributeError(f"plot has no {name!r}; it draws {', '.join(FIGURES)}{_near([name], FIGURES)}")


#: What a `Plot` draws.
FIGURES = tuple(name for name in vars(Plot) if not name.startswith("_"))


def _near(unknown: Sequence[object], known: Sequence[str]) -> str:
    """Suggest the known name that comes near to one that is not; "" where none does."""
    found = [get_close_matches(str(name)[:100], known, n=1) for name in unknown]
    return next((f"; did you mean {near[0]}?" for near in found if near), "")


def _new() -> Axes:
    axes: Axes = plt.subplots(layout="constrained")[1]
    return axes
