"""A model with many local minima whose speed and mood are set from outside, so that its source stays the same.

``SLOW_SECONDS``   every prediction takes so long
``SLOW_FAILS_AT``  predictions at this x raise MemoryError
``SLOW_SHIFT``     all predictions of the slope are larger by so much
``SLOW_TRACE``     a directory, in which every process notes the points whose fits it begins
"""

import os
import time
from pathlib import Path

import numpy as np

from hpcscan.model import Gaussian, Model, Parameter

SECONDS = float(os.environ.get("SLOW_SECONDS", "0"))
FAILS_AT = float(os.environ.get("SLOW_FAILS_AT", "nan"))
SHIFT = float(os.environ.get("SLOW_SHIFT", "0"))
TRACE = os.environ.get("SLOW_TRACE", "")


class Slow(Model):
    """χ² = (a − x)² + (1 + y) · 12 sin²(3 (a − x)) + (b − y)²: the lowest of many minima is at a = x, b = y."""

    title = "valleys"
    parameters = (Parameter("x"), Parameter("y"), Parameter("a", -6.0, 6.0), Parameter("b", -2.0, 9.0))
    data = (Gaussian("slope", 0.0, 1.0), Gaussian("ripple", 0.0, 1.0), Gaussian("of_b", 0.0, 1.0))
    last = None

    def predict(self, x, y, a, b):
        """Shape (n_rows, 1) each."""
        self.note(np.hstack([x, y]))
        time.sleep(SECONDS)
        if (x == FAILS_AT).any():
            raise MemoryError("no room")
        offset = a - x
        return {"slope": offset + SHIFT, "ripple": np.sqrt(12 * (1 + y)) * np.sin(3 * offset), "of_b": b - y}

    def note(self, points):
        """Write down that a point is begun, from which several starts go out."""
        point = tuple(points[0].tolist())
        if TRACE and point != self.last and len(points) > 1 and (points == points[0]).all():
            self.last = point
            with Path(TRACE, str(os.getpid())).open("a") as file:
                file.write(f"{point}\n")


class SlowAnywhere(Slow):
    """The same, said to be cut anywhere."""

    batch_invariant = True
