"""A model that does what no model should at three of fifty points."""

import itertools
import time
from typing import Literal

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter

SLEEPS, RAISES, IS_NAN = 13, 26, 39


class Spoilt(Model):
    """χ²(x) = (x − 20)², at a = 0.25."""

    parameters = (Parameter("x"), Parameter("a", 0.0, 1.0))
    data = (Gaussian("of_a", 0.25, 0.1), Gaussian("of_x", 20.0, 1.0))

    def __init__(self, sleep: Literal["in Python", "in C"] = "in Python"):
        self.sleep = sleep

    def predict(self, x, a):
        """Shape (n_rows, 1) each."""
        if (x == SLEEPS).any():
            self.sleep_for_ever()
        if (x == RAISES).any():
            raise ArithmeticError(f"{RAISES} is too much")
        return {"of_a": np.where(x == IS_NAN, np.nan, a), "of_x": np.where(x == IS_NAN, np.nan, x)}

    def sleep_for_ever(self):
        """In C, no signal handler of Python's runs."""
        if self.sleep == "in C":
            sum(itertools.repeat(0))
        time.sleep(1e9)


class Trap(Spoilt):
    """It sleeps between two points of the grid: where no point sees it, but the end of an interval of 90 % lies."""

    def predict(self, x, a):
        """Shape (n_rows, 1) each."""
        if ((x > 21.2) & (x < 21.8)).any():
            self.sleep_for_ever()
        return {"of_a": a, "of_x": x}
