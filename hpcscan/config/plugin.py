"""A user's model file: found, executed from its text, and blamed by file and line where it fails."""

from __future__ import annotations

import linecache
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from hpcscan.border import EscapedError, border, text_of
from hpcscan.config.kinds import did_you_mean
from hpcscan.config.nodes import shown
from hpcscan.config.user_files import modules_beside, read_text, run_beside
from hpcscan.config.validated import PluginSource
from hpcscan.errors import Mistake, UsageError
from hpcscan.model import Likelihood, Model
from hpcscan.model.returned import WrongResultError

#: Where messages about a plugin belong; whoever knows the configuration's text turns it into file:line:column.
PLUGIN_KEY = "model.plugin"

_WRITTEN = re.compile(r"(?P<path>.+?)(:(?P<class_name>[^\W\d]\w*))?")


def read_plugin(written: str, directory: str) -> PluginSource:
    """Read the file of ``path/to/file.py`` or ``path/to/file.py:ClassName``, relative to a directory."""
    match = _WRITTEN.fullmatch(written)
    if match is None or (match["class_name"] is None and not written.endswith(".py")):
        raise fault(f"expected path/to/file.py or path/to/file.py:ClassName, found {shown(written)!r}")
    path = str(Path(directory) / match["path"])
    text = read_text(path, PLUGIN_KEY)
    # The text travels to the other ranks, with the modules beside it: they read no file of the user's.
    source = PluginSource(path, match["class_name"] or "", text, modules_beside(path, text, PLUGIN_KEY))
    return source if source.class_name else replace(source, class_name=_only_model(source))


def fault(message: str) -> UsageError:
    """Report something wrong with a plugin."""
    return UsageError(Mistake(PLUGIN_KEY, message))


@lru_cache(maxsize=16)
def plugin_class(source: PluginSource) -> type[Model | Likelihood]:
    """Execute a plugin and return its model class; the same class for the same source."""
    with blaming(source, "the file"):
        module = _execute(source)
        # A module may have a function for names that it lacks.
        found = getattr(module, source.class_name, None)
    if found is None:
        hint = did_you_mean(source.class_name, _models_in(module))
        raise fault(f"{source.path} has no class {source.class_name}; {hint}")
    if not _is_model(found):
        derived = "is not a class derived from hpcscan.model.Model or hpcscan.model.Likelihood"
        raise fault(f"{source.class_name} in {source.path} {derived}")
    model_class: type[Model | Likelihood] = found
    return model_class


def _only_model(source: PluginSource) -> str:
    """Return the name of the model of a file that has one."""
    with blaming(source, "the file"):
        module = _execute(source)
    names = [name for name in _models_in(module) if vars(module)[name].__module__ == module.__name__]
    # A base class of another model of the file is not meant.
    leaves = [n for n in names if not any(m != n and issubclass(vars(module)[m], vars(module)[n]) for m in names)]
    if len(leaves) == 1:
        return leaves[0]
    found = (
        f"has {len(leaves)} models ({', '.join(leaves)})" if leaves else "has no class derived from hpcscan.model.Model"
    )
    raise fault(f"{source.path} {found}; name one, as in file.py:ClassName")


def _models_in(module: ModuleType) -> list[str]:
    return [name for name, value in vars(module).items() if _is_model(value) and value not in (Model, Likelihood)]


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Model | Likelihood)


def _execute(source: PluginSource) -> ModuleType:
    """Run the text as a module of its own, whose tracebacks show source lines."""
    # Named by its content: two plugins never share a module, and the same one is the same everywhere.
    name = f"hpcscan_plugin_{sha256(repr(source).encode()).hexdigest()[:16]}"
    module = ModuleType(name)
    module.__file__ = source.path
    lines = source.text.splitlines(keepends=True)
    # Tracebacks show the lines of the text that runs, whatever the file says by now.
    linecache.cache[source.path] = (len(source.text), None, lines, source.path)
    code = compile(source.text, source.path, "exec", dont_inherit=True)
    sys.modules[name] = module
    try:
        run_beside(module, code, source.modules)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def blaming(source: PluginSource | None, what: str, when: str = "") -> Iterator[None]:
    """Turn an exception of the user's code into a message with the file and line where it was raised.

    Parameters
    ----------
    source : PluginSource, optional
        None for a built-in model, whose exceptions are bugs and pass.
    what : str
        What was being called.
    when : str, optional
        Added to the message.
    """
    try:
        with border:
            yield
    except UsageError:
        raise
    # The user's code may raise anything.
    except Exception as raised:
        if source is None:
            raise
        # What escaped as no `Exception` was wrapped at the border; the user's own is told.
        error = raised.__cause__ if isinstance(raised, EscapedError) and raised.__cause__ else raised
        if isinstance(error, WrongResultError):
            raise fault(f"{source.path}: {error}") from None
        said = text_of(error)
        reason = " ".join([type(error).__name__ + ":" * bool(said), *said.split()])
        raise fault(f"{_culprit(error, source)}: {what} raised {shown(reason, 300)}{_hint(said)}{when}") from None


#: What Python and numpy say of arrays that are used as if they were numbers, or written to; and what to do.
_HINTS = {
    "truth value of an array": "parameters are arrays of shape (n, 1): write np.where(condition, a, b) for if and else",
    "can be converted to Python scalars": "parameters are arrays of shape (n, 1): use numpy's functions, not math's",
    "is read-only": "the arguments are shared: write a = a + 1 for a += 1, or copy them first",
    "could not be broadcast together": "parameters are arrays of shape (n, 1), and a term comes back as (n, size)",
}


def _hint(said: str) -> str:
    return next((f"; {hint}" for part, hint in _HINTS.items() if part in said), "")


def _culprit(error: BaseException, source: PluginSource) -> str:
    """Return the place in the plugin, or else where the exception was raised."""
    files = {source.path, *(path for _, path, _ in source.modules)}
    if isinstance(error, SyntaxError) and error.filename in files and error.lineno:
        return f"{error.filename}:{error.lineno}"
    frames = extract_tb(error.__traceback__)
    # The innermost frame in the user's files, not in numpy's.
    own = [f"{frame.filename}:{frame.lineno}" for frame in frames if frame.filename in files]
    return own[-1] if own else source.path
