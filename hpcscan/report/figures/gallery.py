"""All figures of a scan, in the order in which a reader wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from hpcscan.analysis.findings import Findings
from hpcscan.report.figures.canvas import Drawing
from hpcscan.report.figures.correlations import correlation_drawings
from hpcscan.report.figures.maps import corner_drawings, plane_drawings
from hpcscan.report.figures.observed import data_drawings, pull_drawings
from hpcscan.report.figures.point_evidence import start_drawings, state_drawings
from hpcscan.report.figures.profile_curves import line_drawings
from hpcscan.report.figures.profiled_quantities import derived_drawings, parameter_drawings, scale_drawings
from hpcscan.report.figures.toy_figures import toy_drawings
from hpcscan.report.look import KINDS

#: What draws each kind, in the order of a report, and whether it needs a grid.
DRAWINGS: Mapping[str, tuple[Callable[[Findings], Iterable[Drawing]], bool]] = {
    "contours": (plane_drawings, True),
    "profiles": (line_drawings, True),
    "corner": (corner_drawings, True),
    "data": (data_drawings, False),
    "pulls": (pull_drawings, False),
    "correlations": (correlation_drawings, False),
    "toys": (toy_drawings, True),
    "evidence": (state_drawings, True),
    "starts": (start_drawings, True),
    "derived": (derived_drawings, True),
    "scales": (scale_drawings, True),
    "parameters": (parameter_drawings, True),
}


def gallery(findings: Findings, only: Sequence[str] = ()) -> tuple[Drawing, ...]:
    """Prepare every figure that this scan has, or those of some kinds; maps need a grid."""
    has_grid = bool(findings.landscape.grid.axes)
    kinds = [
        draw
        for kind, (draw, is_of_grid) in DRAWINGS.items()
        if (has_grid or not is_of_grid) and kind in (only or KINDS)
    ]
    return tuple(drawing for draw in kinds for drawing in draw(findings))
