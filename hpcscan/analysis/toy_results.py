"""What toys say: read from the variables of a result, whether in memory or in a file, and put into words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hpcscan.analysis.fitted import Fitted, Region
from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.dataset.scan import ScanData
from hpcscan.distribution import level_of, survival
from hpcscan.words.numbers import count, place

#: Critical values are compared where there are at least this share of the most toys: elsewhere few sufficed.
SHARE_OF_TOYS = 0.25
#: A difference up to this × its error may be none; beyond the second one it is certain, at whichever of many points.
EXPLAINED, CERTAIN = 2.0, 3.0
#: A point with a smaller p is far outside every region, or with a share of what the largest level leaves outside.
FAR, SHARE_OF_OUTSIDE = 1e-3, 1 / 3
_ENDS = {"bound": "the bound", "grid": "the end of the grid", "hole": "a point without p"}


@dataclass(frozen=True)
class Comparison:
    """Critical values of one confidence level beside Wilks'.

    Attributes
    ----------
    lowest, highest : float
        Critical Δχ² over the points that are compared.
    n_points : int
        Of them: those far outside every region are not.
    worst, error : float
        The largest relative difference that is certain, or else the largest, and its error by the number of toys.
    at : int
        Where it is.
    n_in, n_in_wilks : int
        Points of the region, by toys and by Wilks' level.
    """

    cl: float
    wilks: float
    lowest: float
    highest: float
    n_points: int
    worst: float
    error: float
    at: int
    n_in: int
    n_in_wilks: int

    def is_right(self, most: float) -> bool:
        """Whether Wilks' level is right to this relative difference, or as far as the toys can tell."""
        return abs(self.worst) <= max(most, EXPLAINED * self.error)

    def is_told(self, most: float) -> bool:
        """Whether there are toys enough to tell such a difference."""
        return self.error <= most


