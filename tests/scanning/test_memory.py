"""The memory that a batch system leaves to this process, and a grid that needs more."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_models import leptons

from hpcscan.scanning import cost
from hpcscan.scanning.cost import available_memory, bytes_per_point, memory_problem

V2, V1 = "sys/fs/cgroup", "sys/fs/cgroup/memory"


def tree(root: Path, own: str, limits: dict[str, str]) -> Path:
    """Files as Linux shows them, below a directory."""
    for name, text in {"proc/self/cgroup": own, **limits}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


@pytest.mark.parametrize(
    ("own", "limits", "expected"),
    [
        ("0::/slurm/job_7/step_0", {f"{V2}/slurm/job_7/memory.max": "1000", f"{V2}/slurm/memory.max": "max"}, 1000),
        ("0::/slurm/job_7", {f"{V2}/slurm/job_7/memory.max": "900", f"{V2}/slurm/memory.max": "800"}, 800),
        ("0::/slurm/job_7", {f"{V2}/slurm/job_8/memory.max": "1", f"{V2}/memory.max": "700"}, 700),
        ("4:cpu,memory:/slurm/uid_1\n0::/", {f"{V1}/slurm/uid_1/memory.limit_in_bytes": "600"}, 600),
        ("4:memory:/not/here", {f"{V1}/memory.limit_in_bytes": "500"}, 500),
        ("3:cpu:/x\n0::/", {f"{V1}/x/memory.limit_in_bytes": "1", f"{V2}/memory.max": "400"}, 400),
    ],
)
def test_the_lowest_limit_of_all_groups_around_the_process_counts(
    tmp_path: Path, own: str, limits: dict[str, str], expected: int
) -> None:
    assert available_memory(tree(tmp_path, own, limits)) == expected


def test_without_a_limit_it_is_the_machines(tmp_path: Path) -> None:
    free = available_memory(tmp_path)
    assert free > 10**8
    assert available_memory(tree(tmp_path, "0::/a", {f"{V2}/a/memory.max": "max"})) == free


def test_a_grid_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one point less than what fits."""
    model = leptons()
    room = round(1_000_000 * bytes_per_point(model, 16) / cost.SHARE)
    monkeypatch.setattr(cost, "available_memory", lambda: room + 1)
    assert memory_problem(1_000_000, model, 16) is None
    problem = memory_problem(1_000_001, model, 16)
    assert problem
    assert "the results of 1,000,001 points with 16 starts need 0.9 GB on rank 0, which has 1.1 GB" in problem
