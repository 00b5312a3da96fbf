"""The listing of CONTRIBUTING.md names every room of the package, and nothing that is not there."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import hpcscan

PACKAGE = Path(hpcscan.__file__).parent
PAGE = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()


def test_every_room_has_its_line():
    rows = re.findall(r"^\| (`.+?) \| .+ \|$", PAGE, re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"`(\w+/?)`", row)]
    rooms = [f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")]
    alone = [path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")]
    assert sorted(listed) == sorted(rooms + alone)


def test_every_file_that_it_names_is_there():
    named = re.findall(r"`([\w./-]+/[\w.-]*)`", PAGE)
    root = PACKAGE.parent
    missing = {name for name in named if not (root / name).exists() and not (PACKAGE / name).exists()}
    assert missing == set()
    assert len(named) > 30


def test_every_dependency_has_its_line():
    setup = configparser.ConfigParser()
    setup.read(PACKAGE.parent / "setup.cfg")
    extras = setup["options.extras_require"]
    wanted = "\n".join([setup["options"]["install_requires"], extras["plot"], extras["mpich"], extras["openmpi"]])
    names = set(re.findall(r"^[A-Za-z0-9]+", wanted, re.MULTILINE))
    table = PAGE[PAGE.index("| library |") :]
    listed = {name.lower() for row in re.findall(r"^\| ([\w, ]+)", table, re.MULTILINE) for name in row.split(", ")}
    assert {name.lower() for name in names} <= {name.strip() for name in listed}
    assert len(names) == 10
