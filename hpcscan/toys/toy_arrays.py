"""From what toys say to what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from hpcscan.answer.answer_record import END_FLAGS, Kept
from hpcscan.arrays import BoolArray, IntArray
from hpcscan.distribution import level_of
from hpcscan.toys.construction import ToyFindings, ToyPlan
from hpcscan.toys.coverage import Covered
from hpcscan.toys.rounds import ONE_SIGMA, ToyTally, clopper_pearson
from hpcscan.toys.toy_regions import ToyEnd

_END = {meaning: value for value, meaning in END_FLAGS}


class ToyStatus(IntEnum):
    """What became of the toys of a point."""

    NOT_MADE = 0
    DECIDED = 1
    COMPLETE = 2
    FAILED = 3
    OPEN_RANGE = 4


#: Names of the values, as in a result file.
TOY_STATUS_FLAGS = tuple((int(status), status.name.lower()) for status in ToyStatus)
#: Whether a point is in a region.
IN_FLAGS = ((-1, "unknown"), (0, "outside"), (1, "inside"))


def arrays_of(found: ToyFindings, wanted: ToyPlan, names: Sequence[str]) -> dict[str, Kept]:
    """Turn what toys say into what is kept of it.

    Parameters
    ----------
    names : sequence of str
        The scanned parameters, in the order of the grid.
    """
    return {
        **_points(found, wanted),
        **_levels(found, wanted),
        **_range(found, names),
        **_goodness(found.goodness),
        **_intervals(found),
        **_coverage(found, wanted),
        **_made(found),
    }


def _points(found: ToyFindings, wanted: ToyPlan) -> dict[str, Kept]:
    tally, of = found.tally, ("point",)
    lower, upper = tally.p_ends
    what = "the model's own prediction" if wanted.is_asimov else "the data"
    return {
        "toy_status": Kept(of, _status(tally, wanted), "what became of the toys", None, TOY_STATUS_FLAGS),
        "toy_delta_chi2": Kept(of, found.t, f"chi2 of {what} minus that of the best fit in the range of the toys"),
        "toy_p_value": Kept(of, tally.p_value, "share of toys with at least this difference of chi2"),
        "toy_p_value_lower": Kept(of, lower, "lower end of toy_p_value, one standard deviation"),
        "toy_p_value_upper": Kept(of, upper, "upper end of toy_p_value, one standard deviation"),
        "n_toys": Kept(of, _whole(tally.n_toys), "number of toys"),
        "n_toys_failed": Kept(of, _whole(tally.n_failed), "number of toys whose fits failed"),
        "n_toys_negative": Kept(of, _whole(tally.n_negative), "number of toys whose released fit was higher"),
        "n_toys_lower": Kept(of, _whole(tally.n_lower), "number of toys for which a random start was lower"),
    }


def _status(tally: ToyTally, wanted: ToyPlan) -> IntArray:
    # From bad to good: no toys, no p (and why), decided early, all toys.
    is_whole = tally.n_toys >= wanted.n_toys
    status = np.where(is_whole, ToyStatus.COMPLETE, ToyStatus.DECIDED)
    status = np.where(tally.has_p, status, np.where(tally.is_open_ended, ToyStatus.OPEN_RANGE, ToyStatus.FAILED))
    return np.where(tally.n_toys > 0, status, ToyStatus.NOT_MADE).astype(np.int8)


def _levels(found: ToyFindings, wanted: ToyPlan) -> dict[str, Kept]:
    """List critical values, and the region of each level."""
    n_axes = max(len(found.frame.axes), 1)
    # Value, lower and upper end, for every point and level.
    critical = np.stack([np.stack(found.tally.critical(cl), axis=-1) for cl in wanted.cl], axis=1)
    # Where toys were made and have no p, nothing is said of the region.
    is_known = (found.tally.n_toys == 0) | found.tally.has_p
    is_in = [np.where(is_known & np.isfinite(found.t), found.is_in[cl], -1) for cl in wanted.cl]
    of, about = ("toy_level",), ("point", "toy_level")
    order = "from the order of the toys, one standard deviation"
    names = np.array([f"{cl:g}" for cl in wanted.cl], object)
    return {
        "toy_level_name": Kept(of, names, "name of the confidence level", None),
        "toy_cl": Kept(of, np.array(wanted.cl, float), "confidence level"),
        "toy_wilks_level": Kept(of, np.array([level_of(cl, n_axes) for cl in wanted.cl]), "delta chi2 after Wilks"),
        "toy_critical": Kept(about, critical[:, :, 0], "delta chi2 below which this share of the toys lies"),
        "toy_critical_lower": Kept(about, critical[:, :, 1], f"lower end of toy_critical, {order}"),
        "toy_critical_upper": Kept(about, critical[:, :, 2], f"upper end of toy_critical, {order}"),
        "toy_is_in": Kept(
            about, np.stack(is_in, axis=-1).astype(np.int8), "whether the point is in the region", None, IN_FLAGS
        ),
    }


def _range(found: ToyFindings, names: Sequence[str]) -> dict[str, Kept]:
    """List the values between which the scanned parameters were released."""
    of, frame = ("toy_axis",), found.frame
    if not frame.scanned:
        return {}
    lower, upper, best = (frame.natural(z)[list(frame.scanned)] for z in (frame.lower, frame.upper, found.best))
    ends = [[_END[getattr(frame.coordinates[k], f"{side}_end")] for k in frame.scanned] for side in ("lower", "upper")]
    return {
        "toy_axis_name": Kept(of, np.array([*names], object), "name of the scanned parameter", None),
        "toy_range_lower": Kept(of, lower, "from where it is released", ""),
        "toy_range_upper": Kept(of, upper, "to where it is released", ""),
        "toy_range_lower_end": Kept(of, np.array(ends[0], np.int8), "what that is", None, END_FLAGS),
        "toy_range_upper_end": Kept(of, np.array(ends[1], np.int8), "what that is", None, END_FLAGS),
        "toy_best_fit": Kept(of, best, "best fit in this range", ""),
    }


def _goodness(tally: ToyTally) -> dict[str, Kept]:
    (lower,), (upper,) = tally.p_ends
    return {
        "toy_goodness_of_fit": Kept((), np.array(tally.p_value[0]), "share of toys of the best fit with a larger chi2"),
        "toy_goodness_of_fit_lower": Kept((), np.array(lower), "lower end of it, one standard deviation"),
        "toy_goodness_of_fit_upper": Kept((), np.array(upper), "upper end of it, one standard deviation"),
    }


def _intervals(found: ToyFindings) -> dict[str, Kept]:
    """List all regions of the scanned parameter."""
    if not found.intervals:
        return {}
    of, about = ("toy_interval",), found.frame.coordinates[found.frame.scanned[0]]
    kept = {"toy_interval_cl": Kept(of, np.array([one.cl for one in found.intervals]), "confidence level")}
    for side in ("lower", "upper"):
        ends: list[ToyEnd] = [getattr(one, side) for one in found.intervals]
        # Relative to the value where the coordinate is its logarithm: δp = p δ(ln p).
        values = about.natural(np.array([end.value for end in ends]))
        errors = np.array([end.error for end in ends]) * (values if about.is_log else 1.0)
        kinds = np.array([_END[end.kind] for end in ends], np.int8)
        kept[f"toy_interval_{side}"] = Kept(of, values, f"{side} end", "")
        kept[f"toy_interval_{side}_error"] = Kept(of, errors, f"error of the {side} end by the number of toys", "")
        kept[f"toy_interval_{side}_end"] = Kept(of, kinds, f"why the {side} end is there", None, END_FLAGS)
    return kept


def _coverage(found: ToyFindings, wanted: ToyPlan) -> dict[str, Kept]:
    """Count the experiments whose regions contain the true values, by toys and after Wilks."""
    if not found.covered:
        return {}
    frame, of, about = found.frame, "toy_truth", ("toy_truth", "toy_level")
    n_axes, places = max(len(frame.axes), 1), np.stack([one.z for one in found.covered])
    levels = [level_of(cl, n_axes) for cl in wanted.cl]
    # The same experiments by both rules: the difference is that of the rules.
    by = {
        "toys": [[_share(one, one.p_value > 1 - cl) for cl in wanted.cl] for one in found.covered],
        "wilks": [[_share(one, one.t <= level) for level in levels] for one in found.covered],
    }
    n = [np.count_nonzero(_is_good(one)) for one in found.covered]
    kept = {
        "toy_truth_value": Kept((of, "toy_axis"), frame.natural(places)[:, list(frame.scanned)], "true values", ""),
        "n_experiments": Kept((of,), np.array(n, np.int64), "number of experiments there whose fits succeeded"),
    }
    for name, shares in by.items():
        values = np.array(shares, float)
        kept[f"coverage_{name}"] = Kept(about, values[..., 0], f"share of the regions that hold the truth, by {name}")
        kept[f"coverage_{name}_lower"] = Kept(about, values[..., 1], "lower end of it, one standard deviation")
        kept[f"coverage_{name}_upper"] = Kept(about, values[..., 2], "upper end of it, one standard deviation")
    return kept


def _made(found: ToyFindings) -> dict[str, Kept]:
    """Count all toys: most may be made elsewhere than at the points."""
    of, numbers = ("toy_use",), np.array([*found.n_made.values()], np.int64)
    return {
        "toy_use_name": Kept(of, np.array([*found.n_made], object), "for what toys were made", None),
        "n_toys_made": Kept(of, numbers, "number of toys in all, by what they were made for"),
    }


def _is_good(one: Covered) -> BoolArray:
    is_good: BoolArray = np.isfinite(one.t) & np.isfinite(one.p_value)
    return is_good


def _share(one: Covered, is_in: BoolArray) -> tuple[float, float, float]:
    """Count, with the binomial ends."""
    is_good = _is_good(one)
    k, n = int(np.count_nonzero(is_in & is_good)), max(int(np.count_nonzero(is_good)), 1)
    lower, upper = clopper_pearson(k, n, ONE_SIGMA)
    return k / n, float(lower), float(upper)


def _whole(values: IntArray) -> IntArray:
    return values.astype(np.int32)
