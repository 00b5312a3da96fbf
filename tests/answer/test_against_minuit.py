"""The pendulum of the README: best fit, covariance, MINOS ends and contours beside Minuit's."""

from __future__ import annotations

import numpy as np
import pytest
from iminuit import Minuit
from likelihood.examples import Oscillation
from toy_models import Pendulum

from answer.asking import ask
from hpcscan.answer import contours, fitted_intervals
from hpcscan.answer.cubics import crossings

AXES = {
    "gravity": np.linspace(9.6, 10.2, 7),
    "length": np.linspace(0.99, 1.02, 4),
    "damping": np.linspace(0.06, 0.18, 5),
}


def minuit(model, start: dict[str, float], bounds=()) -> Minuit:
    """Minuit with χ² written out for one row, where every parameter and scale is one of its own."""
    terms = model.data

    def chi2(*values):
        named = dict(zip(start, values, strict=True))
        predicted = model.predict(**{p.name: np.array([[named[p.name]]]) for p in model.parameters})
        total = 0.0
        for term in terms:
            expected = predicted[term.name][0] * named.get(term.scale, 1.0)
            observed = np.atleast_1d(term.observed)
            if hasattr(term, "sigma") and term.sigma is not None:
                total += (((expected - observed) / term.sigma) ** 2).sum()
            else:
                seen = observed > 0
                total += 2 * (expected - observed).sum()
                total += 2 * (observed[seen] * np.log(observed[seen] / expected[seen])).sum()
        constrained = [p for p in model.parameters if p.constraint is not None]
        return total + sum(((named[p.name] - p.constraint[0]) / p.constraint[1]) ** 2 for p in constrained)

    fit = Minuit(chi2, *start.values(), name=list(start))
    fit.errordef, fit.strategy, fit.tol = 1, 2, 1e-4
    for name, limits in dict(bounds).items():
        fit.limits[name] = limits
    fit.migrad()
    fit.hesse()
    return fit


@pytest.fixture(scope="module")
def pendulum():
    return ask(Pendulum(), AXES)


@pytest.fixture(scope="module")
def reference(pendulum):
    return minuit(Pendulum(), {name: pendulum.value(name) for name in pendulum.answer.frame.names})


def test_best_fit(pendulum, reference):
    assert pendulum.answer.minima.chi2[0] == pytest.approx(reference.fval, abs=1e-8)
    assert pendulum.answer.minima.chi2[0] == pytest.approx(2.0029267, abs=1e-6)
    for name in pendulum.answer.frame.names:
        assert pendulum.value(name) == pytest.approx(reference.values[name], abs=1e-3 * reference.errors[name])


def test_covariance_of_parameters_and_scale(pendulum, reference):
    sigma = np.sqrt(np.diag(reference.covariance))
    assert pendulum.answer.covariance / np.outer(sigma, sigma) == pytest.approx(
        np.array(reference.covariance) / np.outer(sigma, sigma), abs=2e-3
    )


def test_errors_of_all_parameters(pendulum, reference):
    """Within 2e-3 of an error: MINOS itself is not nearer to its level."""
    reference.minos()
    for name in pendulum.answer.frame.names:
        minos = reference.merrors[name]
        assert pendulum.error(name) == pytest.approx((minos.lower, minos.upper), abs=2e-3 * minos.upper), name


def test_contours_of_every_pair(pendulum, reference):
    """Minuit's profile at points of our lines is at their level."""
    names = pendulum.answer.frame.names
    assert len(pendulum.answer.contours) == 3
    for contour in pendulum.answer.contours:
        for line in contour.lines[:2]:
            for vertex in line.vertices[3::29]:
                held = minuit(Pendulum(), {name: reference.values[name] for name in names})
                for k, value in zip(contour.pair, vertex, strict=True):
                    held.values[names[k]], held.fixed[names[k]] = value, True
                held.migrad()
                assert held.fval - reference.fval == pytest.approx(line.level, abs=0.012)


class Counted:
    """The search for crossings, with the number of its ends or edges and of its fits."""

    def __init__(self):
        self.n_ends = self.n_fits = 0

    def __call__(self, held, brackets, width):
        self.n_ends += len(brackets.target)
        search, fits = crossings(held, brackets, width), None
        while True:
            try:
                asked = search.send(fits)
            except StopIteration as end:
                return end.value
            self.n_fits += asked.n
            fits = yield asked


def test_cost_of_an_oscillation_with_counts(monkeypatch):
    """A 9 × 9 grid with two nuisance parameters: rows of best fit, intervals and contours; fits an end and an edge."""
    ends, edges = Counted(), Counted()
    monkeypatch.setattr(fitted_intervals, "crossings", ends)
    monkeypatch.setattr(contours, "crossings", edges)
    asked = ask(Oscillation(), {"s": np.linspace(0.7, 1, 9), "d": np.linspace(1.5, 3.5, 9)})
    of_intervals, of_contours = (
        sum(rows for one, rows in asked.costs if one.descends and len(one.held) == n_held) for n_held in (1, 2)
    )
    # With the slopes of the grid and the covariance.
    assert asked.rows - of_intervals - of_contours <= 2000
    assert of_intervals <= 4000
    assert of_contours <= 4500
    assert (ends.n_ends, edges.n_ends >= 30) == (13, True)
    assert max(ends.n_fits / ends.n_ends, edges.n_fits / edges.n_ends) <= 2
