"""What is proven of every kind of term, at what cost, and what stays open.

    python tests/benchmarks/proofs.py [--only TEXT]...

Counts of an oscillation, a covariance of 100 data, one scale of counts and values, a likelihood with an efficiency in
every bin, and leptons as any user would write them, with one scale and with two. A line a problem: points that are
closed, boxes of a point (median and largest), the largest gap that stays open, relative to χ², CPU time of a point, and
within how many standard deviations the minimum is the only one (least and largest). Nothing is known before, but of
leptons with two scales, whose fits are given. Where more parameters depend on each other than are tried, that limit is
lifted, with at most 20,000 boxes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from proof import problems
from proof.problems import INF, Case, block, case, grid
from proof.vortices import Vortices

import hpcscan
from hpcscan import Gaussian
from hpcscan.model.posing import pose
from hpcscan.models.leptons.model import MASSES, LeptonModel
from hpcscan.proof import branch
from hpcscan.proof.branch import Proof, Tolerance, prove
from hpcscan.proof.posed import pose_proof
from hpcscan.proof.uniqueness import unique_within


def oscillation(n_empty: int) -> Case:
    """54 points: six strengths, nine splittings."""
    points = grid(p=np.linspace(0.2, 1.0, 6), d=np.linspace(1.5, 3.5, 9))
    one = problems.counts(n_empty)
    return Case(one.problem, one.start, points)


def ringing() -> Case:
    """100 data with one covariance, frequency and damping unknown."""
    t = np.linspace(0.0, 4.0, 100)
    covariance = 0.02 * np.exp(-0.5 * ((t - t[:, None]) / 0.3) ** 2) + 0.01 * np.eye(100)
    y = np.exp(-0.6 * t) * np.cos(2 * t) + np.linalg.cholesky(covariance) @ np.random.default_rng(3).normal(size=100)
    blocks = [block("y", y, np.sqrt(np.diagonal(covariance)), covariance=covariance)]
    box = {"a": (0.0, 3.0, 1.0), "b": (0.5, 6.0, 1.0), "c": (-INF, INF, 0.1)}
    predict = lambda p, a, b, c: {"y": p * np.exp(-a * t) * np.cos(b * t) + c}  # noqa: E731
    return case(predict, blocks, box, p=np.linspace(0.6, 1.4, 9))


class Moments(Vortices):
    """With magnetic moments of a uniformly charged ball and a scale of their own; the amplitudes may be fixed."""

    def __init__(self, *, box: str = "moments") -> None:
        super().__init__(box=box)
        moments = {"electron": 1.00115965, "muon": 4.84197e-3, "tau": 2.879e-4}
        self.data += tuple(Gaussian(f"{one}_moment", m, 1e-4 * m, scale="C") for one, m in moments.items())

    def predict(self, beta, w, **p):
        moments = {f"{one}_moment": (p[f"{one}_R_c"] + w) * p[f"{one}_U"] / 5 for one in MASSES}
        return {**super().predict(beta, w, **p), **moments}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[])
    only = parser.parse_args().only
    cases = {
        "counts of an oscillation": lambda: oscillation(0),
        "counts, six of 20 empty": lambda: oscillation(6),
        "covariance of 100": ringing,
        "one scale of counts and values": problems.counts_and_values,
        "efficiency in each of 20 bins": lambda: problems.factors(20, 0.1),
        "pendulum, all free": problems.pendulum_free,
    }
    for name, make in cases.items():
        if not only or any(text in name for text in only):
            one = make()
            tell(name, one.problem, one.held, (np.full(one.n, INF), np.tile(np.array(one.start, float), (one.n, 1))))
    if not only or any(text in "leptons, one scale" for text in only):
        tell_leptons()
    if not only or any(text in "leptons, two scales" for text in only):
        tell_moments()
    return 0


def tell(name, problem, held, known, most_boxes=5000) -> Proof:
    """Prove, and look around what is found."""
    begin = time.process_time()
    found = prove(problem, held, known, most_boxes, Tolerance())
    seconds = (time.process_time() - begin) / len(known[0])
    begin = time.process_time()
    within = unique_within(problem, held, found.parameters).within
    around = (time.process_time() - begin) / len(known[0])
    told(name, found, seconds)
    near = f"the only minimum within {np.min(within):g} to {np.max(within):g} sigma"
    sys.stdout.write(f"{'':34s} {near}, {1e3 * around:.2f} ms a point\n")
    return found


def told(name: str, found: Proof, seconds: float) -> None:
    gap = np.max((found.chi2 - found.lower_bound)[~found.is_closed] / found.chi2[~found.is_closed], initial=0.0)
    boxes = f"{np.median(found.n_boxes):.0f} boxes a point (at most {found.n_boxes.max()})"
    closed = f"{found.is_closed.sum()} of {len(found.chi2)} closed, {boxes}"
    sys.stdout.write(f"{name:34s} {closed}, relative gap {gap:.2g}, {1e3 * seconds:.2f} ms a point {found.obstacle}\n")


def tell_leptons() -> None:
    """Compare with the ranges that the shipped model derives by hand: ratios of whole scans, alternating."""
    axes = {"beta": np.linspace(2.95, 3.25, 8), "w": np.geomspace(0.005, 0.05, 5)}
    spent = {Vortices: 0.0, LeptonModel: 0.0}
    for _ in range(3):
        for kind in spent:
            begin = time.process_time()
            scan = hpcscan.scan(kind(box="published"), axes, answer=False).to_xarray()
            spent[kind] += time.process_time() - begin
            assert (scan.evidence == 2).all()
    ratio = spent[Vortices] / spent[LeptonModel]
    sys.stdout.write(f"{'leptons, one scale':34s} all proven; {ratio:.1f} times the time of a scan with own ranges\n")


def tell_moments() -> None:
    """In the box of the authors' last scan the amplitudes are 1, and six parameters are free; else nine."""
    limit, branch.MOST_NONLINEAR = branch.MOST_NONLINEAR, 9
    try:
        for name, box, fix in (("A fixed", "moments", {}), ("A free", "widened", {})):
            fit = hpcscan.fit(Moments(box=box), fix={"beta": 2.5, "w": 0.02, **fix}, starts=64, proof=False)
            problem = pose(Moments(box=box), ("beta", "w"), fix)
            posed = pose_proof(problem)
            x = np.array([[fit.best_fit.parameters[p.name] for p in problem.parameters]])
            held = posed._held(np.array([[2.5, 0.02]]))
            tell(f"leptons, two scales, {name}", posed.proof, held, (np.array([fit.best_fit.chi2]), x), 20_000)
    finally:
        branch.MOST_NONLINEAR = limit


if __name__ == "__main__":
    sys.exit(main())
