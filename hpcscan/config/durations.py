"""Times as people write them: 90, 30m, 2h, 1h30m, 02:00:00, 1-00:00:00."""

from __future__ import annotations

import re
from math import isfinite

EXPECTED = "a time such as 90 (seconds), 30m, 2h, 1h30m, 02:00:00 or 1-00:00:00 (days-hours:minutes:seconds)"

_UNITS = re.compile(r"(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+(?:\.\d*)?)s?)?")
_CLOCK = re.compile(r"(?:(?P<d>\d+)-)?(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def seconds(text: str) -> float:
    """Turn a time into seconds.

    Raises
    ------
    ValueError
        Where it is not a positive time.
    """
    written = text.strip()
    match = _CLOCK.fullmatch(written) or _UNITS.fullmatch(written)
    parts = match.groupdict() if match and written.isascii() else {}
    total = sum(_SECONDS[unit] * float(number) for unit, number in parts.items() if number)
    if not (total > 0 and isfinite(total)):
        raise ValueError(f"expected {EXPECTED}, found {text[:100]!r}")
    return total
