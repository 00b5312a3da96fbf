"""A scan in waves: every point once on the way from coarse to fine, the same bytes however it is cut, and few rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcscan import Gaussian, Likelihood, Model, Parameter
from hpcscan.errors import UsageError
from hpcscan.fitting.block import fit_block
from hpcscan.fitting.evidence import LEAST_FRESH
from hpcscan.fitting.guided import joined_starts
from hpcscan.fitting.records import QUANTITIES, Evidence, PointResults, Status
from hpcscan.grid import Grid
from hpcscan.model.posing import pose
from hpcscan.model.problem import Problem
from hpcscan.scanning.guided_wave import Guided, GuidedWave
from hpcscan.scanning.lattice import Lattice
from hpcscan.scanning.neighbours import settle
from hpcscan.scanning.strategy import plan_evidence
from hpcscan.scanning.waves import first_lattice, first_starts, most_together, waves
from hpcscan.scanning.work import perform
from hpcscan.settings import FitSettings, ProofBudget
from hpcscan.tolerance import Precision
from scanning.serial import make_grid

T = np.linspace(0.0, 4.0, 30)
SIDES = st.lists(st.integers(1, 40), min_size=0, max_size=3)


class Ripples(Model):
    """Two oscillations of unknown phase and size; from a random start one in two or three finds the right ones."""

    rows_per_call = 32
    parameters = (
        Parameter("slope"),
        Parameter("rate"),
        Parameter("size", 0.2, 3.0),
        Parameter("frequency", 1.5, 5.0),
        Parameter("phase", -3.0, 3.0),
        Parameter("offset", -2.0, 2.0),
    )

    def __init__(self) -> None:
        truth = self.curve(0.3, 0.2, 1.2, 3.0, 0.4, 0.1)
        self.data = (Gaussian("y", truth + 0.03 * np.sin(40 * T), 0.05),)

    def curve(  # noqa: PLR0917  (its parameters)
        self, slope: Any, rate: Any, size: Any, frequency: Any, phase: Any, offset: Any
    ) -> Any:
        return size * np.exp(-rate * T) * np.cos(frequency * T + phase) + slope * T + offset

    def predict(self, **parameters: Any) -> dict[str, Any]:
        return {"y": self.curve(**parameters)}


GRID = make_grid(slope=np.linspace(0.1, 0.5, 6), rate=np.linspace(0.0, 0.4, 7))
PROBLEM = pose(Ripples(), ("slope", "rate"))
CHOSEN = plan_evidence(PROBLEM, GRID, FitSettings(proof=None, precision=0.0)).fit


def run(
    problem: Problem,
    grid: Grid,
    fit: FitSettings,
    do: Callable[[GuidedWave, PointResults], Iterable[PointResults]] | None = None,
) -> PointResults:
    """Run all waves, task by task or as a test wants it."""
    results = PointResults.not_run(problem, np.arange(grid.n_points), fit.n_starts)
    for wave in waves(grid, problem, fit, results):
        parts = do(wave, results) if do else map(perform_with(problem, grid, fit), tasks_of(wave, fit))
        for part in wave.complete(parts):
            results.put(part)
    settle(grid, problem, fit, results)
    return results


def perform_with(problem: Problem, grid: Grid, fit: FitSettings) -> Callable[[Guided], PointResults]:
    return lambda task: perform(problem, grid, fit, task).results


def tasks_of(wave: GuidedWave, fit: FitSettings, ranks: int = 1, chunk: int | None = None) -> list[Guided]:
    every = np.ones(len(wave.points), bool)
    return [*wave.tasks(every, most_together(fit, PROBLEM), ranks, chunk)]


WHOLE = run(PROBLEM, GRID, CHOSEN)


def assert_same_bytes(a: PointResults, b: PointResults) -> None:
    for name, about in QUANTITIES.items():
        assert about.role == "run" or getattr(a, name).tobytes() == getattr(b, name).tobytes(), name


@settings(max_examples=60)
@given(SIDES)
def test_every_point_has_one_level_and_its_parents_are_earlier(sides: list[int]) -> None:
    """The first level has at most three values an axis, with the ends; weights of parents add up to 1."""
    lattice = Lattice(tuple(sides))
    assert (lattice.level >= 0).all()
    first = np.flatnonzero(lattice.level == 0)
    assert len(first) == np.prod([min(n, 3) for n in sides], dtype=int)
    assert lattice.level.reshape(sides)[(0,) * len(sides)] == 0
    assert lattice.level.reshape(sides)[(-1,) * len(sides)] == 0
    for level in range(1, lattice.level.max() + 1):
        points = np.flatnonzero(lattice.level == level)[:20]
        index, weight, corners = lattice.parents(points)
        assert (lattice.level[index][weight != 0] < level).all()
        assert (lattice.level[corners][corners >= 0] < level).all()
        np.testing.assert_allclose(weight.sum(axis=1), 1, atol=1e-9)
        assert (np.unravel_index(corners[:, 0], sides) <= np.array(np.unravel_index(points, sides))).all()
        for row in corners:
            assert len(set(row[row >= 0].tolist())) == (row >= 0).sum() >= 2


@given(st.integers(5, 40), st.integers(5, 40))
def test_a_plane_is_interpolated_exactly(n: int, m: int) -> None:
    """Where the parents' minima lie on a plane over the grid, so does the candidate."""
    lattice = Lattice((n, m))
    i, j = (axis.ravel() for axis in np.indices((n, m)))
    plane = 2.0 * i - 0.7 * j + 3.0
    for level in range(1, lattice.level.max() + 1):
        points = np.flatnonzero(lattice.level == level)
        index, weight, _ = lattice.parents(points)
        np.testing.assert_allclose((weight * plane[index]).sum(axis=1), plane[points], atol=1e-9)


