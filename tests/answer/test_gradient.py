"""The envelope gradient, for every kind of term, beside differences of fits; and the covariance beside Minuit's."""

from __future__ import annotations

import numpy as np
import pytest
from likelihood.examples import EXAMPLES, Mixed, Oscillation, Scaled, Unbinned

from answer.asking import ask
from hpcscan.answer.held_fits import Asked

#: Relative to the width of a coordinate.
STEP = 2e-3


@pytest.mark.parametrize("model", EXAMPLES, ids=lambda model: model.__name__)
def test_slope_of_the_profile_is_that_of_its_fits(model):
    """dχ²/dz of one fit equals the central difference of two, scales among the held ones too."""
    axes = {name: np.unique(column) for name, column in zip(model.scanned, model.points.T, strict=True)}
    found = ask(model(), axes, has_intervals=False, has_contours=False)
    frame, fitter = found.answer.frame, found.fitter
    for held in (frame.scanned, *((k,) for k in range(len(frame.names)))):
        sigma = np.fmin(found.answer.around.sigma, frame.width)
        start = found.answer.minima.z[:1] + 0.7 * np.isin(np.arange(len(frame.names)), held) * sigma
        start = np.clip(start, frame.lower + 0.1 * sigma, frame.upper - 0.1 * sigma)
        here = fitter(Asked(held, start[:, None]))
        for k in held:
            step = STEP * sigma[k] * np.eye(len(frame.names))[k]
            beside = fitter(Asked(held, np.concatenate([start + step, start - step])[:, None]))
            difference = (beside.chi2[0] - beside.chi2[1]) / (2 * step[k])
            size = abs(here.gradient[0, k]) + 0.01 / sigma[k]
            assert here.gradient[0, k] == pytest.approx(difference, abs=2e-3 * size), (held, frame.names[k])


@pytest.mark.parametrize("model", [Oscillation, Unbinned, Scaled, Mixed])
def test_errors_of_a_parabola_are_the_square_roots_of_the_covariance(model):
    """MINOS ends of everything, scales too, are near the covariance's errors: these come from other fits."""
    axes = {name: np.unique(column) for name, column in zip(model.scanned, model.points.T, strict=True)}
    found = ask(model(), axes, has_contours=False)
    frame, errors = found.answer.frame, np.sqrt(np.diag(found.answer.covariance))
    assert found.answer.judgement.has_value
    for k, name in enumerate(frame.names):
        region = found.answer.errors[k]
        if (region.lower.kind, region.upper.kind) == ("crossed", "crossed"):
            lower, upper = found.error(name)
            assert (upper - lower) / 2 == pytest.approx(errors[k], rel=0.2), name
            assert abs(region.lower.residual) <= 1e-3 and abs(region.upper.residual) <= 1e-3
