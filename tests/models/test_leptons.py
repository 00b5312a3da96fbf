"""The lepton model: options, mappings, Jacobian, and the same bits in any batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import leptons

from hpcscan.errors import OptionError
from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import Status
from hpcscan.model.problem import Problem
from hpcscan.models.leptons.model import BOXES, LEPTONS, LeptonModel
from hpcscan.settings import FitSettings


def rows(model: Problem, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    low, high = (np.array([getattr(p, side) for p in model.parameters]) for side in ("lower", "upper"))
    points = np.stack([rng.uniform(2.9, 3.3, n), rng.uniform(0.005, 0.05, n)], axis=1)
    return points, low + (high - low) * rng.random((n, len(low)))


@pytest.mark.parametrize("frame", ["stream", "laboratory"])
@pytest.mark.parametrize("mapping", ["global_scale", "electron_anchor"])
def test_jacobian_equals_central_differences(mapping: str, frame: str) -> None:
    model = leptons(mapping=mapping, frame=frame, bounds={"electron.U": (0.06, 0.1)})
    points, x = rows(model, 40, seed=3)
    jacobian = model.jacobian(points, x).values
    for j in range(9):
        h = np.zeros(9)
        h[j] = 1e-6
        difference = (model.predict(points, x + h) - model.predict(points, x - h)) / 2e-6
        assert np.abs(difference - jacobian[:, :, j]).max() <= 1e-7 * np.abs(jacobian).max()


def test_the_anchor_is_the_electrons_mass_over_its_energy() -> None:
    free, anchored = leptons(), leptons(mapping="electron_anchor")
    points, x = rows(free, 30, seed=1)
    energy, mass = free.predict(points, x), anchored.predict(points, x)
    np.testing.assert_allclose(mass, 0.511 * energy / energy[:, :1], rtol=1e-14)
    derived = anchored.derive(points, x, {})
    np.testing.assert_allclose(derived["S_opt"], 0.511 / energy[:, 0], rtol=1e-14)


def test_derived_quantities_belong_together() -> None:
    model = leptons(frame="laboratory")
    points, x = rows(model, 30, seed=2)
    derived = model.derive(points, x, {"S": np.ones(30)})
    parts = derived["energy_circulation"] - derived["energy_stabilization"] + derived["energy_gradient"]
    np.testing.assert_array_equal(derived["energy_total"], parts)
    np.testing.assert_array_equal(derived["energy_total"], model.predict(points, x))
    np.testing.assert_allclose(derived["circulation_prefactor"] * x[:, 1::3] ** 2, derived["energy_circulation"])
    np.testing.assert_allclose(derived["scale_per_lepton"] * derived["energy_total"], [[0.511, 105.7, 1776.8]] * 30)


def test_without_eta_there_is_no_gradient_energy() -> None:
    points, x = rows(leptons(), 5, seed=0)
    with_gradient, without = (leptons(eta=eta).derive(points, x, {})["energy_gradient"] for eta in (0.03, 0.0))
    assert (with_gradient > 0).all()
    assert (without == 0).all()


@settings(max_examples=30)
@given(n=st.integers(1, 40), first=st.integers(0, 20), seed=st.integers(0, 1000))
def test_a_row_has_the_same_bits_in_any_batch(n: int, first: int, seed: int) -> None:
    model = leptons()
    points, x = rows(model, 60, seed)
    part = slice(first, first + n)
    assert model.predict(points, x)[part].tobytes() == model.predict(points[part], x[part]).tobytes()
    whole, alone = model.jacobian(points, x).values[part], model.jacobian(points[part], x[part]).values
    assert whole.tobytes() == alone.tobytes()


def test_bounds_override_single_entries_of_the_box() -> None:
    model = leptons(box="published", bounds={"tau.U": (0.15, 0.15)})
    bounds = {p.name: (p.lower, p.upper) for p in model.parameters}
    assert bounds == BOXES["published"] | {"tau.U": (0.15, 0.15)}


def test_sigma_is_relative_and_may_differ_between_leptons() -> None:
    model = leptons(sigma={"muon": 2e-3}, masses={"tau": 1000.0})
    assert [o.sigma for o in model.observables] == pytest.approx([0.511e-4, 0.2114, 0.1])
    assert [o.observed for o in model.observables] == [0.511, 105.7, 1000.0]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"bounds": {"muon.R_c": (0.0, 0.3)}}, ("bounds", "muon.R_c")),
        ({"bounds": {"muon.R_c": (0.1, 10.0)}}, ("bounds", "muon.R_c")),
        ({"bounds": {"tau.A": (0.7, 1.1)}}, ("bounds", "tau.A")),
        ({"bounds": {"tau.A": (-0.1, 1.0)}}, ("bounds", "tau.A")),
        ({"bounds": {"tau.U": (0.2, 0.1)}}, ("bounds", "tau.U")),
        ({"bounds": {"tau.U": (0.2, np.inf)}}, ("bounds", "tau.U")),
        ({"masses": {"muon": -1.0}}, ("masses", "muon")),
        ({"sigma": 0.0}, ("sigma",)),
        ({"sigma": {"tau": np.nan}}, ("sigma", "tau")),
        ({"r_max": 0.0}, ("r_max",)),
        ({"R_ref": -1.0}, ("R_ref",)),
        ({"eta": -0.1}, ("eta",)),
        ({"eta": np.nan}, ("eta",)),
    ],
)
def test_options_outside_physics_are_refused_at_their_place(options: dict, path: tuple[str, ...]) -> None:
    with pytest.raises(OptionError) as caught:
        LeptonModel(**options)
    assert caught.value.problems[0][0] == path


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(OptionError) as caught:
        LeptonModel(eta=-1.0, sigma=-1.0, bounds={"muon.U": (2.0, 1.0), "tau.A": (0.0, 2.0)})
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(
    ("beta", "w", "axes"),
    [([3.0], [0.01], []), ([-1.0], [0.01], ["beta"]), ([3.0], [0.0, 0.1], ["w"]), ([3.0], [8.5], ["w"])],
)
def test_scan_values_outside_physics_are_named(beta: list[float], w: list[float], axes: list[str]) -> None:
    values = {p.name: np.array([p.lower, p.upper]) for p in LeptonModel().parameters}
    problems = LeptonModel().check(**values | {"beta": np.array(beta), "w": np.array(w)})
    assert [axis for axis, _ in problems] == axes


def test_the_three_leptons_are_observables_of_one_scale() -> None:
    assert [(o.name, o.scale) for o in leptons().observables] == [(name, "S") for name in LEPTONS]


CORNERS = [
    {"r_max": 1e12, "bounds": {"muon.U": (-1e12, 1e12), "tau.R_c": (1e-12, 9e11)}, "eta": 1e12, "R_ref": 1e12},
    {"sigma": 1e-12, "masses": {"electron": 1e-12, "tau": 1e12}},
    {"sigma": 1e12, "masses": {"electron": 1e12, "tau": 1e-12}, "eta": 0.0},
    {"bounds": {"muon.U": (0.0, 1e-12), "muon.R_c": (1e-12, 1e-12), "electron.U": (1e12, 1e12)}},
]


@pytest.mark.parametrize("mapping", ["global_scale", "electron_anchor"])
@pytest.mark.parametrize("chosen", CORNERS)
def test_what_the_options_allow_is_finite(chosen: dict[str, Any], mapping: str) -> None:
    """At the largest and smallest numbers that are accepted, every start can be judged."""
    model = leptons(**chosen, mapping=mapping)
    points = np.array([[beta, w] for beta in (0.0, 3.0, 1e12) for w in (1e-12, 0.02)])
    result = fit_block(model, points, np.arange(6), FitSettings(starts=2, max_iter=20))
    assert not (result.status == Status.FAILED).any()
    assert np.isfinite(result.chi2).all()


@pytest.mark.parametrize(
    "option", [{"R_ref": 1e200}, {"r_max": 1e110}, {"sigma": 1e306}, {"sigma": 1e-323}, {"eta": 1e300}]
)
def test_what_is_beyond_numbers_is_refused(option: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=f"{next(iter(option))}: is .+; expected"):
        LeptonModel(**option)
