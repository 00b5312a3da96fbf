"""Counts, covariances, numbers of any kind: the same minima as Minuit finds of what is written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from iminuit import Minuit

from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import Status
from hpcscan.model.posing import pose
from hpcscan.settings import FitSettings

from .examples import EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_every_grid_point_is_at_the_minimum_that_minuit_finds(example: type) -> None:
    """From an own start of Minuit's, and from ours; its tolerance is 2e-8."""
    problem, points = pose(example(), example.scanned), example.points
    result = fit_block(problem, points, np.arange(len(points)), FitSettings())
    assert (result.status == Status.CONVERGED).all()
    names = [p.name for p in problem.parameters]
    for k, point in enumerate(points):
        held = dict(zip(example.scanned, point, strict=True))
        fits = []
        for start in (example.start, result.profiled_parameter[k]):
            fit = Minuit(lambda *x: example.by_hand(**held, **dict(zip(names, x, strict=True))), *start, name=names)  # noqa: B023
            fit.limits = [(p.lower, p.upper) for p in problem.parameters]
            fit.errordef, fit.tol, fit.strategy = Minuit.LEAST_SQUARES, 1e-5, 2
            fits.append(fit.migrad())
        best = min(fits, key=lambda fit: fit.fval)
        assert result.chi2[k] == pytest.approx(best.fval, abs=1e-7, rel=1e-11)
        difference = (result.profiled_parameter[k] - np.array(best.values)) / np.array(best.errors)
        assert np.abs(difference).max() < 1e-3


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.__name__)
def test_where_nothing_is_free_the_fit_is_the_number_itself(example: type) -> None:
    names = [p.name for p in example.parameters]
    at = {p.name: 0.4 * p.lower + 0.6 * p.upper for p in example.parameters} | {
        "width": 0.3,
        "norm": 1.1,
        "shift": 0.05,
    }
    point = np.array([[at[name] for name in names]])
    result = fit_block(pose(example(), names), point, np.arange(1), FitSettings())
    assert result.status[0] == Status.CONVERGED
    assert result.chi2[0] == pytest.approx(example.by_hand(*point[0]), rel=1e-12)
    assert (result.edm[0], result.n_starts[0]) == (0.0, 1)


def test_nothing_scanned_is_one_fit_and_fixing_all_but_one_is_a_line() -> None:
    example = EXAMPLES[0]
    free = fit_block(pose(example(), ()), np.empty((1, 0)), np.arange(1), FitSettings())
    best = dict(zip([p.name for p in example.parameters], free.profiled_parameter[0], strict=True))
    values = np.linspace(0.8, 1.2, 9)
    held = {name: value for name, value in best.items() if name != "norm"}
    line = fit_block(pose(example(), ("norm",), held), values[:, None], np.arange(9), FitSettings())
    expected = [example.by_hand(**held, norm=value) for value in values]
    np.testing.assert_allclose(line.chi2, expected, rtol=1e-12)
    assert (line.chi2 >= free.chi2[0]).all()


def test_a_strength_of_zero_is_held_by_its_bound() -> None:
    """dχ²/dμ = 2 Σ signal (1 − n/expected), exactly."""
    example = EXAMPLES[-1]
    result = fit_block(pose(example(), ("b",)), np.array([[0.8], [1.2]]), np.arange(2), FitSettings())
    assert (result.profiled_parameter == 0).all()
    assert (result.at_bound == -1).all()
    expected = [2 * (4.7 - 0.5 * 3 / (2 * b)) for b in (0.8, 1.2)]
    np.testing.assert_allclose(result.bound_multiplier[:, 0], expected, rtol=1e-6)
