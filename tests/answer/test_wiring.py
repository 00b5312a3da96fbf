"""What was fitted is what the door, the file, the verdict and the tables say; configuration of the answer."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from toy_models import Pendulum, Surface

import hpcscan
from hpcscan.analysis.surface import Surface as SmoothChi2
from hpcscan.answer.held_fits import Asked
from hpcscan.config.read import read_config
from hpcscan.dataset.scan import ScanData
from hpcscan.fitting.records import Status
from hpcscan.scanning.answer_tasks import Waves, fit_kind
from hpcscan.table import RecordTable

AXES = {"gravity": np.linspace(9.7, 10.0, 4), "length": np.linspace(0.99, 1.015, 4)}


@pytest.fixture(scope="module")
def scan():
    return hpcscan.scan(Pendulum(), AXES, starts=4)


@pytest.fixture(scope="module")
def saved(scan, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "pendulum.nc"
    scan.save(path)
    return path


def test_the_best_fit_is_that_of_everything_free(scan):
    best = scan.best_fit
    assert best.chi2 == pytest.approx(2.0029266, abs=1e-6)
    assert (best.n_dof, best.source, best.remark, best.evidence) == (3, "fitted", "", "proven")
    assert best.p_value == pytest.approx(0.5718, abs=1e-4)
    assert best.parameters["gravity"] == pytest.approx(9.855939, abs=1e-5)
    assert best.errors["damping"] == pytest.approx((-0.0033737, 0.0033870), abs=2e-6)
    sigma = {name: row[name] ** 0.5 for name, row in best.covariance.items()}
    assert sigma["gain"] == pytest.approx(0.01779, abs=1e-4)
    assert best.covariance["gravity"]["length"] / sigma["gravity"] / sigma["length"] == pytest.approx(0.9, abs=0.01)


def test_intervals_and_contours_are_fitted(scan):
    best = scan.best_fit
    [region] = scan.intervals("gravity")
    assert (region.lower_end, region.upper_end) == ("crossed", "crossed")
    assert region.lower - best.parameters["gravity"] == pytest.approx(best.errors["gravity"][0], rel=1e-9)
    [line] = scan.contours("gravity", "length")
    [turned] = scan.contours("length", "gravity")
    assert (line[0] == line[-1]).all()
    assert (line[:, ::-1] == turned).all()
    # The widest extent of the contour of two parameters is that of one at the same Δχ².
    assert np.ptp(line[:, 1]) / 2 == pytest.approx(0.005 * 2.295748928898636**0.5, rel=2e-3)


def test_another_level_is_fitted_where_the_model_is_at_hand_and_refused_where_it_is_not(scan, saved):
    """The ruler decides the length, so that its interval of 90 % is 1.645 of its errors."""
    [region] = scan.intervals("length", cl=0.9)
    best = scan.best_fit
    expected = 1.6448536 * np.array(best.errors["length"]) + best.parameters["length"]
    assert (region.lower, region.upper) == pytest.approx(expected, abs=1e-3 * 0.005)
    [line], [inner] = (scan.contours("gravity", "length", cl=cl) for cl in (0.75, 0.6827))
    assert np.ptp(line[:, 1]) / np.ptp(inner[:, 1]) == pytest.approx((-2 * np.log(0.25) / 2.2957489) ** 0.5, rel=2e-3)
    opened = hpcscan.open(saved)
    with pytest.raises(hpcscan.UsageError, match=r"cl = 0\.9 was not fitted.*0\.6827, 0\.9545, 0\.9973"):
        opened.intervals("length", cl=0.9)
    with pytest.raises(hpcscan.UsageError, match=r"cl = 0\.9 was not fitted"):
        opened.contours("gravity", "length", cl=0.9)


def test_a_file_says_the_same(scan, saved):
    opened = hpcscan.open(saved)
    assert opened.best_fit == scan.best_fit
    assert opened.intervals("length", 0.9973) == scan.intervals("length", 0.9973)
    lines, others = (one.contours("gravity", "length", 0.9545) for one in (opened, scan))
    assert all((a == b).all() for a, b in zip(lines, others, strict=True))
    assert str(opened.verdict()) == str(scan.verdict())


def test_delta_chi2_is_measured_from_the_best_fit(scan):
    data: ScanData = scan.data
    assert data.at_points("delta_chi2") == pytest.approx(data.at_points("chi2") - scan.best_fit.chi2)
    assert data.at_points("delta_chi2").min() > 0.1


def test_the_gradient_is_stored_by_point(scan):
    """Along an axis it is the slope of the surface: nearly that of a parabola through three points."""
    chi2, gradient = (np.asarray(scan.data.variables[name].values) for name in ("chi2", "chi2_gradient"))
    step = AXES["gravity"][1] - AXES["gravity"][0]
    assert gradient.shape == (4, 4, 2)
    assert gradient[1, :, 0] == pytest.approx((chi2[2] - chi2[0]) / (2 * step), abs=2.0)


def test_the_map_between_the_points_is_where_fits_put_the_contours(scan):
    """The vertices were fitted one by one; the surface knows χ² and its slopes at the sixteen grid points alone."""
    surface = SmoothChi2.of(scan.data).above(scan.best_fit.chi2)
    for cl, level in ((0.6827, 2.2957), (0.9545, 6.1801)):
        (line,) = scan.contours("gravity", "length", cl=cl)
        inside = [surface.at(*vertex[:, None]).item() for vertex in line]
        assert np.nanmax(np.abs(np.array(inside) - level)) < 0.05 * level


def test_the_verdict_quotes_the_best_fit(scan):
    text = str(scan.verdict())
    assert "The best fit has chi2 = 2.0029266 (3 dof, p = 0.57)" in text
    assert "gravity = 9.856 +0.055 −0.054 m s⁻²" in text


def test_tables_of_the_report_hold_numbers(scan, tmp_path):
    scan.report(tmp_path)
    with (tmp_path / "tables" / "best_fit.csv").open() as file:
        rows = {row["parameter"]: row for row in csv.DictReader(file)}
    assert float(rows["gravity"]["value"]) == scan.best_fit.parameters["gravity"]
    assert float(rows["gain"]["error_upper"]) == scan.best_fit.errors["gain"][1]
    with (tmp_path / "tables" / "intervals.csv").open() as file:
        intervals = [*csv.DictReader(file)]
    assert len(intervals) == 6
    assert float(intervals[0]["lower"]) == scan.intervals("gravity")[0].lower
    with (tmp_path / "tables" / "contours.csv").open() as file:
        vertices = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
    assert vertices[0] == tuple(scan.contours("gravity", "length")[0][0])


def test_nothing_is_fitted_where_that_is_not_wanted():
    scan = hpcscan.scan(Pendulum(), AXES, starts=4, answer=False)
    assert not scan.data.has("best_fit_chi2")
    assert scan.best_fit.source.startswith("interpolated")
    assert scan.data.at_points("delta_chi2").min() == 0


def test_errors_are_fitted_without_intervals_too(scan):
    alone = hpcscan.scan(Pendulum(), AXES, starts=4, answer={"intervals": False, "contours": False})
    for name, errors in scan.best_fit.errors.items():
        assert alone.best_fit.errors[name] == pytest.approx(errors, rel=2e-3)
    assert not alone.data.has("interval_lower") and not alone.data.has("contour_x")


def test_a_refusal_is_a_sentence_and_no_number():
    axes = {"a": np.linspace(0, 1, 4), "b": np.linspace(0, 1, 4)}
    scan = hpcscan.scan(Surface("slope"), axes, starts=4)
    assert "falls outward: a by 1.8e+03" in str(scan.verdict())
    assert scan.intervals("a") == [] and scan.contours("a", "b") == []
    assert np.isnan([*scan.best_fit.errors["a"], scan.best_fit.parameters["a"]]).all()


def test_other_regions_are_counted_in_the_tables():
    scan = hpcscan.scan(Surface("two"), {"a": np.linspace(-3, 3, 7), "b": np.linspace(-3, 3, 7)}, starts=4)
    assert len(scan.intervals("a")) == 2
    assert "2 places are equally low" in str(scan.verdict())


@pytest.fixture
def config(tmp_path):
    def read(text, axes="a: {min: 0, max: 1, points: 3}"):
        (tmp_path / "model.py").write_text(MODEL)
        path = tmp_path / "scan.yaml"
        path.write_text(f"scan: {{{axes}}}\nmodel: model.py\n{text}")
        return read_config(str(path))

    return read


MODEL = """\
from hpcscan.model import Gaussian, Model, Parameter
class M(Model):
    parameters = (Parameter("a", -2, 6), Parameter("b"), Parameter("c", 0, 1))
    data = (Gaussian("y", 0.0, 1.0),)
    def predict(self, a, b, c):
        return {"y": a + b + c}
