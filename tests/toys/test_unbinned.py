"""Toys of models that have only a number: data are drawn by the model, and p is that of closed forms."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from commands.results import read
from output.phases import check_ranks, folder_with, run_alone
from scipy.stats import gamma
from scipy.stats import t as student

import hpcscan
from hpcscan.distribution import level_of
from hpcscan.model import Likelihood, Parameter
from toys.models import toys_of

LIVES = np.array([0.3, 1.9, 0.8, 2.7, 0.4, 1.1, 0.2, 0.9])
VALUES = np.array([1.2, -0.4, 0.9, 2.1, 0.3])


class Exponential(Likelihood):
    """Lifetimes of some decays."""

    parameters = (Parameter("tau", 0.0, np.inf, start=(0.3, 6.0)),)

    def __init__(self, lives=LIVES):
        self.data = lives

    def twice_nll(self, data, tau):
        return 2 * (np.log(tau) + data / tau).sum(axis=1)

    def simulate(self, rng, tau):
        return rng.exponential(tau, len(self.data))


class Normal(Likelihood):
    """A mean of few values, whose spread is not known: Student's problem."""

    parameters = (Parameter("mean", start=(-3.0, 5.0)), Parameter("log_sigma", start=(-2.0, 2.0)))
    data = VALUES

    def twice_nll(self, data, mean, log_sigma):
        return (2 * log_sigma + ((data - mean) / np.exp(log_sigma)) ** 2).sum(axis=1)

    def gradient(self, data, mean, log_sigma):
        pull = (data - mean) / np.exp(log_sigma)
        return {
            "mean": -2 * (pull / np.exp(log_sigma)).sum(axis=1),
            "log_sigma": 2 * data.shape[1] - 2 * (pull**2).sum(axis=1),
        }

    def simulate(self, rng, mean, log_sigma):
        return rng.normal(mean, np.exp(log_sigma), len(VALUES))


class Varying(Likelihood):
    """A number of decays that is one of the data, with a lifetime that is known to 10 %."""

    parameters = (
        Parameter("rate", 0.0, np.inf, start=(1.0, 20.0)),
        Parameter("tau", 0.1, 5.0, constraint=(1.0, 0.1)),
    )

    def __init__(self, most: int = 40):
        self.most = most
        self.data = self.filled(LIVES)

    def filled(self, lives):
        return np.concatenate([lives, np.full(self.most - len(lives), np.nan)])

    def twice_nll(self, data, rate, tau):
        each = np.where(np.isnan(data), 0.0, np.log(rate / tau) - data / tau)
        return 2 * (rate[:, 0] - each.sum(axis=1))

    def simulate(self, rng, rate, tau):
        return self.filled(rng.exponential(tau, min(rng.poisson(rate), self.most)))


def p_of_t(least, n):
    """Sum the chance of means m of n, which follow a gamma distribution, with t = 2n (m/τ − 1 − ln(m/τ)) so large."""
    ratio = np.linspace(1e-5, 12, 400_001)
    is_large = t_of(ratio, n) >= least
    return gamma.pdf(ratio, n, scale=1 / n)[is_large].sum() * (ratio[1] - ratio[0])


def t_of(ratio, n):
    return 2 * n * (ratio - 1 - np.log(ratio))


def test_p_of_a_lifetime():
    taus = np.array([0.6, 0.9, 1.2, 1.8, 6.0])
    found = toys_of(Exponential(), {"tau": taus}, n_toys=1000, cl=(0.6827,), is_adaptive=False)
    lower, upper = found.tally.p_ends
    expected = [p_of_t(t_of(LIVES.mean() / tau, 8), 8) for tau in taus]
    assert (np.abs(found.tally.p_value - expected) < 2 * (upper - lower)).all()
    assert not found.tally.n_failed.any()
    # Of a number alone the fit has no goodness.
    assert np.isnan(found.goodness.p_value[0])


def test_student():
    """t = n ln(1 + T²/(n − 1)), whatever mean and spread: far above Wilks' 2.71 for five values."""
    n, cl = len(VALUES), 0.9
    level = n * np.log1p(student.ppf((1 + cl) / 2, n - 1) ** 2 / (n - 1))
    assert level == pytest.approx(3.80, abs=0.01)
    found = toys_of(Normal(), {"mean": np.linspace(-1.0, 3.0, 5)}, n_toys=1000, cl=(cl,), is_adaptive=False)
    value, lower, upper = found.tally.critical(cl)
    assert (np.abs(value - level) < 2 * (upper - lower)).all()
    [region] = found.intervals
    half = student.ppf((1 + cl) / 2, n - 1) * VALUES.std(ddof=1) / np.sqrt(n)
    for end, expected in ((region.lower, VALUES.mean() - half), (region.upper, VALUES.mean() + half)):
        assert end.value == pytest.approx(expected, abs=3 * end.error)


