"""What toys cost, and how well their regions cover: ``PYTHONPATH=tests python tests/benchmarks/feldman_cousins.py``.

CPU seconds, so that a busy machine matters less; the two examples of Feldman and Cousins are a test. About four
minutes on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import process_time

import numpy as np
from likelihood.examples import Oscillation
from toys.models import BoundedMean, Counting, Uncertain, toys_of
from toys.test_unbinned import Normal

import hpcscan
from hpcscan.model import Gaussian, Model, Parameter

sys.path.insert(0, str(Path(__file__).parents[2] / "configs" / "plugins"))
from pendulum import Pendulum

PENDULUM = {"gravity": np.linspace(9.6, 10.2, 7), "length": np.linspace(0.99, 1.02, 4)}
COARSE = {"s": np.linspace(0.7, 1, 7), "d": np.linspace(1.5, 3.5, 4)}
FULL = {"s": np.linspace(0.6, 1, 16), "d": np.linspace(1.6, 3.4, 10)}


class Square(Model):
    """Two regions that touch: a value is seen by its square."""

    parameters = (Parameter("a", -4.0, 4.0), Parameter("b", -3.0, 3.0))
    data = (Gaussian("square", 1.0, 1.0), Gaussian("b", 0.3, 0.5))

    def predict(self, a, b):
        return {"square": a * a, "b": b}


def cost(name, model, axes, aim, **wanted):
    """Print CPU seconds per 1,000 toys, and critical values."""
    made, begin = [], process_time()
    found = toys_of(model, axes, made=made, **wanted)
    seconds, n = process_time() - begin, 100 * len(made)
    critical = [found.tally.critical(cl)[0] for cl in wanted["cl"]]
    spans = ", ".join(f"{np.nanmin(c):.2f} to {np.nanmax(c):.2f}" for c in critical)
    tell(
        f"{name}: {n:,} toys, {seconds:.1f} s, {1000 * seconds / n:.3f} s per 1,000 (aim {aim}), "
        f"failed {found.tally.n_failed.sum()}, critical {spans}"
    )


def covering(name, model, axes, truths, n=1000):
    """Print how often regions by toys and after Wilks hold true values, in 1,000 experiments."""
    scan = hpcscan.scan(model, axes, answer=False, toys={"n": n, "coverage": truths, "experiments": 1000})
    variables = scan.data.variables
    for row, truth in enumerate(variables["toy_truth_value"].values):
        for column, cl in enumerate(scan.toy_results.cl):
            parts = [
                f"{by} {variables[f'coverage_{by}'].values[row, column]:.3f} "
                f"({variables[f'coverage_{by}_lower'].values[row, column]:.3f} to "
                f"{variables[f'coverage_{by}_upper'].values[row, column]:.3f})"
                for by in ("toys", "wilks")
            ]
            tell(f"{name} at {truth.tolist()}, {cl}: {', '.join(parts)}")


def tell(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main():
    sigmas, once = (0.6827, 0.9545), {"is_adaptive": False}
    cost("pendulum, 7 × 4, 1,000 a point", Pendulum(), PENDULUM, 0.05, n_toys=1000, cl=sigmas, **once)
    cost("oscillation, 7 × 4, 1,000 a point", Oscillation(), COARSE, 0.2, n_toys=1000, cl=sigmas, **once)
    cost("oscillation, 16 × 10, 95 % contours", Oscillation(), FULL, 0.2, n_toys=1900, cl=(0.95,), is_everywhere=False)
    cost("oscillation, 16 × 10, brute force", Oscillation(), FULL, 0.2, n_toys=1900, cl=(0.95,), **once)
    student = {"mean": np.linspace(-1.0, 3.0, 5)}
    cost("five values, a number alone", Normal(), student, "none", n_toys=1000, cl=(0.9,), **once)
    covering("five values", Normal(), student, {"mean": [0.5]}, 400)
    covering("bounded mean", BoundedMean(0.5), {"mu": np.linspace(0, 6, 13)}, {"mu": [0.0, 0.5, 2.0]}, 2000)
    covering("count", Counting(5), {"signal": np.linspace(0, 15, 16)}, {"signal": [0.5, 4.0]}, 2000)
    grid = {"a": np.linspace(-3, 3, 9), "b": np.linspace(-2, 2.5, 7)}
    covering("square", Square(), grid, {"a": [0.0, 1.0], "b": [0.3, 0.3]})
    covering("uncertain background", Uncertain(), {"signal": np.linspace(0, 14, 8)}, {"signal": [1.0, 4.0]})


if __name__ == "__main__":
    main()
