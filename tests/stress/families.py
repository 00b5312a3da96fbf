"""Families of problems with a knob, from easy to hopeless: how often is "converged" wrong, and how often is it said?

    python tests/stress/families.py [--family NAME]... [--seeds 2] [--no-shares]

Every problem is a user's model, given to `hpcscan.scan` with a proof and without. The referee is a dense search in one
or two nonlinear parameters, with linear ones from `numpy.linalg.qr`; it shares no code with the package.

Printed for each knob: points, wrong ones among the converged, right ones that are converged or open. Without a proof,
"excused" are the wrong ones whose basin draws fewer fresh starts than the 3/n which the file tells; the share is
measured with 2,000 starts. Exit code 1 where one is wrong with a proof, or without one and not excused.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

import hpcscan
from hpcscan import Gaussian, Model, Parameter

#: Right to this much of χ²: more than the gap that a proof closes, and than what a dense search may miss.
RIGHT = 2e-3


@dataclass(frozen=True)
class Family:
    """Problems with a knob.

    Attributes
    ----------
    make : callable
        Knob and seed to a model, of which `p` is scanned.
    knobs : tuple of float
    meaning : str
        Of the knob.
    referee : callable
        Model and a value of p to the least χ².
    """

    make: Callable[[float, int], Model]
    knobs: tuple[float, ...]
    meaning: str
    referee: Callable[[Model, float], float]


def zoomed(chi2: Callable[[np.ndarray], np.ndarray], nodes: np.ndarray, most: int = 12) -> float:
    """Search nodes in one variable, then ever finer between the neighbours of the lowest ones."""
    value = chi2(nodes)
    best = float(value.min())
    for k in np.argsort(value)[:most]:
        low, high = nodes[max(k - 1, 0)], nodes[min(k + 1, len(nodes) - 1)]
        for _ in range(9):
            fine = np.linspace(low, high, 41)
            value_fine = chi2(fine)
            at = int(np.argmin(value_fine))
            low, high = fine[max(at - 1, 0)], fine[min(at + 1, 40)]
            best = min(best, float(value_fine[at]))
    return best


def solved(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the least squares of targets (m,) with columns (n, m, k), for each of n."""
    q = np.linalg.qr(columns)[0]
    rest = target - np.einsum("nmk,nk->nm", q, np.einsum("nmk,m->nk", q, target))
    return np.asarray((rest**2).sum(1))


def in_blocks(chi2: Callable[[np.ndarray], np.ndarray], size: int = 20_000) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.concatenate([chi2(x[k : k + size]) for k in range(0, len(x), size)])


def narrow_well(share: float, seed: int) -> Model:
    """Build two basins: a wide one that ends at 36, and one of this share that ends near 1."""
    width, shift = share / 4, np.random.default_rng(seed).uniform(-0.05, 0.05)

    class Well(Model):
        parameters = (Parameter("p", 0.0, 1.0), Parameter("u", 0.0, 1.0))
        data = (Gaussian("wide", 0.0, 0.5), Gaussian("deep", 0.0, 1.0))
        place = (shift, width)

        def predict(self, p, u):
            return {"wide": u - 0.8, "deep": 6 * (1 - np.exp(-(((u - 0.3 - shift - 0.1 * p) / width) ** 2)))}

    return Well()


def well_referee(model: Model, p: float) -> float:
    shift, width = model.place
    chi2 = lambda u: 4 * (u - 0.8) ** 2 + 36 * (1 - np.exp(-(((u - 0.3 - shift - 0.1 * p) / width) ** 2))) ** 2  # noqa: E731
    return zoomed(chi2, np.linspace(0, 1, int(40 / width) + 1000))


def needle(width: float, seed: int) -> Model:
    """Build a hole of this width in a bowl of two parameters."""
    x, y = 0.3 + 0.2 * np.random.default_rng(seed).random(2)

    class Needle(Model):
        parameters = (Parameter("p", 0.0, 1.0), Parameter("u", 0.0, 1.0), Parameter("v", 0.0, 1.0))
        data = (Gaussian("bowl", [0.0, 0.0], 0.5), Gaussian("hole", 0.0, 1.0))
        place = (x, y, width)

        def predict(self, p, u, v):
            apart = (u - x) ** 2 + (v - y - 0.1 * p) ** 2
            return {"bowl": np.hstack([u - 0.8, v - 0.2]), "hole": 6 * (1 - np.exp(-apart / width**2))}

    return Needle()


