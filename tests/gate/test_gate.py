"""The gate, criterion by criterion, over files that fail in one way each."""

import numpy as np
import pytest
from report.synthetic import BETA, GATE, Surface, W, bowl, good

from hpcscan.analysis.certainty import unconverged
from hpcscan.distribution import survival
from hpcscan.fitting.records import Evidence, Status
from hpcscan.gate.criterion import NUMERICAL, PHYSICAL
from hpcscan.gate.gate import gate_in_short, judge
from hpcscan.gate.verdict import verdict
from hpcscan.words.numbers import probability


def gate_of(surface: Surface, path):
    findings = surface.findings(path / "scan.nc")
    return judge(findings), findings


def test_a_good_scan_passes(tmp_path):
    gate, findings = gate_of(good(), tmp_path)
    assert gate.failed == ()
    assert gate_in_short(gate) == "gate: open, all 10 criteria hold"
    found = {criterion.name: criterion.found for criterion in gate.criteria}
    assert found["minimum in beta"].startswith("3.1030 ± 0.0200")
    assert found["lowest chi2"].endswith(": good")
    assert (
        verdict(findings).decision
        == "Every criterion of the gate holds, and the levels of delta chi2 are confidence levels."
    )


def failed(results):
    results.status[5], results.chi2[5] = Status.FAILED, np.nan
    results.chi2_lower_bound[5] = np.nan


def not_converged(results):
    results.status[[3, 4]] = Status.NOT_CONVERGED


def not_run(results):
    results.status[100:] = Status.NOT_RUN
    results.chi2[100:] = np.nan
    results.chi2_lower_bound[100:] = np.nan


def gap(results):
    results.chi2_lower_bound[7] -= 0.5


def below_the_bound(results):
    results.chi2_lower_bound[7] += 0.5


def spike(results):
    results.chi2[75] += 400
    results.chi2_lower_bound[75] = np.nan


def scale(results):
    results.scale[:] = results.scale_lower[:] = results.scale_upper[:] = 1e6


def pull(results):
    results.predicted[:, 2] += 20


def sideways(beta, w):
    return 2 + (3.25 - beta) / 0.02 + 0 * w


@pytest.mark.parametrize(
    ("surface", "group", "name", "words"),
    [
        (good(spoil=failed), NUMERICAL, "points converged", "the model raised, or gave no finite prediction or scale"),
        (good(spoil=not_converged), NUMERICAL, "points converged", "first: beta = 2.95, w = 0.02"),
        (good(spoil=not_run), NUMERICAL, "points converged", "--resume"),
        (good(spoil=gap), NUMERICAL, "minima proven", "up to 0.5 (median"),
        (good(spoil=below_the_bound), NUMERICAL, "minima proven", "the model's ranges are wrong"),
        (good(spoil=spike), NUMERICAL, "delta chi2 smooth", "noise of the optimiser"),
        (good(chi2=bowl(floor=30)), PHYSICAL, "lowest chi2", "no bound holds chi2 up"),
        (good(chi2=bowl(floor=0.2), n_data=2), PHYSICAL, "lowest chi2", "5 quantities are free for 2 data"),
        (good(chi2=bowl(centre=(3.0, 0.02))), PHYSICAL, "minimum in beta", "elsewhere"),
        (good(chi2=sideways), PHYSICAL, "minimum in beta", "lies beyond the grid"),
        (good(chi2=lambda beta, w: 2 + 0 * w), PHYSICAL, "minimum in beta", "do not determine beta"),
        (good(chi2=lambda b, w: 2 + (b - 3.1) ** 2 * 300 + w), PHYSICAL, "minimum in beta", "flat: half-width 0.058"),
        (good(spoil=scale), PHYSICAL, "S_opt", "unit"),
        (good(spoil=pull), PHYSICAL, "observables", "1 of 5 are further off"),
    ],
)  # fmt: skip
def test_one_fault_fails_one_criterion_with_its_cause(tmp_path, surface, group, name, words):
    gate, _ = gate_of(surface, tmp_path)
    found = {(criterion.group, criterion.name): criterion for criterion in gate.failed}
    assert (group, name) in found
    assert words in found[group, name].cause
    others = [key for key in found if key != (group, name)]
    assert all(group == NUMERICAL or "flat" in words for _ in others), others


