"""What a scan is held to: the sections `gate` and `report` of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class GateSettings:
    """Thresholds of the gate.

    Attributes
    ----------
    converged : float
        Least share of points that converge.
    gap : float
        Largest χ² above its proven lower bound; the tie tolerance of χ² is always allowed.
    spikes : int
        Points that may be out of line with their neighbours.
    chi2_good : (float, float)
        The class "good"; below it a fit has more freedom than data.
    chi2_acceptable : float
        From the end of "good" to here: acceptable; above: bad.
    scale : (float, float)
        Scales of reasonable size.
    pull : float
        Largest |predicted − observed|/σ.
    minimum : mapping of axis to (float, float)
        Where the minimum is expected; these axes must have one. All axes where it is empty.
    width : mapping of axis to (float, float)
        A half-width at 1σ below the first is sharp, above the second flat.
    """

    converged: float = 1.0
    gap: float = 1e-3
    spikes: int = 0
    chi2_good: tuple[float, float] = (1.0, 3.0)
    chi2_acceptable: float = 10.0
    scale: tuple[float, float] = (0.1, 100.0)
    pull: float = 1.0
    minimum: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    width: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportSettings:
    """What a report shows.

    Attributes
    ----------
    reference : mapping of axis to float
        Values that are drawn and quoted, such as a predicted one.
    gate : GateSettings
    """

    reference: Mapping[str, float] = field(default_factory=dict)
    gate: GateSettings = GateSettings()