def needle_referee(model: Model, p: float) -> float:
    x, y, width = model.place

    def chi2(u, v):
        hole = 6 * (1 - np.exp(-((u - x) ** 2 + (v - y - 0.1 * p) ** 2) / width**2))
        return 4 * (u - 0.8) ** 2 + 4 * (v - 0.2) ** 2 + hole**2

    nodes = np.linspace(0, 1, int(3 / width) + 200)
    lows = [(chi2(u, nodes).min(), u, nodes[chi2(u, nodes).argmin()]) for u in nodes]
    best = np.inf
    for _, u, v in sorted(lows)[:5]:
        reach, at = nodes[1], (u, v)
        for _ in range(12):
            us, vs = (np.clip(np.linspace(c - reach, c + reach, 31), 0, 1) for c in at)
            table = chi2(us[:, None], vs)
            i, j = np.unravel_index(table.argmin(), table.shape)
            best, at, reach = min(best, table[i, j]), (us[i], vs[j]), reach / 5
    return float(best)


DAYS = np.linspace(0.0, 1.0, 30)


def periods(n: float, seed: int) -> Model:
    """Build a damped wave whose frequency may have up to n periods; amplitudes and offset reach no bound."""
    rng = np.random.default_rng(seed)
    true = 2 * np.pi * n * rng.uniform(0.3, 0.8)
    wave = np.exp(-0.5 * DAYS) * np.cos(true * DAYS + 1) + 0.3 * rng.normal(size=30)

    class Wave(Model):
        parameters = (
            Parameter("p", 0.0, 3.0),
            Parameter("w", 1.0, 2 * np.pi * n),
            *(Parameter(name, -1e4, 1e4, start=(-1, 1)) for name in "abc"),
        )
        data = (Gaussian("y", wave, 0.3),)
        place = (wave, n)

        def predict(self, p, w, a, b, c):
            return {"y": np.exp(-p * DAYS) * (a * np.cos(w * DAYS) + b * np.sin(w * DAYS)) + c}

    return Wave()


def wave_referee(model: Model, p: float) -> float:
    wave, n = model.place

    def chi2(w):
        decay, phase = np.exp(-p * DAYS), w[:, None] * DAYS
        columns = [decay * np.cos(phase), decay * np.sin(phase), np.ones_like(phase)]
        return solved(np.stack(columns, axis=2) / 0.3, wave / 0.3)

    return zoomed(in_blocks(chi2), np.linspace(1, 2 * np.pi * n, int(400 * n) + 2000))


PLACES = np.linspace(0.1, 2.0, 12)


def pole(distance: float, seed: int) -> Model:
    """Build a quotient whose pole may come this near to the data; beyond 0 it passes among them."""
    noise = np.random.default_rng(seed).normal(size=12)
    values = (1 + 0.5 * PLACES) / (PLACES + 0.4) + 0.05 * noise

    class Quotient(Model):
        parameters = (
            Parameter("p", 0.5, 2.0),
            Parameter("a", -3.0, 0.1 - distance),
            *(Parameter(name, -1e3, 1e3, start=(-2, 2)) for name in "fg"),
        )
        data = (Gaussian("y", values, 0.05),)
        place = (values, 0.1 - distance)

        def predict(self, p, a, f, g):
            return {"y": p * (f + g * PLACES) / (PLACES - a)}

    return Quotient()


def pole_referee(model: Model, p: float) -> float:
    values, most = model.place

    def chi2(a):
        over = p / (PLACES - a[:, None])
        columns = np.stack([over, over * PLACES], axis=2) / 0.05
        return np.where(np.isfinite(over).all(1), solved(np.nan_to_num(columns), values / 0.05), np.inf)

    near = [x + s * np.geomspace(1e-10, 0.3, 3000) for x in PLACES for s in (-1, 1)]
    nodes = np.unique(np.concatenate([np.linspace(-3, most, 40_000), *near]))
    return zoomed(in_blocks(chi2), nodes[(nodes >= -3) & (nodes <= most)], most=60)


HOURS = np.linspace(1, 20, 20)


def decay(most: float, seed: int) -> Model:
    """Build a decay whose rate may be up to this: nearly all starts see the plateau where it is over at once."""
    values = 3 * np.exp(-0.25 * HOURS) + 0.05 * np.random.default_rng(seed).normal(size=20)

    class Decay(Model):
        parameters = (Parameter("p", 1.0, 5.0), Parameter("k", 0.0, most), Parameter("c", -1e3, 1e3, start=(-1, 1)))
        data = (Gaussian("y", values, 0.05),)
        place = (values, most)

        def predict(self, p, k, c):
            return {"y": p * np.exp(-k * HOURS) + c}

    return Decay()


