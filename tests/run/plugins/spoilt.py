"""A model that does what no model should at three of fifty points."""

import itertools
import time

import numpy as np

from hpcscan.model import Axis, Model, Observable, Option, Parameter

SLEEPS, RAISES, IS_NAN = 13, 26, 39


class Spoilt(Model):
    """χ²(x) = (x − 20)², at a = 0.25."""

    axes = (Axis("x"),)
    parameters = (Parameter("a", 0.0, 1.0),)
    observables = (Observable("a", 0.25, 0.1), Observable("x", 20.0, 1.0))
    options = (Option("sleep", "choice", "in Python", choices=("in Python", "in C")),)

    def __init__(self, sleep):
        self.sleep = sleep

    def predict(self, points, parameters):
        """Shape (n_rows, 2)."""
        values = np.hstack([parameters, points])
        if (points == SLEEPS).any():
            self.sleep_for_ever()
        if (points == RAISES).any():
            raise ArithmeticError(f"{RAISES} is too much")
        values[points[:, 0] == IS_NAN] = np.nan
        return values

    def sleep_for_ever(self):
        """In C, no signal handler of Python's runs."""
        if self.sleep == "in C":
            sum(itertools.repeat(0))
        time.sleep(1e9)
