"""`hpcscan plan`: what a scan will cost, before it is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from time import perf_counter

import numpy as np

from hpcscan.config.models import build_model
from hpcscan.config.read import read_config
from hpcscan.config.records import Config
from hpcscan.errors import UsageError
from hpcscan.fit.settings import FitSettings
from hpcscan.model.interface import Model
from hpcscan.scan.chunks import Block, Chunk, cut
from hpcscan.scan.memory import bytes_per_point
from hpcscan.scan.work import perform
from hpcscan.store.dataset import dimension_sizes, n_bytes
from hpcscan.store.variables import variable_table
from hpcscan.terminal.numbers import count, duration, size
from hpcscan.terminal.table import facts

#: The cost is measured on more and more points, until it has taken this many seconds or there are enough.
SAMPLE_SECONDS, SAMPLE_POINTS = 1.0, 64
#: What rank 0 needs for a chunk's message and for a point in it, and the share of the time beyond which ranks wait for
#: it; all measured, and put together, by tests/benchmarks/simulation.py.
SECONDS_PER_CHUNK, SECONDS_PER_POINT, MOST_SHARE = 180e-6, 2e-6, 0.7
#: Names, attributes and HDF5's own structures; measured 33 to 38 kB with the lepton model.
HEADER_BYTES = 40_000


def plan(config_path: str, overrides: Sequence[str], ranks: int) -> str:
    """Describe the scan that a configuration asks for, with the measured cost of a few of its points."""
    if ranks < 1:
        raise UsageError(f"-n {ranks}: expected one rank or more")
    config = read_config(config_path, overrides)
    model = build_model(config.model)
    grid, n_starts = config.grid, config.fit.n_starts
    axes = " × ".join(f"{len(axis.values)} {axis.name}" for axis in grid.axes)
    file_bytes = HEADER_BYTES + n_bytes(variable_table(grid, model), dimension_sizes(grid, model, n_starts))
    chunks = cut(grid.n_points, config.fit.n_starts_together, model, ranks, config.points_per_chunk)
    rows = [
        ("points", f"{grid.n_points:,} ({axes})"),
        ("fits", _fits(grid.n_points, config.fit)),
        ("chunks", _chunks(chunks, ranks)),
        *_cost(config, model, ranks, len(chunks)),
        ("memory", f"{size(grid.n_points * bytes_per_point(model, n_starts))} on rank 0 for all results, at the peak"),
        ("file", f"{config.output}, about {size(file_bytes)} before compression"),
    ]
    return facts(rows)


def _fits(n_points: int, fit: FitSettings) -> str:
    limits = fit.start_range
    if limits.min == limits.max:
        return f"{n_points * limits.max:,} ({limits.max} per point, {fit.method})"
    return f"{n_points * limits.min:,} to {n_points * limits.max:,} ({limits.min} to {limits.max} per point)"


def _chunks(chunks: Sequence[Chunk], ranks: int) -> str:
    sizes = [chunk.n_points for chunk in chunks]
    per_chunk = f"{sizes[0]}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    return f"{len(chunks):,} of {per_chunk} points for {count(ranks, 'rank')}"


def _cost(config: Config, model: Model, ranks: int, n_chunks: int) -> list[tuple[str, str]]:
    """Extrapolate the cost of a few points."""
    sample, per_point, failures = _measure(config, model)
    total, busy = per_point * config.grid.n_points, min(ranks, config.grid.n_points)
    return [
        ("cost", f"{duration(per_point)} a point, measured here on {count(sample, 'point')}"),
        *(("failed", f"{n} of them: {kind}") for kind, n in Counter(failures).items()),
        ("core-hours", f"{total / 3600:.2g}"),
        ("time", f"{duration(total / busy)} on {count(ranks, 'rank')} with a core each, start-up excluded"),
        *([("rank 0", _coordination(n_chunks, config.grid.n_points, total / busy))] if ranks > 1 else []),
    ]


def _coordination(n_chunks: int, n_points: int, seconds: float) -> str:
    """Say how busy rank 0 is with the results of others."""
    needed = n_chunks * SECONDS_PER_CHUNK + n_points * SECONDS_PER_POINT
    told = f"{duration(needed)} for the results of {count(n_chunks, 'chunk')}"
    return told if needed < MOST_SHARE * seconds else f"{told}: the others wait for it; fewer ranks are as fast"


def _measure(config: Config, model: Model) -> tuple[int, float, list[str]]:
    """Fit points from all over the grid; give their number, the seconds for each, and what failed in short."""
    n_points, sample = config.grid.n_points, 1
    while True:
        point_index = np.linspace(0, n_points - 1, sample).round().astype(np.int64)
        begin = perf_counter()
        finished = perform(model, config.grid, config.fit, Chunk((Block(point_index),)))
        seconds = perf_counter() - begin
        if seconds > SAMPLE_SECONDS or sample == min(SAMPLE_POINTS, n_points):
            return sample, seconds / sample, [failure.in_short for failure in finished.failures]
        sample = min(4 * sample, SAMPLE_POINTS, n_points)
