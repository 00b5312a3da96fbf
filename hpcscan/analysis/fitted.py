"""The answer of a scan as it was fitted: read from the variables of a result, whether in memory or in a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from hpcscan.analysis.interval import End, Interval
from hpcscan.arrays import Array
from hpcscan.dataset.scan import ScanData

#: The `standing` of a best fit that is one place.
POINT = "point"
#: Where levels are crossed in a way that means something.
WITH_INTERVALS = (POINT, "several_points", "not_a_point")
SIDES = ("lower", "upper")
#: What an end is called where the grid is all that is known.
_REASONS = {"crossed": "crossed", "bound": "bound", "grid": "edge", "hole": "hole"}


@dataclass(frozen=True)
class Region:
    """A stretch of a parameter in which Δχ² stays below a level, after minimising over all others.

    Attributes
    ----------
    lower, upper : float
        Where the level is not reached, the bound or the end of the grid at which that is so; NaN where nothing was
        fitted.
    lower_end, upper_end : {"crossed", "bound", "grid", "hole"}
        Why the region ends there: at the level, at a declared bound, with the grid, or at a point without χ².
    lower_error, upper_error : float
        Numerical errors of the ends.
    lower_held, upper_held : str
        Another parameter that rests on an end of the grid there; "" where none does.
    """

    lower: float
    upper: float
    lower_end: str
    upper_end: str
    lower_error: float
    upper_error: float
    lower_held: str = ""
    upper_held: str = ""

    @property
    def ends(self) -> tuple[End, End]:
        """Both ends as texts take them; a level that is not reached has no value."""
        lower, upper = (
            End(value if kind == "crossed" else nan, error, _REASONS[kind])
            for value, error, kind in (
                (self.lower, self.lower_error, self.lower_end),
                (self.upper, self.upper_error, self.upper_end),
            )
        )
        return lower, upper

    def as_interval(self, level: float, others: Sequence[Region]) -> Interval:
        """Return it, beside other regions, as texts take it."""
        return Interval(level, *self.ends, len(others), tuple(other.ends for other in others))


@dataclass(frozen=True)
class Line:
    """One line of a contour.

    Attributes
    ----------
    points : array, shape (n, 2)
    error : float
        Largest |Δχ² − level| at the middles of its arcs.
    """

    points: Array
    is_closed: bool
    error: float
    is_resolved: bool


@dataclass(frozen=True)
class Fitted:
    """What was fitted after the grid."""

    scan: ScanData

    @classmethod
    def of(cls, scan: ScanData) -> Fitted | None:
        """Return the answer of a scan; None where there is none."""
        return cls(scan) if scan.has("best_fit_chi2") else None

    @property
    def chi2(self) -> float:
        """χ² of the best fit."""
        return float(self._values("best_fit_chi2"))

    @property
    def evidence(self) -> str:
        """Why it is the lowest: "none", "unique" (the only minimum near), "agreed" or "proven"."""
        variable = self.scan.variables["best_fit_evidence"]
        return variable.flags[int(variable.values)]

    @property
    def is_supported(self) -> bool:
        """Whether it is known to be the lowest, as far as starts agree or a proof says."""
        return self.evidence in {"agreed", "proven"}

    @property
    def doubt(self) -> str:
        """What is said of a best fit that nothing supports."""
        within = float(self._values("best_fit_unique_within"))
        near = f", but shown to be the only minimum within {within:g} standard deviations" if within > 0 else ""
        return f"neither proven nor agreed on{near}"

    @property
    def n_dof(self) -> int:
        """Degrees of freedom; 0 where χ² has no distribution."""
        return int(self._values("n_dof"))

    @property
    def standing(self) -> str:
        """What the best fit is."""
        variable = self.scan.variables["best_fit_standing"]
        return variable.flags[int(variable.values)]

    @property
    def sentence(self) -> str:
        """What is not said, and why; empty where everything is."""
        return str(self.scan.variables["best_fit_standing"].attributes.get("comment", ""))

    @property
    def has_value(self) -> bool:
        """Whether the best fit is one place."""
        return self.standing == POINT

    @property
    def has_intervals(self) -> bool:
        """Whether levels are crossed where it means something."""
        return self.standing in WITH_INTERVALS

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters, scanned and profiled, and scales."""
        return self.scan.labels("fitted")

    @property
    def values(self) -> dict[str, float]:
        """Where χ² is lowest; NaN where a parameter has no value."""
        return self._by_name("best_fit_value")

    @property
    def errors(self) -> dict[str, tuple[float, float]]:
        """Distances down (negative) and up to where Δχ² = 1; NaN where that is not reached."""
        lower, upper = self._by_name("best_fit_error_lower"), self._by_name("best_fit_error_upper")
        return {name: (lower[name], upper[name]) for name in self.names}

    @property
    def error_ends(self) -> dict[str, tuple[str, str]]:
        """Why the errors end there: "crossed", "bound", "grid" or "hole"; "none" where nothing was looked for."""
        lower, upper = ([self._flag(f"best_fit_error_{side}_end", k) for k in range(len(self.names))] for side in SIDES)
        return dict(zip(self.names, zip(lower, upper, strict=True), strict=True))

    @property
    def undetermined(self) -> tuple[str, ...]:
        """Parameters and scales that the data leave open at the best fit."""
        is_determined = np.asarray(self._values("best_fit_is_determined"), bool)
        return tuple(name for name, known in zip(self.names, is_determined.tolist(), strict=True) if not known)

    @property
    def pulls(self) -> Array:
        """Pulls of the observables at the best fit."""
        return np.asarray(self._values("best_fit_pull"), float)

    @property
    def covariance(self) -> Array:
        """Covariance of everything fitted, in the order of `names`."""
        return np.asarray(self._values("best_fit_covariance"), float)

    def regions(self, name: str, cl: float) -> list[Region] | None:
        """All regions of a scanned parameter; None where this level is not stored."""
        if not self.has_intervals:
            return []
        chosen = self._chosen("interval", cl, interval_parameter=name)
        return None if chosen is None else [self._region(row) for row in chosen]

    def _region(self, row: int) -> Region:
        lower, upper = (float(self._values(f"interval_{side}")[row]) for side in SIDES)
        errors = (float(self._values(f"interval_{side}_error")[row]) for side in SIDES)
        kinds = (self._flag(f"interval_{side}_end", row) for side in SIDES)
        numbers = (int(self._values(f"interval_{side}_held")[row]) for side in SIDES)
        # No parameter rests on an end of the grid where the number is negative.
        held = ("" if number < 0 else self.names[number] for number in numbers)
        (lower_end, upper_end), (lower_error, upper_error) = kinds, errors
        return Region(lower, upper, lower_end, upper_end, lower_error, upper_error, *held)

    def lines(self, first: str, second: str, cl: float) -> list[Line] | None:
        """All lines of two scanned parameters, x the first one; None where this level is not stored."""
        if not self.has_intervals:
            return []
        chosen = self._chosen("contour", cl, contour_first=first, contour_second=second)
        # A pair of parameters is stored in one order, which need not be the one that is asked for.
        turned = self._chosen("contour", cl, contour_first=second, contour_second=first)
        if chosen is None or turned is None:
            return None
        return [*(self._line(row, 1) for row in chosen), *(self._line(row, -1) for row in turned)]

    @property
    def every_line(self) -> list[tuple[tuple[str, str], Line]]:
        """All lines of all levels, each with its two parameters."""
        if not self.scan.has("contour_cl") or not self.has_intervals:
            return []
        return [
            ((self._flag("contour_first", row), self._flag("contour_second", row)), self._line(row, 1))
            for row in range(len(self._values("contour_cl")))
        ]

    def _line(self, row: int, turn: int) -> Line:
        # Vertices of all lines stand in one ragged list, each with the number of its line.
        of_line = np.asarray(self._values("contour_line")) == row
        points = np.stack([self._values("contour_x")[of_line], self._values("contour_y")[of_line]], axis=1)
        is_closed = self._flag("contour_begin", row) == "none"
        is_resolved = bool(self._values("contour_is_resolved")[row])
        return Line(points[:, ::turn], is_closed, float(self._values("contour_error")[row]), is_resolved)

    def levels(self, of: str) -> tuple[float, ...]:
        """Return the stored confidence levels of "interval" or "contour"."""
        name = f"{of}_cl"
        return tuple(np.unique(self._values(name)).tolist()) if self.scan.has(name) else ()

    def _chosen(self, of: str, cl: float, **names: str) -> Iterator[int] | None:
        """Find the rows of a level with these names; None where nothing has this level."""
        if cl not in self.levels(of):
            return None
        chosen = np.asarray(self._values(f"{of}_cl")) == cl
        for variable, name in names.items():
            # Names stand in a file as numbers with their meanings (CF flags).
            meant = [value for value, meaning in self.scan.variables[variable].flags.items() if meaning == name]
            chosen &= np.isin(self._values(variable), meant)
        return iter(np.flatnonzero(chosen).tolist())

    def _flag(self, name: str, row: int) -> str:
        variable = self.scan.variables[name]
        return variable.flags[int(variable.values[row])]

    def _by_name(self, name: str) -> dict[str, float]:
        return dict(zip(self.names, np.asarray(self._values(name), float).tolist(), strict=True))

    def _values(self, name: str) -> Array:
        return np.asarray(self.scan.variables[name].values)
