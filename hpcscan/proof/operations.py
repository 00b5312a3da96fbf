"""Rules of numpy's universal functions for enclosed arrays: values, derivatives, degree, domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hpcscan.arrays import BoolArray, IntArray
from hpcscan.proof import intervals
from hpcscan.proof.condition import METHODS, UFUNCS, EnclosedCondition, NotEnclosable, larger
from hpcscan.proof.enclosure import Enclosed, enclosed
from hpcscan.proof.functions import FUNCTIONS, power_range, power_slope
from hpcscan.proof.intervals import Pair

Binary = Callable[[Any, Any, Any], Any]


def _pair(a: Any, b: Any) -> tuple[Enclosed, Enclosed]:
    """Bring two operands to one shape."""
    a, b = enclosed(a), enclosed(b)
    shape = np.broadcast_shapes(a.shape, b.shape)
    return a.broadcast(shape), b.broadcast(shape)


def _merged(a: dict[Any, Pair], b: dict[Any, Pair]) -> dict[Any, Pair]:
    """Add derivatives by parameter."""
    merged = {**a, **b}
    merged.update({key: intervals.add(a[key], b[key]) for key in a.keys() & b.keys()})
    return merged


def add(_: Any, a: Any, b: Any) -> Enclosed:
    """Add two arrays."""
    a, b = _pair(a, b)
    return Enclosed(
        intervals.add(a.value, b.value),
        _merged(a.first, b.first),
        _merged(a.mixed, b.mixed),
        larger(a.degree, b.degree),
        larger(a.undefined, b.undefined),
    )


def negative(_: Any, a: Any) -> Enclosed:
    """Change the sign."""
    negate = intervals.negate
    return Enclosed(
        negate(a.value),
        {k: negate(p) for k, p in a.first.items()},
        {k: negate(p) for k, p in a.mixed.items()},
        a.degree,
        a.undefined,
    )


def subtract(_: Any, a: Any, b: Any) -> Enclosed:
    """Subtract one array from another."""
    return add(_, a, negative(_, enclosed(b)))


def multiply(_: Any, a: Any, b: Any) -> Any:
    """Multiply two arrays: (fg)' = f'g + fg', (fg)_xz = f_xz g + f_x g_z + f_z g_x + f g_xz."""
    if isinstance(a, EnclosedCondition) or isinstance(b, EnclosedCondition):
        return _if_true(a, b) if isinstance(a, EnclosedCondition) else _if_true(b, a)
    if a is b:
        return unary("square")(np.square, a)
    return _times(*_pair(a, b))


def _times(a: Enclosed, b: Enclosed) -> Enclosed:
    times = intervals.multiply
    degree = None
    if a.degree is not None or b.degree is not None:
        zero = np.zeros(a.shape, np.int8)
        both = (zero if a.degree is None else a.degree) + (zero if b.degree is None else b.degree)
        degree = np.minimum(both, 2).astype(np.int8)
    first = _merged(
        {k: times(p, b.value) for k, p in a.first.items()}, {k: times(p, a.value) for k, p in b.first.items()}
    )
    mixed = _merged(
        {k: times(p, b.value) for k, p in a.mixed.items()}, {k: times(p, a.value) for k, p in b.mixed.items()}
    )
    bent = {*_bent(a), *_bent(b)}
    for f, g in ((a, b), (b, a)):
        pairs = [(x, z) for x in f.first for z in g.first if _is_mixed(x, z) or (x in bent and z in bent and x <= z)]
        mixed = _merged(mixed, {(x, z): times(f.first[x], g.first[z]) for x, z in pairs})
    return Enclosed(times(a.value, b.value), first, mixed, degree, larger(a.undefined, b.undefined))


def _if_true(condition: EnclosedCondition, a: Any) -> Any:
    """Multiply by a comparison, 1 or 0; what is undefined is so in any case."""
    if isinstance(a, EnclosedCondition) or np.asarray(0 if isinstance(a, Enclosed) else a).dtype == bool:
        return condition & a
    return choose(condition, a, multiply(None, a, 0.0), jumps=True)


def _is_mixed(x: int, z: int) -> bool:
    """Whether a derivative by x and z is carried: linear parameters have the keys −1, −2 and so on."""
    return x >= 0 > z


def _bent(a: Enclosed) -> list[int]:
    """Return the parameters by which second derivatives are carried."""
    return [x for x in a.first if (x, x) in a.mixed]