@pytest.mark.parametrize(("ranks", "chunk", "order"), [(1, 1, 1), (3, None, -1), (64, None, 1), (2, 5, -1)])
def test_the_same_bytes_for_any_ranks_and_any_order(ranks: int, chunk: int | None, order: int) -> None:
    def do(wave: GuidedWave, _: PointResults) -> Iterable[PointResults]:
        return [*map(perform_with(PROBLEM, GRID, CHOSEN), tasks_of(wave, CHOSEN, ranks, chunk))][::order]

    assert_same_bytes(run(PROBLEM, GRID, CHOSEN, do), WHOLE)


class Beats(Model):
    """Two ripples at once: so many parameters and data that their systems are LAPACK's."""

    parameters = (
        Parameter("slope"),
        *(Parameter(f"{name}{k}", *ends) for k in (1, 2) for name, ends in
          {"size": (0.2, 3.0), "rate": (0.05, 1.0), "frequency": (2.0 * k, 2.0 * k + 2), "phase": (-1.5, 1.5)}.items()),
        Parameter("offset", -2.0, 2.0),
    )  # fmt: skip

    def __init__(self) -> None:
        values = {p.name: 0.3 if k == 0 else p.lower + 0.4 * (p.upper - p.lower) for k, p in enumerate(self.parameters)}
        self.data = (Gaussian("y", self.predict(**values)["y"] + 0.03 * np.sin(40 * T), 0.05),)

    def predict(self, **p: Any) -> dict[str, Any]:
        waves = [
            p[f"size{k}"] * np.exp(-p[f"rate{k}"] * T) * np.cos(p[f"frequency{k}"] * T + p[f"phase{k}"]) for k in (1, 2)
        ]
        return {"y": waves[0] + waves[1] + p["slope"] * T + p["offset"]}


def test_points_of_a_large_problem_have_the_same_bytes_alone_and_together() -> None:
    """Whatever BLAS, and the order of numbers in memory, do with one row and with many."""
    problem, grid = pose(Beats(), ("slope",)), make_grid(slope=np.linspace(0.1, 0.5, 12))
    fit = plan_evidence(problem, grid, FitSettings(proof=None, precision=0.0)).fit
    current = PointResults.not_run(problem, np.arange(12), fit.n_starts)
    every = Guided(current, np.full((12, 0, 9), np.nan), np.ones(12, np.int64))
    together = perform(problem, grid, fit, every).results
    alone = [perform(problem, grid, fit, every.only(np.arange(12) == i)).results for i in range(12)]
    assert_same_bytes(PointResults.joined(alone), together)


def test_minima_are_those_of_a_thorough_fit_at_a_fraction_of_its_rows() -> None:
    """Agreed everywhere, and at each point as low as what many starts of its own find."""
    assert (WHOLE.evidence == Evidence.AGREED).all()
    assert (WHOLE.status == Status.CONVERGED).all()
    thorough = fit_block(PROBLEM, GRID.points(np.arange(42)), np.arange(42), FitSettings(starts=24, proof=None))
    np.testing.assert_allclose(WHOLE.chi2, thorough.chi2, rtol=1e-8, atol=1e-6)
    assert WHOLE.n_model_rows.mean() < 0.25 * thorough.n_model_rows.mean()