def test_coverage_of_two_lifetimes():
    """In experiments at true values the regions of toys hold them as often as they claim, and those of Wilks, too."""
    toys = {"n": 1000, "cl": [0.9], "coverage": {"tau": [0.7, 2.0]}, "experiments": 200}
    scan = hpcscan.scan(Exponential(LIVES[:2]), {"tau": np.geomspace(0.1, 30, 5)}, answer=False, toys=toys)
    by = {name: scan.data.variables[f"coverage_{name}"].values[:, 0] for name in ("toys", "wilks")}
    of_wilks = 1 - p_of_t(level_of(0.9, 1), 2)
    assert of_wilks < 0.89
    assert by["toys"] == pytest.approx(0.9, abs=4 * np.sqrt(0.09 / 200))
    assert by["wilks"] == pytest.approx(of_wilks, abs=4 * np.sqrt(0.11 / 200))


def test_data_of_any_number():
    """The same bits in any batches; the constraint fluctuates, and so does the number of decays."""
    one, other = (toys_of(Varying(), {"rate": np.linspace(4, 14, 4)}, n_toys=200, batch=n) for n in (20, 3))
    for t, same in zip(one.tally.t, other.tally.t, strict=True):
        assert t.tobytes() == same.tobytes()
    assert one.tally.n_toys.all() and not one.tally.n_failed.any()
    kept = toys_of(Varying(), {"rate": [8.0, 9.0]}, n_toys=100, constraints_fluctuate=False)
    assert kept.tally.n_toys.all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": None}, r"data is None; simulate draws data"),
        ({"data": np.zeros((2, 2))}, r"simulate draws data"),
        ({"simulate": lambda self, rng: rng.normal(size=5)}, r"simulate\(self, rng, mean, log_sigma\)"),
        ({"simulate": lambda self, rng, mean, log_sigma: rng.normal(size=3)}, r"simulate returned .*\(3,\).*\(5,\)"),
        (
            {"simulate": Likelihood.simulate},
            r"not declared in parameters; data are an argument .* simulate\(self, rng, ",
        ),
        ({"twice_nll": lambda self, data, mean, log_sigma: data.sum() + mean[:, 0]}, "a row must depend on its own"),
    ],
    ids=["none", "plane", "signature", "shape", "no simulate", "mixed"],
)
def test_mistakes_are_told(change, message):
    wrong = type("Wrong", (Normal,), change)
    with pytest.raises(hpcscan.UsageError, match=message):
        hpcscan.scan(wrong(), {"mean": [0.0, 1.0]}, answer=False)


PLUGIN = f"""\
import numpy as np
from hpcscan.model import Likelihood, Parameter
LIVES = np.array({LIVES.tolist()})
{inspect.getsource(Varying)}"""
CONFIG = """\
scan: {rate: {min: 4, max: 14, points: 4}}
model: {plugin: varying.py}
fit: {starts: 16}
answer: false
toys: {n: 200, cl: [0.9], coverage: {rate: [8.0]}, experiments: 10}
output: out.nc
"""


@pytest.mark.parametrize("launch", ["mpich"], indirect=True)
def test_ranks(launch, tmp_path):
    """The same bytes on one rank and on three."""
    alone, folder = (folder_with(tmp_path / name, CONFIG, {"varying.py": PLUGIN}) for name in ("alone", "scan"))
    one = read(run_alone(alone) / "out.nc")
    assert one["n_toys"].min() >= 100 and one["n_experiments"] == [10]
    check_ranks(launch, folder, 3, one)


def test_an_expected_result_needs_a_prediction():
    scan = hpcscan.scan(Exponential(), {"tau": [1.0, 2.0]}, answer=False, toys={"n": 100, "asimov": True})
    assert "predicts no data" in scan.toy_results.refusal


class Informed(Normal):
    """Something is known of mean and spread beforehand."""

    parameters = (
        Parameter("mean", 0.05, 5.0, constraint=(1.0, 0.2)),
        Parameter("log_sigma", start=(-2.0, 2.0), constraint=(0.3, 0.1)),
    )


class Scaled(Informed):
    """The same without derivatives of its own."""

    gradient = Likelihood.gradient


def test_a_constraint_enters_the_derivatives_of_a_released_fit():
    """Best fit, error and toys are those by differences."""
    axis, wanted = {"mean": np.geomspace(0.2, 3.0, 4)}, {"n_toys": 100, "is_adaptive": False}
    one, other = (toys_of(model(), axis, **wanted) for model in (Informed, Scaled))
    assert one.best == pytest.approx(other.best, abs=1e-5)
    assert one.tally.n_failed.sum() == other.tally.n_failed.sum() == 0
    for t, same in zip(one.tally.t, other.tally.t, strict=True):
        assert t == pytest.approx(same, abs=1e-6)
