"""Numbers, values, places and ranges in words, with no more digits than are known."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from math import floor, isfinite, log10

import numpy as np

from hpcscan.arrays import Array
from hpcscan.grid import Grid, place_text
from hpcscan.tolerance import TIE_ABSOLUTE

#: χ² is compared with a relative tolerance of 1e-9.
CHI2_DIGITS = 8

#: Digits of a number without an error, of a coordinate that needs no more, and all that a float has.
MOST_DIGITS, COORDINATE_DIGITS, FLOAT_DIGITS = 8, 6, 15
#: A power behind the name of a unit, as m3, s-2, m^3 or s**-2.
_POWER = re.compile(r"(?<=[^\W\d_])(?:\^|\*\*)?(-?\d+)\b")
#: A factor in front of a unit, as 1e-3.
_FACTOR = re.compile(r"^1[eE]([+-]?)0*(\d+)\b")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def chi2_text(chi2: float) -> str:
    """Write a χ²; what is below the tie tolerance is not told apart from zero."""
    # A −2 ln L may be negative.
    return f"< {TIE_ABSOLUTE:g}" if abs(chi2) < TIE_ABSOLUTE else f"{chi2:.{CHI2_DIGITS}g}"


def equals(chi2: float) -> str:
    """Write a χ² as the end of an equation."""
    text = chi2_text(chi2)
    return text if text.startswith("<") else f"= {text}"


def duration(seconds: float) -> str:
    """Write a time: 0.12 s, 48 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(n_bytes: float) -> str:
    """Write a number of bytes: 12.0 kB, 3.4 MB."""
    units = ("B", "kB", "MB", "GB", "TB")
    power = 0
    # From 999.5 on, three digits would be written as 1e+03.
    while n_bytes >= 999.5 and power < len(units) - 1:
        n_bytes, power = n_bytes / 1000, power + 1
    return f"{_three_digits(n_bytes)} {units[power]}"


def rate(n: float, seconds: float) -> str:
    """Write how many things a second: 0.0123, 62.1, 12,345."""
    return _three_digits(n / max(seconds, 1e-9))


