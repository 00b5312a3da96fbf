"""What rank 0 needs for the results of a grid, and whether that fits: asked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hpcscan.fitting.records import PointResults
from hpcscan.model.problem import Problem

#: Where Linux tells the limit of a group of processes, and the file: cgroup version 2 and 1.
UNIFIED, MEMORY = ("sys/fs/cgroup", "memory.max"), ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
#: Results may take this share of the memory; the rest is for the program, some 0.1 GB, and for others.
SHARE = 0.8
#: Of what is derived from the results of a point: numbers and marks, a few at a time.
DERIVED_BYTES = 64


def bytes_per_point(model: Problem, n_starts: int) -> int:
    """Memory that rank 0 needs for one grid point, at its peak: its results, and what a wave of repair keeps beside."""
    n = 2
    results = sum(array.nbytes for array in PointResults.not_run(model, np.arange(n), n_starts).arrays()) // n
    minimum, neighbours = 8 * len(model.parameters), 8 * 2 * len(model.axes)
    return results + minimum + neighbours + DERIVED_BYTES


def available_memory(root: Path = Path("/")) -> int:
    """Memory that this process may use, in bytes: the machine's, or less where a batch system sets a limit."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [file.read_text().strip() for file in _limit_files(root) if file.is_file()]
    return min([machine, *(int(limit) for limit in limits if limit.isdecimal())])


def _limit_files(root: Path) -> Iterator[Path]:
    """Name the files that may limit this process: of its own group, and of all groups around that."""
    groups = {UNIFIED: "/", MEMORY: "/"}
    own = root / "proc/self/cgroup"
    for line in own.read_text().splitlines() if own.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            groups[MEMORY if controllers else UNIFIED] = path
    for (base, name), path in groups.items():
        group = Path(path.lstrip("/"))
        # In a container the group may have another name than outside, and not be there; the groups around it are.
        yield from (root / base / around / name for around in (group, *group.parents))


def memory_problem(n_points: int, model: Problem, n_starts: int) -> str | None:
    """Say why rank 0 cannot hold the results of a grid; None where it can."""
    needed, available = n_points * bytes_per_point(model, n_starts), available_memory()
    if needed <= SHARE * available:
        return None
    return (
        f"the results of {n_points:,} points with {n_starts} starts need {needed / 1e9:.1f} GB on rank 0, "
        f"which has {available / 1e9:.1f} GB; use fewer points or starts"
    )
