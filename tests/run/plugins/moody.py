"""A model that behaves in one of several bad ways, at x = 2 or beyond: never where it is tried before the scan."""

import shutil
import sys

import numpy as np

from hpcscan.model import Axis, Model, Observable, Option, Parameter

LIMIT = 0.5


class Moody(Model):
    """χ²(x) = x², at a = 0.25."""

    axes = (Axis("x"),)
    parameters = (Parameter("a", 0.0, 1.0),)
    observables = (Observable("a", 0.25, 0.1), Observable("x", 0.0, 1.0))
    options = (
        Option(
            "mood",
            "choice",
            "fine",
            choices=("fine", "nan above", "nan at 2", "nan", "raises", "exits", "removes results"),
        ),
    )

    def __init__(self, mood):
        self.mood = mood

    def predict(self, points, parameters):
        """Shape (n_rows, 2)."""
        is_two = points[:, 0] == 2
        values = np.hstack([parameters, points])
        if self.mood == "nan above":
            values[parameters[:, 0] > LIMIT] = np.nan
        elif self.mood == "nan at 2":
            values[is_two] = np.nan
        elif self.mood == "nan":
            values[:] = np.inf
        elif is_two.any():
            self.misbehave()
        return values

    def misbehave(self):
        """Do what no model should."""
        if self.mood == "raises":
            raise ArithmeticError("two is too much")
        if self.mood == "exits":
            sys.exit(0)
        if self.mood == "removes results":
            shutil.rmtree("results", ignore_errors=True)
