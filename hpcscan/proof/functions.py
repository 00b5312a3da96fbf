"""The table of elementary functions: ranges over intervals of the function and of its derivative, and their errors.

Ends are computed by numpy's own function (or by scipy's, which arrives as an object and is known by its name), whose
error is counted in units in the last place and, where it has zeros of its own, absolutely. The margins are at least
twice what numpy and scipy promise or what was found against mpmath.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcscan.arrays import Array
from hpcscan.proof.intervals import ULP, Pair, add, magnitude, multiply, negate, outward, reciprocal, square

#: A function as numpy or scipy computes it.
Computed = Callable[[Array], Any]


@dataclass(frozen=True)
class Function:
    """One function of one variable.

    Attributes
    ----------
    reach : callable
        (f, lower, upper) to the ends of the range, as computed.
    slope : callable
        Interval to the interval of the derivative (everywhere in it; of both sides at a kink).
    low, high : float
        Ends of the domain; the function is undefined outside.
    ulps, absolute : float
        Margin of the ends of the range.
    cap : tuple of float
        What the function never leaves, exactly.
    curvature : callable, optional
        Interval to the interval of the second derivative; nothing is known of it otherwise.
    """

    reach: Callable[[Computed, Array, Array], Pair]
    slope: Callable[[Pair], Pair]
    low: float = -np.inf
    high: float = np.inf
    ulps: float = 4.0
    absolute: float = 0.0
    cap: tuple[float, float] = (-np.inf, np.inf)
    curvature: Callable[[Pair], Pair] = lambda x: (np.full_like(x[0], -np.inf), np.full_like(x[0], np.inf))

    def range(self, f: Computed, x: Pair) -> Pair:
        """Enclose the range over the part of an interval that is inside the domain."""
        x = self.inside(x)
        lower, upper = outward(*self.reach(f, *x), ulps=self.ulps, absolute=self.absolute)
        return np.maximum(lower, self.cap[0]), np.minimum(upper, self.cap[1])

    def derivative(self, x: Pair) -> Pair:
        """Enclose the derivative over an interval; the whole line where the interval leaves the domain."""
        return self._inside_only(x, self.slope(self.inside(x)))

    def second_derivative(self, x: Pair) -> Pair:
        """Enclose the second derivative over an interval; the whole line where the interval leaves the domain."""
        return self._inside_only(x, self.curvature(self.inside(x)))

    def _inside_only(self, x: Pair, pair: Pair) -> Pair:
        lower, upper = pair
        if np.isfinite((self.low, self.high)).any() and (leaves := (x[0] < self.low) | (x[1] > self.high)).any():
            return np.where(leaves, -np.inf, lower), np.where(leaves, np.inf, upper)
        return lower, upper

    def inside(self, x: Pair) -> Pair:
        """Cut off what is outside the domain."""
        if np.isinf(self.low) and np.isinf(self.high):
            return x
        return np.clip(x[0], self.low, self.high), np.clip(x[1], self.low, self.high)


def _rising(f: Computed, a: Array, b: Array) -> Pair:
    return f(a), f(b)


def _falling(f: Computed, a: Array, b: Array) -> Pair:
    return f(b), f(a)


def _even(f: Computed, a: Array, b: Array) -> Pair:
    """Return the range of a function that rises with |x|."""
    low, high = magnitude((a, b))
    return f(low), f(high)


def _wave(f: Computed, a: Array, b: Array, top: float) -> Pair:
    """Return the range of a function with maxima at top + 2πk and minima half a period further.

    An extremum is counted where the interval, widened by 1e-12 (1 + |x|), contains it: the rounding of x/2π and of π
    is below 1e-15 (1 + |x|). Beyond 1e9 the widening would no longer be small, and the whole range is returned.
    """
    margin = 1e-12 * (1 + np.maximum(np.abs(a), np.abs(b)))
    is_wide = ~(b - a < 2 * np.pi) | ~(margin < 1e-3)
    first, last = (a - margin - top) / (2 * np.pi), (b + margin - top) / (2 * np.pi)
    has_top = is_wide | (np.floor(last) > np.floor(first))
    has_bottom = is_wide | (np.floor(last - 0.5) > np.floor(first - 0.5))
    x, y = f(a), f(b)
    return np.where(has_bottom, -1.0, np.fmin(x, y)), np.where(has_top, 1.0, np.fmax(x, y))


def _constant(lower: float, upper: float) -> Callable[[Pair], Pair]:
    return lambda x: (np.full_like(x[0], lower), np.full_like(x[0], upper))


def _plus_one(x: Pair) -> Pair:
    return add(x, (np.ones_like(x[0]), np.ones_like(x[0])))


def _one_minus(x: Pair) -> Pair:
    return _plus_one(negate(x))


def _sqrt(x: Pair) -> Pair:
    lower, upper = outward(np.sqrt(np.maximum(x[0], 0)), np.sqrt(np.maximum(x[1], 0)))
    return np.maximum(lower, 0.0), upper


def _times(x: Pair, factor: float) -> Pair:
    """Multiply by a constant that is itself rounded: two more units."""
    k = np.full_like(x[0], factor)
    return outward(*multiply(x, (k, k)), ulps=2.0)


def _of(name: str) -> Callable[[Pair], Pair]:
    """Return the range of a function of the table, computed by numpy."""
    return lambda x: FUNCTIONS[name].range(getattr(np, name), x)


def _positive(slope: Callable[[Pair], Pair]) -> Callable[[Pair], Pair]:
    """Return a slope that is not negative."""

    def clipped(x: Pair) -> Pair:
        lower, upper = slope(x)
        return np.maximum(lower, 0.0), upper

    return clipped


def _bell(x: Pair, factor: float, width: float) -> Pair:
    """Enclose factor · exp(−width x²)."""
    return _times(_of("exp")(_times(square(x), -width)), factor)


def _logistic_slope(x: Pair) -> Pair:
    """Enclose e^−|x| / (1 + e^−|x|)²."""
    low, high = magnitude(x)
    decay = _of("exp")((-high, -low))
    return multiply(decay, reciprocal(square(_plus_one(decay))))


def _sign_slope(x: Pair) -> Pair:
    crosses = (x[0] <= 0) & (x[1] >= 0)
    return np.where(crosses, -np.inf, 0.0), np.where(crosses, np.inf, 0.0)


def _jump_slope(x: Pair) -> Pair:
    """Return the derivative of a step function: nothing is known where the interval may contain a step."""
    steps = np.floor(x[0]) != np.floor(x[1])
    on_step = (x[0] == np.floor(x[0])) | steps
    return np.where(on_step, -np.inf, 0.0), np.where(on_step, np.inf, 0.0)


def _absolute_slope(x: Pair) -> Pair:
    return np.where(x[0] > 0, 1.0, -1.0), np.where(x[1] < 0, -1.0, 1.0)


def _tan_reach(f: Computed, a: Array, b: Array) -> Pair:
    """Return the whole line where the interval may contain a pole; margins as for `_wave`."""
    margin = 1e-12 * (1 + np.maximum(np.abs(a), np.abs(b)))
    first, last = np.floor((a - margin) / np.pi - 0.5), np.floor((b + margin) / np.pi - 0.5)
    pole = ~(b - a < np.pi) | ~(margin < 1e-3) | (last > first)
    return np.where(pole, -np.inf, f(a)), np.where(pole, np.inf, f(b))


def _tan_slope(x: Pair) -> Pair:
    return _plus_one(square(_of("tan")(x)))


def _inverse_root(x: Pair) -> Pair:
    """Enclose 1/√x for x ≥ 0."""
    return reciprocal(_sqrt((np.maximum(x[0], 0), x[1])))


def _inside(x: Pair) -> Pair:
    return np.maximum(x[0], 0.0), x[1]


def _cbrt_slope(x: Pair) -> Pair:
    return _times(reciprocal(square(_of("cbrt")(x))), 1 / 3)


#: Functions by the names of numpy's and scipy.special's ufuncs.
FUNCTIONS: dict[str, Function] = {
    "exp": Function(_rising, _positive(_of("exp")), cap=(0.0, np.inf), curvature=_of("exp")),
    "exp2": Function(_rising, lambda x: _times(_of("exp2")(x), np.log(2)), cap=(0.0, np.inf)),
    "expm1": Function(_rising, _of("exp"), cap=(-1.0, np.inf), curvature=_of("exp")),
    "log": Function(_rising, reciprocal, low=0.0, curvature=lambda x: negate(reciprocal(square(x)))),
    "log2": Function(_rising, lambda x: _times(reciprocal(x), 1 / np.log(2)), low=0.0),
    "log10": Function(_rising, lambda x: _times(reciprocal(x), 1 / np.log(10)), low=0.0),
    "log1p": Function(_rising, lambda x: reciprocal(_plus_one(x)), low=-1.0),
    "sqrt": Function(
        _rising,
        lambda x: _times(_inverse_root(x), 0.5),
        low=0.0,
        cap=(0.0, np.inf),
        ulps=1.0,
        curvature=lambda x: _times(multiply(_inverse_root(x), reciprocal(_inside(x))), -0.25),
    ),
    "cbrt": Function(_rising, _cbrt_slope),
    "square": Function(_even, lambda x: _times(x, 2.0), cap=(0.0, np.inf), ulps=1.0, curvature=_constant(2.0, 2.0)),
    "reciprocal": Function(
        lambda _, a, b: reciprocal((a, b)),
        lambda x: negate(reciprocal(square(x))),
        ulps=1.0,
        curvature=lambda x: _times(multiply(reciprocal(x), reciprocal(square(x))), 2.0),
    ),
    "absolute": Function(_even, _absolute_slope, cap=(0.0, np.inf), ulps=0.0, curvature=_sign_slope),
    "sign": Function(_rising, _sign_slope, ulps=0.0),
    "floor": Function(_rising, _jump_slope, ulps=0.0),
    "ceil": Function(_rising, _jump_slope, ulps=0.0),
    # Sine and cosine: the error near their zeros is absolute, not relative.
    "sin": Function(
        lambda f, a, b: _wave(f, a, b, np.pi / 2),
        _of("cos"),
        absolute=4 * ULP,
        cap=(-1.0, 1.0),
        curvature=lambda x: negate(_of("sin")(x)),
    ),
    "cos": Function(
        lambda f, a, b: _wave(f, a, b, 0.0),
        lambda x: negate(_of("sin")(x)),
        absolute=4 * ULP,
        cap=(-1, 1),
        curvature=lambda x: negate(_of("cos")(x)),
    ),
    "tan": Function(_tan_reach, _tan_slope, absolute=4 * ULP, ulps=8.0),
    "arcsin": Function(_rising, lambda x: _inverse_root(_one_minus(square(x))), low=-1.0, high=1.0),
    "arccos": Function(_falling, lambda x: negate(_inverse_root(_one_minus(square(x)))), low=-1.0, high=1.0),
    "arctan": Function(_rising, lambda x: reciprocal(_plus_one(square(x)))),
    "sinh": Function(_rising, _of("cosh")),
    "cosh": Function(_even, _of("sinh"), cap=(1.0, np.inf)),
    "tanh": Function(_rising, _positive(lambda x: _one_minus(square(_of("tanh")(x)))), cap=(-1.0, 1.0)),
    "arcsinh": Function(_rising, lambda x: _inverse_root(_plus_one(square(x)))),
    "arccosh": Function(_rising, lambda x: _inverse_root(add(square(x), _minus_ones(x))), low=1.0, cap=(0.0, np.inf)),
    "arctanh": Function(_rising, lambda x: reciprocal(_one_minus(square(x))), low=-1.0, high=1.0),
    # scipy.special; its erf is good to 4e-16, its erfc and ndtr to 6e-14 and 1.3e-13 (Cephes), both relative.
    "erf": Function(_rising, lambda x: _bell(x, 2 / np.sqrt(np.pi), 1.0), cap=(-1.0, 1.0), ulps=8.0),
    "erfc": Function(_falling, lambda x: negate(_bell(x, 2 / np.sqrt(np.pi), 1.0)), cap=(0.0, 2.0), ulps=1024.0),
    "ndtr": Function(_rising, lambda x: _bell(x, 1 / np.sqrt(2 * np.pi), 0.5), cap=(0.0, 1.0), ulps=2048.0),
    "expit": Function(_rising, _logistic_slope, cap=(0.0, 1.0), ulps=8.0),
}
FUNCTIONS["fabs"] = FUNCTIONS["absolute"]
FUNCTIONS["abs"] = FUNCTIONS["absolute"]


def _minus_ones(x: Pair) -> Pair:
    return -np.ones_like(x[0]), -np.ones_like(x[0])


def power_range(x: Pair, exponent: Array) -> Pair:
    """Enclose x to a real power that is no interval: whole powers of any x, others of x ≥ 0.

    A whole power is monotone in |x| or in x, a real one in x; a negative one is the reciprocal.
    """
    n = np.abs(exponent)
    is_whole, is_even = n == np.floor(n), np.mod(n, 2) == 0
    a, b = (np.where(is_whole, end, np.maximum(end, 0.0)) for end in x)
    low, high = magnitude((a, b))
    low, high = np.where(is_even, low, a), np.where(is_even, high, b)
    ends = outward(np.power(low, n), np.power(high, n), ulps=4.0)
    ends = np.where(is_even | ~is_whole, np.maximum(ends[0], 0.0), ends[0]), ends[1]
    if (exponent < 0).any():
        inverse = reciprocal(ends)
        ends = np.where(exponent < 0, inverse[0], ends[0]), np.where(exponent < 0, inverse[1], ends[1])
    is_one = np.broadcast_to(exponent == 1, ends[0].shape)
    return np.where(is_one, x[0], ends[0]), np.where(is_one, x[1], ends[1])


def power_slope(x: Pair, exponent: Array) -> Pair:
    """Enclose the derivative of x to a real power; the whole line where a root is left."""
    lower, upper = multiply(power_range(x, exponent - 1), (exponent, exponent))
    # exponent − 1 may be rounded, by δ ≤ 2⁻⁵³ (1 + |exponent|). As neither |ln x| nor |exponent ln x| exceeds 745
    # before the power overflows or vanishes, |x^δ − 1| is below 1500 · 2⁻⁵³.
    lower, upper = outward(lower, upper, ulps=4096.0) if (exponent != np.floor(exponent)).any() else (lower, upper)
    leaves = (exponent != np.floor(exponent)) & (x[0] < 0)
    return np.where(leaves, -np.inf, lower), np.where(leaves, np.inf, upper)