def _three_digits(value: float) -> str:
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def count(n: int, noun: str) -> str:
    """Write a number of things: 1 point, 12,000 points."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def probability(p: float) -> str:
    """Write a probability to two digits; near one, to two digits of what is left to it."""
    if not 0.995 <= p < 1:
        return f"{p:.2g}"
    # Nearer to one than this, a sum of rounded numbers knows no more.
    return f"{p:.{1 - floor(log10(1 - p))}f}" if 1 - p >= 1e-9 else "1"


def rounded(value: float, error: float) -> str:
    """Write a value down to the second digit of its error."""
    if not isfinite(value):
        return "not known"
    if not (isfinite(error) and error > 0):
        return f"{value:.{MOST_DIGITS}g}"
    places = 1 - floor(log10(error))
    if places < -MOST_DIGITS or min(places, -floor(log10(abs(value))) if value else places) > 2 * MOST_DIGITS:
        return _scientific(value, error)
    most = FLOAT_DIGITS - 1 - floor(log10(abs(value))) if value else places
    places = min(places, most)
    # Adding zero leaves no minus sign at a zero.
    return f"{round(value, places) + 0.0:,.{max(places, 0)}f}"


def rounded_up(error: float) -> str:
    """Write what an error is at most, with one digit: rounded up, so that what is written covers it."""
    text = f"{error:.1g}"
    if not isfinite(error) or float(text) >= error:
        return text
    return f"{float(text) + 10.0 ** floor(log10(error)):.1g}"


def rounded_ends(value: float, down: float, up: float, error: float = 0.0) -> tuple[str, str, str, str]:
    """Write a value, its distances up and down, and their mean, to two digits of the width but none below an error."""
    width = (up + down) / 2
    value_text, above, below, symmetric = (
        rounded(number, max(error, width / 5)) for number in (value, up, down, width)
    )
    # The errors beside it have a minus sign, and no hyphen.
    return value_text.replace("-", "−", 1) if value_text.startswith("-") else value_text, above, below, symmetric


def with_errors(value: float, lower: float, upper: float, ends: tuple[str, str] = ("", "")) -> str:
    """Write a value with its errors, the lower one negative; where an error is not known, that is said, and why."""
    if not isfinite(value):
        return "not determined"
    if not (isfinite(lower) or isfinite(upper)):
        if ends == ("bound", "bound"):
            return f"{value:.6g}, both of its bounds nearer than the error"
        return f"{value:.6g}, error not known on either side"
    if not (isfinite(lower) and isfinite(upper)):
        known, sign, side, end = (upper, "+", "below", ends[0]) if isfinite(upper) else (-lower, "−", "above", ends[1])
        why = {"bound": "its bound is nearer", "grid": "the grid ends", "hole": "points are missing"}.get(
            end, "not known"
        )
        return f"{rounded(value, known)} {sign}{rounded(known, known)}, {side}: {why}"
    text, above, below, symmetric = rounded_ends(value, -lower, upper)
    return f"{text} ± {symmetric}" if above == below else f"{text} +{above} −{below}"


def _scientific(value: float, error: float) -> str:
    """Write a value whose zeros nobody would count as a mantissa and a power of ten."""
    power = int(f"{value:.1e}".partition("e")[2]) if value else 0
    digits = power - floor(log10(error)) + 1
    return f"{value:.{min(digits, FLOAT_DIGITS - 1)}e}" if value and digits >= 0 else "0"


def with_unit(text: str, unit: str) -> str:
    """Add a unit, if there is one; what has several numbers stands in brackets before a power of ten."""
    if _FACTOR.match(unit):
        name, equal, value = text.rpartition(" = ")
        value = f"({value})" if " " in value else value
        return f"{name}{equal}{value} × {typeset(unit)}"
    return f"{text} {typeset(unit)}" if unit else text


def typeset(unit: str) -> str:
    """Write the powers of a unit as such: m s-2 is m s⁻², 1e-3 eV2 is 10⁻³ eV²."""
    factor = _FACTOR.match(unit)
    if factor:
        power = (factor[1].strip("+") + factor[2]).translate(_SUPERSCRIPTS)
        return f"10{power}{typeset(unit[factor.end() :])}"
    return _POWER.sub(lambda found: found[1].translate(_SUPERSCRIPTS), unit)


def in_unit(label: str, unit: str) -> str:
    """Write a label with its unit in brackets, if there is one, as axes do."""
    unit = "" if unit == "1" else unit
    return f"{label} ({typeset(unit)})" if unit else label


def place(grid: Grid, index: int) -> str:
    """Write the coordinates of a grid point, with digits enough to tell it from its neighbours."""
    values = grid.points([index])[0].tolist()
    texts = [_coordinate(value, axis.values) for axis, value in zip(grid.axes, values, strict=True)]
    return place_text((axis.name for axis in grid.axes), texts) or "the only point, with nothing scanned"


def _coordinate(value: float, on_axis: Sequence[float]) -> str:
    """Write a coordinate to at least a hundredth of the smallest step beside it."""
    step = min((abs(other - value) for other in _neighbours(value, on_axis)), default=0.0)
    digits = 3 + floor(log10(abs(value))) - floor(log10(step)) if value and step else COORDINATE_DIGITS
    return f"{value:.{min(FLOAT_DIGITS, max(COORDINATE_DIGITS, digits))}g}"


def _neighbours(value: float, on_axis: Sequence[float]) -> Sequence[float]:
    k = bisect_left(on_axis, value)
    return [*on_axis[max(k - 1, 0) : k], *on_axis[k + 1 : k + 2]]


def corner(edges: Sequence[tuple[str, str]]) -> str:
    """Format the edges at which a point lies."""
    return " and ".join(f"the {side} end of {axis}" for axis, side in edges)


def spread(values: Array, digits: int = 4) -> str:
    """Write one value, or the range of several."""
    known = values[np.isfinite(values)]
    if not len(known):
        return "–"
    low, high = f"{known.min():.{digits}g}", f"{known.max():.{digits}g}"
    return low if low == high else f"{low} to {high}"
