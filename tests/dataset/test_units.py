"""Declared units and what netCDF readers make of them."""

from __future__ import annotations

import cf_units as udunits
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcscan.dataset.variable import PLAIN, PREFIXED, PREFIXES, cf_units, common_unit

POWERS = (-24, -21, -18, -15, -12, -9, -6, -3, -2, -1, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24)
SYMBOLS = [*PLAIN[1:-2], *PREFIXED, *(prefix + base for prefix in PREFIXES for base in PREFIXED)]


@pytest.mark.parametrize(
    "declared", ["m", "s", "kg m-3", "MeV", "GeV2", "m s-1", "m/s", "1/s", "W/m2", "1", "%", "m/s/s"]
)
def test_units_that_readers_know_are_kept(declared):
    assert cf_units(declared) == (declared, "")
    udunits.Unit(declared)


@pytest.mark.parametrize(
    "declared",
    [
        "model length",
        "velocity",
        "rho_vac",
        "ρ_vac",
        "MeV per energy unit",
        "energy unit",
        "kg*m",
        "m^2",
        "m0",
        "m/",
        "/m",
        "J/kg K",
        "GeV/c2",
    ],
)
def test_everything_else_is_a_name(declared):
    """A unit that readers might misread is kept as a name."""
    assert cf_units(declared) == ("1", declared)


@pytest.mark.parametrize("declared", ["", " "])
def test_no_unit_is_a_number(declared):
    assert cf_units(declared) == ("1", "")


@pytest.mark.parametrize(
    ("base", "prefix", "power"), [(b, p, n) for b in PREFIXED for p, n in zip(PREFIXES, POWERS, strict=True)]
)
def test_prefixed_symbols_mean_what_they_say(base, prefix, power):
    """UDUNITS reads every accepted symbol as its SI prefix times its base: no "Pa" for peta-years."""
    factor = udunits.Unit(prefix + base).convert(1.0, udunits.Unit(base))
    assert factor == pytest.approx(10.0**power)


@given(
    st.lists(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(["", "2", "3", "-1", "-2"])), min_size=1, max_size=4)
)
def test_products_are_kept_and_understood(factors):
    """Every product of known symbols with powers is kept, and UDUNITS can read it."""
    declared = " ".join(symbol + power for symbol, power in factors)
    assert cf_units(declared) == (declared, "")
    udunits.Unit(declared)


@given(st.text(max_size=20))
def test_any_text_gives_units_that_can_be_read(declared):
    """Whatever a model declares, `units` is readable, and nothing that was said is lost."""
    units, name = cf_units(declared)
    udunits.Unit(units)
    assert units == declared.strip() or name == declared or not declared.strip()


def test_common_unit():
    assert common_unit(("MeV", "MeV")) == "MeV"
    assert common_unit(("MeV", "m")) is None
    assert common_unit(()) == "1"
