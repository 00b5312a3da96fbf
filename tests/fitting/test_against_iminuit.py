"""Against an independent fitter: its χ² is never lower than ours by more than the tie tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from iminuit import Minuit
from toy_models import leptons

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import Status
from hpcscan.fitting.starts import draw_starts
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model.problem import Problem
from hpcscan.models.leptons.model import BOXES
from hpcscan.settings import AUTO_AGREED, FitSettings
from hpcscan.tolerance import tie_tolerance

from .nist import MGH09, MGH17, NistProblem, Thurber

#: A quarter of Thurber's starts end at its minimum, so that 16 need not show five of them.
UNTIL_AGREED = FitSettings(starts=AUTO_AGREED)


def migrad(model: Problem, point: np.ndarray, start: np.ndarray) -> float:
    """Minimise the same χ² with Minuit, within the same bounds."""
    objective = Objective(model)

    def chi2(x: np.ndarray) -> float:
        value = objective.evaluate(Given(point[:, None]), np.array(x)[:, None]).chi2[0]
        return float(value) if np.isfinite(value) else 1e300

    fit = Minuit(chi2, start)
    fit.errordef = Minuit.LEAST_SQUARES
    fit.limits = [(p.lower, p.upper) for p in model.parameters]
    fit.errors = 0.1 * objective.box.width[:, 0]
    fit.fixed = list(objective.box.is_fixed[:, 0])
    fit.tol = 1e-3
    fit.migrad(ncall=4000)
    return float(fit.fval)


def random_box(rng: np.random.Generator) -> Problem:
    """A box inside the widest physical one, anywhere: most cannot match the masses."""
    widest = {"R_c": (0.05, 1.5), "U": (0.01, 0.3), "A": (0.0, 1.0)}
    bounds = {}
    for name in BOXES["widened"]:
        low, high = widest[name.split(".")[1]]
        bounds[name] = tuple(low + (high - low) * np.sort(rng.random(2)))
    return leptons(
        bounds=bounds,
        frame=str(rng.choice(["stream", "laboratory"])),
        mapping=str(rng.choice(["global_scale", "electron_anchor"])),
        sigma=10.0 ** rng.uniform(-4, -1),
    )


def test_minuit_never_ends_lower_on_a_hundred_random_lepton_boxes() -> None:
    """From random starts, and from our own minimum."""
    rng = np.random.default_rng(2024)
    n_lower = n_proven = 0
    for _ in range(100):
        model, point = random_box(rng), np.array([rng.uniform(2.9, 3.3), rng.uniform(0.005, 0.05)])
        ours = fit_block(model, point[None], np.arange(1), FitSettings())
        starts = draw_starts(Objective(model).box, point[None], 7, 2)[:, 0].T
        theirs = min(migrad(model, point, start) for start in starts)
        polished = min(theirs, migrad(model, point, ours.profiled_parameter[0]))
        assert ours.chi2[0] <= polished + tie_tolerance(polished)
        n_lower += ours.chi2[0] < theirs - tie_tolerance(theirs)
        n_proven += ours.status[0] == Status.CONVERGED
    assert n_proven >= 95
    print(f"ours is lower in {n_lower} of 100 boxes, and proven in {n_proven}")  # noqa: T201


@pytest.mark.parametrize("problem", [MGH09, MGH17, Thurber])
def test_the_profile_of_a_nist_problem_touches_its_certified_minimum(problem: type[NistProblem]) -> None:
    model = problem()
    result = fit_block(model, model.certified_point, np.arange(1), UNTIL_AGREED)
    assert result.status[0] == Status.CONVERGED
    assert result.chi2[0] == pytest.approx(model.certified_chi2, rel=1e-8)
    expected = [model.certified[k] for k in model.profiled]
    np.testing.assert_allclose(result.profiled_parameter[0], expected, rtol=1e-5)


@pytest.mark.parametrize("problem", [MGH09, MGH17, Thurber])
def test_minuit_never_ends_lower_around_a_nist_minimum(problem: type[NistProblem]) -> None:
    """On a grid of two parameters around the certified values, from the same 16 starts."""
    model = problem()
    factor = np.array([[a, b] for a in (0.9, 1.0, 1.05) for b in (0.97, 1.0, 1.1)])
    points = model.certified_point * factor
    ours = fit_block(model, points, np.arange(9), UNTIL_AGREED)
    starts = draw_starts(Objective(model).box, points, 42, 16)
    for k, point in enumerate(points):
        theirs = min(migrad(model, point, start) for start in starts[:, k].T[:6])
        assert ours.chi2[k] <= theirs + tie_tolerance(theirs)
    assert (ours.status == Status.CONVERGED).all()
