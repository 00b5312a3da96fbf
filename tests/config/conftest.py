from pathlib import Path

import pytest

PLUGIN = """\
import numpy as np
from hpcscan.model import Derived, Dimension, Gaussian, Model, Parameter


class Line(Model):
    title = "a straight line"
    parameters = (Parameter("slope"), Parameter("offset", -1.0, 1.0))
    data = (Gaussian("left", 1.0, 0.1), Gaussian("right", 2.0, 0.1))

    def __init__(self, shift: float = 0.0):
        self.shift = shift

    def predict(self, slope, offset):
        base = offset + self.shift
        return {"left": base, "right": base + slope}
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