def test_a_bound_that_holds_chi2_up_is_named_as_the_cause(tmp_path):
    def hold(results):
        results.bound_multiplier[:, 1], results.at_bound[:, 1] = -1e7, 1
        results.profiled_parameter[:, 1] = 2.0

    gate, findings = gate_of(good(chi2=bowl(floor=1.6e7), spoil=hold), tmp_path)
    cause = next(criterion.cause for criterion in gate.failed if criterion.name == "lowest chi2")
    assert cause == (
        "bounds set this floor, not the optimiser: right at its upper bound 2 (2e+07) (change of chi2 per unit × width "
        "of the interval); widen them"
    )
    assert "right" in verdict(findings).decision


def not_arrived(results):
    results.edm[3] = 1e-3


def room(results):
    results.n_starts[:] = 2


def scattered(results):
    results.n_fresh[:], results.n_hits[:] = 20, 3


def on_a_plateau(results):
    results.n_fresh[:], results.n_hits[:] = 20, 18


def own_verdict(results):
    results.evidence[:] = Evidence.PROVEN


@pytest.mark.parametrize(
    ("n_starts", "how", "words", "never"),
    [
        (4, not_arrived, "fit.max_iter", "fit.starts: auto"),
        (1, None, "write fit.method: multistart with fit.starts: auto", "fresh_starts"),
        (1, own_verdict, "raise fit.max_iter", "fit.starts"),
        (4, room, "raise fit.fresh_starts, or leave it out", "fit.method"),
        (4, None, "write fit.starts: auto, or a number from 16 on", "fresh_starts"),
        (4, scattered, "raise fit.starts, such as to {min: 8, max: 32}", "fit.method"),
        (4, on_a_plateau, "agree on a plateau", "fit.starts"),
    ],
)
def test_each_reason_against_convergence_has_advice_that_can_be_followed(tmp_path, n_starts, how, words, never):
    def spoil(results):
        results.status[3] = Status.NOT_CONVERGED
        if how is not None:
            how(results)

    gate, findings = gate_of(good(has_certificate=False, n_starts=n_starts, spoil=spoil), tmp_path)
    [cause] = [criterion.cause for criterion in gate.failed if criterion.name == "points converged"]
    assert words in cause and never not in cause
    assert cause.endswith("(1 point, first: beta = 2.95, w = 0.02)")
    [found] = unconverged(findings.scan, findings.landscape)
    assert np.flatnonzero(found.points).tolist() == [3]


def test_points_are_sorted_by_their_reasons(tmp_path):
    def spoil(results):
        results.status[[3, 4, 9]] = Status.NOT_CONVERGED
        results.n_fresh[:], results.n_hits[:] = 20, 3
        results.edm[4] = np.nan

    findings = good(spoil=spoil).findings(tmp_path / "scan.nc")
    places = [np.flatnonzero(of.points).tolist() for of in unconverged(findings.scan, findings.landscape)]
    assert places == [[4], [3, 9]]


def test_open_proofs_ask_for_boxes_where_they_have_used_them(tmp_path):
    """A bound from ranges has no budget."""
    for n_boxes, words in (
        (0, "mean nothing; raise fit.starts"),
        (700, "after up to 700 boxes: raise fit.proof.boxes"),
    ):

        def spoil(results, n_boxes=n_boxes):
            gap(results)
            results.n_boxes[7] = n_boxes

        gate, _ = gate_of(good(spoil=spoil), tmp_path)
        [cause] = [criterion.cause for criterion in gate.failed if criterion.name == "minima proven"]
        assert words in cause


def test_what_fails_says_why_beside_its_value(tmp_path):
    """In a list without causes a value alone looks as if it held."""

    def shallow(beta, w):
        return 2 + 30 * (beta - 3.1) ** 2 + 40 * (w - 0.022) ** 2

    for surface, words in (
        (good(spoil=not_converged), "3.110 ± 0.021 (numerical error"),
        (good(spoil=not_converged), "in doubt while points did not converge"),
        (good(chi2=bowl(centre=(3.0, 0.02))), "expected from 3.05 to 3.15"),
        (good(chi2=shallow), "wider than wanted"),
        (good(chi2=shallow, config="gate: {converged: 1}"), "not enclosed"),
    ):
        gate, _ = gate_of(surface, tmp_path)
        [found] = [criterion.found for criterion in gate.failed if criterion.name == "minimum in beta"]
        assert words in found


