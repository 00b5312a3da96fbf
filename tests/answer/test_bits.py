"""The answer is a function of its questions: not of batches, nor of what was known before."""

from __future__ import annotations

import numpy as np
import pytest
from likelihood.examples import Oscillation, Unbinned
from toy_models import Pendulum

from answer.asking import ask


@pytest.mark.parametrize("model", [Oscillation, Unbinned, Pendulum], ids=lambda model: model.__name__)
def test_batches_do_not_show(model):
    """The same bits where every wave is cut into batches of three and done in another order."""
    axes = {
        "Oscillation": {"s": np.linspace(0.7, 1, 4), "d": np.linspace(1.5, 3.5, 4)},
        "Unbinned": {"f": np.linspace(0.1, 0.4, 5)},
        "Pendulum": {"gravity": np.linspace(9.6, 10.2, 5), "length": np.linspace(0.99, 1.02, 4)},
    }[model.__name__]
    one, other = (ask(model(), axes, shuffled=shuffled) for shuffled in (False, True))
    assert len(one.waves) == len(other.waves)
    for wave, same in zip(one.waves, other.waves, strict=True):
        for fits, others in zip(wave, same, strict=True):
            for name, values in vars(fits).items():
                assert np.array_equal(values, getattr(others, name), equal_nan=True), name
