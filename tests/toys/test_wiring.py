"""What toys found is what the door, the file, the verdict and the commands say; the section toys; refusals."""

from __future__ import annotations

import numpy as np
import pytest
from commands.results import different_variables, read

import hpcscan
from hpcscan.config.read import read_config
from hpcscan.model import Gaussian, Likelihood, Model, Parameter
from toys.models import BoundedMean, Counting, Line

AXIS = {"signal": np.linspace(0, 15, 16)}
TOYS = {"n": 400, "cl": [0.9, 0.6827]}


@pytest.fixture(scope="module")
def scan():
    return hpcscan.scan(Counting(5), AXIS, toys=TOYS)


@pytest.fixture(scope="module")
def plain():
    return hpcscan.scan(Counting(5), AXIS)


def toy_values(scan):
    return {name: one.values for name, one in scan.data.variables.items() if one.role == "toys"}


def check_equal(one, other):
    assert one.keys() == other.keys()
    for name, values in one.items():
        equal = (
            np.array_equal(values, other[name]) if values.dtype == object else values.tobytes() == other[name].tobytes()
        )
        assert equal, name


def test_the_door_gives_them(scan):
    [region] = scan.toy_intervals(0.9)
    assert (region.lower, region.lower_end, region.upper_end) == (0, "bound", "crossed")
    assert region.upper == pytest.approx(6.99, abs=4 * region.upper_error)
    assert scan.toy_results.n_toys.sum() == scan.data.variables["n_toys"].values.sum()
    with pytest.raises(hpcscan.UsageError, match=r"cl = 0\.8 was not fitted.*toys\.cl"):
        scan.toy_intervals(0.8)


def test_afterwards_is_the_same(scan, plain, tmp_path):
    """Whether toys are made with the scan, after it, or for a file of it."""
    assert plain.toy_results is None
    later = plain.toys(**TOYS)
    check_equal(toy_values(later), toy_values(scan))
    plain.save(tmp_path / "plain.nc")
    opened = hpcscan.open(tmp_path / "plain.nc")
    again = opened.toys(Counting(5), **TOYS)
    check_equal(toy_values(again), toy_values(scan))
    scan.save(tmp_path / "with.nc")
    again.save(tmp_path / "again.nc")
    assert different_variables(read(tmp_path / "with.nc"), read(tmp_path / "again.nc")) == []
    assert str(hpcscan.open(tmp_path / "again.nc").verdict()) == str(scan.verdict())


def test_others_take_their_place(scan, tmp_path):
    other = scan.toys(n=100, cl=[0.95])
    other.save(tmp_path / "other.nc")
    opened = hpcscan.open(tmp_path / "other.nc")
    assert opened.toy_results.cl == (0.95,)
    assert opened.data.labels("toy_level") == ("0.95",)


def test_another_model_is_refused(plain, tmp_path):
    plain.save(tmp_path / "plain.nc")
    opened = hpcscan.open(tmp_path / "plain.nc")
    with pytest.raises(hpcscan.UsageError, match="toys need the model"):
        opened.toys(n=100)
    with pytest.raises(hpcscan.UsageError, match="is of other data"):
        opened.toys(Counting(6), n=100)
    with pytest.raises(hpcscan.UsageError, match="predicted something else"):
        opened.toys(Counting(5, background=2.0), n=100)


def test_the_verdict_compares_with_wilks(scan):
    text = " ".join(str(scan.verdict()).split())
    assert "after Wilks: Wilks is wrong by up to" in text
    assert "signal at 90 % by toys: 0 (the bound) to" in text
    [levels] = [one for one in scan.check().criteria if one.name == "levels by toys"]
    assert levels.holds is False
    line = hpcscan.scan(Line(), {"a": np.linspace(-1, 1.6, 5), "b": np.linspace(0.2, 1.6, 5)}, toys={"n": 800})
    assert "Wilks is right here to" in " ".join(str(line.verdict()).split())
    assert line.check().is_open
    assert "region at 68.27 % by toys:" in str(line.verdict())
    with pytest.raises(hpcscan.UsageError, match="a set of points"):
        line.toy_intervals()


