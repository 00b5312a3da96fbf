"""All figures of a scan, in the order in which a reader wants them."""

from __future__ import annotations

from hpcscan.analysis.findings import Findings
from hpcscan.report.figures.canvas import Drawing
from hpcscan.report.figures.corner import corner_drawings
from hpcscan.report.figures.correlations import correlation_drawings
from hpcscan.report.figures.derived import derived_drawings
from hpcscan.report.figures.lines import line_drawings
from hpcscan.report.figures.observed import data_drawings
from hpcscan.report.figures.parameters import parameter_drawings
from hpcscan.report.figures.plane import plane_drawings
from hpcscan.report.figures.starts import start_drawings
from hpcscan.report.figures.state import state_drawings
from hpcscan.report.figures.toys import toy_drawings
from hpcscan.report.figures.values import scale_drawings


def gallery(findings: Findings) -> tuple[Drawing, ...]:
    """Prepare every figure that this scan has; those of a map need one."""
    of_fit = (*data_drawings(findings), *correlation_drawings(findings))
    if not findings.landscape.grid.axes:
        return of_fit
    return (
        *plane_drawings(findings),
        *line_drawings(findings),
        *corner_drawings(findings),
        *of_fit,
        *toy_drawings(findings),
        *state_drawings(findings),
        *start_drawings(findings),
        *derived_drawings(findings),
        *scale_drawings(findings),
        *parameter_drawings(findings),
    )
