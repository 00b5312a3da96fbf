"""Energies of one lepton: against reference numbers, independent quadrature, Lamb's formula and complex steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.models.leptons.energy import Vacuum, circulation_prefactor, energy_derivatives, energy_parts

from .quadrature import Lepton, energies

REFERENCE = json.loads((Path(__file__).parent / "energies.json").read_text())
FRAMES = st.sampled_from(["stream", "laboratory"])


def vacuum_of(lepton: Lepton) -> Vacuum:
    beta, w, coefficient = (np.array([v]) for v in (lepton.beta, lepton.w, lepton.gradient_coefficient))
    return Vacuum(beta, w, coefficient, lepton.r_max, lepton.frame)


def parts_of(lepton: Lepton) -> np.ndarray:
    triple = (np.array([v]) for v in (lepton.R_c, lepton.U, lepton.A))
    parts = energy_parts(vacuum_of(lepton), *triple)
    return np.array([parts.circulation[0], parts.stabilization[0], parts.gradient[0], parts.total[0]])


leptons = st.builds(
    Lepton,
    R_c=st.floats(0.02, 2.0),
    U=st.floats(0.005, 0.3),
    A=st.just(0.0) | st.floats(1e-3, 1.0),
    w=st.floats(1e-4, 0.2),
    beta=st.floats(0.0, 5.0),
    gradient_coefficient=st.floats(0.0, 0.02),
    r_max=st.floats(3.0, 20.0),
    frame=FRAMES,
)


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: f"{case['frame']}-{case['R_c']}-{case['w']}")
def test_energies_agree_with_30_digit_arithmetic(case: dict) -> None:
    """Relative to the largest part, because the total crosses zero inside the electron's box."""
    names = ("R_c", "U", "A", "w", "beta")
    coefficient = case["eta"] * case["beta"] * case["R_ref"] ** 2 / 11
    parts = parts_of(Lepton(*(case[name] for name in names), coefficient, case["r_max"], case["frame"]))
    reference = np.array([float(case[name]) for name in ("E_circ", "E_stab", "E_grad", "E_total")])
    assert np.abs(parts - reference).max() <= 1e-14 * np.abs(reference[:3]).max()


@given(leptons)
def test_closed_form_equals_quadrature_of_the_defining_integrals(lepton: Lepton) -> None:
    expected = np.array(energies(lepton))
    assert np.abs(parts_of(lepton)[:3] - expected).max() <= 1e-12 * np.abs(expected).max()


@given(R_c=st.floats(0.05, 2.0), w=st.floats(1e-3, 0.1))
def test_without_deficit_and_walls_the_energy_is_lambs(R_c: float, w: float) -> None:
    """(10π/7) U² R³: Lamb, Hydrodynamics, §165."""
    vacuum = Vacuum(np.array([3.0]), np.array([w]), np.array([0.0]), 1e7, "laboratory")
    prefactor = circulation_prefactor(vacuum, np.array([R_c]), np.array([0.0]))[0]
    assert prefactor == pytest.approx(10 * np.pi / 7 * (R_c + w) ** 3, rel=1e-14)


@given(leptons)
def test_derivatives_equal_complex_steps(lepton: Lepton) -> None:
    """Im E(p + ih)/h is the derivative to rounding, without cancellation."""
    vacuum, step = vacuum_of(lepton), 1e-30
    triple = [np.array([v]) for v in (lepton.R_c, lepton.U, lepton.A)]
    scale = np.abs(parts_of(lepton)[:3]).max()
    for k, derivative in enumerate(energy_derivatives(vacuum, *triple)):
        shifted = [v + (1j * step if i == k else 0j) for i, v in enumerate(triple)]
        expected = energy_parts(vacuum, *shifted).total[0].imag / step
        magnitude = max(abs(expected), scale / triple[k][0] if triple[k][0] else scale)
        assert derivative[0] == pytest.approx(expected, abs=1e-13 * magnitude)
