"""Numerical errors of fitted ends cover the truth: random profiles whose ends are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from answer.asking import LEVELS
from hpcscan.answer.answer_arrays import numerical_error
from hpcscan.answer.coordinates import Coordinate, Frame
from hpcscan.answer.fitted_intervals import line
from hpcscan.answer.held_fits import Fits, Library, together

LONG = np.longdouble


def family(rng, kind):
    """A residual g(a) that vanishes at the best fit, its derivative, the grid, and where g = y in long double."""
    if kind in ("quadratic", "far", "tiny", "needle"):
        width = 10.0 ** rng.uniform(*{"tiny": (-30, -12), "far": (-1, 2)}.get(kind, (-2, 2)))
        middle = rng.normal() * width + (1e9 * rng.choice([-1, 1]) if kind == "far" else 0.0)
        # A needle lies far below the steps of its grid.
        steps = np.linspace(-4.1, 4.3, rng.integers(5, 14)) * (1e4 if kind == "needle" else 1.0)
        return (
            lambda a: (a - middle) / width,
            lambda a: 1 / width + 0 * a,
            middle + width * steps,
            lambda y: [LONG(middle) + LONG(width) * y],
        )
    size = rng.uniform(0.1, 0.6)
    if kind == "exponential":
        rate, level = rng.uniform(0.3, 3), rng.uniform(2.5, 8)
        return (
            lambda a: (np.exp(rate * a) - level) / size,
            lambda a: rate * np.exp(rate * a) / size,
            np.linspace(-1.5, 3, rng.integers(6, 20)) / rate,
            lambda y: [np.log(level + size * y) / rate],
        )
    if kind in ("logarithm", "log axis"):
        middle = rng.uniform(-20, 5) if kind == "log axis" else rng.uniform(-1, 1)
        far = np.exp(middle + 4 * size)
        spaced = np.geomspace if kind == "log axis" else np.linspace
        return (
            lambda a: (np.log(a) - middle) / size,
            lambda a: 1 / (size * a),
            spaced(np.exp(middle - 4.2 * size), far, rng.integers(6, 20)),
            lambda y: [np.exp(middle + size * y)],
        )
    if kind == "power":
        power, at = float(rng.choice([0.5, 1.5, 2, 3, -1, -2])), rng.uniform(1, 3)
        there, size = at**power, 0.4 * size * at**power
        return (
            lambda a: (a**power - there) / size,
            lambda a: power * a ** (power - 1) / size,
            at * np.linspace(0.3, 2.5, rng.integers(6, 20)),
            lambda y: [(there + size * y) ** (1 / LONG(power))],
        )
    assert kind == "quartic"
    middle = rng.uniform(2, 5)
    return (
        lambda a: (a * a - middle) / size,
        lambda a: 2 * a / size,
        np.linspace(-3.3, 3.6, rng.integers(12, 25)),
        lambda y: [np.sqrt(middle + size * y), -np.sqrt(middle + size * y)],
    )


KINDS = ("quadratic", "far", "tiny", "needle", "exponential", "logarithm", "log axis", "power", "quartic")


def regions(residual, slope, grid, is_log, above):
    """All regions of a profile, by fits that stop up to a share of the tie tolerance above their minima."""
    z = np.log(grid) if is_log else grid
    ends = z[0], z[-1], "grid", "grid", z[0], z[-1]
    about = Coordinate("a", "scanned", *ends, tuple(z.tolist()), is_log)

    def fits(z):
        a = about.natural(z)
        chi2 = residual(a) ** 2 + 1e-7 * above(len(z))
        # The slopes of differences are off by a little, too.
        gradient = 2 * residual(a) * slope(a) * (a if is_log else 1) * (1 + 2e-4 * (above(len(z)) - 0.5))
        return Fits(z[:, None], chi2, gradient[:, None], np.ones(len(z), bool), np.zeros(len(z), np.int32))

    low, high = np.argmin(np.abs(residual(grid))), np.flatnonzero(np.diff(np.sign(residual(grid))))
    roots = np.array([_root(residual, slope, grid[k], grid[k + 1]) for k in high] or [grid[low]])
    minima = fits(np.log(roots) if is_log else roots)
    minima = minima.take(np.argsort(minima.chi2))
    library = Library(fits(z), minima, np.array([about.width]))
    search = line(Frame((about,)), library, 0, LEVELS)
    [found] = together([search], lambda asked: [fits(one.starts[:, 0, 0]) for one in asked])
    return about, found.regions


def _root(residual, slope, low, high):
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if residual(middle) * residual(low) > 0 else (low, middle)
    return (low + high) / 2


def ratios(kind, seed):
    """Quoted over true error, and quoted error over the half-width, of all ends of one random profile."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    residual, slope, grid, inverse = family(rng, kind)
    about, found = regions(residual, slope, grid, kind == "log axis", rng.random)
    for level, some in found.items():
        for region in some:
            width = float(about.natural(np.array(region.upper.value)) - about.natural(np.array(region.lower.value))) / 2
            for end in (region.lower, region.upper):
                if end.kind != "crossed":
                    continue
                value = float(about.natural(np.array(end.value)))
                with np.errstate(invalid="ignore"):
                    truth = [t for sign in (-1, 1) for t in inverse(sign * np.sqrt(LONG(level)))]
                true = float(np.nanmin([abs(LONG(value) - t) for t in truth]))
                quoted = numerical_error(about.is_log, value, end)
                yield quoted / true if true else np.inf, quoted / width


@pytest.mark.parametrize("kind", KINDS)
def test_quoted_errors_cover_the_truth_and_are_small(kind):
    found = np.array([pair for seed in range(30) for pair in ratios(kind, seed)])
    assert len(found) > 100
    assert found[:, 0].min() >= 1
    # |Δχ² − level| ≤ 1e-3 at a slope of about two levels per half-width.
    assert found[:, 1].max() < 2e-3
    assert np.median(found[found[:, 1] > 1e-5, 0]) < 1.1
