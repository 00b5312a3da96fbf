"""What may be said of a best fit: a value, intervals only, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from hpcscan.answer.around import Surroundings
from hpcscan.answer.crossing import TOLERANCE
from hpcscan.answer.fits import Fits
from hpcscan.answer.frame import Frame
from hpcscan.arrays import BoolArray

#: A level below this × the rounding of χ² is none.
ROUNDINGS = 1e3 * float(np.finfo(float).eps)
#: χ² that changes over the whole grid by less than this, or than this share of it, is flat.
FLAT, FLAT_RELATIVE = 1e-6, 1e-9

#: Minima so near in a coordinate, relative to its width, have one value of it.
AGREE = 1e-6


class Standing(IntEnum):
    """What a best fit is."""

    POINT = 0
    SEVERAL_POINTS = 1
    NOT_A_POINT = 2
    AT_GRID_END = 3
    FLAT = 4
    NOISE = 5
    NONE = 6


#: Names of the values, as in a result file.
STANDING_FLAGS = tuple((int(standing), standing.name.lower()) for standing in Standing)


@dataclass(frozen=True)
class Judgement:
    """What may be said, and why.

    Attributes
    ----------
    standing : Standing
    sentence : str
        Empty for a point.
    is_determined : bool array, shape (n_coordinates,)
        Parameters that have a value and an error.
    is_one_place : bool array, shape (n_coordinates,)
        Parameters in which all minima that are equally low agree.
    """

    standing: Standing
    sentence: str
    is_determined: BoolArray
    is_one_place: BoolArray

    @property
    def has_value(self) -> bool:
        """Whether the best fit is one place."""
        return self.standing == Standing.POINT

    @property
    def has_intervals(self) -> bool:
        """Whether levels are crossed where it means something."""
        return self.standing in {Standing.POINT, Standing.SEVERAL_POINTS, Standing.NOT_A_POINT}


def judge(frame: Frame, grid: Fits, minima: Fits, around: Surroundings, lowest_level: float) -> Judgement:
    """Decide what may be said of a best fit, refusals first.

    Parameters
    ----------
    frame : Frame
    grid : Fits
    minima : Fits
        The lowest first.
    around : Surroundings
        Of the lowest.
    lowest_level : float
        Of Δχ² that is asked for.
    """
    standing, sentence = _refusal(frame, grid, minima, around, lowest_level)
    equal = minima.z[minima.chi2 <= minima.chi2[0] + around.tie]
    is_one_place = (np.abs(equal - minima.z[0]) <= AGREE * frame.width).all(axis=0)
    return Judgement(standing, sentence, around.is_determined, np.asarray(is_one_place))


def _refusal(frame: Frame, grid: Fits, minima: Fits, around: Surroundings, lowest_level: float) -> tuple[Standing, str]:
    # One value without declared bounds is a parameter that is fixed.
    scanned, base = [k for k in frame.scanned if frame.lower[k] < frame.upper[k]], float(minima.chi2[0])
    determined = int(around.is_determined[scanned].sum() + around.is_held[scanned].sum())
    of_all = f"the data determine {determined} of {len(scanned)} scanned parameters"

    known = grid.chi2[np.isfinite(grid.chi2)]
    rise = float(known.max() - base) if len(known) else 0.0
    if scanned and len(known) > 1 and rise <= max(FLAT, FLAT_RELATIVE * abs(base)):
        return Standing.FLAT, f"chi2 is the same at all grid points (within {rise:.1g}): {of_all}"
    if outward := _outward(frame, minima, around):
        return Standing.AT_GRID_END, f"chi2 is lowest where the grid ends and falls outward: {outward}"
    if around.noise > TOLERANCE or lowest_level < ROUNDINGS * abs(base):
        return Standing.NOISE, f"chi2 is known to {around.noise:.1g} only: too coarse for a level of {lowest_level:g}"
    if determined < len(scanned):
        return Standing.NOT_A_POINT, f"the minimum is not a point: {of_all} there"
    # Places that differ along a direction that changes nothing are one.
    equal = minima.z[minima.chi2 <= base + around.tie][:, around.is_determined]
    steps = np.round((equal - equal[0]) / (AGREE * frame.width[around.is_determined]))
    n_equal = len(np.unique(steps, axis=0))
    if n_equal > 1:
        return Standing.SEVERAL_POINTS, f"{n_equal} places are equally low"
    return Standing.POINT, ""


def _outward(frame: Frame, minima: Fits, around: Surroundings) -> str:
    """Say how χ² falls beyond the ends of the grid that hold the best fit; empty where none does."""
    side, parts = frame.side(minima.z[0]), []
    for k in frame.scanned:
        about = frame.coordinates[k]
        kind = about.lower_end if side[k] < 0 else about.upper_end
        if side[k] and kind == "grid" and around.is_held[k]:
            fall = abs(around.gradient[k]) * about.width
            where = "lower" if side[k] < 0 else "upper"
            parts.append(f"{about.name} by {fall:.1e} per length of the axis at its {where} end")
    return ", ".join(parts)
