"""Groups of parameters that share a scale alone: ends of ranges, and the minimum that follows from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from toy_models import leptons

import hpcscan
from hpcscan.model.posing import pose
from hpcscan.proof import groups
from hpcscan.proof.branch import Tolerance, examine, prove
from hpcscan.proof.certificate import certify
from hpcscan.proof.groups import GroupRanges
from hpcscan.proof.posed import pose_proof
from hpcscan.proof.structure import structures
from proof.problems import INF, Case, Constraint, block, case
from proof.vortices import Vortices

POINTS = np.stack(np.meshgrid(np.linspace(2.95, 3.25, 6), np.geomspace(0.005, 0.05, 4)), axis=-1).reshape(-1, 2)


#: Some data are too large for the others, too small or of the wrong sign.
TARGETS = [(1.0, 10.0, 1.0), (10.0, 1.0, 2.0), (-1.0, 8.0, 6.0), (-4.0, -1.0, -9.0)]


def family(targets=(1.0, 10.0, 1.0), p=(1.0, 0.6), shift=2.0) -> Case:
    """Extrema inside, at edges and at a kink; a jump, and a domain with an edge; predictions of both signs."""

    def predict(p, a, b, c, d, e, f):  # noqa: PLR0917 - as a user would have it
        return {
            "one": p * a * np.sin(3 * b) + a - 0.4 * b * b + 4,
            "two": (1.2 - np.sqrt(c - 0.2)) * np.cos(4 * d) + np.where(d > 0.6, 0.4, 0.1) + 2,
            "three": np.abs(e - 0.3) * f + np.exp(-p * f * f) + shift,
        }

    blocks = [block(name, y, 0.02, "S") for name, y in zip(("one", "two", "three"), targets, strict=True)]
    box = {"a": (-1.0, 1.0, 0.2), "b": (-2.0, 2.0, 0.1), "c": (0.0, 1.0, 0.5), "d": (0.0, 2.0, 0.3)}
    return case(predict, blocks, {**box, "e": (-1.0, 1.0, 0.0), "f": (-1.5, 1.5, 0.3)}, p=p)


def least(one, point, n=401):
    """Scan the ranges on dense grids, and the scale by Brent's method in the pieces of a grid."""
    held = {name: value[point : point + 1] for name, value in one.held.items()}
    names, problem = one.problem.parameters, one.problem
    spans = []
    for g in range(3):
        two = names[2 * g : 2 * g + 2]
        axes = [np.linspace(problem.lower[k], problem.upper[k], n) for k in (2 * g, 2 * g + 1)]
        x, y = (a.ravel() for a in np.meshgrid(*axes))
        free = {name: np.full(len(x), value) for name, value in zip(names, one.start, strict=True)}
        f = problem.evaluate({k: np.repeat(v, len(x)) for k, v in held.items()}, {**free, two[0]: x, two[1]: y})[:, g]
        spans.append((np.nanmin(f), np.nanmax(f)))

    def chi2(s):
        ends = [sorted((s * low, s * high)) for low, high in spans]
        return sum(max(a - t, t - b, 0) ** 2 for (a, b), t in zip(ends, problem.target, strict=True))

    grid = np.concatenate([-np.geomspace(1e-3, 1e3, 400)[::-1], [0], np.geomspace(1e-3, 1e3, 400)])
    k = np.argmin([chi2(s) for s in grid])
    return minimize_scalar(chi2, bounds=(grid[max(k - 1, 0)], grid[min(k + 1, 800)]), options={"xatol": 1e-12}).fun


def known(problem, points):
    """Begin in the middle of the bounds, without a fit."""
    ends = [np.array([getattr(p, side) for p in problem.parameters]) for side in ("lower", "upper")]
    return np.full(len(points), INF), np.tile((ends[0] + ends[1]) / 2, (len(points), 1))


@pytest.mark.parametrize("box", ["widened", "published"])
def test_leptons_without_ranges_have_the_same_bound(box):
    """Nine parameters in a few boxes; against the ranges that the shipped model derives by hand."""
    problem = pose(Vortices(box=box), ("beta", "w"))
    proof = pose_proof(problem).prove(POINTS, known(problem, POINTS), 100)
    assert proof.is_closed.all()
    assert proof.n_boxes.max() <= 12
    by_hand = certify(leptons(box=box), POINTS).chi2_lower_bound
    assert proof.lower_bound == pytest.approx(by_hand, rel=1e-11, abs=1e-9)
    assert (proof.lower_bound <= proof.chi2).all()


def test_leptons_without_ranges_are_proven_in_a_scan():
    axes = {"beta": np.linspace(2.95, 3.25, 4), "w": np.geomspace(0.005, 0.05, 3)}
    scan = hpcscan.scan(Vortices(box="published"), axes).to_xarray()
    gap = scan["chi2"].values - scan["chi2_lower_bound"].values
    assert (gap <= 1e-9 * scan["chi2"].values).all()
    assert scan["chi2"].values == pytest.approx(
        hpcscan.scan(leptons_model("published"), axes).to_xarray()["chi2"].values, rel=1e-9
    )


def leptons_model(box):
    from hpcscan.models.leptons.model import LeptonModel  # noqa: PLC0415 - beside what is compared with it

    return LeptonModel(box=box)