def test_a_landscape_of_fits_that_did_not_converge_says_nothing_of_the_data(tmp_path):
    _, findings = gate_of(good(chi2=lambda b, w: 2 + 0 * w, spoil=not_converged), tmp_path)
    assert "these fits do not tell whether the data determine beta and w" in verdict(findings).found


@pytest.mark.parametrize(("floor", "verdict_of_class"), [(1.5, "good"), (5.0, "acceptable"), (10.1, "bad")])
def test_the_classes_of_chi2_without_degrees_of_freedom(tmp_path, floor, verdict_of_class):
    gate, _ = gate_of(good(chi2=bowl(floor=floor)), tmp_path)
    found = next(criterion for criterion in gate.criteria if criterion.name == "lowest chi2")
    assert found.found.endswith(verdict_of_class)
    assert found.holds is (floor <= 10)
    assert found.wanted == "1 to 3 good, up to 10 acceptable"


@pytest.mark.parametrize(
    ("floor", "verdict_of_class"), [(0.1, "good"), (10.1, "good"), (16.0, "acceptable"), (24.5, "bad")]
)
def test_with_degrees_of_freedom_chi2_is_judged_by_its_p_value(tmp_path, floor, verdict_of_class):
    """A χ² below 1 is no sign of too much freedom, and one above 10 none of a bad model."""
    gate, findings = gate_of(good(chi2=bowl(floor=floor), n_data=12), tmp_path)
    found = next(criterion for criterion in gate.criteria if criterion.name == "lowest chi2")
    assert verdict_of_class in found.found
    assert found.holds is (floor <= 20)
    chi2 = findings.landscape.lowest_chi2
    p_value = survival(chi2, 12 - 1 - 2 - 2)
    assert f"(7 dof, chi2/dof {chi2 / 7:.3g}, p = {probability(p_value)})" in found.found
    condition = findings.conditions.acceptable
    assert (condition.holds, condition.text) == (found.holds, found.found)


def shifted(sigmas):
    def spoil(results):
        results.predicted[:, 2] = 102 + 0.5 * sigmas

    return spoil


@pytest.mark.parametrize(
    ("n_data", "sigmas", "config", "holds"),
    [
        (5, 0.9, GATE, True),
        (5, 1.1, GATE, False),  # no degrees of freedom: within one sigma
        (12, 3.9, GATE, True),  # 1 - erf(3.94/sqrt(2))**12 = 0.001
        (12, 4.0, GATE, False),
        (12, 3.3, GATE.replace("gate: {", "gate: {p_value: [0.01, 0.1], "), True),
        (12, 3.4, GATE.replace("gate: {", "gate: {p_value: [0.01, 0.1], "), False),
        (12, 1.1, GATE.replace("gate: {", "gate: {pull: 1, "), False),
        (5, 1.1, GATE.replace("gate: {", "gate: {pull: 2, "), True),
    ],
)
def test_the_largest_pull_may_be_what_that_of_a_correct_model_is(tmp_path, n_data, sigmas, config, holds):
    gate, _ = gate_of(good(n_data=n_data, config=config, spoil=shifted(sigmas)), tmp_path)
    found = next(criterion for criterion in gate.criteria if criterion.name == "observables")
    assert found.holds is holds
    assert ("a correct model has a larger pull among 12 data" in found.wanted) is (
        n_data == 12 and "pull" not in config
    )


def test_leptons_keep_their_classes_with_degrees_of_freedom_too(tmp_path):
    """Their σ is a tolerance: no p-value, masses within σ, and the size of S."""
    gate, findings = gate_of(good(leptons=True, n_determined=0, config="", spoil=shifted(1.1)), tmp_path)
    findings_without = good(n_data=3, n_determined=0).findings(tmp_path / "without.nc")
    assert (findings.n_free, findings_without.n_free) == (0, 0)
    found = {criterion.name: criterion for criterion in gate.criteria}
    assert found["lowest chi2"].wanted == "1 to 3 good, up to 10 acceptable"
    assert found["observables"].wanted == "within 1 sigma"
    assert (found["S_opt"].holds, found["S_opt"].wanted) == (True, "0.1 to 100")


def test_the_scale_of_another_model_has_no_range_unless_one_is_given(tmp_path):
    gate, _ = gate_of(good(config="", spoil=scale), tmp_path)
    found = next(criterion for criterion in gate.criteria if criterion.name == "S_opt")
    assert (found.holds, found.found, found.wanted, found.cause) == (None, "1e+06 MeV per energy unit", "", "")