def decay_referee(model: Model, p: float) -> float:
    values, most = model.place

    def chi2(k):
        rest = values - p * np.exp(-k[:, None] * HOURS)
        return (((rest - rest.mean(1, keepdims=True)) / 0.05) ** 2).sum(1)

    return zoomed(
        in_blocks(chi2), np.unique(np.append(np.linspace(0, min(most, 5), 20_000), np.geomspace(1, most, 2000)))
    )


FAMILIES = {
    "well": Family(narrow_well, (0.3, 0.1, 0.03, 1e-2, 1e-3, 1e-4), "share of the right basin", well_referee),
    "needle": Family(needle, (0.3, 0.1, 0.03, 1e-2, 1e-3), "width of a needle in two dimensions", needle_referee),
    "periods": Family(periods, (2, 5, 10, 30, 100), "number of periods", wave_referee),
    "pole": Family(
        pole, (0.3, 1e-2, 1e-4, 1e-8, -0.5, -1.0), "distance of a pole (negative: among the data)", pole_referee
    ),
    "decay": Family(decay, (2, 10, 100, 1e3, 1e5), "largest rate", decay_referee),
}


@dataclass
class Count:
    """What was said of points, and what is right."""

    n_points: int = 0
    n_wrong: int = 0
    n_excused: int = 0
    n_right_converged: int = 0
    n_right_open: int = 0
    n_wrong_open: int = 0
    n_boxes: int = 0
    seconds: float = 0.0

    def __add__(self, other: Count) -> Count:
        return Count(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


def judged(model: Model, least: Sequence[float], places: Sequence[float], with_shares: bool, **settings) -> Count:
    """Scan a model and compare it with the referee's least χ²."""
    begin = time.process_time()
    scan = hpcscan.scan(model, {"p": places}, answer=False, **settings)
    seconds = time.process_time() - begin
    data = scan.to_xarray()
    chi2, converged = data["chi2"].values, data["status"].values == 1
    least = np.array(least)
    tolerance = np.maximum(RIGHT, 1e-6 * least)
    is_right = np.abs(chi2 - least) <= tolerance
    if (chi2 < least - tolerance).any():
        raise AssertionError(f"the referee missed a minimum: {least} but {chi2}")
    wrong = converged & ~is_right
    excused = 0
    for k in np.flatnonzero(wrong) if with_shares else ():
        many = hpcscan.scan(model, {"p": [places[k]]}, answer=False, proof=False, starts=2000, seed=7).to_xarray()
        ends = many["start_chi2"].values.ravel()
        excused += int((ends <= least[k] + tolerance[k]).mean() < 3 / max(int(data["n_fresh"].values[k]), 1))
    counts = (wrong.sum(), excused, (converged & is_right).sum(), (~converged & is_right).sum())
    open_wrong = (~converged & ~is_right).sum()
    return Count(len(chi2), *map(int, counts), int(open_wrong), int(data["n_boxes"].values.sum()), seconds)


HEAD = """\
family       knob              n  wrong  excused  right  right  wrong     boxes        ms
                                 converged          conv.   open   open   a point   a point
"""


def row(name: str, knob: float, how: str, count: Count) -> str:
    n = count.n_points
    return (
        f"{name:8s} {knob:8g} {how:9s} {n:4d} {count.n_wrong:6d} {count.n_excused:8d} {count.n_right_converged:6d} "
        f"{count.n_right_open:6d} {count.n_wrong_open:6d} {count.n_boxes / n:9.0f} {1e3 * count.seconds / n:9.1f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", action="append", choices=list(FAMILIES))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--no-shares", action="store_true", help="do not measure the shares of wrong basins")
    options = parser.parse_args()
    sys.stdout.write(HEAD)
    totals = {"proof": Count(), "agreement": Count()}
    for name in options.family or FAMILIES:
        family = FAMILIES[name]
        for knob in family.knobs:
            counts = {"proof": Count(), "agreement": Count()}
            for seed in range(1, options.seeds + 1):
                model = family.make(knob, seed)
                first = model.parameters[0]
                places = np.linspace(first.lower, first.upper, 5)
                least = [family.referee(model, p) for p in places]
                counts["proof"] += judged(model, least, places, False)
                counts["agreement"] += judged(model, least, places, not options.no_shares, proof=False)
            for how, count in counts.items():
                totals[how] += count
                sys.stdout.write(row(name, knob, how, count) + "\n")
            sys.stdout.flush()
    for how, count in totals.items():
        sys.stdout.write(row("all", np.nan, how, count) + "\n")
    return int(totals["proof"].n_wrong + totals["agreement"].n_wrong - totals["agreement"].n_excused > 0)


if __name__ == "__main__":
    sys.exit(main())