def test_levels_are_no_confidence_levels_where_a_bound_cuts_a_region_off(plain):
    """At 1σ it does not; the verdict is about all levels up to 3σ."""
    [bounds] = [one for one in plain.check().criteria if one.name == "bounds inside the contour"]
    assert (bounds.holds, bounds.found) == (False, "signal ends at its bound 0 within 3σ")
    assert "quote the regions of toys" in bounds.cause
    assert plain.intervals("signal", 0.6827)[0].lower_end == "crossed"


def test_toys_too_few_to_tell_confirm_nothing():
    axes = {"a": np.linspace(-1, 1.6, 5), "b": np.linspace(0.2, 1.6, 5)}
    few = hpcscan.scan(Line(), axes, toys={"n": 100, "cl": [0.9973], "adaptive": False})
    [levels] = [one for one in few.check().criteria if one.name == "levels by toys"]
    assert levels.holds is None
    assert "too few toys to tell" in levels.found
    assert "are no confidence levels; not fulfilled: toys confirm the levels" in " ".join(str(few.verdict()).split())


@pytest.mark.parametrize(("x0", "is_right"), [(6.0, True), (1.0, False)])
def test_points_far_outside_every_region_need_no_precision(x0, is_right):
    """At the bound Wilks' level is wrong by 40 %; that matters where the data are near it, not at p < 1e-3."""
    toys = {"n": 2000, "cl": [0.9], "adaptive": False}
    scan = hpcscan.scan(BoundedMean(x0), {"mu": [0.0, 5.0, 6.0, 7.0]}, answer=False, toys=toys)
    assert scan.toy_results.critical(0)[0][0] == pytest.approx(1.64, abs=0.3)
    [one] = scan.toy_results.comparisons
    assert one.is_right(0.1) == is_right
    assert one.n_points == (3 if is_right else 1)


class Tolerant(Model):
    parameters = (Parameter("a", 0.0, 1.0),)
    data = (Gaussian("y", 0.5, 0.1, is_tolerance=True),)

    def predict(self, a):
        return {"y": a}


class Number(Likelihood):
    parameters = (Parameter("a", 0.0, 1.0),)

    def twice_nll(self, a):
        return ((a - 0.5) / 0.1)[:, 0] ** 2


class Hidden(Model):
    """Compares with data of its own."""

    parameters = (Parameter("a", 0.0, 1.0),)
    data = (Gaussian("r", [0.0, 0.0], 1.0),)

    def predict(self, a):
        return {"r": np.hstack([a - 0.4, a - 0.6]) / 0.1}


class Twice(Model):
    """Depends on the sum of its parameters alone."""

    parameters = (Parameter("a", 0.0, 1.0), Parameter("b", 0.0, 1.0))
    data = (Gaussian("y", 1.0, 0.1), Gaussian("z", 1.1, 0.1))

    def predict(self, a, b):
        return {"y": a + b, "z": a + b}


class Known(Model):
    """Constraints alone."""

    parameters = (Parameter("a", 0.0, 1.0, constraint=(0.5, 0.1)), Parameter("b", 0.0, 1.0))
    data = ()

    def predict(self, a, b):
        return {}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (Tolerant(), "sigma of y is a tolerance"),
        (Number(), "gives -2 ln L alone"),
        (Hidden(), "predict seems to compare with data of its own"),
        (Twice(), "the data determine 1 of 2 scanned parameters at every point"),
    ],
    ids=["tolerance", "number", "hidden", "flat"],
)
def test_refusals_have_reasons(model, reason):
    """The scan is there all the same, and says why there are no toys."""
    axes = {p.name: np.linspace(0, 1, 4) for p in model.parameters}
    scan = hpcscan.scan(model, axes, toys={"n": 100})
    assert reason in scan.toy_results.refusal
    assert f"No toys: {scan.toy_results.refusal}" in " ".join(str(scan.verdict()).split())
    with pytest.raises(hpcscan.UsageError, match="no toys: "):
        scan.toys(n=100)


