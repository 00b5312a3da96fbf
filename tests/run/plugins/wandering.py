"""A model that leaves the working directory, and puts a file at the output of its own run."""

import os
from pathlib import Path

import numpy as np

from hpcscan.model import Axis, Model, Observable, Parameter

#: Where the file is put.
INTRUDER = os.environ.get("WANDERING_INTRUDER")

os.chdir("/")


class Wandering(Model):
    """χ²(x) = x², at a = 0.25."""

    axes = (Axis("x", description=r"a label $\nonsense{$"),)
    parameters = (Parameter("a", 0.0, 1.0),)
    observables = (Observable("a", 0.25, 0.1), Observable("x", 0.0, 1.0))

    def __init__(self):
        os.chdir("/")

    def predict(self, points, parameters):
        """Shape (n_rows, 2)."""
        os.chdir("/tmp")
        if INTRUDER and (points[:, 0] == 2).any():
            Path(INTRUDER).write_text("precious")
        return np.hstack([parameters, points])
