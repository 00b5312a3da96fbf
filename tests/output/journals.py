"""Small journals: of a model with one parameter, and of results in which no two numbers are alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from toy_results import OneParameter, random_results

from hpcscan.fitting.records import PointResults
from hpcscan.grid import Grid, GridAxis
from hpcscan.output.journal import Journal, Kind, Record, layout_of
from hpcscan.output.journal_header import Header, new_session


def make_grid(n: int = 8) -> Grid:
    return Grid((GridAxis("x", tuple(float(i) for i in range(n))),))


def make_results(n: int = 8, seed: int = 0) -> PointResults:
    results = random_results(OneParameter(), make_grid(n), n_starts=1, seed=seed)
    # Of a grid without waves: of each point there is one.
    results.asked[:] = 0
    return results


def make_header(results: PointResults, **changes: object) -> Header:
    n = len(results.status)
    header = {
        "session": new_session(),
        "identity": {"model.name": "line", "fit.seed": "1"},
        "grid": make_grid(n),
        "layout": layout_of(results),
        "config": "scan: {}\n",
        "started": 0.0,
    }
    return Header(**header | changes)


def write_journal(path: Path, results: PointResults, n_per_record: int = 2, **changes: object) -> Header:
    """Append all results, a few points at a time."""
    header = make_header(results, **changes)
    journal = Journal.create(path, header)
    for first in range(0, len(results.status), n_per_record):
        rows = np.arange(first, min(first + n_per_record, len(results.status)))
        journal.append(Record(Kind.FITTED, results.take(rows)))
    journal.close()
    return header


def same_bits(one: PointResults, other: PointResults) -> bool:
    """Whether all arrays agree in every bit, in shape and in type."""
    pairs = list(zip(one.arrays(), other.arrays(), strict=True))
    return all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)
