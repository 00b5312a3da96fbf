"""Families of problems with a knob, against dense searches; many more in tests/stress/families.py."""

from __future__ import annotations

import numpy as np
import pytest
from stress.families import FAMILIES, judged

import hpcscan

#: Of the range of what is scanned.
PLACES = (0.3, 0.8)


def counted(name, knob, **settings):
    family = FAMILIES[name]
    model = family.make(knob, 1)
    first = model.parameters[0]
    places = [first.lower + share * (first.upper - first.lower) for share in PLACES]
    return judged(model, [family.referee(model, p) for p in places], places, False, **settings)


@pytest.mark.parametrize(
    ("name", "knob"),
    [("well", 1e-4), ("needle", 0.01), ("periods", 10), ("pole", 1e-8), ("pole", -0.5), ("decay", 1e5)],
)
def test_with_a_proof_all_is_right_however_hard(name, knob):
    count = counted(name, knob)
    assert (count.n_right_converged, count.n_wrong) == (2, 0)


@pytest.mark.parametrize(("name", "knob"), [("well", 0.1), ("periods", 10), ("pole", -0.5), ("decay", 1e5)])
def test_without_a_proof_a_basin_that_starts_find_is_not_missed(name, knob):
    """Right or open."""
    assert counted(name, knob, proof=False).n_wrong == 0


def test_a_basin_that_is_missed_draws_fewer_starts_than_is_told():
    """3/n: without a proof, a needle is found by nobody, and the file says how narrow it is at least."""
    family = FAMILIES["well"]
    model = family.make(1e-3, 1)
    scan = hpcscan.scan(model, {"p": PLACES}, answer=False, proof=False).to_xarray()
    many = hpcscan.scan(model, {"p": PLACES}, answer=False, proof=False, starts=500, seed=7).to_xarray()
    for k, p in enumerate(PLACES):
        ends = many["start_chi2"].values[k]
        share = np.mean(ends < family.referee(model, p) + 1e-2)
        assert scan["status"].values[k] == 1
        assert share < 3 / scan["n_fresh"].values[k]
