"""CPU time of a large problem with derivatives, 40 parameters and 400 data, over scipy's at its best.

    python tests/benchmarks/large.py [--rounds 5]

The counts of a spectrum are bent by nuisance parameters; scipy gets the same derivatives, bounds, starts and tolerance,
computed for one row at a time; its methods are told beside each other, of which lm knows no bounds.
"""

from __future__ import annotations

import argparse
import os
import sys
from time import process_time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from lines import Line, table
from scipy.optimize import least_squares

from hpcscan import Gaussian, Model, Parameter
from hpcscan.arrays import Array
from hpcscan.fitting.block import fit_block
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.objective import Objective
from hpcscan.model.posing import pose
from hpcscan.scanning.chunks import block_size
from hpcscan.settings import FitSettings

N_PARAMETERS, N_DATA, SIGMA = 40, 400, 0.02
X = np.linspace(0.0, 1.0, N_DATA)
CENTRES = np.linspace(0.0, 1.0, N_PARAMETERS)
#: How each parameter bends the logarithm of the spectrum.
SHAPES = 1 / (1 + ((X - CENTRES[:, None]) / 0.02) ** 2)
NAMES = tuple(f"bend{j}" for j in range(N_PARAMETERS))
BOUND = 1.0


def spectrum(slope, bends):
    return np.exp(slope * X + bends @ SHAPES)


DRAW = np.random.default_rng(3)
DATA = spectrum(-1.0, DRAW.uniform(-0.5, 0.5, N_PARAMETERS)) + SIGMA * DRAW.standard_normal(N_DATA)


class Large(Model):
    """A falling spectrum under forty bends."""

    parameters = (Parameter("slope", -2.0, 0.0), *(Parameter(name, -BOUND, BOUND) for name in NAMES))
    data = (Gaussian("y", DATA, SIGMA),)

    def predict(self, slope, **bends):
        return {"y": spectrum(slope, np.concatenate([bends[name] for name in NAMES], axis=1))}

    def jacobian(self, slope, **bends):
        y = spectrum(slope, np.concatenate([bends[name] for name in NAMES], axis=1))
        return {"y": {"slope": X * y} | {name: shape * y for name, shape in zip(NAMES, SHAPES, strict=True)}}


PROBLEM = pose(Large(), ("slope",))


def ours(points: Array, n_starts: int) -> Array:
    """Give the minimum of every point."""
    settings, size = FitSettings(starts=n_starts, proof=None, seed=1), block_size(n_starts, PROBLEM)
    blocks = [points[i : i + size] for i in range(0, len(points), size)]
    return np.concatenate([fit_block(PROBLEM, block, np.arange(len(block)), settings).chi2 for block in blocks])


def scipys(points: Array, n_starts: int, method: str) -> Array:
    """Do the same with scipy, one start after another."""
    starts = draw_starts(Objective(PROBLEM).box, points, 1, n_starts)
    bounds = (-BOUND, BOUND) if method != "lm" else (-np.inf, np.inf)
    lowest = []
    for i, (slope,) in enumerate(points):

        def residual(x: Array, slope: float = slope) -> Array:
            return (spectrum(slope, x) - DATA) / SIGMA

        def jacobian(x: Array, slope: float = slope) -> Array:
            return SHAPES.T * (spectrum(slope, x) / SIGMA)[:, None]

        ends = [least_squares(residual, x, jacobian, bounds, method, ftol=1e-12) for x in starts[:, i].T]
        lowest.append(2 * min(end.cost for end in ends))
    return np.array(lowest)


def compare(points: Array, n_starts: int, rounds: int, at_most: float) -> list[Line]:
    """Run in turns; the ratio is that of every round, because the speed of the machine drifts."""
    methods = ("trf", "dogbox", "lm")
    seconds = np.empty((rounds, 1 + len(methods)))
    excess = 0.0
    for of_round in seconds:
        found = []
        for k, method in enumerate((None, *methods)):
            begin = process_time()
            found.append(ours(points, n_starts) if method is None else scipys(points, n_starts, method))
            of_round[k] = process_time() - begin
        excess = float(np.max(found[0] / np.min(found[1:], axis=0) - 1))
    name = f"{len(points)} x {n_starts}"
    told = [
        Line(f"{name}: {who}", 1e3 * float(np.median(column)), "ms")
        for who, column in zip(("ours", *methods), seconds.T, strict=True)
    ]
    over = seconds[:, :1] / seconds[:, 1:]
    return [
        *told,
        Line(f"{name}: ours over scipy's default, trf", float(np.median(over[:, 0])), at_most=at_most),
        Line(f"{name}: ours over the quickest, which may know no bounds", float(np.median(over.max(axis=1)))),
        Line(f"{name}: our chi2 over the lowest of its, minus 1", excess, at_most=1e-9),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    one, twelve = np.array([[-1.0]]), np.linspace(-1.4, -0.6, 12)[:, None]
    lines = [*compare(one, 4, options.rounds, 1.0), *compare(twelve, 16, options.rounds, 0.7)]
    sys.stdout.write(table(lines) + "\n")


if __name__ == "__main__":
    main()
