"""The files that a user gives: read with a clear message, and the modules beside a plugin."""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib
import linecache
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from hpcscan.errors import Mistake, UsageError

MAX_BYTES = 4 * 2**20

#: A module as it travels: dotted name, path, text.
Module = tuple[str, str, str]
#: With which files of netCDF begin.
NETCDF = b"\x89HDF", b"CDF\x01", b"CDF\x02", b"CDF\x05"


def read_text(path: str, where: str = "") -> str:
    """Read a file as UTF-8.

    Parameters
    ----------
    where : str, optional
        Who asked for the file; the file itself where empty.
    """
    try:
        with Path(path).open("rb") as file:
            # One byte more than allowed tells a larger file, without reading it.
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _error(path, where, "", getattr(error, "strerror", None) or str(error)) from None
    if data.startswith(NETCDF):
        raise _error(path, where, "", "it is a netCDF file, such as a result; expected text, such as a configuration")
    if len(data) > MAX_BYTES:
        raise _error(path, where, "", f"it is larger than {MAX_BYTES // 2**20} MiB")
    try:
        # Editors of other systems begin a file with a mark of its byte order.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        # Line and column of the first byte that is no text.
        lines = before.split(b"\n")
        place = f":{len(lines)}:{len(lines[-1].decode('utf-8-sig')) + 1}"
        raise _error(path, where, place, f"byte {data[error.start]:#04x} is not UTF-8 text") from None


def file_digest(path: str, where: str) -> str:
    """Compute the SHA-256 of what a file holds.

    Raises
    ------
    UsageError
        Where it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise _error(path, where, "", getattr(error, "strerror", None) or str(error)) from None


def _error(path: str, where: str, place: str, reason: str) -> UsageError:
    if where:
        return UsageError(Mistake(where, f"cannot read {path}{place}: {reason}"))
    return UsageError(Mistake(f"{path}{place}", f"cannot read the configuration: {reason}"))


def modules_beside(path: str, text: str, where: str) -> tuple[Module, ...]:
    """Read the modules beside a plugin that it imports, and what these import there; in the order of their names.

    Parameters
    ----------
    path : str
        The plugin's.
    text : str
        What is written in it. What cannot be parsed imports nothing: its execution will say why.
    where : str
        Who asked for the files.
    """
    directory = Path(path).parent
    found: dict[str, Module] = {}
    to_read = list(_imports(text, ""))
    while to_read:
        name = to_read.pop()
        if name in found or (file := _file_of(directory, name)) is None:
            continue
        # Relative imports of a module are counted from its package, those of a package from itself.
        is_package = file.name == "__init__.py"
        content = read_text(str(file), where) if file.exists() else ""
        found[name] = (name, str(file), content)
        to_read += _imports(content, name if is_package else name.rpartition(".")[0])
    return tuple(found[name] for name in sorted(found))


def _file_of(directory: Path, name: str) -> Path | None:
    """Find the file of a module; that of a directory is its ``__init__.py``, which need not be there."""
    place = directory.joinpath(*name.split("."))
    if place.is_dir() and ((place / "__init__.py").is_file() or any(place.glob("*.py"))):
        return place / "__init__.py"
    file = place.with_name(f"{place.name}.py")
    return file if file.is_file() else None


def _imports(text: str, package: str) -> Iterator[str]:
    """Yield everything that a text may import, wherever it does, and the packages of these."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_packages(alias.name)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            # What is imported from a package may be a module of it.
            for name in (base, *(f"{base}.{alias.name}" for alias in node.names)):
                yield from _with_packages(name)


def _with_packages(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1) if all(parts[:n]))


def run_beside(module: ModuleType, code: CodeType, modules: Sequence[Module]) -> None:
    """Execute a plugin as this module, whose imports find the modules beside it first.

    They are kept below the name of the plugin's module, so that nobody else finds them, and two plugins may have
    modules of one name.

    Parameters
    ----------
    module : ModuleType
        Already in ``sys.modules``.
    """
    if modules:
        module.__path__ = []
        finder = _Finder(module.__name__, {name: (path, text) for name, path, text in modules})
        sys.meta_path.insert(0, finder)
        vars(module)["__builtins__"] = finder.builtins
    exec(code, vars(module))  # noqa: S102  (running the user's own model is what a plugin is for)


class _Finder(MetaPathFinder, Loader):
    """Finds and loads the modules beside one plugin, as ``PLUGIN.name``, and imports them for whoever is one of them.

    Parameters
    ----------
    root : str
        Name of the plugin's module.
    """

    def __init__(self, root: str, modules: Mapping[str, tuple[str, str]]) -> None:
        self._root, self._modules = root, modules
        self._top = {name.partition(".")[0] for name in modules}
        self.builtins = {**vars(builtins), "__import__": self._import}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find a module below the plugin's."""
        root, _, inner = name.partition(".")
        if root != self._root or inner not in self._modules:
            return None
        file = self._modules[inner][0]
        return ModuleSpec(name, self, origin=file, is_package=file.endswith("__init__.py"))

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave that to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the text of a module; its tracebacks show source lines."""
        path, text = self._modules[module.__name__.partition(".")[2]]
        module.__file__ = path
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        vars(module)["__builtins__"] = self.builtins
        exec(compile(text, path, "exec", dont_inherit=True), vars(module))  # noqa: S102  (like the plugin itself)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Import as Python does, but what lies beside the plugin from there."""
        top = name.partition(".")[0]
        # Relative imports find their package through its name; everything else is Python's own.
        if level or top not in self._top:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        found = importlib.import_module(f"{self._root}.{name}")
        if not fromlist:
            return sys.modules[f"{self._root}.{top}"]
        # A name that is imported from a package may be a module of it.
        for part in fromlist:
            if f"{name}.{part}" in self._modules:
                importlib.import_module(f"{self._root}.{name}.{part}")
        return found