def test_a_warm_start_never_counts() -> None:
    """What is recorded of starts, and pooled as evidence, is about fresh starts: with none, nothing is agreed."""
    without = run(PROBLEM, GRID, replace(CHOSEN, seed=7), do=_without_fresh)
    is_first = first_lattice(GRID, CHOSEN).level == 0
    assert (without.n_starts[~is_first] == 0).all()
    assert np.isfinite(without.chi2).all()
    assert without.n_fresh[0] == without.n_starts.reshape(GRID.shape)[:2, :2].sum()
    is_poor = without.n_fresh < LEAST_FRESH
    assert is_poor.mean() > 0.7
    assert (without.evidence[is_poor] == Evidence.NONE).all()
    assert (without.status[is_poor] == Status.NOT_CONVERGED).all()


def _without_fresh(wave: GuidedWave, _: PointResults) -> Iterable[PointResults]:
    if wave.what == "fresh starts":
        return []
    tasks = tasks_of(wave, CHOSEN)
    if wave.number:
        tasks = [replace(task, n_fresh=np.zeros_like(task.n_fresh)) for task in tasks]
    return [perform(PROBLEM, GRID, CHOSEN, task).results for task in tasks]


def test_a_wrong_minimum_is_repaired_by_its_neighbours() -> None:
    """Points of the lattice that are held at a wrong minimum improve when a later one has found a better."""
    spoilt = np.array([0, 3])

    def do(wave: GuidedWave, _: PointResults) -> Iterable[PointResults]:
        for task in tasks_of(wave, CHOSEN):
            part = perform(PROBLEM, GRID, CHOSEN, task).results
            if wave.number == 0:
                rows = np.flatnonzero(np.isin(part.point_index, spoilt))
                part.chi2[rows] += 50.0
                part.start_chi2[rows] += 50.0
                part.profiled_parameter[rows, 1] += 1.0
            yield part

    results = run(PROBLEM, GRID, CHOSEN, do)
    np.testing.assert_allclose(results.chi2, WHOLE.chi2, rtol=1e-8, atol=1e-6)
    assert (results.evidence == Evidence.AGREED).all()


def test_a_small_grid_has_several_fresh_starts_at_each_of_its_points() -> None:
    """Three starts in all may end in one wrong basin, and then agree; a first look has what was chosen."""
    line = make_grid(slope=np.linspace(0.1, 0.5, 3))
    assert first_starts(line, CHOSEN) == 4
    assert first_starts(make_grid(slope=np.linspace(0.1, 0.5, 100)), CHOSEN) == 2
    assert first_starts(GRID, CHOSEN) == 4
    assert first_starts(make_grid(slope=np.linspace(0, 1, 20), rate=np.linspace(0, 1, 20)), CHOSEN) == 1
    assert first_starts(line, replace(CHOSEN, fresh_starts=0.25)) == 1
    results = run(pose(Ripples(), ("slope",), {"rate": 0.2}), line, CHOSEN)
    assert (results.n_starts >= 4).all()


@pytest.mark.parametrize("other", [0, 1, 2])
def test_one_of_three_points_with_another_minimum_is_tried_at_its_neighbours(other: int) -> None:
    """At the middle one both steps are jumps; at an end one step of two is, and the shorter one is usual."""
    line, problem = make_grid(slope=np.linspace(0.1, 0.5, 3)), pose(Ripples(), ("slope",), {"rate": 0.2})
    fit = plan_evidence(problem, line, FitSettings(proof=None, precision=0.0)).fit

    def do(wave: GuidedWave, _: PointResults) -> Iterable[PointResults]:
        for task in tasks_of(wave, fit):
            part = perform(problem, line, fit, task).results
            if wave.number == 0:
                rows = np.flatnonzero(part.point_index == other)
                part.chi2[rows] += 50.0
                part.start_chi2[rows] += 50.0
                part.profiled_parameter[rows, 1] += 0.5
            yield part

    results = PointResults.not_run(problem, np.arange(3), fit.n_starts)
    tried = set()
    for wave in waves(line, problem, fit, results):
        if "fresh" in wave.what:
            break
        if wave.what == "repair":
            tried.update(wave.points.tolist())
        for part in wave.complete(do(wave, results)):
            results.put(part)
    assert other in tried
    np.testing.assert_allclose(results.chi2, run(problem, line, fit).chi2, rtol=1e-8, atol=1e-6)