@pytest.mark.parametrize("n_data", [3, 5])
def test_without_data_to_spare_there_is_no_p_value(tmp_path, n_data):
    gate, _ = gate_of(good(chi2=bowl(floor=0.5), n_data=n_data), tmp_path)
    found = next(criterion for criterion in gate.criteria if criterion.name == "lowest chi2")
    assert found.found == "0.7825: more freedom than data"
    assert found.holds is False


@pytest.mark.parametrize("floor", [0.0, 2.0, 100.0])
def test_without_data_to_spare_a_statistical_error_tells_no_goodness_of_fit(tmp_path, floor):
    """Neither χ² nor pulls are judged, and the levels may be confidence levels all the same."""
    spared = good(chi2=bowl(floor=floor), n_data=5, has_tolerances=False, config="", spoil=shifted(3.0))
    gate, findings = gate_of(spared, tmp_path)
    found = {criterion.name: criterion for criterion in gate.criteria}
    assert found["lowest chi2"].found.endswith(": no degrees of freedom, and so no goodness of fit")
    assert [(c.holds, c.wanted, c.cause) for c in (found["lowest chi2"], found["observables"])] == [(None, "", "")] * 2
    assert findings.has_confidence


def test_without_a_certificate_the_criterion_does_not_apply(tmp_path):
    gate, _ = gate_of(good(has_certificate=False), tmp_path)
    assert {criterion.name: criterion.holds for criterion in gate.criteria}["minima proven"] is None
    assert gate.is_open


def test_thresholds_come_from_the_configuration(tmp_path):
    config = GATE.replace("gate: {", "gate: {chi2_good: [1, 1.5], chi2_acceptable: 1.8, spikes: 3, converged: 0.9, ")
    gate, _ = gate_of(good(config=config, spoil=not_converged), tmp_path)
    assert [criterion.name for criterion in gate.failed] == ["lowest chi2", "minimum in beta"]
    assert "1 to 1.5 good, up to 1.8 acceptable" in gate.failed[0].wanted


def test_without_expectations_every_axis_needs_a_minimum(tmp_path):
    gate, _ = gate_of(good(config=""), tmp_path)
    assert [criterion.name for criterion in gate.criteria if "minimum" in criterion.name] == [
        "minimum in beta", "minimum in w",
    ]  # fmt: skip


def test_a_scan_without_any_chi2_is_judged_too(tmp_path):
    def nothing(results):
        results.chi2[:] = np.nan
        results.status[:] = Status.FAILED
        results.predicted[:] = np.nan
        results.chi2_lower_bound[:] = np.nan

    gate, findings = gate_of(good(spoil=nothing), tmp_path)
    assert len(gate.failed) == 5
    assert verdict(findings).found == "There is no best point: no point has a chi2."


def test_an_undetermined_scale_passes_where_its_interval_reaches_a_reasonable_size(tmp_path):
    def wide(results):
        results.scale[:], results.scale_lower[:], results.scale_upper[:] = 500, 13.6, 900

    gate, _ = gate_of(good(spoil=wide), tmp_path)
    found = next(criterion for criterion in gate.criteria if criterion.name == "S_opt")
    assert found.holds
    assert found.found == "not determined: every value from 13.6 to 900 MeV per energy unit is as good"


def test_an_axis_with_one_value_is_not_judged(tmp_path):
    surface = Surface({"beta": np.array([3.1]), "w": W}, lambda beta, w: 2 + ((w - 0.02) / 0.004) ** 2)
    gate, _ = gate_of(surface, tmp_path)
    found = next(criterion for criterion in gate.criteria if criterion.name == "minimum in beta")
    assert (found.holds, found.found) == (None, "the axis has one value")


def test_three_axes_and_their_names_are_nothing_special(tmp_path):
    axes = {"mass": np.linspace(-1, 1, 7), "beta": BETA, "charge": np.linspace(0, 4, 5)}
    surface = Surface(axes, lambda m, b, c: 2 + (3 * m) ** 2 + ((b - 3.1) / 0.02) ** 2 + (c - 2) ** 2)
    gate, findings = gate_of(surface, tmp_path)
    assert gate.is_open
    assert [axis.is_measured for axis in findings.profiles.axes] == [True] * 3
