"""Scan axes on paper: labels, log or linear, the edges of cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from hpcscan.analysis.surface import is_geometric
from hpcscan.arrays import Array
from hpcscan.dataset.scan import ScanData
from hpcscan.words.numbers import typeset
from hpcscan.words.tables import GREEK

#: Letters of a description that fits a small panel.
SHORT = 12


@dataclass(frozen=True)
class PaperAxis:
    """One scan axis as it is drawn.

    Attributes
    ----------
    number : int
        In the grid.
    name, symbol : str
    label, short_label : str
        With its unit; the short one for panels without room.
    values : array
    is_log : bool
    step : int
        Values that a cell stands for.
    """

    number: int
    name: str
    symbol: str
    label: str
    short_label: str
    values: Array
    is_log: bool
    step: int = 1

    @classmethod
    def of(cls, scan: ScanData, number: int, step: int = 1) -> PaperAxis:
        """Describe one axis of a scan."""
        axis = scan.grid.axes[number]
        variable = scan.variables[axis.name]
        declared = str(variable.attributes.get("symbol", ""))
        symbol = declared or symbol_of(axis.name)
        about, unit = variable.long_name, typeset(scan.unit(axis.name))
        # A name of several letters beside its description is for programs, not for readers.
        is_word = not declared and symbol == axis.name and len(symbol) > 2
        label = symbol if about == axis.name else about if is_word else f"{about} {symbol}"
        short = about if is_word and len(about) <= SHORT else symbol
        values = np.array(axis.values)
        long_label, short_label = (f"{text} ({unit})" if unit else text for text in (label, short))
        return cls(number, axis.name, symbol, long_label, short_label, values, is_geometric(values), step)

    def on_paper(self, coordinates: Array) -> Array:
        """Turn coordinates in which a function is smooth into values."""
        return np.exp(coordinates) if self.is_log else coordinates

    @property
    def edges(self) -> Array:
        """Edges of the cells around the values."""
        x = np.log(self.values) if self.is_log else self.values
        if len(x) == 1:
            cut = np.array([x[0] - 0.5, x[0] + 0.5])
        else:
            middle = (x[1:] + x[:-1]) / 2
            cut = np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])
        if self.step > 1:
            cut = np.append(cut[: -1 : self.step], cut[-1])
        return np.exp(cut) if self.is_log else cut

    @property
    def centres(self) -> Array:
        """The value in the middle of each cell."""
        first = np.arange(0, len(self.values), self.step)
        return self.values[(first + np.minimum(first + self.step, len(self.values)) - 1) // 2]


def symbol_of(name: str) -> str:
    """Write a Greek name as its letter."""
    return GREEK.get(name, name)


def set_horizontal(panel: Axes, axis: PaperAxis, is_short: bool = False) -> None:
    """Prepare the x axis."""
    if axis.is_log:
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(FuncFormatter(_plain))
        panel.xaxis.set_minor_formatter(NullFormatter())
    elif is_short:
        # Few ticks, whose numbers do not meet in a small panel.
        panel.xaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 2.5, 5, 10)))
    panel.set_xlabel(axis.short_label if is_short else axis.label)


def set_vertical(panel: Axes, axis: PaperAxis, is_short: bool = False) -> None:
    """Prepare the y axis."""
    if axis.is_log:
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(FuncFormatter(_plain))
        panel.yaxis.set_minor_formatter(NullFormatter())
    panel.set_ylabel(axis.short_label if is_short else axis.label)


def _plain(value: float, _: int | None) -> str:
    return f"{value:g}"