def test_ranks_share_the_starts_of_a_point() -> None:
    """Starts in rows of their own, in any order, say of their points what they say together."""
    points = np.array([3, 17, 40])
    before = WHOLE.take(points)
    none, three = np.full((3, 0, 4), np.nan), np.full(3, 3)
    together = perform(PROBLEM, GRID, CHOSEN, Guided(before, none, three)).results
    apart = joined_starts(before, one_by_one(before, 3), Precision(0.0))
    np.testing.assert_array_equal(apart.n_starts, before.n_starts + 3)
    # What was asked is another thing.
    for name in QUANTITIES:
        if QUANTITIES[name].role != "run" and name != "asked":
            np.testing.assert_array_equal(getattr(apart, name), getattr(together, name), name)


def test_what_starts_of_a_point_find_apart_is_the_lowest_of_them() -> None:
    """Each follows what is lower than the minimum that was known; the others that end there are hits."""
    before = PointResults.not_run(PROBLEM, np.array([3, 17, 40]), CHOSEN.n_starts)
    found = joined_starts(before, one_by_one(before, 6), Precision(0.0))
    thorough = perform(PROBLEM, GRID, CHOSEN, Guided(before, np.full((3, 0, 4), np.nan), np.full(3, 6))).results
    np.testing.assert_allclose(found.chi2, thorough.chi2, rtol=1e-8, atol=1e-6)
    np.testing.assert_array_equal(found.n_starts_at_minimum, thorough.n_starts_at_minimum)
    assert (found.n_starts == 6).all()
    assert (found.n_starts_at_minimum > 1).any()


def one_by_one(before: PointResults, n: int) -> PointResults:
    """Run the next starts of points in tasks of one start, the last ones first."""
    parts = []
    for number in reversed(range(n)):
        current = before.take(np.arange(len(before.chi2)))
        current.n_starts[:] += number
        one = np.ones(len(before.chi2), np.int64)
        parts.append(perform(PROBLEM, GRID, CHOSEN, Guided(current, np.full((len(one), 0, 4), np.nan), one)).results)
    return PointResults.joined(parts)


def test_every_wave_of_a_grid_of_400_points_has_work_for_64_ranks() -> None:
    """Also the first, where nothing is known, and the last, where a few points have all the starts."""
    grid = make_grid(slope=np.linspace(0.1, 0.5, 20), rate=np.linspace(0.0, 0.4, 20))
    results = PointResults.not_run(PROBLEM, np.arange(400), CHOSEN.n_starts)
    n_tasks = []
    for wave in waves(grid, PROBLEM, CHOSEN, results):
        tasks = tasks_of(wave, CHOSEN, 64, 1)
        assert len(tasks) == len(wave.points)
        if "repair" not in wave.what:
            n_tasks.append(len(tasks))
        # Nobody finds anything: what is asked does not depend on it.
        results.status[wave.points], results.n_starts[wave.points] = Status.FAILED, results.n_starts[wave.points] + 1
        if "fresh" in wave.what:
            break
    assert min(n_tasks) >= 64


def test_a_first_look_has_few_fresh_starts_and_says_that_nothing_is_agreed() -> None:
    fit = plan_evidence(PROBLEM, GRID, FitSettings(proof=None, precision=0.0, fresh_starts=0.25)).fit
    results = run(PROBLEM, GRID, fit)
    n_first = int((first_lattice(GRID, fit).level == 0).sum())
    assert results.n_starts.sum() <= n_first + 0.25 * (GRID.n_points - n_first)
    assert (results.evidence == Evidence.NONE).all()
    assert results.n_model_rows.mean() < 0.75 * WHOLE.n_model_rows.mean()
    np.testing.assert_allclose(results.chi2, WHOLE.chi2, rtol=1e-8, atol=1e-6)
    with pytest.raises(UsageError, match="fresh_starts"):
        plan_evidence(PROBLEM, GRID, FitSettings(proof=None, starts=8, fresh_starts=0.25))


class Hole(Model):
    """It raises where half of all starts begin."""

    parameters = (Parameter("c", 0.0, 1.0), Parameter("a", -5.0, 5.0), Parameter("b", -5.0, 5.0))
    data = (Gaussian("y", (1.0, 2.0, 3.0, 4.0), 0.1),)

    def predict(self, c: Any, a: Any, b: Any) -> dict[str, Any]:
        if (a > 2.5).any():
            raise ValueError("a is too large")
        return {"y": a * np.arange(4.0) + b + 0.1 * c * np.sin(a)}


