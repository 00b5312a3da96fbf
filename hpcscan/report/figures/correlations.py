"""How everything that was fitted is correlated at the best fit."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hpcscan.analysis.findings import Findings
from hpcscan.analysis.fitted import Fitted
from hpcscan.analysis.landscape import Indices
from hpcscan.arrays import Array
from hpcscan.report.figures.axes import signed, symbol_of
from hpcscan.report.figures.canvas import BOTH_SIGNS, Drawing, blank

#: With more the tables are the better place.
MOST = 24


def correlation_drawings(findings: Findings) -> Iterator[Drawing]:
    """Draw the matrix of three parameters and more that have an error: of two there is one number, in a table."""
    fitted = findings.fitted
    if fitted is None or not fitted.has_value or not 3 <= len(chosen := _with_error(fitted)) <= MOST:
        return
    matrix = _correlation(fitted, chosen)
    # Below the diagonal stands everything: the matrix is symmetric, and 1 on it.
    below = np.tril_indices(len(chosen), -1)
    largest = int(np.argmax(np.abs(matrix[below])))
    one, two = (fitted.names[chosen[side[largest]]] for side in below)
    text = (
        f"Correlations of {', '.join(fitted.names[k] for k in chosen)} at the best fit, from the second derivatives of "
        f"χ². The largest is {signed(matrix[below][largest])}, of {one} and {two}."
    )
    yield Drawing("correlations", "Correlations", text, lambda: _draw(findings, fitted, chosen))


def _with_error(fitted: Fitted) -> Indices:
    variance = np.diag(fitted.covariance)
    return np.flatnonzero(np.isfinite(variance) & (variance > 0))


def _correlation(fitted: Fitted, chosen: Indices) -> Array:
    covariance = fitted.covariance[np.ix_(chosen, chosen)]
    sigma = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / sigma / sigma[:, None])


def _draw(findings: Findings, fitted: Fitted, chosen: Indices) -> Figure:
    size = max(2.6, 1.4 + 0.42 * len(chosen))
    figure, (panel,) = blank(height=size, width=size + 0.8)
    draw_correlations(panel, _correlation(fitted, chosen), [_written(findings, fitted.names[k]) for k in chosen])
    return figure


def draw_correlations(panel: Axes, matrix: Array, labels: list[str]) -> None:
    """Draw a matrix of correlations, each with its number: the sign survives a print in grey."""
    n = len(matrix)
    # The first row and the last column would be empty.
    below = np.where(np.tri(n, k=-1), matrix, np.nan)[1:, :-1]
    mesh = panel.pcolormesh(below, cmap=mpl.colormaps[BOTH_SIGNS], vmin=-1, vmax=1)
    for row, column in zip(*np.tril_indices(n, -1), strict=True):
        value = matrix[row, column]
        # Strong colours are dark on both sides of this scale.
        ink = "white" if abs(value) > 0.7 else "black"
        panel.text(column + 0.5, row - 0.5, signed(value), ha="center", va="center", color=ink, fontsize="small")
    places = np.arange(n - 1) + 0.5
    panel.set_xticks(places, labels[:-1], rotation=40, ha="right", rotation_mode="anchor")
    panel.set_yticks(places, labels[1:])
    panel.invert_yaxis()
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)
    panel.figure.colorbar(mesh, ax=panel, label="correlation", shrink=0.8)


def _written(findings: Findings, name: str) -> str:
    """Return what a parameter is called in figures."""
    return findings.scan.written.get(name) or symbol_of(name)
