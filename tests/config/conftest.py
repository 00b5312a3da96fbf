from pathlib import Path

import pytest

PLUGIN = """\
import numpy as np
from hpcscan.model import Axis, Derived, Dimension, Model, Observable, Option, Parameter


class Line(Model):
    title = "a straight line"
    axes = (Axis("slope"),)
    parameters = (Parameter("offset", -1.0, 1.0),)
    observables = (Observable("y.left", 1.0, 0.1), Observable("y.right", 2.0, 0.1))
    options = (Option("shift", "number", 0.0),)

    def __init__(self, shift):
        self.shift = shift

    def predict(self, points, parameters):
        x = np.array([0.0, 1.0])
        return parameters + self.shift + points * x
"""

CONFIG = """\
scan:
  slope: {min: 0, max: 1, points: 3}
model:
  plugin: line.py:Line
output: out.nc
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a small plugin and a configuration for it."""
    monkeypatch.chdir(tmp_path)
    Path("line.py").write_text(PLUGIN)
    Path("scan.yaml").write_text(CONFIG)
    return tmp_path