@dataclass(frozen=True)
class Toys:
    """What toys say."""

    scan: ScanData

    @classmethod
    def of(cls, scan: ScanData) -> Toys | None:
        """Return the toys of a scan; None where none were asked for."""
        return cls(scan) if scan.text("hpcscan_toys") else None

    @property
    def refusal(self) -> str:
        """Why there are none; "" where there are."""
        return self.scan.text("hpcscan_toys_refused")

    @cached_property
    def cl(self) -> tuple[float, ...]:
        """Confidence levels."""
        return tuple(np.asarray(self.scan.variables["toy_cl"].values, float).tolist())

    @cached_property
    def wilks(self) -> Array:
        """Δχ² after Wilks, by confidence level."""
        return np.asarray(self.scan.variables["toy_wilks_level"].values, float)

    @cached_property
    def p_value(self) -> Array:
        """By point."""
        return np.asarray(self.scan.at_points("toy_p_value"), float)

    @property
    def p_values(self) -> tuple[Array, Array, Array]:
        """P by point, and its ends."""
        value, lower, upper = (
            np.asarray(self.scan.at_points(f"toy_p_value{end}"), float) for end in ("", "_lower", "_upper")
        )
        return value, lower, upper

    @cached_property
    def delta_chi2(self) -> Array:
        """Of the data by point, in the range of the toys."""
        return np.asarray(self.scan.at_points("toy_delta_chi2"), float)

    @cached_property
    def n_toys(self) -> IntArray:
        """By point."""
        return np.asarray(self.scan.at_points("n_toys"), np.int64)

    @cached_property
    def n_made(self) -> dict[str, int]:
        """Number of toys by what they were made for."""
        names = self.scan.labels("toy_use")
        return dict(zip(names, np.asarray(self.scan.variables["n_toys_made"].values).tolist(), strict=True))

    def critical(self, number: int) -> tuple[Array, Array, Array]:
        """Critical Δχ² of a confidence level by point, and its ends."""
        names = ("toy_critical", "toy_critical_lower", "toy_critical_upper")
        value, lower, upper = (np.asarray(self.scan.at_points(name), float)[:, number] for name in names)
        return value, lower, upper

    def is_in(self, number: int) -> IntArray:
        """Return for every point whether it is in the region: 1, 0, or −1 where that is not known."""
        return np.asarray(self.scan.at_points("toy_is_in"), np.int64)[:, number]

    @property
    def goodness(self) -> tuple[float, float, float]:
        """P of the best fit, and its ends; NaN where it has as many parameters as data, and repeats them."""
        fitted = Fitted.of(self.scan)
        if fitted is not None and fitted.n_dof == 0:
            return np.nan, np.nan, np.nan
        names = ("", "_lower", "_upper")
        p, lower, upper = (float(self.scan.variables[f"toy_goodness_of_fit{name}"].values) for name in names)
        return p, lower, upper

    def regions(self, cl: float) -> list[Region] | None:
        """List the intervals of the one scanned parameter; None where this level was not asked for."""
        if cl not in self.cl:
            return None
        # Intervals are there for one scanned parameter alone.
        if not self.scan.has("toy_interval_cl"):
            return []
        variables = self.scan.variables
        rows = np.flatnonzero(np.asarray(variables["toy_interval_cl"].values) == cl).tolist()

        def end(side: str, row: int) -> tuple[float, str, float]:
            kind = variables[f"toy_interval_{side}_end"]
            value, error = (float(variables[f"toy_interval_{side}{name}"].values[row]) for name in ("", "_error"))
            return value, kind.flags[int(kind.values[row])], error

        ends = [(end("lower", row), end("upper", row)) for row in rows]
        return [Region(low[0], up[0], low[1], up[1], low[2], up[2]) for low, up in ends]

    @cached_property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Compare the critical values with Wilks' levels; without a level at which no point has one."""
        found = (self._compared(number) for number in range(len(self.cl)))
        return tuple(one for one in found if one is not None)

    def _compared(self, number: int) -> Comparison | None:
        value, lower, upper = self.critical(number)
        is_known: BoolArray = np.isfinite(value) & ~self._is_far
        if not is_known.any():
            return None
        wilks = float(self.wilks[number])
        # The toys' own spread is small where chance left out the high ones; if Wilks were right there is his, too.
        with np.errstate(invalid="ignore"):
            off, own = value / wilks - 1, np.maximum(upper - value, value - lower) / wilks
        error = np.maximum(own, self._spread_of_wilks(number))

        # Where few toys sufficed a value counts if it is beyond its error for certain.
        is_sure = is_known & (np.abs(off) > CERTAIN * error)
        is_best = is_known & (self.n_toys >= SHARE_OF_TOYS * self.n_toys[is_known].max())
        points = np.flatnonzero(is_best | is_sure)
        weight = np.where(is_sure, np.abs(off) - CERTAIN * error, 0.0)
        at = int(np.argmax(weight)) if is_sure.any() else int(points[np.argmax(np.abs(off[points]))])
        return Comparison(
            self.cl[number],
            wilks,
            float(value[points].min()),
            float(value[points].max()),
            len(points),
            float(off[at]),
            float(error[at]),
            at,
            int(np.count_nonzero(self.is_in(number) == 1)),
            int(np.count_nonzero(self.delta_chi2 < wilks)),
        )

    @cached_property
    def _is_far(self) -> BoolArray:
        """Return which points are so far outside every region, by toys and after Wilks, that no level decides."""
        most = min(FAR, SHARE_OF_OUTSIDE * (1 - max(self.cl)))
        after_wilks = np.array([survival(t, self._n_scanned) if np.isfinite(t) else 1.0 for t in self.delta_chi2])
        # The first toys tell no more than that none was so large.
        by_toys = self.p_value <= np.maximum(most, 1 / (self.n_toys + 1))
        is_far: BoolArray = by_toys & (after_wilks < most)
        return is_far

    @property
    def _n_scanned(self) -> int:
        return max(sum(len(axis.values) > 1 for axis in self.scan.grid.axes), 1)

    def _spread_of_wilks(self, number: int) -> Array:
        """Return the relative error that a critical value would have by the number of toys if Wilks were right."""
        cl, n_parameters = self.cl[number], self._n_scanned
        level, spread = level_of(cl, n_parameters), np.full(len(self.n_toys), np.nan)
        for n in np.unique(self.n_toys[self.n_toys > 0]).tolist():
            # The share of n toys below a level has the error √(cl (1 − cl)/n): the level moves with its quantile.
            step = float(np.sqrt(cl * (1 - cl) / n))
            ends = [level_of(share, n_parameters) if 0 < share < 1 else np.inf for share in (cl - step, cl + step)]
            spread[self.n_toys == n] = max(abs(end - level) for end in ends if np.isfinite(end)) / level
        return spread

    @property
    def has_wrong_points(self) -> str:
        """Describe how many points have no p, and why; "" where all have."""
        variable = self.scan.variables["toy_status"]
        status = np.asarray(variable.values).ravel()
        texts = {
            "failed": "more than 1 % of the toys failed",
            "open_range": "more than 1 % of the toys have their best fit at the end of the range",
        }
        numbers = {meaning: int(np.count_nonzero(status == value)) for value, meaning in variable.flags.items()}
        parts = [f"{count(numbers[name], 'point')}: {text}" for name, text in texts.items() if numbers.get(name)]
        return "; ".join(parts)


