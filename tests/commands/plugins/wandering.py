"""A model that leaves the working directory, and puts a file at the output of its own run."""

import os
from pathlib import Path

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter

#: Where the file is put.
INTRUDER = os.environ.get("WANDERING_INTRUDER")

os.chdir("/")


class Wandering(Model):
    """χ²(x) = x², at a = 0.25."""

    parameters = (Parameter("x", description=r"a label $\nonsense{$"), Parameter("a", 0.0, 1.0))
    data = (Gaussian("y", (0.25, 0.0), (0.1, 1.0)),)

    def __init__(self):
        os.chdir("/")

    def predict(self, x, a):
        """Shape (n_rows, 2)."""
        os.chdir("/tmp")
        # During the run, which its lock tells from the trials before it.
        if INTRUDER and (x == 2).any() and Path(f"{INTRUDER}.lock").exists():
            Path(INTRUDER).write_text("precious")
        return {"y": np.hstack([a, x])}