def test_a_start_at_which_the_model_raises_is_one_that_was_run() -> None:
    """It is not run again, and those after it keep their numbers."""
    problem, grid = pose(Hole(), ("c",)), make_grid(c=np.linspace(0, 1, 5))
    fit = plan_evidence(problem, grid, FitSettings(proof=None, precision=0.0)).fit
    results = run(problem, grid, fit)
    was_run = results.start_status != Status.NOT_RUN
    assert (was_run == (np.arange(was_run.shape[1]) < results.n_starts[:, None])).all()
    assert (results.start_status == Status.FAILED).any()
    assert np.isfinite(results.chi2).all() and (results.n_fresh >= LEAST_FRESH).all()
    np.testing.assert_allclose(results.chi2, results.chi2.min(), atol=0.2)


class Raising(Ripples):
    """Between two points of the grid is a place where every call fails, as differences by the axis find out."""

    rows_per_call = None

    def predict(self, **parameters: Any) -> dict[str, Any]:
        self.raise_between(parameters["slope"])
        return super().predict(**parameters)

    def raise_between(self, slope: Any) -> None:
        if np.any((slope > 0.27) & (slope < 0.3)):
            raise ValueError("not there")


class RaisingSlopes(Raising):
    """Its derivatives raise too, beside those that are not given."""

    def jacobian(self, **parameters: Any) -> dict[str, dict[str, Any]]:
        self.raise_between(parameters["slope"])
        return {"y": {"offset": np.ones((len(parameters["size"]), len(T)))}}


class RaisingNumber(Likelihood):
    """The same as a number."""

    parameters = Ripples.parameters

    def __init__(self) -> None:
        self.model = Raising()

    def twice_nll(self, **parameters: Any) -> Any:
        observed = self.model.data[0]
        return (((self.model.predict(**parameters)["y"] - observed.values) / observed.errors) ** 2).sum(axis=1)


@pytest.mark.parametrize("model", [Raising, RaisingSlopes, RaisingNumber])
def test_rows_of_a_point_are_counted_alike_whether_another_makes_their_call_fail(model: type) -> None:
    """A call that raises is made again for fewer points."""
    grid, problem = make_grid(slope=np.linspace(0.1, 0.5, 11)), pose(model(), ("slope",), {"rate": 0.2})
    fit = plan_evidence(problem, grid, FitSettings(proof=None, precision=0.0)).fit

    def do(wave: GuidedWave, _: PointResults) -> Iterable[PointResults]:
        return map(perform_with(problem, grid, fit), tasks_of(wave, fit, 1, 1))

    assert_same_bytes(run(problem, grid, fit), run(problem, grid, fit, do))


def test_with_a_proof_a_warm_start_is_enough() -> None:
    """Beyond the coarse lattice no point has a fresh start, and every minimum is proven."""
    problem = pose(Ripples(), ("slope", "rate"), {"phase": 0.4, "frequency": 3.0})
    fit = plan_evidence(problem, GRID, FitSettings(precision=0.0, proof=ProofBudget(5000))).fit
    assert fit.is_enclosable
    assert fit.is_in_waves
    results = run(problem, GRID, fit)
    assert (results.evidence == Evidence.PROVEN).all()
    assert (results.n_starts == (Lattice(GRID.shape).level == 0)).all()
    assert results.n_model_rows.mean() < 60


def test_proofs_that_do_not_close_on_the_coarse_lattice_are_given_up_and_said_so_once() -> None:
    """So that a budget that is too small is paid at few points; what is known of them stays."""
    fit = replace(CHOSEN, proof=ProofBudget(20), is_enclosable=True)
    told = []

    def note(wave: GuidedWave, _: PointResults) -> Iterable[PointResults]:
        told.append(wave.what)
        return map(perform_with(PROBLEM, GRID, fit), tasks_of(wave, fit))

    results = run(PROBLEM, GRID, fit, note)
    is_coarse = Lattice(GRID.shape).level == 0
    assert (results.n_boxes[is_coarse] > 0).all()
    assert not results.n_boxes[~is_coarse].any()
    assert [what for what in told if "no more proofs: 0 of" in what] == [told[1]]
    assert (results.evidence == Evidence.AGREED).all()


def test_one_point_and_one_line_are_scans_too() -> None:
    """Where there are few neighbours, points have more starts of their own."""
    line = make_grid(slope=np.linspace(0.1, 0.5, 5))
    for grid, scanned in ((line, ("slope",)), (make_grid(), ())):
        problem = pose(Ripples(), scanned, {"rate": 0.2} if scanned else {"rate": 0.2, "slope": 0.3})
        fit = plan_evidence(problem, grid, FitSettings(proof=None, precision=0.0)).fit
        results = run(problem, grid, fit)
        assert (results.evidence == Evidence.AGREED).all()
        assert (results.n_fresh >= 16).all()
