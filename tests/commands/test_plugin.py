"""A user's own model with three scan axes, whose profile is known in closed form, through the whole program."""

from __future__ import annotations

import numpy as np
import pytest

from commands.plugins.trend import exact_minimum

SCAN = """\
scan:
  drive: {values: [0.0, 1.0, 3.0]}
  curvature: {min: -1.0, max: 1.0, points: 5}
  ripple: {min: 0.0, max: 1.0, points: 4}
model: {plugin: trend.py:MODEL}
"""


@pytest.mark.parametrize("model", ["Trend", "TrendWithJacobian"])
def test_every_point_reaches_its_exact_minimum(launch, scan, config, model):
    """On four ranks, with finite differences and with the model's own Jacobian."""
    job = scan(config(SCAN.replace("MODEL", model)), ranks=4, launcher=launch)
    assert job.exit_code == 0, job.stderr
    assert "60 converged of 60 points" in job.stderr
    result = job.result()
    # The axes have the configuration's order, which is not that of the model.
    assert result.dimensions["chi2"] == ("drive", "curvature", "ripple")
    drive, curvature, ripple = np.meshgrid(*(result[name] for name in result.dimensions["chi2"]), indexing="ij")
    exact = np.vectorize(exact_minimum)(curvature, ripple, drive)
    chi2, offset, slope, gain = exact
    assert chi2.min() > 1
    np.testing.assert_allclose(result["chi2"], chi2, rtol=1e-9)
    np.testing.assert_allclose(result["offset"], offset, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.sinh(result["profiled_parameter"][..., 0]), offset, rtol=0, atol=1e-5)
    np.testing.assert_allclose(result["profiled_parameter"][..., 1], slope, rtol=0, atol=1e-5)
    np.testing.assert_allclose(result["gain_opt"], gain, rtol=1e-12)


def test_the_result_carries_the_plugin(scan, config):
    """Its text, names and units: the file explains itself when the plugin is gone."""
    result = scan(config(SCAN.replace("MODEL", "Trend"))).result()
    assert "class Trend(Model)" in result.about["hpcscan_plugin_source"]
    assert result["parameter_name"].tolist() == ["a", "b"]
    assert result["observable_name"].tolist() == [*(f"y.{k}" for k in range(5)), "reference"]
    assert result["parameter_lower"].tolist() == [-np.inf, -50.0]
    assert result.attributes["drive"]["units"] == "V"
    assert not np.any(result["at_bound"])
