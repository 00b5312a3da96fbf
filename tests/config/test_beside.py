"""Modules beside a plugin: found in its text, carried with it, and nobody else's."""

from __future__ import annotations

import importlib
import pickle
import shutil
import subprocess
import sys

import pytest

from hpcscan.config.plugin import plugin_class, read_plugin
from hpcscan.errors import UsageError

PLUGIN = """\
import helper
import lib.tools as tools
from lib import more
from hpcscan.model import Gaussian, Model, Parameter


class Line(Model):
    parameters = (Parameter("x"), Parameter("a", 0.0, 1.0))
    data = (Gaussian("y", helper.VALUE, 0.1),)
    title = f"{helper.later()} {tools.NAME} {more.NAME}"

    def predict(self, x, a):
        return {"y": a}
"""
FILES = {
    "plugin.py": PLUGIN,
    "helper.py": "import random\nVALUE = 0.5\ndef later():\n    import late\n    return late.NAME + random.NAME\n",
    "late.py": "NAME = 'late'\n",
    "random.py": "NAME = 'own'\n",
    "lib/__init__.py": "",
    "lib/tools.py": "from . import more\nfrom .deep.er import DEEP\nNAME = 'tools' + more.NAME + DEEP\n",
    "lib/more.py": "NAME = 'more'\n",
    "lib/deep/er.py": "DEEP = 'deep'\n",
    "unused.py": "raise ValueError\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_what_is_imported_travels_and_nothing_else(folder):
    """Through functions, packages and relative imports; a directory needs no __init__.py."""
    source = read_plugin("plugin.py:Line", str(folder))
    names = [name for name, _, _ in source.modules]
    assert names == ["helper", "late", "lib", "lib.deep", "lib.deep.er", "lib.more", "lib.tools", "random"]
    assert {name: text for name, _, text in source.modules}["late"] == "NAME = 'late'\n"


def test_the_text_is_enough(folder):
    """On a rank that does not see the files."""
    source = read_plugin("plugin.py:Line", str(folder))
    shutil.rmtree(folder)
    code = "import pickle, sys; from hpcscan.config.plugin import plugin_class as c\n"
    code += "print(c(pickle.load(sys.stdin.buffer)).title)"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(source), capture_output=True, check=False)
    assert done.stdout.decode().strip() == "lateown toolsmoredeep more", done.stderr


def test_nobody_else_finds_them(folder, tmp_path_factory):
    """Not the program, which has a `random` of its own, and not another plugin with modules of the same names."""
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(folder, other, dirs_exist_ok=True)
    (other / "late.py").write_text("NAME = 'other'\n")
    first, second = (plugin_class(read_plugin("plugin.py:Line", str(place))) for place in (folder, other))
    assert (first.title.split()[0], second.title.split()[0]) == ("lateown", "otherown")
    assert not {"helper", "late", "lib"} & set(sys.modules)
    assert hasattr(importlib.import_module("random"), "Random")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("late")


def test_a_change_of_one_is_another_plugin(folder):
    before = plugin_class(read_plugin("plugin.py:Line", str(folder)))
    (folder / "late.py").write_text("NAME = 'changed'\n")
    assert plugin_class(read_plugin("plugin.py:Line", str(folder))).title != before.title


@pytest.mark.parametrize(("text", "line"), [("NAME = 1 / 0\n", 1), ("\nNAME = = 1\n", 2)])
def test_a_mistake_is_blamed_on_its_file(folder, text, line):
    (folder / "late.py").write_text(text)
    with pytest.raises(UsageError, match=rf"late\.py:{line}"):
        plugin_class(read_plugin("plugin.py:Line", str(folder)))
