"""Where figures from Python begin: matplotlib is loaded when one is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hpcscan.analysis.findings import Findings
from hpcscan.errors import UsageError
from hpcscan.report.folder import WITHOUT_FIGURES

if TYPE_CHECKING:
    from hpcscan.report.figures.plot import Plot


def plots(findings: Findings) -> Plot:
    """Return what draws the figures of a scan; a `UsageError` without matplotlib."""
    try:
        from hpcscan.report.figures.plot import Plot  # noqa: PLC0415  (only here is matplotlib needed)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise UsageError(WITHOUT_FIGURES) from None
    return Plot(findings)
