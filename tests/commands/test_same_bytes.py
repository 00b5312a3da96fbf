"""The same bytes in every variable that is not about the run, for any number of ranks and any size of chunk."""

from __future__ import annotations

import pytest

from commands.conftest import start
from commands.results import different_variables, read

#: The widened box: flat directions make the last bit of a start show in the first digits of the result.
LEPTONS = """\
scan:
  beta: {min: 3.0, max: 3.2, points: 7}
  w: {min: 0.01, max: 0.03, points: 5, spacing: log}
model: {name: leptons}
"""
TREND = """\
scan:
  curvature: {values: [-0.5, 0.3, 0.7]}
  ripple: {min: 0.0, max: 1.0, points: 3}
  drive: {values: [0.0, 2.0]}
model: {plugin: trend.py:Trend}
"""
KINDS = """\
scan: {a: {min: 1, max: 3, points: 5}, b: {min: 0.5, max: 1.5, points: 3}}
model: {plugin: kinds.py:Mixed}
"""
BRANCHES = """\
scan: {slope: {min: 1, max: 2, points: 5}}
model: {plugin: branches.py:Onset}
answer: false
"""
EVOLUTION = """\
scan: {beta: {values: [3.0, 3.1, 3.2]}, w: {values: [0.01]}}
model: {name: leptons}
fit: {method: differential_evolution, max_iter: 1}
"""
#: So few starts and iterations that neighbours have to help, and more starts where the minimum is not proven.
WEAK = f"""\
{LEPTONS.replace("leptons}", "leptons, options: {box: published}}")}\
fit: {{starts: {{min: 1, max: 4}}, max_iter: 4}}
"""


def ranks_that_computed(result) -> set[int]:
    return set(result["rank"].ravel().tolist())


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_any_number_of_ranks(launch, scan, config, ranks):
    """The built-in model, cut differently for each number of ranks."""
    alone = scan(config(LEPTONS))
    job = scan(config(LEPTONS), ranks=ranks, launcher=launch)
    assert job.exit_code == alone.exit_code == 0, job.stderr
    assert different_variables(alone.result(), job.result()) == []
    assert job.result().about["hpcscan_ranks"] == ranks
    assert ranks_that_computed(job.result()) == set(range(ranks))


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_sixty_four_ranks(launch, scan, config):
    """More ranks than chunks."""
    job = scan(config(LEPTONS), ranks=64, launcher=launch)
    assert job.exit_code == 0, job.stderr
    assert different_variables(scan(config(LEPTONS)).result(), job.result()) == []
    assert len(ranks_that_computed(job.result())) > 4


@pytest.mark.parametrize("chunk", [1, 2, 34, 1000])
def test_any_chunk_for_the_built_in_model(scan, config, chunk):
    """A point has the same bits whatever is computed beside it."""
    job = scan(config(LEPTONS), "--set", f"run.chunk={chunk}")
    assert job.exit_code == 0, job.stderr
    assert different_variables(scan(config(LEPTONS)).result(), job.result()) == []


@pytest.mark.parametrize("model", ["Trend", "TrendWithJacobian"])
def test_a_plugin_on_any_number_of_ranks(own_mpi, scan, config, model):
    """With and without a Jacobian, and in chunks of several blocks."""
    path = config(TREND.replace("py:Trend", f"py:{model}"))
    alone = scan(path)
    assert alone.exit_code == 0, alone.stderr
    for ranks, options in ((2, ("--set", "run.chunk=5")), (4, ())):
        job = scan(path, *options, ranks=ranks, launcher=own_mpi)
        assert job.exit_code == 0, job.stderr
        assert different_variables(alone.result(), job.result()) == []
        assert len(ranks_that_computed(job.result())) > 1


@pytest.mark.parametrize("model", ["Mixed", "Number"])
def test_every_kind_of_data_on_any_number_of_ranks(own_mpi, scan, config, model):
    """Counts, correlated values and scales; and a number alone. With best fit, intervals and contours."""
    path = config(KINDS.replace("Mixed", model))
    alone, job = scan(path), scan(path, "--set", "run.chunk=2", ranks=4, launcher=own_mpi)
    assert alone.exit_code == job.exit_code == 0, job.stderr
    assert different_variables(alone.result(), job.result()) == []
    assert len(ranks_that_computed(job.result())) > 1
    assert "interval_lower" in alone.result().values


@pytest.mark.parametrize(("model", "evidence"), [("Onset", 2), ("Ranged", 2), ("Symmetric", 1)])
def test_models_that_cannot_be_enclosed_on_any_number_of_ranks(own_mpi, scan, config, model, evidence):
    """Proven from what they say themselves; or, where they say nothing, with starts that leave a maximum."""
    path = config(BRANCHES.replace("Onset", model))
    alone, job = scan(path), scan(path, "--set", "run.chunk=2", ranks=3, launcher=own_mpi)
    assert alone.exit_code == job.exit_code == 0, job.stderr
    assert different_variables(alone.result(), job.result()) == []
    assert set(alone.result()["evidence"].tolist()) == {evidence}
    assert (alone.result()["chi2"] < 99).all()


def test_repair_and_adaptive_starts_on_any_number_of_ranks(own_mpi, scan, config):
    """A repair sees what the wave before it left, whoever computed it."""
    alone = scan(config(WEAK)).result()
    assert alone["repaired"].any()
    assert len(set(alone["n_starts"].ravel().tolist())) > 1
    job = scan(config(WEAK), "--set", "run.chunk=4", ranks=3, launcher=own_mpi)
    assert different_variables(alone, job.result()) == []


def test_the_published_fitter_on_any_number_of_ranks(own_mpi, scan, config):
    path = config(EVOLUTION)
    job = scan(path, "--set", "run.chunk=1", ranks=3, launcher=own_mpi)
    assert job.exit_code == 1, job.stderr
    assert different_variables(scan(path).result(), job.result()) == []
    assert len(ranks_that_computed(job.result())) > 1


def test_no_mpi_at_all(scan, config, tmp_path):
    """Without the library, as on a login node: one rank, and the same result."""
    command = ("-m", "hpcscan", config(LEPTONS), "-o", tmp_path / "out.nc")
    job = start(command, env={"MPI4PY_LIBMPI": str(tmp_path / "nowhere.so")})
    assert job.returncode == 0, job.stderr
    result = read(tmp_path / "out.nc")
    assert result.about["hpcscan_mpi_library"] == "none"
    assert different_variables(scan(config(LEPTONS)).result(), result) == []


def test_a_point_does_not_depend_on_its_grid(scan, config):
    """Its random stream belongs to its coordinates."""
    whole = scan(config(LEPTONS)).result()
    part = scan(config(LEPTONS.replace("points: 7", "points: 4").replace("max: 3.2", "max: 3.1"))).result()
    assert part["beta"].tolist() == whole["beta"][:4].tolist()
    assert part["start_chi2"].tobytes() == whole["start_chi2"][:4].tobytes()
    assert part["profiled_parameter"].tobytes() == whole["profiled_parameter"][:4].tobytes()


def test_another_seed_gives_other_bytes(scan, config):
    """The comparison can see a difference."""
    other = scan(config(LEPTONS), "--set", "fit.seed=43").result()
    assert {"chi2", "profiled_parameter", "start_chi2"} <= {*different_variables(scan(config(LEPTONS)).result(), other)}
