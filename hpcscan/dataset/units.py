"""Which declared units a netCDF reader can be trusted to understand."""

from __future__ import annotations

import re

PREFIXES = ("y", "z", "a", "f", "p", "n", "u", "m", "c", "d", "da", "h", "k", "M", "G", "T", "P", "E", "Z", "Y")
PREFIXED = ("m", "s", "g", "A", "K", "mol", "eV", "J", "W", "N", "Pa", "Hz", "C", "V", "T", "Wb", "F", "H", "S")
PLAIN = ("1", "cd", "rad", "sr", "degree", "%", "min", "h")

_SYMBOLS = frozenset(PLAIN) | frozenset(PREFIXED) | {prefix + base for prefix in PREFIXES for base in PREFIXED}
_FACTOR = re.compile(r"(?P<symbol>1|%|[A-Za-z]+?)(?P<power>-?[1-9])?")


def cf_units(declared: str) -> tuple[str, str]:
    """Split a declared unit into what CF can hold.

    CF wants units that UDUNITS can read. A product of common SI symbols with integer powers, such as ``kg m-3``,
    ``m/s`` or ``MeV``, is kept as it is; everything else, such as ``model length``, is a name.

    Parameters
    ----------
    declared : str
        As the model declares it; "1" or "" for a pure number.

    Returns
    -------
    units, unit_name : str
        Attributes of a variable; `unit_name` is "" where `units` says everything.
    """
    if not declared.strip():
        return "1", ""
    above, *below = declared.split("/")
    known = all(_is_known(factor) for factor in (*(above.split() or [""]), *below))
    return (declared.strip(), "") if known else ("1", declared)


def _is_known(factor: str) -> bool:
    match = _FACTOR.fullmatch(factor)
    return match is not None and match["symbol"] in _SYMBOLS and not (match["symbol"] in ("1", "%") and match["power"])


def common_unit(units: tuple[str, ...]) -> str | None:
    """Give the unit that all of these share, or None where they differ; "1" where there are none."""
    different = set(units) or {"1"}
    return different.pop() if len(different) == 1 else None
