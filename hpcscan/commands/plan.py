"""`hpcscan plan`: what a scan will cost, before it is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, comb
from time import perf_counter

import numpy as np

from hpcscan.arrays import Array, IntArray
from hpcscan.config.building import build_model
from hpcscan.config.validated import Config
from hpcscan.dataset.variables import dimension_sizes, variable_table
from hpcscan.dataset.writer import n_bytes
from hpcscan.errors import UsageError
from hpcscan.fitting.evidence import LEAST_FRESH
from hpcscan.fitting.records import PointResults
from hpcscan.fitting.starts import is_turned
from hpcscan.grid import Grid
from hpcscan.model.problem import Problem
from hpcscan.parallel import ranks_that_compute
from hpcscan.program import read_checked
from hpcscan.scanning.chunks import Block, Chunk, block_size, sizes_of_chunks
from hpcscan.scanning.cost import BatchCost, Prediction, bytes_per_point, most_worth_while, predict
from hpcscan.scanning.guided_wave import Guided
from hpcscan.scanning.toy_tasks import n_toys_of, reason_against, trial
from hpcscan.scanning.waves import first_lattice, first_starts
from hpcscan.scanning.work import Common, perform
from hpcscan.settings import FitSettings
from hpcscan.words.numbers import count, duration, size
from hpcscan.words.tables import facts

#: The cost is measured on more and more points: for so many seconds, or until they are so many and fill a batch.
SAMPLE_SECONDS, SAMPLE_POINTS = 1.0, 64
#: Of waves it is measured on so many at least: one start takes a few times the rows of another.
LEAST_POINTS = 6
#: Blocks of toys by which their cost is told.
TRIAL_BLOCKS = 5
#: No more ranks than this are looked at: nobody has more.
MOST_RANKS = 2**20
#: Names, attributes and HDF5's own structures; measured 33 to 38 kB with the lepton model.
HEADER_BYTES = 40_000
#: Variables of the answer: measured 25 kB, and 11 kB for the contours of two parameters where there are any.
ANSWER_BYTES, CONTOUR_BYTES = 25_000, 11_000


def plan(config_path: str, overrides: Sequence[str], ranks: int) -> str:
    """Describe the scan that a configuration asks for, with the measured cost of a few of its points."""
    if ranks < 1:
        raise UsageError(f"-n {ranks}: expected one rank or more")
    config = read_checked(config_path, overrides)
    model = build_model(config.model)
    grid, n_starts = config.grid, config.fit.n_starts
    axes = " × ".join(f"{len(axis.values)} {axis.name}" for axis in grid.axes)
    # Bytes follow from the table of variables; what does not scale with the grid was measured.
    file_bytes = HEADER_BYTES + n_bytes(variable_table(grid, model), dimension_sizes(grid, model, n_starts))
    file_bytes += _answer_bytes(config)
    sizes = _sizes(config, model, ranks)
    rows = [
        ("points", f"{grid.n_points:,} ({axes})"),
        ("fits", _fits(grid.n_points, config.fit)),
        ("evidence", config.evidence),
        ("chunks", _chunks(sizes, ranks)),
        *_cost(config, model, ranks),
        ("memory", f"{size(grid.n_points * bytes_per_point(model, n_starts))} on rank 0 for all results, at the peak"),
        ("file", f"{config.output}, about {size(file_bytes)} before compression"),
    ]
    return facts(rows)


def _fits(n_points: int, fit: FitSettings) -> str:
    limits = fit.start_range
    if fit.fresh_starts is not None:
        return f"{n_points:,} from coarse to fine, with {fit.fresh_starts:g} fresh starts a point after the first wave"
    if fit.is_in_waves:
        return f"{n_points:,} from coarse to fine, with fresh starts as evidence"
    if limits.min == limits.max:
        return f"{n_points * limits.max:,} ({limits.max} per point, {fit.method})"
    return f"{n_points * limits.min:,} to {n_points * limits.max:,} ({limits.min} to {limits.max} per point)"


def _answer_bytes(config: Config) -> int:
    """Estimate what an answer adds to the file."""
    if not config.answer.fitted:
        return 0
    return ANSWER_BYTES + (CONTOUR_BYTES * comb(len(config.grid.axes), 2) if config.answer.contours else 0)


def _sizes(config: Config, model: Problem, ranks: int) -> list[int]:
    most = block_size(config.fit.n_starts_together, model)
    return sizes_of_chunks(config.grid.n_points, most, ranks, config.points_per_chunk)


def _chunks(sizes: Sequence[int], ranks: int) -> str:
    per_chunk = f"{sizes[0]}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    return f"{len(sizes):,} of {per_chunk} points for {count(ranks, 'rank')}"


def _cost(config: Config, model: Problem, ranks: int) -> list[tuple[str, str]]:
    """Extrapolate the cost of a few points."""
    sample = _measure(config, model)
    toys = _toys(config, model, sample.results, ranks) if config.toys.are_wanted else []
    total = sample.seconds_per_point * config.grid.n_points

    def predicted(n: int) -> Prediction:
        # A coordinator that only coordinates is counted as a rank, and does no work.
        n_computing = ranks_that_compute(n)
        return predict(_sizes(config, model, n), n_computing, n_computing == n, sample.cost)

    def efficiency(n: int) -> float:
        return predicted(1).seconds / (n * predicted(n).seconds)

    most = most_worth_while(efficiency, min(MOST_RANKS, config.grid.n_points))
    # The answer needs the grid first, and what it takes is not known before.
    without = "start-up and the fits of the answer" if config.answer.fitted else "start-up"
    beyond = f"beyond that, ranks idle more than half the time: {predicted(most + 1).limit}"
    return [
        ("cost", f"{duration(sample.seconds_per_point)} a point, measured here on {count(sample.n_points, 'point')}"),
        ("model rows", f"{sample.rows_per_point:.3g} a point{_give_or_take(sample)}{_of_differences(sample)}"),
        *(("failed", f"{n} of them: {kind}") for kind, n in Counter(sample.failures).items()),
        ("core-hours", f"{total / 3600:.2g}"),
        ("time", f"{duration(predicted(ranks).seconds)} on {count(ranks, 'rank')} with a core each, without {without}"),
        ("efficiency", f"{efficiency(ranks):.0%} of the ranks' time is work"),
        ("efficient", f"up to {count(most, 'rank')} ({beyond})"),
        *toys,
    ]


def _give_or_take(sample: _Sample) -> str:
    return f", give or take {sample.error / sample.rows_per_point:.0%}" if sample.error else ""


def _of_differences(sample: _Sample) -> str:
    """Format what derivatives of the model's own would spare."""
    share = sample.differences_per_point / max(sample.rows_per_point, 1.0)
    return f"; {share:.0%} of them for derivatives by finite differences" if share else ""


