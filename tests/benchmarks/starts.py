"""Rows of the model that a fresh start takes, beside scipy's, and the share of starts that end at the minimum.

    python tests/benchmarks/starts.py [--starts 32] [--only NAME,…]

scipy.optimize.least_squares with two-point differences runs from the same starts to the same accuracy of χ²: by its
default method for bounds, trf, by dogbox, and by lm, which knows no bounds.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from generic import Generic
from problems import CASES, HARDER
from scipy.optimize import least_squares

from hpcscan.arrays import Array
from hpcscan.fitting.descent import Once
from hpcscan.fitting.ends import Launch, Minima
from hpcscan.fitting.secant import descend
from hpcscan.fitting.starts import draw_starts
from hpcscan.fitting.trust_region import descend as descend_by_central_differences
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem

#: A start is at the minimum where its χ² is within this of the lowest that anybody has found.
RELATIVE, ABSOLUTE = 1e-6, 1e-6
SEED, MAX_ITER = 1, 200
METHODS = ("trf", "dogbox", "lm")


def ours(problem: Problem, points: Array, start: Array, *, is_old: bool = False) -> tuple[Array, Array]:
    """Give χ² and rows of every start."""
    n = start.shape[1]
    objective = Objective(problem, n_points=n)
    ends = Minima.not_run(len(start), n)
    given = Given(np.ascontiguousarray(points.T), owner=np.arange(n))
    fitter = descend_by_central_differences if is_old else descend
    fitter(objective, ends, Once(Launch(np.arange(n), given, start)), MAX_ITER)
    return ends.chi2, objective.tally.n_rows


def scipys(problem: Problem, points: Array, start: Array, method: str) -> tuple[Array, Array]:
    """Do the same with scipy, one start after another."""
    objective, found = Objective(problem, n_points=1), []
    lower, upper = objective.box.lower[:, 0], objective.box.upper[:, 0]
    for point, x in zip(points, start.T, strict=True):
        given = Given(np.repeat(point[:, None], 2, axis=1), owner=np.zeros(2, np.int64))

        def residuals(x: Array, given: Given = given) -> Array:
            r = objective.evaluate(given, np.repeat(x[:, None], 2, axis=1)).residual[:, 0]
            return np.nan_to_num(r, nan=1e10, posinf=1e10, neginf=-1e10)

        before = int(objective.tally.n_rows[0])
        inside = np.clip(x, np.nextafter(lower, np.inf), np.nextafter(upper, -np.inf))
        # Of lm, whose differences count as calls, that many times more.
        bounds, most = ((lower, upper), MAX_ITER) if method != "lm" else ((-np.inf, np.inf), MAX_ITER * (len(x) + 1))
        end = least_squares(residuals, inside, "2-point", bounds, method, ftol=1e-10, x_scale="jac", max_nfev=most)
        found.append((2 * end.cost, int(objective.tally.n_rows[0]) - before))
    chi2, rows = np.array(found).T
    return chi2, rows


def problems() -> dict[str, tuple[Problem, Array]]:
    """Name the problems, each with a point."""
    found: dict[str, tuple[Problem, Array]] = {c.name: (c.problem(), np.zeros((1, 1))) for c in (*CASES, *HARDER)}
    return found | {"generic": (pose(Generic(), ("position", "width")), np.array([[2.0, 0.4]]))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=32)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    all_rows, shares = [], []
    sys.stdout.write(f"{'':14}" + "".join(f"{name:>16}" for name in ("ours", "central", *METHODS)) + "\n")
    for name, (problem, point) in problems().items():
        if options.only and name not in options.only.split(","):
            continue
        points = np.repeat(point, options.starts, axis=0)
        start = draw_starts(Objective(problem).box, point, SEED, options.starts)[:, 0]
        runs = [ours(problem, points, start), ours(problem, points, start, is_old=True)]
        runs += [scipys(problem, points, start, method) for method in METHODS]
        lowest = min(np.nanmin(chi2) for chi2, _ in runs)
        share = [float(np.mean(chi2 <= lowest * (1 + RELATIVE) + ABSOLUTE)) for chi2, _ in runs]
        rows = [float(np.mean(rows)) for _, rows in runs]
        all_rows.append(rows), shares.append(share)
        told = "".join(f"{r:9.1f} ({s:.2f})" for r, s in zip(rows, share, strict=True))
        sys.stdout.write(f"{name:14}{told}\n")
        sys.stdout.flush()
    table = np.array(all_rows)
    others = {"central differences": table[:, 1]} | {f"scipy's {m}": table[:, 2 + k] for k, m in enumerate(METHODS)}
    others |= {"the fewest of scipy's": table[:, 2:].min(axis=1), "the fewest with bounds": table[:, 2:4].min(axis=1)}
    for name, rows in others.items():
        ratio = float(np.exp(np.mean(np.log(table[:, 0] / rows))))
        sys.stdout.write(f"our rows over those of {name}: {ratio:.2f} (geometric mean)\n")
    share = "  ".join(f"{s:.3f}" for s in np.mean(shares, axis=0))
    sys.stdout.write(f"starts at the minimum, in the order of the columns: {share}\n")


if __name__ == "__main__":
    main()
