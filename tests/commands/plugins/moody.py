"""A model that behaves in one of several bad ways, at x = 2 or beyond: never where it is tried before the scan."""

import shutil
import sys
from pathlib import Path
from typing import Literal

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter

LIMIT = 0.5


class Moody(Model):
    """χ²(x) = x², at a = 0.25."""

    parameters = (Parameter("x"), Parameter("a", 0.0, 1.0))
    data = (Gaussian("of_a", 0.25, 0.1), Gaussian("of_x", 0.0, 1.0))

    def __init__(
        self,
        mood: Literal[
            "fine", "nan above", "nan at 2", "nan", "nan in the run", "raises", "exits", "removes results"
        ] = "fine",
    ):
        self.mood = mood

    def predict(self, x, a):
        """Shape (n_rows, 1) each."""
        is_two = x[:, 0] == 2
        values = np.hstack([a, x])
        if self.mood == "nan above":
            values[a[:, 0] > LIMIT] = np.nan
        elif self.mood == "nan at 2":
            values[is_two] = np.nan
        elif self.mood == "nan" or (self.mood == "nan in the run" and Path("results/out.nc.lock").exists()):
            values[:] = np.inf
        elif self.mood != "nan in the run" and is_two.any():
            self.misbehave()
        return {"of_a": values[:, :1], "of_x": values[:, 1:]}

    def misbehave(self):
        """Do what no model should."""
        if self.mood == "raises":
            raise ArithmeticError("two is too much")
        if self.mood == "exits":
            sys.exit(0)
        if self.mood == "removes results":
            shutil.rmtree("results", ignore_errors=True)
