"""The door to a user's `predict`: called once with enclosed arrays, unchanged.

Where the user's modules say np.empty, np.zeros and the like, arrays that can receive enclosed values are made: for the
time of the call the names that these modules gave to numpy stand for a substitute. So an enclosure is not for threads.
"""

from __future__ import annotations

import contextlib
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from traceback import format_exception_only
from types import FunctionType, ModuleType, TracebackType
from typing import Any

import numpy as np

from hpcscan.arrays import Array
from hpcscan.model.problem import EncloseByName
from hpcscan.model.returned import WrongResultError
from hpcscan.proof import array_functions, operations  # noqa: F401 - they register their rules
from hpcscan.proof.condition import ARRAY_FUNCTIONS, OWN, NotEnclosable
from hpcscan.proof.enclosure import Enclosed, enclosed, keep_double
from hpcscan.proof.intervals import Pair

Predict = Callable[..., Mapping[str, Any]]


class Substitute:
    """numpy as a user's module sees it during an enclosure."""

    def __getattr__(self, name: str) -> Any:
        return MAKERS.get(name) or getattr(np, name)


def _making(name: str) -> Callable[..., Any]:
    """Return a maker of arrays of double precision that can receive enclosed values."""
    function = getattr(np, name)

    def make(*inputs: Any, **options: Any) -> Any:
        if name == "full" and len(inputs) > 1 and isinstance(inputs[1], Enclosed):
            return np.broadcast_to(inputs[1], inputs[0]).copy()
        made = function(*inputs, **options)
        if made.dtype != np.dtype(float):
            return made
        return enclosed(np.full(made.shape, np.nan) if name == "empty" else made)

    return make


def _converting(name: str) -> Callable[..., Any]:
    """Return a converter that joins enclosed values, also in nested lists."""
    function = getattr(np, name)

    def convert(given: Any, *inputs: Any, **options: Any) -> Any:
        if not _holds_enclosed(given):
            return function(given, *inputs, **options)
        keep_double(inputs[0] if inputs else options.get("dtype"))
        if unknown := set(options) - {"dtype", "copy", "order"}:
            raise NotEnclosable(f"np.{name} has no enclosure with {', '.join(sorted(unknown))}=: leave it out")
        if not isinstance(given, Enclosed):
            return ARRAY_FUNCTIONS[np.stack]([convert(part) for part in given])
        if name == "array" and options.get("copy", True):
            return given.copy()
        # A contiguous array is itself, another one is copied: so nothing may be written into what is returned.
        return given.move(lambda a: a) if name == "ascontiguousarray" else given

    return convert


def _holds_enclosed(given: Any) -> bool:
    if isinstance(given, list | tuple):
        return any(map(_holds_enclosed, given))
    if isinstance(given, dict):
        return any(map(_holds_enclosed, given.values()))
    return isinstance(given, Enclosed)


MAKERS: dict[str, Callable[..., Any]] = {name: _making(name) for name in ("empty", "zeros", "ones", "full")}
MAKERS |= {name: _converting(name) for name in ("array", "asarray", "asanyarray", "ascontiguousarray")}


#: A name in a user's module that stands for numpy or a maker of its arrays: the module's names, the name, its value.
Place = tuple[dict[str, Any], str, Any]


def call(
    predict: Predict, arguments: Mapping[str, Any], places: Sequence[Place], model: Any = None
) -> Mapping[str, Any]:
    """Call a user's function with enclosed arrays; what it keeps of them in its object is taken out again.

    Parameters
    ----------
    arguments : mapping of str to Enclosed or array
    places : sequence
        See `places_of_numpy`.
    model : object, optional
        Of which `predict` makes use, where it is not its method.

    Raises
    ------
    NotEnclosable
        With file and line of the user's code; also in place of any other exception that it raises.
    """
    try:
        with _kept(getattr(predict, "__self__", None), model), _substituted(places), np.errstate(all="ignore"):
            return predict(**arguments)
    except Exception as error:  # noqa: BLE001 - whatever numpy or the model raise where they meet what they do not know
        raise NotEnclosable(_reason(error) + OWN, *_place(error.__traceback__)) from None


