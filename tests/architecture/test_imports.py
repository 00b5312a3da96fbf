"""Who may import whom: the science knows nothing of MPI, files or the terminal, and one door leads to each library."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Mapping

import pytest

from architecture.sources import Source, offenders, sources

#: What each room, or module on its own, may import of the others: a room, or single modules of it. In order: nobody
#: imports what stands below it.
MAY_IMPORT = {
    "errors": (),
    "version": (),
    "arrays": (),
    "method": (),
    "settings": ("method",),
    "tolerance": ("arrays",),
    "grid": ("arrays",),
    "table": ("arrays",),
    "distribution": (),
    "border": ("errors",),
    "words": ("arrays", "tolerance", "grid"),
    "model": ("errors", "arrays"),
    "models": ("errors", "arrays", "model"),
    "config": ("errors", "arrays", "settings", "tolerance", "grid", "border", "model"),
    "likelihood": ("arrays", "tolerance", "model"),
    "proof": ("arrays", "model"),
    "fitting": ("errors", "arrays", "settings", "tolerance", "model", "likelihood", "proof"),
    "answer": ("arrays", "distribution", "tolerance", "grid", "model", "likelihood", "proof", "fitting"),
    "toys": ("arrays", "distribution", "tolerance", "model", "likelihood", "fitting", "answer"),
    "guard": (
        "errors",
        "arrays",
        "tolerance",
        "grid",
        "border",
        "table",
        "words",
        "model",
        "config.plugin",
        "config.validated",
        "likelihood.precision",
        "proof.enclosure",
        "fitting",
    ),
    "scanning": (
        "errors",
        "arrays",
        "border",
        "settings",
        "tolerance",
        "grid",
        "table",
        "distribution",
        "model",
        "config.validated",
        "likelihood",
        "proof",
        "fitting",
        "answer",
        "toys",
        "guard",
    ),
    "parallel": ("errors",),
    "dataset": (
        "errors",
        "version",
        "arrays",
        "tolerance",
        "grid",
        "table",
        "model",
        "config.validated",
        "likelihood.terms",
        "fitting.records",
        "answer.answer_record",
        "toys.toy_record",
    ),
    "output": (
        "errors",
        "version",
        "arrays",
        "grid",
        "table",
        "words",
        "model",
        "answer.answer_record",
        "toys.toy_record",
        "config.validated",
        "fitting.records",
        "guard.printed",
        "scanning",
        "dataset",
    ),
    "analysis": ("arrays", "distribution", "settings", "tolerance", "grid", "words", "model", "fitting", "dataset"),
    "gate": ("arrays", "distribution", "settings", "tolerance", "words", "analysis"),
    "report": (
        "settings",
        "errors",
        "arrays",
        "distribution",
        "tolerance",
        "grid",
        "words",
        "dataset",
        "analysis",
        "gate",
    ),
    "program": (
        "errors",
        "border",
        "distribution",
        "grid",
        "table",
        "model",
        "config",
        "fitting",
        "toys.toy_record",
        "guard",
        "scanning",
        "dataset",
    ),
    "door": (
        "program",
        "errors",
        "arrays",
        "border",
        "distribution",
        "settings",
        "grid",
        "words",
        "model",
        "config",
        "fitting",
        "answer.answer_record",
        "toys.toy_record",
        "guard",
        "scanning",
        "parallel",
        "dataset",
        "output.destination",
        "analysis",
        "gate",
        "report",
    ),
    "commands": (
        "program",
        "errors",
        "version",
        "arrays",
        "distribution",
        "table",
        "method",
        "settings",
        "grid",
        "words",
        "model",
        "config",
        "likelihood.terms",
        "fitting",
        "guard",
        "scanning",
        "parallel",
        "dataset",
        "output",
        "analysis",
        "gate",
        "report",
        "door",
    ),
    "__init__": ("errors", "version", "model", "door"),
    "__main__": ("commands",),
}

#: The modules through which a library is reached; numpy is everybody's.
DOORS = {
    "mpi4py": ("parallel",),
    "netCDF4": ("dataset.netcdf",),
    "yaml": ("config.composing",),
    "scipy": ("fitting.methods",),
    "matplotlib": ("report.figures",),
    "PIL": ("report.figures.canvas",),
    "xarray": ("dataset.xarray_view", "door"),
}

#: What pure functions have no use for: files, processes, clocks, hidden random state.
IMPURE = frozenset(
    [
        "io",
        "os",
        "pathlib",
        "random",
        "secrets",
        "shutil",
        "socket",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
    ]
)


def is_within(module: str, allowed: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def forbidden(source: Source) -> set[str]:
    """Modules of the package that a module imports and may not."""
    allowed = (source.unit, *MAY_IMPORT[source.unit])
    return {module for module in source.own_imports() if not is_within(module, allowed)}


def closed_doors(source: Source) -> set[str]:
    """Libraries that a module imports and may not."""
    libraries = source.foreign_imports() - sys.stdlib_module_names - {"numpy"}
    return {name for name in libraries if not is_within(source.module, DOORS.get(name, ()))}


def test_imports_go_one_way():
    assert offenders(forbidden) == {}


def test_rooms_are_in_order():
    """So that no two of them can need each other."""
    order = list(MAY_IMPORT)
    upwards = {
        (room, name)
        for room, allowed in MAY_IMPORT.items()
        for name in allowed
        if order.index(name.partition(".")[0]) >= order.index(room)
    }
    assert upwards == set()


def test_no_module_needs_itself():
    """Not by way of others either, and not inside a function or for the sake of a type."""
    assert circles(imports_of(sources())) == []


def imports_of(modules: Iterable[Source]) -> dict[str, set[str]]:
    """Which modules each module imports; what is imported from a module is taken for its own, if it is a module."""
    known = {source.module: source for source in modules}
    return {name: source.imported_names() & known.keys() for name, source in known.items()}


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Name the modules of every circle: those that reach each other."""
    reached = {name: set(found) for name, found in imports.items()}
    for middle in imports:
        for found in reached.values():
            found.update(reached[middle] if middle in found else ())
    groups = {frozenset(o for o in reached[name] if name in reached[o]) for name in imports if name in reached[name]}
    return sorted(sorted(group) for group in groups)


