"""The certified lower bound of χ²: nothing falls below it, and the fit comes down to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_models import Shared, Stated, leptons

from hpcscan.fitting.block import fit_block
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.model.problem import Observable, Problem
from hpcscan.model.returned import PredictionRanges
from hpcscan.models.leptons.model import BOXES, LEPTONS, MAPPINGS
from hpcscan.proof.certificate import Certificate, certify
from hpcscan.settings import FitSettings

from .boxes import bounds, options, points, sample

#: Ranges of the energies and minima of χ² on the sanity grid, calculated independently.
REFERENCE = json.loads((Path(__file__).parent / "sanity_ranges.json").read_text())
GRID = np.array([(beta, w) for beta in np.linspace(2.95, 3.25, 16) for w in np.geomspace(0.005, 0.05, 10)])
POINT = np.array([[3.1, 0.015]])
SLOW = (0.0, 0.001)
#: Boxes that exercise the scale: (options, its sign at the minimum).
UNUSUAL = {
    "negative energies": (
        {
            "frame": "laboratory",
            "bounds": {f"{lepton}.U": (0.001, 0.002) for lepton in LEPTONS} | {"muon.R_c": (0.3, 0.5)},
        },
        -1,
    ),
    "S < 0 alone reaches zero": (
        {
            "bounds": {f"{lepton}.U": SLOW for lepton in LEPTONS} | {"muon.R_c": (0.5, 0.8), "tau.R_c": (0.3, 1.8)},
        },
        -1,
    ),
    "electron through zero": ({"bounds": {"muon.A": (0.8, 0.8), "tau.U": (0.1, 0.1)}}, 1),
    "electron above zero": ({"bounds": {"electron.U": (0.08, 0.1)}}, 1),
    "everything fixed": ({"bounds": {name: (low, low) for name, (low, _) in BOXES["published"].items()}}, 1),
}


def chi2_of(model: Problem, point: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """χ² of rows of parameters, with the best scale of each."""
    return Objective(model).evaluate(Given(np.repeat(point.T, len(parameters), axis=1)), parameters.T).chi2


def fitted(model: Problem, at: np.ndarray, starts: int = 16) -> np.ndarray:
    return fit_block(model, at, np.arange(len(at)), FitSettings(starts=starts)).chi2


def is_closed(chi2: np.ndarray, certificate: Certificate) -> bool:
    """Whether the fit has come down to the bound, and not below."""
    gap = chi2 - certificate.chi2_lower_bound
    return bool((gap >= 0).all() and (gap <= np.maximum(1e-3, 1e-9 * chi2)).all())


@pytest.mark.parametrize("box", ["published", "widened"])
def test_reference_ranges_and_minima_are_met(box: str) -> None:
    """Within 1e-12, against an independent calculation."""
    at = np.array([[case["beta"], case["w"]] for case in REFERENCE[box]])
    model = leptons(box=box)
    ranges, certificate = model.prediction_ranges(at), certify(model, at)
    np.testing.assert_allclose(ranges.lower, [case["E_lower"] for case in REFERENCE[box]], rtol=1e-12)
    np.testing.assert_allclose(ranges.upper, [case["E_upper"] for case in REFERENCE[box]], rtol=1e-12)
    np.testing.assert_allclose(
        certificate.chi2_lower_bound, [case["chi2_min"] for case in REFERENCE[box]], rtol=1e-12, atol=0
    )
    np.testing.assert_allclose(certificate.scale_lower[:, 0], [case["S_opt"] for case in REFERENCE[box]], rtol=1e-12)


def test_the_interval_of_the_scale_in_the_widened_box() -> None:
    """Every S in [13.58, 160.5] reaches zero: the ranges contain all masses inside, and not just outside."""
    certificate = certify(leptons(), POINT)
    lower, upper = certificate.scale_lower[0, 0], certificate.scale_upper[0, 0]
    assert (round(lower, 2), round(upper, 1)) == (13.58, 160.5)
    assert certificate.chi2_lower_bound[0] == 0
    ranges = leptons().prediction_ranges(POINT)
    masses = np.array([o.observed for o in leptons().observables])
    inside, outside = (lower * 1.001, upper * 0.999), (lower * 0.999, upper * 1.001)
    for scale in (*inside, *outside):
        matched = (scale * ranges.lower <= masses) & (masses <= scale * ranges.upper)
        assert matched.all() == (scale in inside)


@pytest.mark.parametrize("eta", [0.03, 0.0])
@pytest.mark.parametrize("mapping", MAPPINGS)
@pytest.mark.parametrize("box", BOXES)
def test_the_fit_reaches_the_bound_on_the_full_grid(box: str, mapping: str, eta: float) -> None:
    model = leptons(box=box, mapping=mapping, eta=eta)
    assert is_closed(fitted(model, GRID), certify(model, GRID))


@pytest.mark.parametrize("name", UNUSUAL)
@pytest.mark.parametrize("mapping", MAPPINGS)
def test_the_fit_reaches_the_bound_in_unusual_boxes(mapping: str, name: str) -> None:
    chosen, sign = UNUSUAL[name]
    model = leptons(**chosen, mapping=mapping)
    certificate = certify(model, GRID[::20])
    assert is_closed(fitted(model, GRID[::20], starts=64), certificate)
    if mapping == "global_scale":
        assert (np.sign(certificate.scale_lower) == sign).all()
        assert (np.sign(certificate.scale_upper) == sign).all()


def test_the_mappings_have_the_same_floor_where_the_electron_can_be_anything() -> None:
    free, anchored = (certify(leptons(box="published", mapping=mapping), GRID) for mapping in MAPPINGS)
    np.testing.assert_allclose(anchored.chi2_lower_bound, free.chi2_lower_bound, rtol=1e-12)
    assert anchored.scale_lower.shape == (len(GRID), 0)


def test_an_electron_with_energies_of_one_sign_restricts_the_scale() -> None:
    """Against a scan over the energies that the electron can have."""
    chosen = {"box": "published", "bounds": {"electron.U": (0.08, 0.1)}}
    free, anchored = (leptons(**chosen, mapping=mapping) for mapping in MAPPINGS)
    ranges = free.prediction_ranges(POINT)
    (low, high), masses = (ranges.lower[0], ranges.upper[0]), np.array([o.observed for o in free.observables])
    scale = masses[0] / np.linspace(low[0], high[0], 100_001)[:, None]
    distance = np.maximum(np.maximum(scale * low - masses, masses - scale * high), 0) / (1e-4 * masses)
    lowest = (distance[:, 1:] ** 2).sum(axis=1).min()
    bound = certify(anchored, POINT).chi2_lower_bound[0]
    assert bound == pytest.approx(lowest, rel=1e-9)
    assert bound <= lowest
    assert bound > certify(free, POINT).chi2_lower_bound[0] + 1e5


def test_fixed_parameters_leave_the_chi2_of_the_one_point() -> None:
    model = leptons(**UNUSUAL["everything fixed"][0])
    chi2 = chi2_of(model, POINT, bounds(model)[:1].repeat(2, axis=0))[0]
    assert certify(model, POINT).chi2_lower_bound[0] == pytest.approx(chi2, rel=1e-12)
    assert certify(model, POINT).chi2_lower_bound[0] <= chi2


@settings(max_examples=100, deadline=None)
@given(options(), points, st.integers(0, 999))
def test_no_sample_of_any_box_falls_below(chosen: dict[str, Any], point: np.ndarray, seed: int) -> None:
    model = leptons(**chosen)
    chi2 = chi2_of(model, point, sample(model, 1000, seed))
    bound = certify(model, point).chi2_lower_bound[0]
    assert bound >= 0
    assert not (chi2 < bound).any()


@settings(max_examples=10, deadline=None)
@given(options(), points)
def test_no_fit_of_any_box_falls_below(chosen: dict[str, Any], point: np.ndarray) -> None:
    model = leptons(**chosen)
    assert not (fitted(model, point, starts=8) < certify(model, point).chi2_lower_bound).any()


@pytest.mark.parametrize("sigma", [1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("masses", [{}, {"electron": 100.0}, {"muon": 3.0, "tau": 1e5}, {"tau": 200.0}])
def test_the_bound_is_tight_for_other_masses_and_uncertainties(masses: dict[str, float], sigma: float) -> None:
    model = leptons(box="published", masses=masses, sigma=sigma)
    assert is_closed(fitted(model, GRID[::40]), certify(model, GRID[::40]))


def test_rows_have_the_same_bits_in_any_batch() -> None:
    model = leptons(box="published")
    at = GRID[::5]
    whole = certify(model, at)
    for size in (1, 2, 7, 20):
        parts = [certify(model, at[first : first + size]) for first in range(0, len(at), size)]
        for name in ("chi2_lower_bound", "scale_lower", "scale_upper"):
            joined = np.concatenate([getattr(part, name) for part in parts])
            assert joined.tobytes() == getattr(whole, name).tobytes()


def test_a_model_without_ranges_has_no_bound() -> None:
    class Silent(Stated):
        def prediction_ranges(self, points: np.ndarray) -> None:
            return None

    certificate = certify(Silent((Observable("x", 1.0, 1.0, "S"),), [0.0], [1.0]), np.zeros((3, 1)))
    assert np.isnan(certificate.chi2_lower_bound).all()
    assert certificate.scale_lower.shape == certificate.scale_upper.shape == (3, 1)
    assert np.isnan([certificate.scale_lower, certificate.scale_upper]).all()


def test_scales_are_independent_and_unscaled_observables_count_as_they_are() -> None:
    """Two scales and one plain observable: 0.2² from a:b = 1:1 against 3:4, 0 from c, 2² from the plain one."""
    seen = (
        Observable("a", 3.0, 1.0, "first"),
        Observable("plain", 5.0, 0.5),
        Observable("c", 8.0, 1.0, "second"),
        Observable("b", 4.0, 1.0, "first"),
    )
    model = Stated(seen, [1.0, 1.0, 2.0, 1.0], [1.0, 4.0, 4.0, 1.0])
    certificate = certify(model, np.zeros((2, 1)))
    np.testing.assert_allclose(certificate.chi2_lower_bound, 0.5 + 4.0, rtol=1e-13)
    np.testing.assert_allclose(certificate.scale_lower, [[3.5, 2.0]] * 2, rtol=1e-13)
    np.testing.assert_allclose(certificate.scale_upper, [[3.5, 4.0]] * 2, rtol=1e-13)
    chi2 = fit_block(model, np.zeros((2, 1)), np.arange(2), FitSettings()).chi2
    np.testing.assert_allclose(chi2, certificate.chi2_lower_bound, rtol=1e-9)


def test_shared_parameters_leave_a_bound_that_holds_but_is_not_reached() -> None:
    chi2 = fit_block(Shared(), np.zeros((2, 1)), np.arange(2), FitSettings()).chi2
    assert chi2 == pytest.approx(50.0)
    assert (certify(Shared(), np.zeros((2, 1))).chi2_lower_bound == 0).all()


def test_a_point_whose_ranges_are_not_known_has_no_bound() -> None:
    class Patchy(Stated):
        def prediction_ranges(self, points: np.ndarray) -> PredictionRanges:
            known = np.where(points > 0, 1.0, np.nan)
            return PredictionRanges(known * self.lower, known * self.upper)

    model = Patchy((Observable("x", 4.0, 1.0), Observable("y", 1.0, 1.0, "S")), [0.0, 1.0], [1.0, 1.0])
    certificate = certify(model, np.array([[0.0], [1.0], [-1.0]]))
    np.testing.assert_allclose(certificate.chi2_lower_bound, [np.nan, 9.0, np.nan], rtol=1e-13)
    np.testing.assert_allclose(certificate.scale_lower[:, 0], [np.nan, 1.0, np.nan], rtol=1e-13)


def test_open_ranges_bound_from_one_side() -> None:
    model = Stated((Observable("x", 4.0, 1.0), Observable("y", 4.0, 1.0)), [5.0, 0.0], [np.inf, 1.0])
    model.prediction_ranges = lambda points: PredictionRanges(
        np.add(points, [5.0, -np.inf]), np.add(points, [np.inf, 1.0])
    )
    np.testing.assert_allclose(certify(model, np.zeros((1, 1))).chi2_lower_bound, 1.0 + 9.0, rtol=1e-13)
