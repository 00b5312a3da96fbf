"""Where the values of variables come from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from toy_results import Rich, random_results, rich_grid

from hpcscan.dataset.variable import delta_chi2
from hpcscan.dataset.variables import variable_table

CHI2 = st.lists(st.floats(min_value=0.0, max_value=1e300) | st.sampled_from([np.nan, np.inf]), min_size=24, max_size=24)


def with_chi2(chi2):
    return replace(random_results(Rich(), rich_grid()), chi2=np.array(chi2))


@given(CHI2)
def test_delta_chi2_starts_at_zero(chi2):
    """Δχ² is missing exactly where χ² is not finite; elsewhere it is never negative, and zero at the lowest point."""
    delta = delta_chi2(with_chi2(chi2), slice(None))
    finite = np.isfinite(chi2)
    np.testing.assert_array_equal(np.isfinite(delta), finite)
    assert np.all(delta[finite] >= 0)
    assert not finite.any() or delta[np.argmin(np.where(finite, chi2, np.inf))] == 0


@given(CHI2, st.integers(0, 24))
def test_a_part_of_the_grid_has_the_values_of_the_whole(chi2, cut):
    """No variable depends on how the grid is cut into slabs."""
    results = with_chi2(chi2)
    for row in variable_table(rich_grid(), Rich()):
        if row.is_per_point:
            parts = [row.take(results, slice(0, cut)), row.take(results, slice(cut, 24))]
            np.testing.assert_array_equal(np.concatenate(parts), row.take(results, slice(None)))