@pytest.mark.parametrize("targets", TARGETS)
def test_ranges_of_all_kinds(targets):
    """Closed, and not above what dense scans find."""
    one = family(targets)
    proof = one.prove()
    assert proof.is_closed.all()
    for k in range(one.n):
        scanned = least(one, k)
        assert proof.lower_bound[k] <= scanned + 1e-9
        assert proof.lower_bound[k] >= scanned * (1 - 5e-3) - 0.5
    f = one.problem.evaluate(one.held, dict(zip(one.problem.parameters, proof.parameters.T, strict=True)))
    scale = (f * one.problem.target).sum(1) / (f * f).sum(1)
    assert ((scale[:, None] * f - one.problem.target) ** 2).sum(1) == pytest.approx(proof.chi2)


def refuted(n_points=900):
    """Look for values below the bounds of small and large budgets: at random, and near the best."""
    rng, n_below = np.random.default_rng(3), 0
    for targets in TARGETS[:3]:
        one = family(targets, p=(1.0, 0.3))
        structure = structures(one.problem, one.held, one.n)[0]
        start, sharp = (np.full(one.n, INF), np.tile(one.start, (one.n, 1))), Tolerance(1e-7, 1e-12)
        proofs = [prove(one.problem, one.held, start, budget, sharp) for budget in (6, 30, 3000)]
        bound = np.max([proof.lower_bound for proof in proofs], axis=0)
        system = groups.System(one.problem, structure.parts[0], one.held, np.tile(one.start, (one.n, 1)))
        best, low, high = (a[..., system.free] for a in (proofs[-1].parameters, one.problem.lower, one.problem.upper))
        for k in range(n_points // one.n):
            near = best + (k > 0) * rng.normal(size=best.shape) * 10 ** rng.uniform(-8, 0)
            x = np.where((rng.random(best.shape) < 0.7) | (k == 0), near, low + rng.random(best.shape) * (high - low))
            chi2 = system.chi2(np.arange(one.n), np.clip(x, low, high))
            n_below += int((chi2 < bound * (1 - 1e-10)).sum())
            best = np.where((chi2 < system.chi2(np.arange(one.n), best))[:, None], np.clip(x, low, high), best)
    return n_below


def test_no_value_refutes_a_bound():
    assert refuted() == 0


def raised(patch):
    """The bound that follows from the ranges, higher by one millionth."""
    true = GroupRanges.grow

    def grow(self, most_boxes):
        true(self, most_boxes)
        self.lower_bound *= 1 + 1e-6

    patch.setattr(GroupRanges, "grow", grow)


def wrong_faces(patch):
    """Faces uphill."""
    true = groups._downhill
    patch.setattr(groups, "_downhill", lambda ends, slope: true(ends, (-slope[1], -slope[0])))


def narrow_ranges(patch):
    """Boxes bounded by what is reached in their middles."""
    true = GroupRanges._bounded

    def bounded(self, boxes):
        found = true(self, boxes)
        return replace(found, bound=np.maximum(found.bound, self._reached[found.place]))

    patch.setattr(GroupRanges, "_bounded", bounded)


def unseen_domains(patch):
    """What is undefined in part counts as undefined."""
    true = GroupRanges._enclosed

    def enclose(*a):
        found = true(*a)
        found.undefined = None if found.undefined is None else 2 * (found.undefined > 0).astype(np.int8)
        return found

    patch.setattr(GroupRanges, "_enclosed", enclose)


@pytest.mark.parametrize("mutate", [raised, wrong_faces, narrow_ranges, unseen_domains])
def test_wrong_ranges_are_refuted(mutate, monkeypatch):
    mutate(monkeypatch)
    assert refuted() > 0


def test_a_point_has_the_same_bits_in_any_company(monkeypatch):
    one = family()
    together = one.prove(200)
    monkeypatch.setattr(groups, "BLOCK", 100)
    for k in range(one.n):
        alone = Case(one.problem, one.start, {"p": one.held["p"][k : k + 1]}).prove(200)
        for field in ("lower_bound", "chi2", "parameters", "n_boxes"):
            assert np.array_equal(getattr(alone, field)[0], getattr(together, field)[k]), field


def test_a_budget_ends_with_a_valid_bound():
    one = family()
    short, full = one.prove(15), one.prove()
    assert short.n_boxes.max() <= 15
    assert not short.is_closed.any()
    assert (short.lower_bound <= full.lower_bound + 1e-9).all()


def test_groups_are_found_from_the_code():
    """Not where something else is shared, a datum has an error of its own kind, or bounds are missing."""
    blocks = [block("y", 1.0, 0.1, "S"), block("w", 2.0, 0.1, "S")]
    box = {"a": (0.0, 1.0, 0.5), "b": (0.0, 1.0, 0.5), "c": (0.0, 1.0, 0.5)}
    apart = lambda a, b, c: {"y": a**2 * b, "w": np.exp(c)}  # noqa: E731

    def found(predict, blocks, box, *constraints):
        one = case(predict, blocks, box, constraints)
        return [part.groups for part in structures(one.problem, {}, 1)[0].parts]

    assert found(apart, blocks, box) == [((0, 1), (2,))]
    assert found(lambda a, b, c: {"y": a**2 * b, "w": np.exp(c) * b}, blocks, box) == [()]
    assert found(apart, blocks, box, Constraint("c", 0.5, 0.1)) == [()]
    assert found(apart, blocks, {**box, "c": (0.0, INF, 0.5)}) == [()]
    assert found(apart, [replace(blocks[0], scale="T"), blocks[1]], box) == [(), ()]


def test_groups_are_told():
    """As parts of their own: the cost grows with the largest of them."""
    found = examine(family().problem, {"p": np.ones(1)}, 1)
    assert found.nonlinear == (("a", "b"), ("c", "d"), ("e", "f"))
    assert found.obstacle == ""
