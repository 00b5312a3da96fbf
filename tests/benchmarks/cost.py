"""What a grid point costs, beside other fitters and the published algorithm, interleaved in one run on one core.

    python tests/benchmarks/cost.py [--rounds 7] [--json FILE]

CPU time per point of the full grid in the published box. The others minimise the same χ² from the same 16 starts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import process_time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
from lines import Line, table
from published import CALLS_PER_POINT, chi2
from scipy.optimize import least_squares

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model.posing import pose
from hpcscan.models.leptons.model import LeptonModel
from hpcscan.proof.certificate import certify
from hpcscan.settings import FitSettings, StartRange

MODEL = pose(LeptonModel(box="published"), ("beta", "w"))
OBJECTIVE = Objective(MODEL)
GRID = np.array([[b, w] for b in np.linspace(2.95, 3.25, 16) for w in np.geomspace(0.005, 0.05, 10)])
LARGE_GRID = np.array([[b, w] for b in np.linspace(2.95, 3.25, 64) for w in np.geomspace(0.005, 0.05, 32)])
#: A point of the full grid, at which all are compared.
POINT = GRID[[85]].T
STARTS = draw_starts(OBJECTIVE.box, POINT.T, 42, 16)[:, 0].T


SAME = 85


def ours(settings: FitSettings) -> float:
    return float(fit_block(MODEL, GRID, np.arange(len(GRID)), settings).chi2[SAME])


def certificate() -> float:
    return float(certify(MODEL, GRID).chi2_lower_bound[SAME])


def large_grid(settings: FitSettings) -> float:
    return float(fit_block(MODEL, LARGE_GRID, np.arange(len(LARGE_GRID)), settings).chi2[0])


def by_least_squares() -> float:
    def residual(x: np.ndarray) -> np.ndarray:
        return OBJECTIVE.evaluate(Given(POINT), x[:, None]).residual[:, 0]

    bounds = (OBJECTIVE.box.lower[:, 0], OBJECTIVE.box.upper[:, 0])
    return min(2 * least_squares(residual, start, bounds=bounds).cost for start in STARTS)


def by_migrad() -> float:
    from iminuit import Minuit  # noqa: PLC0415  (only this line needs it)

    def value(x: np.ndarray) -> float:
        return float(OBJECTIVE.evaluate(Given(POINT), np.array(x)[:, None]).chi2[0])

    best = np.inf
    for start in STARTS:
        fit = Minuit(value, start)
        fit.limits, fit.errordef = [(p.lower, p.upper) for p in MODEL.parameters], Minuit.LEAST_SQUARES
        fit.migrad()
        best = min(best, fit.fval)
    return best


def published() -> float:
    return chi2(STARTS[0], *POINT[:, 0])


FIXED, ADAPTIVE = FitSettings(proof=None), FitSettings(starts=StartRange(1, 16))
#: Name, what runs, and how many points (or fractions of one) a run is.
LINES: tuple[tuple[str, Callable[[], float], float], ...] = (
    ("published algorithm", published, 1 / CALLS_PER_POINT),
    ("16 starts and certificate", lambda: ours(FitSettings()), len(GRID)),
    ("adaptive starts and certificate", lambda: ours(ADAPTIVE), len(GRID)),
    ("the same, a block of a large grid", lambda: large_grid(ADAPTIVE), len(LARGE_GRID)),
    ("16 starts, no certificate", lambda: ours(FIXED), len(GRID)),
    ("certificate alone", certificate, len(GRID)),
    ("scipy least_squares, 16 starts", by_least_squares, 1),
    ("iminuit migrad, 16 starts", by_migrad, 1),
)


#: What a line takes in a round, at least.
LEAST_SECONDS = 0.2


@dataclass(frozen=True)
class Cost:
    """Seconds for a point in every round, and the χ² that was found."""

    seconds: list[float]
    chi2: float


def measure(rounds: int) -> dict[str, Cost]:
    """Run every line for a while in every round: short ones many times."""
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in LINES}
    value = {}
    for _ in range(rounds):
        for name, run, points in LINES:
            begin, n = process_time(), 0
            while process_time() - begin < LEAST_SECONDS:
                value[name], n = run(), n + 1
            seconds[name].append((process_time() - begin) / (n * points))
    return {name: Cost(seconds[name], value[name]) for name in seconds}


def lines(found: dict[str, Cost]) -> list[Line]:
    """Compare with the targets."""

    def ratio(other: str, name: str) -> float:
        """Compare within every round, because the speed of the machine drifts between them."""
        return float(np.median(np.divide(found[other].seconds, found[name].seconds)))

    fixed, adaptive, large = (LINES[k][0] for k in (1, 2, 3))
    told = [Line(name, 1e3 * float(np.median(cost.seconds)), "ms a point") for name, cost in found.items()]
    judged = [
        Line("published algorithm over 16 starts", ratio("published algorithm", fixed), at_least=300_000),
        Line("published algorithm over adaptive starts", ratio("published algorithm", adaptive), at_least=1_000_000),
        Line("published algorithm over adaptive starts, large grid", ratio("published algorithm", large)),
    ]
    for name in ("scipy least_squares, 16 starts", "iminuit migrad, 16 starts"):
        judged.append(Line(f"{name} over ours", ratio(name, fixed), at_least=300))
        excess = found[fixed].chi2 / found[name].chi2 - 1
        judged.append(Line("our chi2 over its, minus 1", excess, at_most=1e-9))
    return told + judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.rounds)
    sys.stdout.write(table(lines(found)) + "\n")
    if options.json:
        numbers = {name: asdict(cost) for name, cost in found.items()}
        options.json.write_text(json.dumps(numbers, indent=1) + "\n")


if __name__ == "__main__":
    main()