def _second(a: Enclosed, slope: Pair, curvature: Pair) -> dict[tuple[int, int], Pair]:
    """Differentiate a function of an array twice: φ′ f_xy + φ″ f_x f_y."""
    bent, second = _bent(a), {}
    for x in bent:
        for y in bent:
            if x <= y:
                both = intervals.square(a.first[x]) if x == y else intervals.multiply(a.first[x], a.first[y])
                second[x, y] = intervals.multiply(curvature, both)
                if (x, y) in a.mixed:
                    second[x, y] = intervals.add(second[x, y], intervals.multiply(slope, a.mixed[x, y]))
    return second


def _anything(shape: tuple[int, ...]) -> Pair:
    return np.full(shape, -np.inf), np.full(shape, np.inf)


def divide(ufunc: Any, a: Any, b: Any) -> Enclosed:
    """Divide one array by another."""
    if isinstance(b, Enclosed) and not b.is_constant:
        return _times(*_pair(a, unary("reciprocal")(np.reciprocal, b)))
    divisor = enclosed(b).value[0]
    a = enclosed(a)
    a = a.broadcast(np.broadcast_shapes(a.shape, divisor.shape))
    quotient: Callable[[Pair], Pair] = lambda p: intervals.divide_exact(p, divisor)  # noqa: E731
    return Enclosed(
        quotient(a.value),
        {k: quotient(p) for k, p in a.first.items()},
        {k: quotient(p) for k, p in a.mixed.items()},
        a.degree,
        a.undefined,
    )


def _nonlinear(degree: IntArray | None) -> IntArray | None:
    return None if degree is None else np.where(degree > 0, 2, 0).astype(np.int8)


def _outside(x: Pair, low: float, high: float) -> IntArray | None:
    """Return where an interval leaves the domain in part (1) and wholly (2); None where nowhere."""
    if np.isinf(low) and np.isinf(high):
        return None
    leaves = (x[0] < low) | (x[1] > high)
    return leaves.astype(np.int8) + ((x[1] < low) | (x[0] > high)) if leaves.any() else None


def unary(name: str) -> Callable[[Any, Any], Enclosed]:
    """Return the rule of a function of the table."""
    function = FUNCTIONS[name]

    def rule(ufunc: Any, a: Any) -> Enclosed:
        a = enclosed(a)
        outside = _outside(a.value, function.low, function.high)
        first, mixed = {}, {}
        if a.first:
            slope = function.derivative(a.value)
            first = {k: intervals.multiply(p, slope) for k, p in a.first.items()}
            mixed = _second(a, slope, function.second_derivative(a.value)) if _bent(a) else {}
        undefined = larger(a.undefined, outside)
        return Enclosed(function.range(ufunc, a.value), first, mixed, _nonlinear(a.degree), undefined)

    return rule


def chained(value: Pair, *inner: tuple[Enclosed, Pair]) -> Enclosed:
    """Make an array of its range, and of arrays with the slopes of the function by each of them."""
    first: dict[Any, Pair] = {}
    bent = sorted({x for a, _ in inner for x in _bent(a)})
    second = {(x, y): _anything(value[0].shape) for x in bent for y in bent if x <= y}
    degree = undefined = None
    for a, slope in inner:
        first = _merged(first, {k: intervals.multiply(p, slope) for k, p in a.first.items()})
        degree, undefined = larger(degree, _nonlinear(a.degree)), larger(undefined, a.undefined)
    return Enclosed(value, first, second, degree, undefined)


def power(ufunc: Any, a: Any, b: Any) -> Enclosed:
    """Raise to a power: by its own rule where the exponent is a plain number, else as exp(b ln a)."""
    if isinstance(b, Enclosed) and not b.is_constant:
        if not isinstance(a, Enclosed) and not (np.asarray(a) > 0).all():
            raise NotEnclosable("a number that is not positive is raised to a power that depends on a parameter")
        raised = unary("exp")(np.exp, multiply(ufunc, b, unary("log")(np.log, a)))
        if raised.undefined is not None:
            base = enclosed(a).value
            is_one = np.broadcast_to((base[0] <= 1) & (base[1] >= 1), raised.shape)  # 1 to the power NaN is 1
            raised.undefined = np.where(is_one, np.minimum(raised.undefined, 1), raised.undefined).astype(np.int8)
        return raised
    exponent = enclosed(b).value[0]
    a = enclosed(a)
    a = a.broadcast(np.broadcast_shapes(a.shape, exponent.shape))
    first, mixed = {}, {}
    if a.first:
        slope = power_slope(a.value, exponent)
        first = {k: intervals.multiply(p, slope) for k, p in a.first.items()}
    if (is_one := exponent == 1).any():
        mixed = {k: (np.where(is_one, p[0], 0.0), np.where(is_one, p[1], 0.0)) for k, p in a.mixed.items()}
    if _bent(a):
        curvature = intervals.multiply(power_slope(a.value, exponent - 1), (exponent, exponent))
        # The exponent less one may be rounded; see `power_slope`.
        mixed.update(_second(a, slope, intervals.outward(*curvature, ulps=4096.0)))
    degree = _nonlinear(a.degree)
    if a.degree is not None and degree is not None:
        degree = np.where(is_one, a.degree, np.where(exponent == 0, 0, degree)).astype(np.int8)
    root = exponent != np.floor(exponent)
    outside = _outside((np.where(root, a.value[0], 0.0), np.where(root, a.value[1], 0.0)), 0.0, np.inf)
    undefined = larger(a.undefined, outside)
    if undefined is not None:
        undefined = np.where(exponent == 0, 0, undefined).astype(np.int8)  # also NaN⁰ is 1
    return Enclosed(power_range(a.value, exponent), first, mixed, degree, undefined)


