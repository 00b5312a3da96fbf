"""A line through the data of a file, which the configuration names."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from hpcscan.model import Gaussian, Model, Option, Parameter


class Line(Model):
    parameters = (Parameter("slope", -5.0, 5.0), Parameter("offset", -5.0, 5.0), Parameter("bend", -1.0, 1.0))

    def __init__(
        self,
        file: Path,
        sigma: Annotated[float, Option("standard deviation of each value", unit="V")] = 0.1,
        through: Literal["origin", "anywhere"] = "anywhere",
    ):
        self.t, values = np.loadtxt(file, unpack=True)
        self.is_free = through == "anywhere"
        self.data = (Gaussian("y", values, sigma, x=self.t, unit="V"),)

    def predict(self, slope, offset, bend):
        return {"y": offset * self.is_free + slope * self.t + bend * self.t**2}