def test_one_door_leads_to_each_library():
    assert offenders(closed_doors) == {}


@pytest.mark.parametrize("library", DOORS)
def test_every_door_is_in_use(library):
    assert any(library in source.foreign_imports() for source in sources())


def test_the_science_is_pure():
    """No input or output, no clock; random numbers come from generators that are made for a point."""
    assert offenders(impurities) == {}


def impurities(source: Source) -> set[str]:
    """Impure imports and hidden random state in a module of the science."""
    is_science = source.unit in ("model", "models", "likelihood", "proof", "fitting")
    return (source.foreign_imports() & IMPURE) | hidden_random_state(source) if is_science else set()


def hidden_random_state(source: Source) -> set[str]:
    """Uses of ``np.random`` other than to make a generator."""
    uses = {
        node.attr
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random"
    }
    return uses - {"Generator", "PCG64", "SeedSequence"}


def test_nobody_prints():
    """Rank 0 writes whole lines through logging; `print` on several ranks mangles them."""
    assert offenders(prints) == {}


def prints(source: Source) -> set[str]:
    """The name `print`, where a module uses it."""
    return {node.id for node in ast.walk(source.tree) if isinstance(node, ast.Name)} & {"print", "pprint"}


@pytest.mark.parametrize(
    ("module", "text", "expected"),
    [
        ("models.leptons.model", "from hpcscan.fitting.records import Status", {"fitting.records"}),
        ("fitting.block", "def f():\n    from hpcscan.scanning import chunks", {"scanning"}),
        ("parallel.team", "import hpcscan.commands.run as story", {"commands.run"}),
        ("dataset.writer", "from hpcscan.commands import cli", {"commands"}),
        ("dataset.writer", "from hpcscan import commands", {"commands"}),
        ("dataset.writer", "from hpcscan.config.read import read_config", {"config.read"}),
        (
            "dataset.writer",
            "if TYPE_CHECKING:\n    from hpcscan.analysis.findings import Findings",
            {"analysis.findings"},
        ),
        ("grid", "from hpcscan.arrays import Array", set()),
    ],
)
def test_a_forbidden_import_is_seen(module, text, expected):
    assert forbidden(Source(module, text)) == expected


@pytest.mark.parametrize(
    ("module", "text", "expected"),
    [
        ("commands.run", "from mpi4py import MPI", {"mpi4py"}),
        ("fitting.block", "def f():\n    import scipy.optimize", {"scipy"}),
        ("dataset.variable", "import netCDF4 as nc", {"netCDF4"}),
        ("dataset.variable", "import pandas", {"pandas"}),
        ("parallel.world", "from mpi4py import MPI", set()),
    ],
)
def test_a_closed_door_is_seen(module, text, expected):
    assert closed_doors(Source(module, text)) == expected


def test_a_circle_is_seen():
    """Through several modules, inside a function, for a type, and as a module that is taken from its package."""
    texts = {
        "a.one": "from hpcscan.b.two import thing",
        "b.two": "def f():\n    from hpcscan.c import three",
        "c.three": "if TYPE_CHECKING:\n    import hpcscan.a.one",
        "d": "from hpcscan import a, e",
        "e": "from hpcscan.a.one import d",
    }
    found = imports_of(Source(module, text) for module, text in texts.items())
    assert circles(found) == [["a.one", "b.two", "c.three"]]
    assert circles({"a": {"a"}, "b": {"a"}}) == [["a"]]


def test_an_impurity_is_seen():
    text = "import time\nnp.random.seed(1); np.random.Generator(np.random.PCG64(3)); generator.random(3)"
    assert impurities(Source("fitting.starts", text)) == {"time", "seed"}
    assert impurities(Source("scanning.work", text)) == set()


def test_a_print_is_seen():
    assert prints(Source("commands.run", "def f(x):\n    print(x)")) == {"print"}