def comparison_text(one: Comparison, toys: Toys, most: float) -> str:
    """Format whether Wilks' level is right."""
    span = f"{one.lowest:.3g}" if one.lowest == one.highest else f"{one.lowest:.3g} to {one.highest:.3g}"
    head = f"at {100 * one.cl:g} % the critical delta chi2 is {span} at {count(one.n_points, 'point')}, "
    head += f"{one.wilks:.3g} after Wilks"
    error = f"{100 * one.error:.2g} %" if np.isfinite(one.error) else "unknown: too few toys"
    if one.is_right(most) and not one.is_told(most):
        wanted = f"whether Wilks is right to {100 * most:.2g} %"
        return f"{head}: too few toys to tell {wanted} (error by their number {error})"
    if one.is_right(most):
        return f"{head}: Wilks is right here to {100 * abs(one.worst):.2g} % (error by the number of toys {error})"
    where = place(toys.scan.grid, one.at)
    return f"{head}: Wilks is wrong by up to {_signed(one.worst)} (error {error}), at {where}"


def _signed(share: float) -> str:
    return f"{100 * share:+.2g} %".replace("-", "−")


def toys_text(toys: Toys, most: float) -> str:
    """Format what toys say of levels, goodness of fit and points without p, in one sentence."""
    if toys.refusal:
        return f"No toys: {toys.refusal}."
    p, lower, upper = toys.goodness
    parts = [comparison_text(one, toys, most) for one in toys.comparisons]
    if np.isfinite(p):
        parts.append(f"goodness of fit by toys: p = {p:.2g} ({lower:.2g} to {upper:.2g})")
    if wrong := toys.has_wrong_points:
        parts.append(f"no p at {wrong}")
    head = _made_text(toys)
    return f"{head}: {'; '.join(parts)}." if parts else f"{head}."


def _made_text(toys: Toys) -> str:
    """Format how many toys there are, and for what."""
    uses = {name: n for name, n in toys.n_made.items() if n}
    n, n_points = sum(uses.values()), int(np.count_nonzero(toys.n_toys))
    places = {"points": count(n_points, "point"), "best fit": "the best fit", "experiments": "simulated experiments"}
    parts = [
        f"{n_use:,} {'in' if name == 'experiments' else 'at'} {places.get(name, name)}" for name, n_use in uses.items()
    ]
    return f"{n:,} toys, {', '.join(parts)}" if n else "Toys"


def region_texts(toys: Toys) -> list[str]:
    """Write the regions of fixed coverage, one line for each confidence level."""
    axes = toys.scan.grid.axes
    if len(axes) == 1:
        return [f"{axes[0].name} at {level}: {text}" for level, text in interval_texts(toys)]
    return [f"region at {100 * cl:g} % by toys: {_set_text(toys, k)}" for k, cl in enumerate(toys.cl) if axes]


def _set_text(toys: Toys, number: int) -> str:
    """Format how many points are in a region of several parameters, and how far they reach."""
    is_in = toys.is_in(number) == 1
    after_wilks = f"{np.count_nonzero(toys.delta_chi2 < toys.wilks[number]):,} after Wilks"
    if not is_in.any():
        return f"no point of the grid, whose steps are larger than it ({after_wilks})"
    axes = toys.scan.grid.axes
    inside = toys.scan.grid.points(np.flatnonzero(is_in))
    reach = [
        f"{axis.name} = {x.min():g}" + f" to {x.max():g}" * bool(np.ptp(x))
        for axis, x in zip(axes, inside.T, strict=True)
    ]
    return f"{count(int(is_in.sum()), 'point')} of the grid ({after_wilks}): {', '.join(reach)}"


def interval_texts(toys: Toys) -> list[tuple[str, str]]:
    """Write the regions of the one scanned parameter: pairs of level and result."""
    found = ((cl, toys.regions(cl) or []) for cl in toys.cl)
    return [
        (
            f"{100 * cl:g} % by toys",
            " and ".join(f"{_end(one, 'lower')} to {_end(one, 'upper')}" for one in regions) or "none",
        )
        for cl, regions in found
    ]


def _end(one: Region, side: str) -> str:
    value, kind, error = (getattr(one, f"{side}{name}") for name in ("", "_end", "_error"))
    if kind != "crossed":
        return f"{value:.6g} ({_ENDS[kind]})"
    digits = max(0, 1 - int(np.floor(np.log10(error)))) if error > 0 else 6
    return f"{value:.{digits}f} ± {error:.1g}"
