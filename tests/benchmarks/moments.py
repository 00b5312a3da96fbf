"""What masses with magnetic moments cost beside masses alone, alternating in one run on one core.

    python tests/benchmarks/moments.py [--rounds 5] [--box moments]

CPU time per point of `configs/moments.yaml`, of a fit of 16 starts without a proof, and of what a proof adds to it.
"""

from __future__ import annotations

import argparse
import os
import sys
from time import process_time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

from hpcscan.fitting.block import fit_starts
from hpcscan.fitting.records import Status
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem
from hpcscan.models.leptons.model import LeptonModel
from hpcscan.settings import FitSettings, StartRange

GRID = np.array([[beta, w] for beta in np.linspace(1.5, 3.5, 9) for w in (0.01, 0.02, 0.03)])
ALONE = "masses alone"
OPTIONS = {
    ALONE: {"moment": "none"},
    "physical": {"moment": "uniform"},
    "authors": {"moment": "uniform", "convention": "authors"},
}
FIT, PROOF = FitSettings(starts=StartRange(16, 16), proof=None), FitSettings(starts=StartRange(16, 16))


def cost(problem: Problem, settings: FitSettings) -> tuple[float, str]:
    """CPU time per point in ms, and what it bought."""
    begun = process_time()
    ends, result = fit_starts(problem, GRID, np.arange(len(GRID)), settings)
    milliseconds = 1e3 * (process_time() - begun) / len(GRID)
    gap = ((result.chi2 - result.chi2_lower_bound) / np.maximum(result.chi2, 1.0)).max()
    shares = f"{100 * np.mean(ends.status == Status.CONVERGED):.0f} % of the starts converge, "
    return milliseconds, f"{shares}{ends.n_iterations.mean():.0f} steps a start, largest relative gap {gap:.1g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--box", default="moments")
    given = parser.parse_args()
    problems = {name: pose(LeptonModel(box=given.box, **options), ("beta", "w")) for name, options in OPTIONS.items()}
    cases = {(name, what): s for what, s in (("fit", FIT), ("fit and proof", PROOF)) for name in problems}
    measured: dict[tuple[str, str], list[tuple[float, str]]] = {case: [] for case in cases}
    for _ in range(given.rounds):
        for (name, what), settings in cases.items():
            measured[name, what].append(cost(problems[name], settings))
    for (name, what), rounds in measured.items():
        ratio = np.median([one[0] / alone[0] for one, alone in zip(rounds, measured[ALONE, "fit"], strict=True)])
        cost_of_point = f"{min(r[0] for r in rounds):8.2f} ms, {ratio:5.1f} × masses alone"
        sys.stdout.write(f"{name:14} {what:14} {cost_of_point}; {rounds[0][1]}\n")


if __name__ == "__main__":
    main()