"""


def test_the_section_answer(config):
    fix = "fix: {b: 0}\n"
    assert config(fix).answer.cl == (0.6827, 0.9545, 0.9973)
    assert not config(f"{fix}answer: false").answer.fitted
    chosen = config(f"{fix}answer: {{cl: [0.9], contours: false}}").answer
    assert (chosen.cl, chosen.contours, chosen.intervals, chosen.fitted) == ((0.9,), False, True, True)
    with pytest.raises(hpcscan.UsageError, match=r"answer\.cl: 2: expected probabilities between 0 and 1"):
        config(f"{fix}answer: {{cl: [0.9, 2]}}")


def test_an_axis_without_ends_takes_the_declared_bounds(config):
    [axis] = config("fix: {b: 0}", "a: {points: 5}").grid.axes
    assert axis.values == (-2, 0, 2, 4, 6)
    with pytest.raises(hpcscan.UsageError, match=r"scan\.b: min, max missing; .* finite bounds in the model"):
        config("", "b: {points: 5}")


@pytest.mark.parametrize("rows", [[0, 1, 2], [0, 7], [-1], [2**62], [1, 1]])
def test_fits_of_an_earlier_session_that_cannot_be_of_the_wave_are_done_again(rows):
    """A journal may be anybody's; what may be of the wave is not done again."""
    asked = Asked((0,), np.arange(6.0).reshape(3, 1, 2))
    done = []

    def run(tasks):
        for task in tasks:
            done.extend(task.rows.tolist())
            yield task.give_up(None, np.arange(len(task.rows)), Status.FAILED)

    run.n_ranks = 1
    columns = {column.name: np.zeros((len(rows), *column.shape), column.native) for column in fit_kind(2).layout}
    known = RecordTable(fit_kind(2), columns | {"answer_row": np.array(rows, np.int64)})
    (fits,) = Waves(None, run, known)([asked])
    assert len(fits.chi2) == 3
    assert done == ([] if rows == [0, 1, 2] else [0, 1, 2])