def choose(condition: EnclosedCondition, a: Any, b: Any, jumps: bool) -> Enclosed:
    """Return a where a condition holds, b where it does not, and both where it is undecided.

    An undecided choice may jump, unless a and b are equal where it changes: then nothing is known of the derivative.
    """
    a, b = enclosed(a), enclosed(b)
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    a, b = a.broadcast(shape), b.broadcast(shape)
    yes, no = np.broadcast_to(condition.yes, shape), np.broadcast_to(condition.no, shape)
    is_open = ~(yes | no)
    zero = np.zeros(shape), np.zeros(shape)

    def chosen(mine: dict[Any, Pair], theirs: dict[Any, Pair], jumping: set[Any]) -> dict[Any, Pair]:
        both = {}
        for key in {**mine, **theirs, **dict.fromkeys(jumping)}:
            lower, upper = intervals.select(yes, no, mine.get(key, zero), theirs.get(key, zero))
            # At a kink there is no second derivative.
            has_kink = isinstance(key, tuple) and not _is_mixed(*key)
            if (jumps or has_kink) and is_open.any():
                lower, upper = np.where(is_open, -np.inf, lower), np.where(is_open, np.inf, upper)
            both[key] = lower, upper
        return both

    seeds = condition.seeds if jumps and is_open.any() else frozenset()
    first = chosen(a.first, b.first, set(seeds))
    bent = {*_bent(a), *_bent(b)}
    pairs = {(x, z) for x in seeds for z in first if _is_mixed(x, z)} | {(x, y) for x in bent for y in bent if x <= y}
    mixed = chosen(a.mixed, b.mixed, pairs)
    degree = _chosen_degree(yes, no, a.degree, b.degree)
    if condition.degree is not None:
        # What is decided is decided for the whole box, whatever decided it.
        is_marked = np.broadcast_to(condition.degree, shape) > 0
        degree = larger(degree, np.where(is_open & is_marked, 2, 0).astype(np.int8))
    undefined = _chosen_flag(yes, no, a.undefined, b.undefined)
    return Enclosed(intervals.select(yes, no, a.value, b.value), first, mixed, degree, undefined)


def _chosen_degree(yes: BoolArray, no: BoolArray, a: IntArray | None, b: IntArray | None) -> IntArray | None:
    """Return the degree of a choice: of both, where it is open."""
    if a is None and b is None:
        return None
    x, y = (np.zeros(yes.shape, np.int8) if d is None else d for d in (a, b))
    return np.where(yes, x, np.where(no, y, np.maximum(x, y))).astype(np.int8)


def _chosen_flag(yes: BoolArray, no: BoolArray, a: IntArray | None, b: IntArray | None) -> IntArray | None:
    """Return where a choice is undefined: in part, where it is open and either is."""
    if a is None and b is None:
        return None
    x, y = (np.zeros(yes.shape, np.int8) if u is None else u for u in (a, b))
    either = np.where((x == 2) & (y == 2), 2, np.minimum(np.maximum(x, y), 1))
    return np.where(yes, x, np.where(no, y, either)).astype(np.int8)


def maximum(_: Any, a: Any, b: Any) -> Enclosed:
    """Return the larger of two arrays; undefined where one is, as in numpy."""
    a, b = _pair(a, b)
    degree = larger(a.degree, b.degree)
    first, second = a.value[0] >= b.value[1], b.value[0] >= a.value[1]
    larger_one = choose(EnclosedCondition(first, second & ~first), a, b, jumps=False)
    (p, q), (r, s) = a.value, b.value
    larger_one.value, larger_one.degree = (np.maximum(p, r), np.maximum(q, s)), _nonlinear(degree)
    larger_one.undefined = larger(a.undefined, b.undefined)
    return larger_one


def minimum(_: Any, a: Any, b: Any) -> Enclosed:
    """Return the smaller of two arrays."""
    return negative(_, maximum(_, negative(_, enclosed(a)), negative(_, enclosed(b))))


