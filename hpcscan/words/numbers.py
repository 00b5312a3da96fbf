"""Numbers as text, with no more digits than are known."""

from __future__ import annotations

from hpcscan.tolerance import TIE_ABSOLUTE

#: χ² is compared with a relative tolerance of 1e-9.
CHI2_DIGITS = 8


def chi2_text(chi2: float) -> str:
    """Write a χ²; what is below the tie tolerance is not told apart from zero."""
    return f"< {TIE_ABSOLUTE:g}" if chi2 < TIE_ABSOLUTE else f"{chi2:.{CHI2_DIGITS}g}"


def equals(chi2: float) -> str:
    """Write a χ² as the end of an equation."""
    text = chi2_text(chi2)
    return text if text.startswith("<") else f"= {text}"


def duration(seconds: float) -> str:
    """Write a time: 0.12 s, 48 s, 3 min 20 s, 2 h 05 min."""
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(n_bytes: float) -> str:
    """Write a number of bytes: 12.0 kB, 3.4 MB."""
    units = ("B", "kB", "MB", "GB", "TB")
    power = 0
    # From 999.5 on, three digits would be written as 1e+03.
    while n_bytes >= 999.5 and power < len(units) - 1:
        n_bytes, power = n_bytes / 1000, power + 1
    return f"{_three_digits(n_bytes)} {units[power]}"


def rate(n: float, seconds: float) -> str:
    """Write how many things a second: 0.0123, 62.1, 12,345."""
    return _three_digits(n / max(seconds, 1e-9))


def _three_digits(value: float) -> str:
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def count(n: int, noun: str) -> str:
    """Write a number of things: 1 point, 12,000 points."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
