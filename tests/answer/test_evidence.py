"""Why the best fit is the lowest: a proof with everything free, which finds what starts miss; or agreement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from likelihood.examples import Oscillation
from toy_models import Pendulum

from answer.asking import ask
from hpcscan.answer import best_fit
from hpcscan.fitting.records import Evidence
from hpcscan.model import Gaussian, Model, Parameter
from hpcscan.tolerance import Precision

PENDULUM = {"gravity": np.linspace(9.6, 10.2, 5), "length": np.linspace(0.99, 1.02, 4)}
AXES = {"a": np.linspace(-1, 1, 5), "b": np.linspace(-1, 1, 5)}


class Needle(Model):
    """χ² of 3 at a = b = 0.5, and a needle of width 0.01 at (0.123, −0.3) where it is 0.31."""

    parameters = (Parameter("a", -1, 1), Parameter("b", -1, 1), Parameter("c", -5, 5))
    data = tuple(Gaussian(name, value, 1.0) for name, value in (("a", 0.5), ("b", 0.5), ("c", 0), ("depth", 0)))

    def predict(self, a, b, c):
        depth = 1.7 * (1 - np.exp(-((a - 0.123) ** 2 + (b + 0.3) ** 2) / 1e-4))
        return {"a": a, "b": b, "c": c, "depth": depth}


class Step(Model):
    """A plateau, on which nothing depends on a, and a slope beside it."""

    parameters = (Parameter("a", -1, 1), Parameter("c", -5, 5))
    data = tuple(Gaussian(name, 0, 1.0) for name in ("a", "c"))

    def predict(self, a, c):
        return {"a": 1 + 3 * np.maximum(a - 0.5, 0) ** 2, "c": c}


def test_the_best_fit_of_the_pendulum_is_proven():
    """With gravity, length, damping and phase nonlinear, offset and gain linear; the bound is within the gap."""
    answer = ask(Pendulum(), PENDULUM, most_boxes=5000, has_contours=False).answer
    chi2 = answer.minima.chi2[0]
    assert answer.evidence == Evidence.PROVEN
    assert chi2 - 1e-3 <= answer.lower_bound <= chi2


def test_a_proof_finds_what_grid_and_starts_miss():
    """The needle is the best fit, and the zero of Δχ²; without a proof nobody sees it."""
    blind, found = (ask(Needle(), AXES, most_boxes=most_boxes, has_contours=False) for most_boxes in (0, 5000))
    assert blind.answer.minima.chi2[0] == pytest.approx(1.7**2)
    assert blind.answer.evidence == Evidence.AGREED
    assert found.answer.minima.chi2[0] < 0.8
    assert (found.value("a"), found.value("b")) == pytest.approx((0.123, -0.3), abs=0.01)
    assert (found.answer.evidence, found.answer.is_settled) == (Evidence.PROVEN, True)


def test_a_budget_that_is_too_small_leaves_a_bound_and_says_nothing_against_agreement():
    answer = ask(Pendulum(), PENDULUM, most_boxes=20, has_contours=False).answer
    assert 0 <= answer.lower_bound < answer.minima.chi2[0] - 1e-3
    assert answer.evidence == Evidence.AGREED


def test_counts_are_proven_and_without_a_proof_agreed():
    axes = {"s": np.linspace(0.7, 1, 5), "d": np.linspace(1.5, 3.5, 5)}
    proven, agreed = (
        ask(Oscillation(), axes, most_boxes=most_boxes, has_contours=False).answer for most_boxes in (5000, 0)
    )
    chi2 = proven.minima.chi2[0]
    assert proven.evidence == Evidence.PROVEN
    assert chi2 - 1e-3 <= proven.lower_bound <= chi2
    assert (agreed.evidence, agreed.lower_bound) == (Evidence.AGREED, -np.inf)


def test_a_best_fit_without_a_proof_says_how_far_it_is_the_only_minimum():
    """Where its starts do not agree, that is evidence of its own, and none that it is the lowest."""
    near = ask(Pendulum(), PENDULUM, most_boxes=20, has_contours=False).answer
    assert near.unique_within >= 0.5
    assert np.isnan(ask(Pendulum(), PENDULUM, most_boxes=5000, has_contours=False).answer.unique_within)
    # The needle is 0.88 standard deviations away, which no neighbourhood that is free of it reaches.
    blind = ask(Needle(), AXES, most_boxes=1, has_contours=False).answer
    assert blind.unique_within == 0.5
    some = best_fit.Proven(-np.inf, np.empty((0, 2)), unique_within=near.unique_within)
    assert some.evidence(2.0, Precision(), is_agreed=False) == Evidence.UNIQUE
    assert some.evidence(2.0, Precision(), is_agreed=True) == Evidence.AGREED
    assert replace(some, unique_within=0.0).evidence(2.0, Precision(), is_agreed=False) == Evidence.NONE


def test_starts_that_agree_on_a_plateau_are_no_evidence():
    """All end as low as the lowest, but the Jacobian has a lower rank there than some of them have seen."""
    answer = ask(Step(), {"a": np.linspace(-1, 1, 5)}, has_contours=False).answer
    assert answer.minima.chi2[0] == pytest.approx(1)
    assert answer.evidence == Evidence.NONE


class Stiff(Model):
    """χ²(x) = (x − 2)², where a follows x closely: along x alone χ² rises 10⁸ times faster."""

    parameters = (Parameter("x"), Parameter("a", -10.0, 10.0))
    data = (Gaussian("tie", 0.0, 1e-4), Gaussian("far", 2.0, 1.0))

    def predict(self, x, a):
        return {"tie": a - x, "far": a}


def test_an_end_of_the_grid_holds_a_best_fit_that_would_leave_it_along_a_stiff_valley():
    found = ask(Stiff(), {"x": np.linspace(-1, 1, 5)}).answer
    assert found.around.is_held.tolist() == [True, False]
    assert found.around.multiplier[0] < 0
    assert float(found.minima.chi2[0]) == pytest.approx(1.0, abs=1e-6)
