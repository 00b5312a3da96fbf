"""Arrays that carry, for every element, what a user's numpy code can give over a whole box of parameters.

An `Enclosed` array enters `predict` in place of an array of floats. Through numpy's own protocols it comes out with

- the range of every element, and of its derivative by every seeded parameter;
- the mixed derivatives by a nonlinear and a linear parameter. Where a prediction is affine in the linear ones, every
  nonlinear function has an argument that does not depend on them: so only sums and products need a rule;
- the degree in a set of marked parameters: 0 (independent), 1 (affine) or 2 (anything else), by structure alone;
- whether an element is undefined (NaN) somewhere or everywhere in the box.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.proof.condition import (
    ARRAY_FUNCTIONS,
    COMPARISON,
    METHODS,
    REMEDY,
    UFUNCS,
    EnclosedCondition,
    NotEnclosable,
)
from hpcscan.proof.intervals import Pair

#: A function of arrays that only moves elements.
Move = Callable[[Any], Any]


@dataclass(eq=False)
class Enclosed:
    """An array of intervals with derivatives.

    Attributes
    ----------
    value : pair of arrays
        Lower and upper ends.
    first : dict of int to pair
        Ranges of the derivatives by parameters, of the shape of the value; zero where a parameter is missing.
    mixed : dict of (int, int) to pair
        Ranges of d²/dx dz, by (x, z).
    degree : array of int8, optional
        In the marked parameters; where None, 0.
    undefined : array of int8, optional
        1 where the element is undefined for some values in the box, 2 where for all of them; where None, 0. Ranges and
        derivatives count where it is defined.
    is_constant : bool
        Made by numpy during the enclosure and independent of every parameter: used as plain numbers.
    """

    value: Pair
    first: dict[int, Pair] = field(default_factory=dict)
    mixed: dict[tuple[int, int], Pair] = field(default_factory=dict)
    degree: IntArray | None = None
    undefined: IntArray | None = None
    is_constant: bool = False
    _views: list[weakref.ref[Enclosed]] = field(default_factory=list, init=False)
    _base: tuple[Enclosed, Any] | None = field(default=None, init=False)

    __array_priority__ = 1000

    shape = property(lambda self: self.value[0].shape)
    ndim = property(lambda self: self.value[0].ndim)
    size = property(lambda self: self.value[0].size)
    dtype = property(lambda self: np.dtype(float))

    def move(self, f: Move, index: Any = None) -> Enclosed:
        """Rearrange the elements: `f` is applied to everything that is kept for them."""
        pair: Callable[[Pair], Pair] = lambda p: (f(p[0]), f(p[1]))  # noqa: E731
        moved = Enclosed(
            pair(self.value) if self.value[0] is not self.value[1] else (f(self.value[0]),) * 2,
            {k: pair(p) for k, p in self.first.items()},
            {k: pair(p) for k, p in self.mixed.items()},
            None if self.degree is None else f(self.degree),
            None if self.undefined is None else f(self.undefined),
            self.is_constant,
        )
        # numpy may share memory here; ranges and derivatives written through one name would not all reach the other.
        moved._base = (self, index)
        self._views.append(weakref.ref(moved))
        return moved

    def broadcast(self, shape: tuple[int, ...]) -> Enclosed:
        """Repeat elements as numpy does."""
        return self if self.shape == shape else self.move(lambda a: np.broadcast_to(a, shape))

    def __getitem__(self, index: Any) -> Enclosed:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, Enclosed | EnclosedCondition) for part in parts):
            raise NotEnclosable("an index depends on a parameter: use np.where")
        view = self.move(lambda a: a[index], index)
        # A single element is a number of its own in numpy, and indexing by arrays and lists copies.
        is_copy = all(isinstance(part, int | np.integer) for part in parts) and not view.ndim
        return view.detached() if is_copy or not all(map(_is_basic, parts)) else view

    def __setitem__(self, index: Any, value: Any) -> None:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, Enclosed | EnclosedCondition) for part in parts):
            raise NotEnclosable("an index depends on a parameter: use np.where")
        self._write(index, enclosed(value), exempt=value)

    def _write(self, index: Any, value: Enclosed, exempt: Any) -> None:
        """Write into elements, here and in the array that this is a part of."""
        alive = [view for ref in self._views if (view := ref()) is not None and view is not exempt]
        if alive:
            raise NotEnclosable(
                "an array is written into while a part of it is in use under another name: copy the part"
            )
        self._views.clear()
        zeros: Callable[[], Array] = lambda: np.zeros(self.shape)  # noqa: E731
        tables: Any = (self.first, value.first), (self.mixed, value.mixed)
        self.value = _written(self.value, index, value.value)
        for mine, theirs in tables:
            for key in {*mine, *theirs}:
                old = mine[key] if key in mine else (zeros(), zeros())
                mine[key] = _written(old, index, theirs.get(key, (0.0, 0.0)))
        self.degree = _written_flag(self.degree, value.degree, index, self.shape)
        self.undefined = _written_flag(self.undefined, value.undefined, index, self.shape)
        self.is_constant &= value.is_constant
        if self._base is not None:
            base, at = self._base
            if at is None:
                raise NotEnclosable("an array is written into through a reshaped or transposed view of it: copy it")
            base._write(at, self, exempt=self)

    def updated(self, result: Any) -> Enclosed:
        """Change in place, as `a += b` does; gives what the name stands for afterwards."""
        if not self.ndim and self._base is None:
            # A number, which numpy never changes.
            number: Enclosed = result
            return number
        if result.shape != self.shape:
            raise NotEnclosable("an array changes its shape in place: write a = a + b")
        self._write(..., result, exempt=result)
        return self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if options.get("out") is not None:
            raise NotEnclosable("the result is written into an array of plain numbers (+= or out=): write a = a + b")
        name = ufunc.__name__
        called = name if method == "__call__" else f"{name}.{method}"
        rule = UFUNCS.get(name) if method == "__call__" else METHODS.get((name, method))
        if rule is None:
            raise NotEnclosable(f"{called} has no enclosure: {REMEDY}")
        options = _effective(called, options, () if method == "__call__" else ("axis", "keepdims"))
        with np.errstate(all="ignore"):
            if all(a.is_constant for a in inputs if isinstance(a, Enclosed)):
                return _constant(getattr(ufunc, method)(*_plain(inputs), **options))
            return rule(ufunc, *inputs, **options)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        if function not in ARRAY_FUNCTIONS:
            if _is_plain([inputs, list(options.values())]):
                return _constant(function(*_plain(inputs), **dict(zip(options, _plain(options.values()), strict=True))))
            raise NotEnclosable(f"np.{function.__name__} has no enclosure: {REMEDY}")
        rule = ARRAY_FUNCTIONS[function]
        try:
            bound = inspect.signature(rule).bind(*inputs, **_effective(function.__name__, options))
        except TypeError as error:
            raise NotEnclosable(f"np.{function.__name__} has no enclosure with these options: {error}") from None
        with np.errstate(all="ignore"):
            return rule(*bound.args, **bound.kwargs)

    def __array__(self, *_: Any, **__: Any) -> Any:
        return self.plain("a parameter is converted to or written into an array of plain numbers: use np.stack or "
                          "np.concatenate, or make the array with np.empty or np.zeros inside predict")  # fmt: skip

    def plain(self, remedy: str) -> Any:
        """Return plain numbers of a constant; anything else is refused."""
        if not self.is_constant:
            raise NotEnclosable(remedy)
        return np.array(self.value[0])

    def __bool__(self) -> bool:
        return bool(self.plain("a branch (if, and, or, while, min, max) depends on a parameter: use np.where"))

    def __float__(self) -> float:
        return float(
            self.plain(
                "a parameter becomes a plain number (float(), a function of math, or an element of an array of plain "
                "numbers): use numpy's functions, and make arrays with np.stack, np.empty or np.zeros inside predict"
            )
        )

    __int__ = __index__ = __complex__ = __float__

    def __len__(self) -> int:
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Enclosed]:
        return (self[k] for k in range(len(self)))

    def astype(self, dtype: Any, *_: Any, copy: bool = True, **__: Any) -> Enclosed:
        """Return a copy, or itself; anything but double precision is refused."""
        keep_double(dtype)
        return self.copy() if copy else self

    def __copy__(self) -> Enclosed:
        return self.copy()

    def __getattr__(self, name: str) -> Any:
        """Return numpy's methods of arrays by numpy's functions of the same name."""
        function: Any = getattr(np, name, None)
        if name.startswith("_") or function not in ARRAY_FUNCTIONS:
            raise AttributeError(f"an enclosed array has no attribute {name!r}: {REMEDY}")
        return lambda *inputs, **options: function(self, *inputs, **options)

    @property
    def T(self) -> Enclosed:  # noqa: N802 - numpy's name
        """The transposed array."""
        return self.move(np.transpose)

    def reshape(self, *shape: Any, **options: Any) -> Enclosed:
        """Return the elements in another shape."""
        new = shape[0] if len(shape) == 1 else shape
        return self.move(lambda a: a.reshape(new, **options))

    def transpose(self, *axes: Any) -> Enclosed:
        """Permute the axes."""
        return self.move(lambda a: a.transpose(*axes))

    def copy(self, *_: Any, **__: Any) -> Enclosed:
        """Return an array of its own."""
        return self.move(np.array).detached()

    def detached(self) -> Enclosed:
        """Forget the array that this was made from, which shares no memory with it."""
        if self._base is not None:
            views = self._base[0]._views
            views[:] = [view for view in views if view() is not self]
            self._base = None
        return self


def enclosed(given: Any) -> Enclosed:
    """Return an array of plain numbers as one of intervals; an `Enclosed` as it is."""
    if isinstance(given, Enclosed):
        return given
    if isinstance(given, list | tuple) and any(isinstance(part, Enclosed) for part in given):
        stacked: Enclosed = ARRAY_FUNCTIONS[np.stack](given)
        return stacked
    if isinstance(given, EnclosedCondition):
        raise NotEnclosable(COMPARISON)
    if np.iscomplexobj(given):
        raise NotEnclosable("complex numbers have no enclosure: compute real and imaginary parts apart")
    if isinstance(given, np.ma.MaskedArray):
        raise NotEnclosable("masked arrays have no enclosure: leave out the values, or choose with np.where")
    exact = np.asarray(given, float)
    undefined = 2 * np.isnan(exact).astype(np.int8)
    return Enclosed((exact, exact), undefined=undefined if undefined.any() else None, is_constant=True)


def keep_double(dtype: Any) -> None:
    """Refuse another type of numbers than double precision; None stands for it."""
    if dtype is not None and np.dtype(dtype) != np.dtype(float):
        raise NotEnclosable(f"a parameter is rounded to {np.dtype(dtype)}: keep double precision")


def _effective(name: str, options: dict[str, Any], allowed: Sequence[str] | None = None) -> dict[str, Any]:
    """Leave out options that change nothing, and refuse those that no rule knows."""
    keep_double(options.get("dtype"))
    kept = {k: v for k, v in options.items() if k not in ("dtype", "casting", "subok")}
    kept = {k: v for k, v in kept.items() if not (k in ("out", "order", "like") and v is None)}
    kept = {k: v for k, v in kept.items() if not (k == "where" and v is True)}
    for option in kept:
        if option in ("out", "where", "initial") or (allowed is not None and option not in allowed):
            raise NotEnclosable(f"np.{name} has no enclosure with {option}=: leave it out")
    return kept


def _is_basic(part: Any) -> bool:
    """Whether an index gives a view: numbers, slices, None and '...' do."""
    return (
        part is None or part is Ellipsis or (isinstance(part, int | np.integer | slice) and not isinstance(part, bool))
    )


def _is_plain(given: Any) -> bool:
    """Whether there is nothing but plain numbers and constants."""
    if isinstance(given, list | tuple):
        return all(map(_is_plain, given))
    return not isinstance(given, EnclosedCondition) and (not isinstance(given, Enclosed) or given.is_constant)


def _plain(given: Any) -> Any:
    """Replace constants by arrays of numpy."""
    return [np.array(a.value[0]) if isinstance(a, Enclosed) else _plain(a) if isinstance(a, list) else a for a in given]


def _constant(result: Any) -> Any:
    """Wrap what numpy made of constants, so that enclosed values can be written into it."""
    return enclosed(result) if isinstance(result, np.ndarray) and result.dtype == np.dtype(float) else result


def _written(old: Pair, index: Any, new: tuple[Any, Any]) -> Pair:
    lower, upper = np.array(old[0]), np.array(old[1])
    lower[index], upper[index] = new
    return lower, upper


def _written_flag(old: IntArray | None, new: IntArray | None, index: Any, shape: tuple[int, ...]) -> IntArray | None:
    if old is None and new is None:
        return None
    written = np.zeros(shape, np.int8) if old is None else np.array(old)
    written[index] = 0 if new is None else new
    return written


def _operator(name: str, swapped: bool = False) -> Callable[[Any, Any], Any]:
    ufunc = getattr(np, name)

    def apply(self: Any, other: Any) -> Any:
        return ufunc(other, self) if swapped else ufunc(self, other)

    return apply


def _sign(name: str) -> Callable[[Any], Any]:
    ufunc = getattr(np, name)

    def apply(self: Any) -> Any:
        return ufunc(self)

    return apply


def _in_place(name: str) -> Callable[[Any, Any], Any]:
    ufunc = getattr(np, name)
    return lambda self, other: self.updated(ufunc(self, other))


for _short, _long in {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "pow": "power",
    "matmul": "matmul",
    "mod": "remainder",
    "floordiv": "floor_divide",
}.items():
    setattr(Enclosed, f"__{_short}__", _operator(_long))
    setattr(Enclosed, f"__r{_short}__", _operator(_long, swapped=True))
    if _short != "matmul":
        setattr(Enclosed, f"__i{_short}__", _in_place(_long))
for _short, _long in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
    setattr(Enclosed, f"__{_short}__", _operator(_long))
for _short, _long in {"eq": "equal", "ne": "not_equal"}.items():
    setattr(Enclosed, f"__{_short}__", _operator(_long))
for _short, _long in {"neg": "negative", "pos": "positive", "abs": "absolute"}.items():
    setattr(Enclosed, f"__{_short}__", _sign(_long))