def asked(own: EncloseByName, lower: Mapping[str, Array], upper: Mapping[str, Array]) -> Pair:
    """Ask a user's own enclosure; see `hpcscan.model.Model.enclose`.

    Raises
    ------
    NotEnclosable
        Where what it returns is no enclosure; with file and line of the user's code where it raises.
    """
    try:
        with np.errstate(all="ignore"):
            return own(lower, upper)
    except WrongResultError as error:
        raise NotEnclosable(str(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever the model raises
        raise NotEnclosable(_reason(error), *_place(error.__traceback__)) from None


def _reason(error: BaseException) -> str:
    """Return why an enclosure failed; numpy may have wrapped the refusal in an error of its own."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotEnclosable):
            return cause.what
        cause = cause.__cause__ or cause.__context__
    # Whatever the text of the error is made by, this does not raise.
    told = " ".join("".join(format_exception_only(error)).split())
    return f"{told.removeprefix(f'{type(error).__module__}.')} (met while the model was enclosed)"


def _place(traceback: TracebackType | None) -> tuple[str, int]:
    """Find the innermost line of the user's: neither of this package nor of an installed library."""
    place, innermost = ("", 0), ("", 0)
    while traceback is not None:
        space, code = traceback.tb_frame.f_globals, traceback.tb_frame.f_code
        if not str(space.get("__name__", "")).startswith(("hpcscan.proof", "numpy.", "contextlib")):
            innermost = code.co_filename, traceback.tb_lineno
            place = place if _is_installed(code.co_filename) else innermost
        traceback = traceback.tb_next
    return place if place[0] else innermost


def _is_installed(file: str) -> bool:
    """Whether a file is of Python's own library or of an installed one."""
    return file.startswith((*sysconfig.get_paths().values(), "<")) or "-packages" in file


def places_of_numpy(predict: Predict, model: Any = None) -> list[Place]:
    """Find the names by which the user's modules know numpy and its makers of arrays.

    Parameters
    ----------
    model : object, optional
        Whose classes `predict` uses, where it is not a method of it: their modules belong to the user's code, too.
    """
    real = {id(np), *(id(getattr(np, name)) for name in MAKERS)}
    return [
        (space, name, value)
        for space in _spaces(predict, model)
        for name, value in list(space.items())
        if id(value) in real and not name.startswith("__")
    ]


@contextlib.contextmanager
def _substituted(places: Sequence[Place]) -> Iterator[None]:
    """Let the user's modules see the substitute, under whatever names they gave to numpy or its makers of arrays."""
    real = {id(getattr(np, name)): maker for name, maker in MAKERS.items()} | {id(np): Substitute()}
    try:
        for space, name, value in places:
            space[name] = real[id(value)]
        yield
    finally:
        for space, name, value in places:
            space[name] = value


@contextlib.contextmanager
def _kept(*owners: Any) -> Iterator[None]:
    """Take enclosed values out of the attributes of objects again: a buffer of them would spoil later calls."""
    spaces = [space for owner in owners if isinstance(space := getattr(owner, "__dict__", None), dict)]
    before = [{name: (value, _contents(value)) for name, value in space.items()} for space in spaces]
    try:
        yield
    finally:
        for space, old in zip(spaces, before, strict=True):
            for name in [name for name, value in space.items() if _holds_enclosed(value)]:
                if name not in old:
                    del space[name]
                    continue
                space[name], contents = old[name]
                if isinstance(contents, list):
                    space[name][:] = contents
                elif contents is not None:
                    space[name].clear()
                    space[name].update(contents)


def _contents(value: Any) -> Any:
    """Copy a list or a dictionary; None for anything else."""
    return value.copy() if type(value) in (list, dict) else None


def _spaces(predict: Predict, model: Any) -> list[dict[str, Any]]:
    """Find the names of the modules of a function, of its object's classes, and of what these import."""
    found: dict[int, dict[str, Any]] = {}
    todo: list[Any] = [getattr(predict, "__func__", predict)]
    for owner in (getattr(predict, "__self__", None), model):
        todo += [f for c in type(owner).__mro__ for f in vars(c).values()]
    while todo:
        item = todo.pop()
        space = getattr(item, "__globals__", None) if isinstance(item, FunctionType) else None
        space = vars(item) if isinstance(item, ModuleType) else space
        if space is None or id(space) in found or not _is_users(space):
            continue
        found[id(space)] = space
        todo += [value for value in space.values() if isinstance(value, FunctionType | ModuleType)]
    return list(found.values())


def _is_users(space: dict[str, Any]) -> bool:
    """Whether a module uses numpy and is no installed library."""
    is_installed = _is_installed(str(space.get("__file__", "")))
    is_own = str(space.get("__name__", "")).startswith("hpcscan.")
    return not is_installed and not is_own and any(value is np for value in list(space.values())) | _has_maker(space)


def _has_maker(space: dict[str, Any]) -> bool:
    makers = {id(getattr(np, name)) for name in MAKERS}
    return any(id(value) in makers for value in list(space.values()))
