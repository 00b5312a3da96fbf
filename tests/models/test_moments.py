"""Magnetic moments and radii of leptons: constants by exact arithmetic, reference numbers, quadrature, derivatives."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from proof.test_shape import is_positive
from toy_models import leptons

from hpcscan.errors import OptionError
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model.problem import scale_names, scale_unit
from hpcscan.models.leptons.energy import P_STABILIZATION, Polynomial, radius_derivative
from hpcscan.models.leptons.model import LEPTONS, LeptonModel
from hpcscan.models.leptons.moment import (
    I2,
    I4,
    J4,
    Rotation,
    magnetic_moment,
    moment_derivatives,
    moment_ranges,
    rms_radius,
)

from .exact import S5, add, core_integral, in_layer, layer_integral, power_series, product, times
from .quadrature import NODES, WEIGHTS, Lepton, deficit
from .test_leptons import rows

REFERENCE = json.loads((Path(__file__).parent / "moments.json").read_text())
ROTATIONS = get_args(Rotation)
#: c = (1 − x²)².
C = {0: Fraction(1), 2: Fraction(-2), 4: Fraction(1)}


def columns(case: dict) -> tuple[np.ndarray, ...]:
    return tuple(np.array([case[name]]) for name in ("w", "R_c", "U", "A"))


@pytest.mark.parametrize(("power", "constants"), [(2, I2), (4, I4)])
def test_moments_of_the_deficit_follow_from_their_integrals(power: int, constants: Polynomial) -> None:
    """∫ xᵏ c T dx."""
    integrand = product(C, {power: Fraction(1)})
    derived = add(core_integral(integrand), layer_integral(times(in_layer(integrand), S5)))
    assert power_series(derived) == constants


@pytest.mark.parametrize(("power", "constants"), [(2, P_STABILIZATION), (4, J4)])
def test_moments_of_the_squared_deficit_follow_from_their_integrals(power: int, constants: Polynomial) -> None:
    """∫ xᵏ c² T² dx."""
    integrand = product(C, C, {power: Fraction(1)})
    derived = add(core_integral(integrand), layer_integral(times(in_layer(integrand), times(S5, S5))))
    assert power_series(derived) == constants


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: f"{case['R_c']}-{case['w']}")
def test_moments_and_radii_agree_with_20_digits(case: dict) -> None:
    for rotation in ROTATIONS:
        assert magnetic_moment(rotation, *columns(case))[0] == pytest.approx(float(case[rotation]), rel=1e-14)
    w, R_c, _, _ = columns(case)
    assert rms_radius(w, R_c)[0] == pytest.approx(float(case["R_rms"]), rel=1e-14)


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: f"{case['R_c']}-{case['w']}")
def test_closed_forms_equal_quadrature_of_the_deficit(case: dict) -> None:
    """A rotating charge ρ_q has μ = ½ ∫ r × j = (4π/3) (U/R) ∫ ρ_q r⁴ dr; the vorticity of the ball is 5 r sin θ/R²."""
    w, R_c, U, A = (float(case[name]) for name in ("w", "R_c", "U", "A"))
    lepton = Lepton(R_c, U, A, w, 0.0, 0.0, 10.0, "stream")
    R, second, fourth, squared, squared_fourth = R_c + w, 0.0, 0.0, 0.0, 0.0
    for low, high in pairwise([0.0, R_c, R]):
        r, weight = (low + high) / 2 + (high - low) / 2 * NODES, (high - low) / 2 * WEIGHTS
        density = -deficit(lepton, r)[0] / A
        second, fourth = second + np.sum(weight * density * r**2), fourth + np.sum(weight * density * r**4)
        squared = squared + np.sum(weight * density**2 * r**2)
        squared_fourth = squared_fourth + np.sum(weight * density**2 * r**4)
    expected = {
        "uniform": U / R * (R**5 / 5) / (R**3 / 3) / 3,
        "deficit": U / R * fourth / second / 3,
        "vorticity": 2 * np.pi * U * (R**3 - 5 * A * fourth / R**2),
    }
    for rotation, value in expected.items():
        assert magnetic_moment(rotation, *columns(case))[0] == pytest.approx(value, rel=1e-12)
    assert rms_radius(np.array([w]), np.array([R_c]))[0] == pytest.approx(np.sqrt(squared_fourth / squared), rel=1e-12)


def test_limits_without_a_boundary_layer() -> None:
    w, R, U = (np.array([value]) for value in (1e-9, 0.7, 0.1))
    assert magnetic_moment("deficit", w, R, U, U)[0] == pytest.approx(0.07 / 9, rel=1e-8)
    assert magnetic_moment("vorticity", w, R, U, 0 * U)[0] == pytest.approx(2 * np.pi * 0.1 * 0.7**3, rel=1e-8)
    assert rms_radius(w, R)[0] == pytest.approx(np.sqrt(3 / 13) * 0.7, rel=1e-8)


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_derivatives_are_those_of_the_closed_forms(rotation: Rotation) -> None:
    """Against complex steps, which are exact: the closed forms are analytic."""
    rng = np.random.default_rng(5)
    triple = [rng.uniform(*ends, 50) for ends in ((0.05, 2.0), (0.01, 0.3), (0.0, 1.0))]
    w, h = rng.uniform(1e-4, 0.2, 50), 1e-30
    for k, derivative in enumerate(moment_derivatives(rotation, w, *triple)):
        moved = [value + 1j * h * (j == k) for j, value in enumerate(triple)]
        expected = np.imag(magnetic_moment(rotation, w + 0j, *moved)) / h
        np.testing.assert_allclose(derivative, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("mapping", ["global_scale", "electron_anchor"])
@pytest.mark.parametrize("convention", ["physical", "authors"])
@pytest.mark.parametrize("rotation", ROTATIONS)
def test_the_model_predicts_and_differentiates_them(rotation: Rotation, convention: str, mapping: str) -> None:
    """Columns beyond the masses; g over E has a pole, from which the rows keep their distance."""
    away = {f"{lepton}.U": (0.15, 0.2) for lepton in LEPTONS}
    model = leptons(moment=rotation, convention=convention, mapping=mapping, bounds=away)
    points, x = rows(model, 40, seed=4)
    predicted, jacobian = model.predict(points, x), model.jacobian(points, x)
    moments = magnetic_moment(rotation, points[:, 1:], *(x[:, k::3] for k in range(3)))
    energies = leptons(bounds=away).predict(points, x)
    moments = moments if convention == "physical" else moments / energies
    np.testing.assert_allclose(predicted[:, 3:], moments, rtol=1e-14)
    assert jacobian.is_given is None
    for j in range(9):
        h = np.zeros(9)
        h[j] = 1e-6
        difference = (model.predict(points, x + h) - model.predict(points, x - h)) / 2e-6
        size = np.abs(jacobian.values).max(axis=(0, 2))
        assert (np.abs(difference - jacobian.values[:, :, j]) <= 1e-7 * size).all()


def test_observed_moments_are_in_bohr_magnetons() -> None:
    model = leptons(moment="uniform")
    moments = model.observables[3:]
    assert [o.name for o in moments] == ["moment.electron", "moment.muon", "moment.tau"]
    assert [o.observed for o in moments] == pytest.approx(
        [1.00115965218, 4.84007365636e-3, 2.87765359072e-4], rel=1e-11
    )
    sigma = [1e-3 / 2, 1e-3 / 2 * 0.511 / 105.7, 1e-2 / 2 * 0.511 / 1776.8]
    assert [o.sigma for o in moments] == pytest.approx(sigma, rel=1e-14)
    assert scale_names(model) == ("S", "moment_scale")
    assert [scale_unit(model, name) for name in scale_names(model)] == [
        "MeV per energy unit",
        "Bohr magneton per model moment",
    ]
    g = leptons(moment="uniform", convention="authors").observables[3:]
    assert [(o.observed, o.sigma) for o in g] == [(2.00231930436256, 1e-3), (2.0023318414, 1e-3), (2.00118, 1e-2)]


@pytest.mark.parametrize("convention", ["physical", "authors"])
def test_with_an_anchored_scale_the_moments_have_the_only_profiled_one(convention: str) -> None:
    """χ² is that of the global scale where this one equals m_e/E_e, and never below its minimum over the scale."""
    anchored, free = (
        leptons(moment="uniform", convention=convention, mapping=mapping)
        for mapping in ("electron_anchor", "global_scale")
    )
    assert scale_names(anchored) == ("moment_scale",)
    assert {"S_opt", "R_rms"} <= {d.name for d in anchored.derived}
    points, x = rows(free, 200, seed=6)
    given, x = Given(np.ascontiguousarray(points.T)), np.ascontiguousarray(x.T)
    at, best = (Objective(model).evaluate(given, x) for model in (anchored, free))
    np.testing.assert_array_equal(at.scale[0], best.scale[1])
    np.testing.assert_array_equal(at.residual[3:], best.residual[3:])
    assert (at.chi2 >= best.chi2 * (1 - 1e-12)).all()


def test_without_moments_nothing_is_new() -> None:
    model = LeptonModel()
    assert [term.name for term in model.data] == list(LEPTONS)
    assert not {"R_rms", "magnetic_moment"} & {d.name for d in model.derived}
    assert model.notes == ()


def test_moments_and_radii_are_derived() -> None:
    model = leptons(moment="vorticity")
    points, x = rows(model, 5, seed=1)
    derived = model.derive(points, x, {})
    np.testing.assert_array_equal(derived["magnetic_moment"], model.predict(points, x)[:, 3:])
    np.testing.assert_array_equal(derived["R_rms"], rms_radius(points[:, 1:], x[:, 0::3]))


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"g_factors": {"muon": -2.0}}, "g_factors"),
        ({"g_sigma": {"tau": 0.0}}, "g_sigma"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict, where: str) -> None:
    with pytest.raises(OptionError) as refused:
        LeptonModel(**options)
    assert refused.value.problems[0][0][0] == where


def test_a_moment_rises_with_the_radius_and_does_not_rise_with_the_amplitude() -> None:
    """What its ranges rest on, by exact arithmetic on 0 ≤ t ≤ 1: the factors of U and their slopes are not negative."""
    assert is_positive(I2)
    assert is_positive(I4)
    # d/dR [R I₄/I₂] I₂²
    rising, falling = product(radius_derivative(I4, 1), I2), product(I4, radius_derivative(I2, 0))
    powers = range(max(*rising, *falling) + 1)
    assert is_positive({k: rising.get(k, Fraction(0)) - falling.get(k, Fraction(0)) for k in powers})
    # 1 − 5 A I₄, and d/dR [R³ (1 − 5 A I₄)]/R², at A = 1, where they are least: their terms with A are negative.
    five = {0: Fraction(5)}
    assert is_positive({0: 1 - 5 * I4[0], **{k: -5 * c for k, c in I4.items() if k}})
    slope = product(five, radius_derivative(I4, 3))
    assert is_positive({0: 3 - slope[0], **{k: -c for k, c in slope.items() if k}})


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_no_moment_falls_outside_its_range_and_both_ends_are_reached(rotation: Rotation) -> None:
    rng = np.random.default_rng(2)
    lower = np.array([[0.05, 0.3], [-0.1, 0.02], [0.2, 1.0]])
    upper = np.array([[0.5, 0.3], [0.2, 0.2], [1.0, 1.0]])
    w = np.array([[1e-3], [0.2]])
    low, high = moment_ranges(rotation, w, lower, upper)
    place = np.clip(rng.uniform(-0.5, 1.5, (4000, 3, 2)), 0, 1)
    triples = lower + (upper - lower) * place
    for row in range(2):
        moments = magnetic_moment(rotation, w[row], *triples.transpose(1, 0, 2))
        assert (moments >= low[row]).all()
        assert (moments <= high[row]).all()
        np.testing.assert_allclose(moments.min(axis=0), low[row], rtol=1e-12)
        np.testing.assert_allclose(moments.max(axis=0), high[row], rtol=1e-12)
