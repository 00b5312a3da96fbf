"""The source files of the package, read but not imported."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import hpcscan

PACKAGE = Path(hpcscan.__file__).parent


@dataclass(frozen=True)
class Source:
    """One module: its dotted name below the package, such as ``store.dataset``, and its text."""

    module: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def unit(self) -> str:
        """Its package, or itself where it stands alone: ``store``, ``cli``."""
        return self.module.partition(".")[0]

    def imports(self) -> set[str]:
        """Dotted names of everything it imports anywhere, also inside functions."""
        return {name for node in ast.walk(self.tree) for name in _imported(node)}

    def own_imports(self) -> set[str]:
        """What it imports of the package: ``errors``, ``store.dataset``."""
        return {name.removeprefix("hpcscan.") for name in self.imports() if name.startswith("hpcscan.")}

    def imported_names(self) -> set[str]:
        """What it imports of the package, and ``parallel.world`` for ``from hpcscan.parallel import world``."""
        froms = (node for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom))
        members = {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
        return {name.removeprefix("hpcscan.") for name in self.imports() | members if name.startswith("hpcscan.")}

    def foreign_imports(self) -> set[str]:
        """Top-level names of other packages."""
        return {name.partition(".")[0] for name in self.imports()} - {"hpcscan"}


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        # A module of the package may hide behind ``from hpcscan.commands import run``.
        yield from (
            (f"hpcscan.{alias.name}" for alias in node.names) if node.module == "hpcscan" else [node.module or ""]
        )


@cache
def sources() -> tuple[Source, ...]:
    """Every module of the package."""
    return tuple(Source(_module(path), path.read_text()) for path in sorted(PACKAGE.rglob("*.py")))


def offenders(fault: Callable[[Source], set[str]]) -> dict[str, set[str]]:
    """Modules in which a fault is found, with what was found."""
    return {source.module: found for source in sources() if (found := fault(source))}


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)
