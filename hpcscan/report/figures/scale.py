"""How Δχ² becomes colour and height: also on a flat landscape, and on a floor of 10⁷."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import Normalize, SymLogNorm
from matplotlib.ticker import FuncFormatter

from hpcscan.arrays import Array

#: Δχ² up to this is drawn on a linear scale.
LINEAR = 30.0


def is_large(delta: Array) -> bool:
    """Tell whether the range of Δχ² needs a logarithmic scale above the levels."""
    return bool(np.nanmax(delta, initial=0.0) > LINEAR)


def colour_scale(delta: Array, is_log: bool) -> Normalize:
    """Map Δχ² to colours: linear or, so that levels and a large range show together, logarithmic above 10."""
    top = float(np.nanmax(delta, initial=0.0))
    return SymLogNorm(10, linscale=1, vmin=0, vmax=top) if is_log else Normalize(0, max(top, 1e-300))


def ticks(delta: Array) -> list[float]:
    """Choose ticks for a large range."""
    top = float(np.nanmax(delta, initial=0.0))
    powers = range(1, int(np.floor(np.log10(top))) + 1)
    if len(powers) <= 2:
        return [value for value in (0.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0) if value <= top]
    step = 1 if len(powers) <= 8 else 2
    return [0.0, *(10.0**power for power in powers[::step])]


def tick_text(value: float, _: int | None = None) -> str:
    """Write a tick: powers of ten where zeros would have to be counted."""
    if value == 0 or 0.01 <= abs(value) < 10_000:
        return f"{value:g}"
    power = int(np.floor(np.log10(abs(value)) + 1e-9))
    factor = value / 10.0**power
    return f"$10^{{{power}}}$" if abs(factor - 1) < 1e-9 else f"${factor:.3g}×10^{{{power}}}$"


def formatter() -> FuncFormatter:
    """Give the formatter of these ticks."""
    return FuncFormatter(tick_text)


def signed(value: float) -> str:
    """Write a pull or a correlation with its sign, to two places where it is small."""
    text = (f"{value:+.2f}" if abs(value) < 100 else f"{value:+,.0f}").replace("-", "−")
    return text[1:] if text[1:] == "0.00" else text