def test_a_model_that_fails_beyond_the_grid_has_no_p_there():
    """Where the fits of more than 1 % of the toys fail: the data are known to lie where it has predictions."""

    class Narrow(BoundedMean):
        def predict(self, mu):
            return {"x": np.where(mu < 5.0, mu, np.nan)}

    scan = hpcscan.scan(Narrow(1.0), {"mu": np.linspace(0, 4.5, 10)}, toys={"n": 200, "cl": [0.9]})
    status = scan.data.variables["toy_status"]
    meanings = [status.flags[value] for value in status.values.tolist()]
    assert meanings[0] in ("decided", "complete")
    assert meanings[-1] == "failed"
    assert np.isnan(scan.toy_results.p_value[-1])
    assert "more than 1 % of the toys failed" in " ".join(str(scan.verdict()).split())


def test_toys_that_all_fail_confirm_no_level():
    class Lost(Likelihood):
        parameters = (Parameter("mean", -3.0, 3.0),)
        data = np.linspace(-1.0, 1.0, 5)

        def twice_nll(self, data, mean):
            return ((data - mean) ** 2).sum(axis=1)

        def simulate(self, rng, mean):
            return np.full(5, np.nan)

    scan = hpcscan.scan(Lost(), {"mean": np.linspace(-2, 2, 9)}, toys={"n": 100, "cl": [0.9]})
    assert not np.isfinite(scan.toy_results.p_value).any()
    assert scan.findings.conditions.covering.holds is None
    reason = "no confidence levels; not fulfilled: toys confirm the levels (they give no critical value at any point)"
    assert reason in scan.verdict().decision


@pytest.fixture
def config(tmp_path):
    def read(text):
        (tmp_path / "model.py").write_text(MODEL)
        path = tmp_path / "scan.yaml"
        path.write_text(f"scan: {{a: {{min: 0, max: 1, points: 3}}}}\nmodel: model.py\n{text}")
        return read_config(str(path))

    return read


MODEL = """\
from hpcscan.model import Gaussian, Model, Parameter
class M(Model):
    parameters = (Parameter("a", -2, 6), Parameter("b", 0, 1))
    data = (Gaussian("y", 0.0, 1.0),)
    def predict(self, a, b):
        return {"y": a + b}
"""


def test_the_section_toys(config):
    assert not config("").toys.are_wanted
    assert not config("toys: null").toys.are_wanted
    text = "toys: {n: 500, points: contours, cl: [0.9], fluctuate: {constraints: false}, coverage: {a: [0, 0.5]}}"
    chosen = config(text)
    toys = chosen.toys
    assert (toys.n, toys.points, toys.cl, toys.fluctuate.constraints) == (500, "contours", (0.9,), False)
    assert toys.coverage == {"a": (0.0, 0.5)}
    assert "coverage" in chosen.resolved and "toys" not in config("").resolved


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{points: all}", r"toys\.n: expected the most toys of a point"),
        ("{n: 10}", r"toys\.n: expected a whole number from 100"),
        ("{n: 100, cl: [1.5]}", r"toys\.cl: 1\.5: expected probabilities"),
        ("{n: 100, points: some}", r"toys\.points"),
        ("{n: 100, coverage: {a: [7]}}", r"toys\.coverage\.a: 7: expected a value within the bounds, from -2 to 6"),
        ("{n: 100, cl: []}", r"toys\.cl"),
    ],
)
def test_mistakes_in_it_are_told(config, text, message):
    with pytest.raises(hpcscan.UsageError, match=message):
        config(f"toys: {text}")
