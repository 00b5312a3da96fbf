"""Contours and best fits of random smooth surfaces on coarse grids, beside brute force."""

from __future__ import annotations

import numpy as np
import pytest
from toy_models import Folds

from answer.asking import PAIR_LEVELS, ask

#: Values of the brute force on each side.
FINE = np.linspace(0, 1, 201)
#: A point of the true contour that is farther from every line has been missed.
FAR = 0.03


def crossings(delta: np.ndarray) -> np.ndarray:
    """Where a surface crosses zero along the lines of the fine grid."""
    points = []
    for values, turn in ((delta, 1), (delta.T, -1)):
        i, j = np.nonzero((values[1:] < 0) != (values[:-1] < 0))
        t = values[i, j] / (values[i, j] - values[i + 1, j])
        points.append(np.stack([FINE[i] + t * (FINE[1] - FINE[0]), FINE[j]], axis=1)[:, ::turn])
    return np.concatenate(points)


@pytest.mark.parametrize("shape", [(5, 5), (7, 4)])
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_missed_or_misplaced(seed, shape):
    model = Folds(seed)
    found = ask(model, {name: np.linspace(0, 1, n) for name, n in zip("ab", shape, strict=True)}, has_intervals=False)
    surface = model.profile(np.stack(np.meshgrid(FINE, FINE, indexing="ij"), axis=-1))
    base = found.answer.minima.chi2[0]
    assert base <= surface.min() + 1e-9
    assert base == pytest.approx(surface.min(), abs=0.1)

    lines = found.answer.contours[0].lines if found.answer.contours else ()
    for level in PAIR_LEVELS:
        drawn = [line.vertices for line in lines if line.level == level]
        for vertices in drawn:
            assert np.abs(model.profile(vertices) - base - level).max() < 0.1
        truth = crossings(surface - base - level)
        if len(truth):
            apart = np.sqrt(((truth[:, None] - np.concatenate(drawn)[None]) ** 2).sum(axis=2)).min(axis=1)
            assert apart.max() < FAR, level
