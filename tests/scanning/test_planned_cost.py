"""What `plan` says of the rows of a model's scan, measured on a few points, is what the scan takes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import hpcscan
from hpcscan.commands import plan as planning

MODEL = """\
import numpy as np
from hpcscan import Gaussian, Model, Parameter

T = np.linspace(0.1, 3, 12)


class Decay(Model):
    parameters = (
        Parameter("a", 0.5, 4.0), Parameter("k", 0.1, 3.0), Parameter("b", -1.0, 1.0), Parameter("c", -0.5, 0.5),
    )
    data = (Gaussian("y", 2 * np.exp(-0.8 * T) + 0.3 + 0.02 * np.cos(7 * T), 0.05),)

    def predict(self, a, k, b, c):
        return {"y": a * np.exp(-k * T) + b + c * T}
"""
SCANS = ({"a": (1.5, 2.5, 8), "k": (0.4, 1.2, 9)}, {"a": (1.5, 2.5, 25)})


@pytest.mark.parametrize("axes", SCANS, ids=["two axes", "one axis"])
def test_the_rows_of_a_dear_model_are_told_within_a_fifth(axes, tmp_path, monkeypatch):
    """From one sample, which is all there is where a row takes a second; with how far it may be off."""
    monkeypatch.setattr(planning, "SAMPLE_SECONDS", 1e-9)
    monkeypatch.chdir(tmp_path)
    scan = ", ".join(f"{name}: {{min: {low}, max: {high}, points: {n}}}" for name, (low, high, n) in axes.items())
    (tmp_path / "decay.py").write_text(MODEL)
    (tmp_path / "scan.yaml").write_text(f"scan: {{{scan}}}\nmodel: {{plugin: decay.py}}\nfit: {{proof: false}}\n")
    text = planning.plan("scan.yaml", (), 1)
    told = re.search(r"model rows +([\d.]+) a point, give or take (\d+)%; (\d+)% of them for derivatives", text)
    assert told

    names: dict[str, Any] = {}
    exec(MODEL, names)
    grid = {name: np.linspace(*ends) for name, ends in axes.items()}
    done = hpcscan.scan(names["Decay"](), grid, proof=False, answer=False)
    rows = float(done.data.variables["n_model_rows"].values.mean())
    assert abs(float(told[1]) / rows - 1) < 0.2
    assert int(told[2]) < 20

    # Differences are told by their places: beside a row that was asked for before, by next to nothing.
    places: list[np.ndarray] = []

    class Noted(names["Decay"]):
        def predict(self, **parameters):
            rows = np.stack([np.ravel(value) for value in parameters.values()], axis=1)
            places.append(rows[np.append(True, (rows[1:] != rows[:-1]).any(axis=1))])
            return super().predict(**parameters)

    hpcscan.scan(Noted(), grid, proof=False, answer=False)
    rows = np.concatenate(places)
    scaled = rows / np.ptp(rows, axis=0)
    n_beside = sum(_is_beside(scaled[max(0, i - 400) : i], scaled[i]) for i in range(len(scaled)))
    assert abs(int(told[3]) / 100 - n_beside / len(rows)) < 0.1


@pytest.mark.parametrize("n_points", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_a_grid_of_few_points_has_a_cost_whatever_kinds_of_starts_they_have(n_points, seed, tmp_path, monkeypatch):
    """All of one kind, too."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "decay.py").write_text(MODEL)
    values = ", ".join(str(1.5 + k) for k in range(n_points))
    text = f"scan: {{a: {{values: [{values}]}}}}\nmodel: {{plugin: decay.py}}\nfit: {{proof: false, seed: {seed}}}\n"
    (tmp_path / "scan.yaml").write_text(text)
    assert re.search(r"model rows +[1-9][\d.]* a point", planning.plan("scan.yaml", (), 1))


def _is_beside(earlier: np.ndarray, row: np.ndarray) -> bool:
    """Whether a row differs from an earlier one in one parameter, by the step of a difference."""
    apart = np.abs(earlier - row)
    return bool(((np.count_nonzero(apart, axis=1) == 1) & (apart.max(axis=1, initial=0.0) < 1e-4)).any())