def scaled(factor: float) -> Callable[[Any, Any], Enclosed]:
    """Return the rule of a multiplication by a rounded constant."""
    near = factor * (1 - 4 * intervals.ULP), factor * (1 + 4 * intervals.ULP)
    return lambda _, a: multiply(_, a, Enclosed((np.array(near[0]), np.array(near[1]))))


def _compared(
    a: Any, b: Any, yes: Callable[[Pair, Pair], BoolArray], no: Callable[[Pair, Pair], BoolArray]
) -> EnclosedCondition:
    """Compare two arrays; undecided where one of them may be NaN, which makes every comparison false."""
    a, b = _pair(a, b)
    is_sure = np.ones(a.shape, bool) if (u := larger(a.undefined, b.undefined)) is None else u == 0
    seeds = frozenset(a.first) | frozenset(b.first)
    degree = larger(a.degree, b.degree)
    return EnclosedCondition(yes(a.value, b.value) & is_sure, no(a.value, b.value) & is_sure, degree, seeds)


def greater(_: Any, a: Any, b: Any) -> EnclosedCondition:
    """Compare two arrays; equal ones count as undecided."""
    return _compared(a, b, lambda p, q: p[0] > q[1], lambda p, q: p[1] < q[0])


def less(_: Any, a: Any, b: Any) -> EnclosedCondition:
    """Compare two arrays the other way."""
    return greater(_, b, a)


def equal(_: Any, a: Any, b: Any) -> EnclosedCondition:
    """Compare two arrays: decided where their ranges are apart."""
    return _compared(a, b, lambda p, q: np.zeros(p[0].shape, bool), lambda p, q: (p[0] > q[1]) | (p[1] < q[0]))


def summed(_: Any, a: Any, axis: Any = 0, keepdims: bool = False) -> Enclosed:
    """Sum along axes."""
    axes = tuple(range(a.ndim)) if axis is None else tuple(int(k) % a.ndim for k in np.atleast_1d(axis))
    total: Callable[[Pair], Pair] = lambda p: intervals.total(p, axes, keepdims)  # noqa: E731
    return Enclosed(
        total(a.value),
        {k: total(p) for k, p in a.first.items()},
        {k: total(p) for k, p in a.mixed.items()},
        None if a.degree is None else a.degree.max(axes, keepdims=keepdims, initial=0),
        None if a.undefined is None else a.undefined.max(axes, keepdims=keepdims, initial=0),
    )


def accumulated(_: Any, a: Any, axis: int = 0) -> Enclosed:
    """Sum cumulatively along an axis."""
    a = enclosed(a)
    k = axis % a.ndim
    return Enclosed(
        intervals.accumulate(a.value, k),
        {key: intervals.accumulate(p, k) for key, p in a.first.items()},
        {key: intervals.accumulate(p, k) for key, p in a.mixed.items()},
        None if a.degree is None else np.maximum.accumulate(a.degree, k),
        None if a.undefined is None else np.maximum.accumulate(a.undefined, k),
    )


def product(a: Any, b: Any) -> Any:
    """Return the matrix product."""
    a, b = (x if isinstance(x, Enclosed) else np.asarray(x, float) for x in (a, b))
    if b.ndim == 1:
        return summed(None, enclosed(a * b), -1)
    if a.ndim == 1:
        return summed(None, enclosed(a[:, None] * b), -2)
    return summed(None, enclosed(a[..., :, :, None] * b[..., None, :, :]), -2)


def outer(_: Any, a: Any, b: Any) -> Any:
    """Multiply every element of one array with every element of another."""
    a, b = enclosed(a), enclosed(b)
    return a.reshape(a.shape + (1,) * b.ndim) * b


UFUNCS.update({name: unary(name) for name in FUNCTIONS})
UFUNCS.update(
    {
        "add": add,
        "subtract": subtract,
        "multiply": multiply,
        "divide": divide,
        "power": power,
        "float_power": power,
        "negative": negative,
        "positive": lambda _, a: a.copy(),
        "maximum": maximum,
        "minimum": minimum,
        "deg2rad": scaled(np.pi / 180),
        "radians": scaled(np.pi / 180),
        "rad2deg": scaled(180 / np.pi),
        "degrees": scaled(180 / np.pi),
        "greater": greater,
        "greater_equal": greater,
        "less": less,
        "less_equal": less,
        "equal": equal,
        "not_equal": lambda _, a, b: ~equal(_, a, b),
        "matmul": lambda _, a, b: product(a, b),
    }
)
METHODS.update({("add", "reduce"): summed, ("add", "accumulate"): accumulated, ("multiply", "outer"): outer})