def _toys(config: Config, model: Problem, results: PointResults, ranks: int) -> list[tuple[str, str]]:
    """Extrapolate the cost of a few toys; how many there will be is known within limits."""
    if reason := reason_against(model, config.toys):
        return [("toys", f"none: {reason}")]
    # A few blocks at a point that was fitted: toys there cost what toys cost.
    task = trial(config, model, results, TRIAL_BLOCKS)
    if task is None:
        return [("toys", "their cost is not known: no point was fitted")]
    begin = perf_counter()
    n_made = n_toys_of(perform(model, config.grid, config.fit, task).results)
    seconds = (perf_counter() - begin) / n_made
    n_points, most = config.grid.n_points, int(config.toys.n or 0)
    where = "at all points" if config.toys.points == "all" else "if contours touch all points"
    # Adaptive toys end at a point once it is clearly in or out.
    n_least, n_most = n_points * (n_made // TRIAL_BLOCKS if config.toys.adaptive else most), n_points * most
    n_computing = ranks_that_compute(ranks)
    least, longest = (duration(n * seconds / n_computing) for n in (n_least, n_most))
    number = f"{n_least:,} to {n_most:,}" if n_least < n_most else f"{n_most:,}"
    time = f"{least} to {longest}" if n_least < n_most else longest
    cost = f"{1000 * seconds:.2g} s per 1,000, measured here on {n_made}"
    more = "; ends of intervals and coverage come on top"
    return [
        ("toys", f"{number} {where}, {cost}"),
        ("time of toys", f"{time} on {count(ranks, 'rank')} with a core each{more}"),
    ]


@dataclass(frozen=True)
class _Sample:
    """What the fit of a few points has cost, what failed, in short, and what was found."""

    n_points: int
    seconds_per_point: float
    cost: BatchCost
    failures: list[str]
    results: PointResults
    rows_per_point: float
    #: Of them those of finite differences.
    differences_per_point: float
    #: Standard error of the last; 0 where nobody knows it.
    error: float = 0.0


def _measure_waves(config: Config, model: Problem) -> _Sample:
    """Fit points from all over the grid as waves do: from fresh starts, from a neighbour's minimum, with evidence.

    What the whole grid takes is put together from how often its waves do each.
    """
    grid, fit = config.grid, config.fit
    n, seconds, most, failures = 0, 0.0, min(grid.n_points, SAMPLE_POINTS), list[str]()
    has_proof, first = fit.is_enclosable, first_starts(grid, fit)
    while n < most and seconds < SAMPLE_SECONDS:
        n, begin = min(max(4 * n, LEAST_POINTS), most), perf_counter()
        points = _of_both_kinds(config, model, n)
        near = np.where(points + 1 < grid.n_points, points + 1, np.maximum(points - 1, 0))
        none = np.full((len(points), 0, len(model.parameters)), np.nan)

        def step(current: PointResults, warm: Array, n_fresh: IntArray) -> tuple[PointResults, Array, Array]:
            """Return results, rows of every point, and seconds and rows of differences for a point."""
            started, before = perf_counter(), model.n_difference_rows
            done = perform(model, grid, fit, Guided(current, warm, n_fresh))
            failures.extend(failure.in_short for failure in done.failures)
            n_rows = (done.results.n_model_rows - current.n_model_rows).astype(float)
            spent = np.array([perf_counter() - started, model.n_difference_rows - before]) / len(warm)
            return done.results, n_rows, spent

        # From nothing; its neighbour from its minimum; there one more fresh start as evidence.
        failures.clear()
        one = np.ones(len(points), np.int64)
        begun, alone, alone_spent = step(PointResults.not_run(model, points, fit.n_starts), none, one)
        minimum = begun.profiled_parameter[:, None]
        is_lost = np.isnan(minimum).any(axis=(1, 2))
        beside, warm, warm_spent = step(PointResults.not_run(model, near, fit.n_starts), minimum, one * is_lost)
        known, fresh, fresh_spent = step(beside, none, one)
        seconds = perf_counter() - begin
    n_first = int((first_lattice(grid, fit).level == 0).sum())
    n_fresh = 0.0 if has_proof else _fresh_starts(grid, fit, n_first)
    # First level from nothing, the others from a neighbour, and as many fresh starts as evidence takes.
    weights = (first * n_first, grid.n_points - n_first, max(n_fresh - first * n_first, 0.0))
    rows = np.dot(weights, [alone, warm, fresh]) / grid.n_points
    seconds, differences = (np.dot(weights, [alone_spent, warm_spent, fresh_spent]) / grid.n_points).tolist()
    n = len(points)
    error = float(np.std(rows, ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return _Sample(n, seconds, BatchCost(0.0, seconds), failures, known, float(np.mean(rows)), differences, error)


def _of_both_kinds(config: Config, model: Problem, n: int) -> IntArray:
    """Choose up to n points evenly over the grid, half of which begin with their second start.

    The cost may depend on the place, and does on the kind of start.
    """
    grid, fit = config.grid, config.fit
    many = _spread(grid.n_points, 8 * n)
    is_second = is_turned(Common(model, grid, fit).points(many), fit.seed)
    second, first = many[is_second], many[~is_second]
    # All of one kind where there are not enough of the other.
    n_second = min(max(n // 2, n - len(first)), len(second))
    kinds = ((second, n_second), (first, n - n_second))
    return np.sort(np.concatenate([kind[_spread(len(kind), k)] for kind, k in kinds]))


def _spread(n_points: int, n: int) -> IntArray:
    """Choose up to n points from all over a grid: by the golden ratio, which keeps to no row and no edge."""
    if n >= n_points:
        return np.arange(n_points)
    shares = (0.5 + np.arange(n) * (5**0.5 - 1) / 2) % 1.0
    chosen: IntArray = np.unique((shares * n_points).astype(np.int64))
    return chosen


def _fresh_starts(grid: Grid, fit: FitSettings, n_first: int) -> float:
    """Count the fresh starts of a grid: those with which every pool of neighbours is large enough, or as chosen."""
    if fit.fresh_starts is not None:
        return n_first + fit.fresh_starts * (grid.n_points - n_first)
    return float(np.prod([ceil(n / 3) for n in grid.shape]) * LEAST_FRESH)


def _measure(config: Config, model: Problem) -> _Sample:
    """Fit more and more points from all over the grid."""
    if config.fit.is_in_waves:
        return _measure_waves(config, model)
    n_points = config.grid.n_points
    enough = min(n_points, max(SAMPLE_POINTS, block_size(config.fit.n_starts_together, model)))
    n, before, seconds = 0, 0, 0.0
    while n < enough and seconds < SAMPLE_SECONDS:
        n, before, seconds_before = min(max(4 * n, 1), enough), n, seconds
        point_index = np.linspace(0, n_points - 1, n).round().astype(np.int64)
        begin, differed = perf_counter(), model.n_difference_rows
        finished = perform(model, config.grid, config.fit, Chunk((Block(point_index),)))
        seconds, differences = perf_counter() - begin, model.n_difference_rows - differed
    # Two sizes tell the cost of a point from that of a call.
    point = max(seconds - seconds_before, 0.0) / (n - before) if before else seconds / n
    cost = BatchCost(max(seconds - n * point, 0.0), point)
    failures, n_rows = [failure.in_short for failure in finished.failures], finished.results.n_model_rows.sum()
    return _Sample(n, seconds / n, cost, failures, finished.results, float(n_rows) / n, differences / n)
