"""Figures, tables and plan of toys."""

from __future__ import annotations

import numpy as np
import pytest

import hpcscan
from hpcscan.analysis.toy_results import region_texts
from hpcscan.commands.plan import plan
from hpcscan.report.figures.canvas import render
from hpcscan.report.figures.toy_figures import toy_drawings
from hpcscan.report.table_rows import all_data
from toys.models import Counting, Line


@pytest.mark.parametrize(
    ("model", "axes", "text"),
    [
        (Counting(5), {"signal": np.linspace(0, 15, 11)}, "critical values of toys"),
        (Line(), {"a": np.linspace(-1, 1.6, 4), "b": np.linspace(0.2, 1.6, 4)}, "points of the grid ("),
        (
            Line(),
            {"a": [-1.0, 0.3, 1.6], "b": [-0.4, 0.6, 1.6], "c": [-1.0, 3.0]},
            "in which a point is shaded if it is inside for",
        ),
    ],
    ids=["line", "plane", "three"],
)
def test_the_report_shows_them(model, axes, text):
    """One figure with a caption in words, and one row for each point that has toys."""
    scan = hpcscan.scan(model, axes, answer=False, toys={"n": 100, "cl": [0.9]})
    [drawing] = toy_drawings(scan.findings)
    assert text in drawing.caption
    # The names of parameters keep their letters.
    assert all(text in drawing.caption for text in region_texts(scan.toy_results))
    assert len(render(drawing).png) > 5000
    [data] = [data for data in all_data(scan.findings) if data.name == "toys"]
    assert len(data.rows) == scan.data.grid.n_points
    p = [float(row[data.header.index("toy_p_value")]) for row in data.rows]
    assert p == scan.toy_results.p_value.tolist()


def test_a_plan_tells_their_cost(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "scan.yaml").write_text(
        "scan: {a: {min: 0, max: 1, points: 3}}\nmodel: model.py\ntoys: {n: 1000}\nfit: {starts: 1}\n"
    )
    [line] = [line for line in plan(str(tmp_path / "scan.yaml"), (), 1).splitlines() if line.startswith("toys ")]
    assert "300 to 3,000 at all points" in line and "s per 1,000, measured here on 500" in line


MODEL = """\
from hpcscan.model import Gaussian, Model, Parameter
class M(Model):
    parameters = (Parameter("a", -2, 6), Parameter("b", 0, 1))
    data = (Gaussian("y", 0.0, 1.0), Gaussian("z", 1.0, 1.0))
    def predict(self, a, b):
        return {"y": a + b, "z": b}
"""
