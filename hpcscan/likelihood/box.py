"""The box in which the fit moves, and finite differences that stay within it, for models without a Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.model.problem import Problem


@dataclass(frozen=True)
class Box:
    """Bounds and start ranges of the parameters, as columns of shape (n_parameters, 1).

    Attributes
    ----------
    lower, upper : array
        Possibly infinite.
    start, stop : array
        Ends of the start range.
    width : array
        Width of the start range, which is the natural unit of the parameter; 1 for a range of no width.
    """

    lower: Array
    upper: Array
    start: Array
    stop: Array
    width: Array

    @classmethod
    def of(cls, problem: Problem) -> Box:
        """Collect the box of the profiled parameters."""
        rows = [(p.lower, p.upper, *p.start_range) for p in problem.parameters]
        lower, upper, low, high = np.array(rows, float).reshape(-1, 4).T[:, :, None]
        return cls(lower, upper, low, high, np.where(high > low, high - low, 1.0))

    @property
    def is_fixed(self) -> BoolArray:
        """Parameters whose bounds are equal."""
        fixed: BoolArray = self.lower == self.upper
        return fixed

    @property
    def n_free(self) -> int:
        """Number of parameters that can move."""
        return int((~self.is_fixed).sum())

    @property
    def has_freedom(self) -> bool:
        """Whether any parameter can move."""
        return not bool(self.is_fixed.all())

    def side(self, x: Array) -> IntArray:
        """Return where parameters of shape (n_parameters, n) rest: −1 lower, +1 upper bound, 0 between or fixed."""
        return np.where(self.is_fixed, 0, (x >= self.upper).astype(np.int8) - (x <= self.lower).astype(np.int8))


#: Balances truncation, of third order, against rounding: ε^(1/3).
RELATIVE_STEP = float(np.finfo(float).eps ** (1 / 3))
#: The same for a step to one side, whose truncation is of second order: 2 ε^(1/2).
FORWARD_STEP = 2 * float(np.finfo(float).eps ** 0.5)
#: A parameter counts as no smaller than this share of its width; less where it is known to be near a minimum.
LEAST_SIZE, LEAST_SIZE_NEAR = 1e-2, 1e-5


#: Rows that are asked for in one go, about: enough to fill calls of the model, few enough to stay in memory.
ROWS_TOGETHER = 4096


def finite_differences(  # noqa: PLR0913, PLR0917  (a function, and where and how to differentiate it)
    function: Callable[[Array, IntArray], Array],
    x: Array,
    value: Array,
    box: Box,
    precision: float = 0.0,
    is_wanted: BoolArray | None = None,
    least_size: float = LEAST_SIZE,
) -> Array:
    """Differentiate by a parabola through three points: central inside the box, one-sided at its walls.

    Where the function is not finite at one of the two others, the line through the remaining two points is taken.

    Parameters
    ----------
    function : callable
        From places, shape (n_parameters, any), and the rows of x to which they belong, to (n_observables, any).
    x : array, shape (n_parameters, n)
    value : array, shape (n_observables, n)
        The function at x.
    precision : float
        Relative error of the function's values; 0 where it is that of floating point.
    is_wanted : bool array, shape (n_parameters,), optional
        Parameters by which to differentiate.
    least_size : float
        Share of its width as which a parameter counts at least.

    Returns
    -------
    array, shape (n_observables, n_parameters, n)
        Zero for a parameter that is fixed or not wanted.
    """
    result = np.zeros((len(value), *x.shape))
    is_free = ~box.is_fixed[:, 0]
    wanted = np.flatnonzero(is_free if is_wanted is None else is_free & is_wanted)
    # Several parameters in one call of the function, two places for each.
    together = max(1, ROWS_TOGETHER // max(1, 2 * x.shape[1]))
    for some in (wanted[i : i + together] for i in range(0, len(wanted), together)):
        offsets = [
            offset
            for j in some
            for offset in _offsets(x[j], box.lower[j], box.upper[j], steps(x[j], box.width[j], precision, least_size))
        ]
        rises = _rises(function, x, value, np.repeat(some, 2), offsets)
        for k, j in enumerate(some):
            (first, second), (rise_first, rise_second) = offsets[2 * k : 2 * k + 2], rises[2 * k : 2 * k + 2]
            # The slope at 0 of the parabola through 0 and both rises.
            parabola = (rise_first * second**2 - rise_second * first**2) / (first * second * (second - first))
            without_first = np.where(np.isfinite(rise_first), parabola, rise_second / second)
            result[:, j] = np.where(np.isfinite(rise_second), without_first, rise_first / first)
    return result


def _rises(
    function: Callable[[Array, IntArray], Array], x: Array, value: Array, moved: IntArray, offsets: list[Array]
) -> list[Array]:
    """Change a function by an offset of one parameter each: arrays of shape (n_observables, n)."""
    n = x.shape[1]
    places = np.tile(x, len(moved))
    for k, (j, offset) in enumerate(zip(moved, offsets, strict=True)):
        places[j, k * n : (k + 1) * n] += offset
    values = function(places, np.tile(np.arange(n), len(moved)))
    return [values[:, k * n : (k + 1) * n] - value for k in range(len(moved))]


def forward_differences(  # noqa: PLR0913, PLR0917  (a function, and where and how to differentiate it)
    function: Callable[[Array, IntArray], Array],
    x: Array,
    value: Array,
    box: Box,
    precision: float = 0.0,
    is_wanted: BoolArray | None = None,
) -> Array:
    """Differentiate by a line to one place beside, half as many as `finite_differences` needs; likewise otherwise.

    Their error, of the order of the step, is small beside that of a quadratic model on the way, and enters the
    estimated distance to a minimum squared. Where the place on one side is not finite, the other one is taken.
    """
    result = np.zeros((len(value), *x.shape))
    is_free = ~box.is_fixed[:, 0]
    wanted = np.flatnonzero(is_free if is_wanted is None else is_free & is_wanted)
    together = max(1, ROWS_TOGETHER // max(1, x.shape[1]))
    for some in (wanted[i : i + together] for i in range(0, len(wanted), together)):
        offsets = [_forward(x[j], box.lower[j], box.upper[j], box.width[j], precision) for j in some]
        rises = _rises(function, x, value, some, offsets)
        for j, offset, rise in zip(some.tolist(), offsets, rises, strict=True):
            result[:, j] = rise / offset
    is_lost: BoolArray = ~np.asarray(np.isfinite(result).all(axis=0))
    for j in np.flatnonzero(is_lost.any(axis=1)):
        rows = np.flatnonzero(is_lost[j])
        step = _forward(x[j, rows], box.lower[j], box.upper[j], box.width[j], precision)
        other = np.where((x[j, rows] - step >= box.lower[j]) & (x[j, rows] - step <= box.upper[j]), -step, step / 2)
        place = x[:, rows].copy()
        place[j] += other
        result[:, j, rows] = (function(place, rows) - value[:, rows]) / (place[j] - x[j, rows])
    return result


def _forward(x: Array, lower: Array, upper: Array, width: Array, precision: float) -> Array:
    """Choose an offset within [lower, upper], exactly representable as a difference from x."""
    step = FORWARD_STEP * np.maximum(np.abs(x), LEAST_SIZE * width)
    if precision:
        step = np.maximum(step, 2 * np.sqrt(precision) * width)
    step = np.minimum(step, (upper - lower) / 4)
    return np.asarray((x + np.where(x + step <= upper, step, -step)) - x)


def steps(x: Array, width: Array, precision: float, least_size: float = LEAST_SIZE) -> Array:
    """Choose the length of a difference: from rounding, or from the noise of a model's numbers, the larger.

    Noise hides what a model does over short distances, and what it does over its parameters' widths is all that is
    known of its shape.
    """
    step: Array = RELATIVE_STEP * np.maximum(np.abs(x), least_size * width)
    return np.maximum(step, np.cbrt(precision) * width) if precision else step


def _offsets(x: Array, lower: Array, upper: Array, step: Array) -> tuple[Array, Array]:
    """Choose two offsets within [lower, upper], exactly representable as differences from x."""
    step = np.minimum(step, (upper - lower) / 4)
    first = np.where(x + step <= upper, step, -step)
    second = np.where(x - step < lower, 2 * step, np.where(x + step > upper, -2 * step, -step))
    return (x + first) - x, (x + second) - x
