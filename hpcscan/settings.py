"""What the user chose: the sections `fit`, `gate` and `report` of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

METHODS = ("multistart", "differential_evolution")
#: A block is made for so many times fewer starts than it has to record, at most.
LARGEST_RATIO = 16


@dataclass(frozen=True)
class StartRange:
    """Between `min` and `max` starts per point: more are drawn until the minimum is proven or well explored."""

    min: int
    max: int


@dataclass(frozen=True)
class FitSettings:
    """Settings of the fit, the same for every grid point.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    starts : int or StartRange
        Starts per point of `multistart`.
    seed : int
        Root of every random stream.
    max_iter : int
        Iterations that one start may take; generations for `differential_evolution`.
    unexplored : float
        A range of starts ends when the estimated fraction of unseen χ² levels is at most this.
    certify : bool
        Whether to prove lower bounds where the model can.
    repair_waves : int
        Times that points without proof are refitted from their neighbours' minima; `multistart` only.
    time_limit : float or None
        Seconds that the fit of a point may take.
    """

    method: str = "multistart"
    starts: int | StartRange = 16
    seed: int = 42
    max_iter: int = 200
    unexplored: float = 0.05
    certify: bool = True
    repair_waves: int = 10
    time_limit: float | None = None

    @property
    def is_evolution(self) -> bool:
        """Whether the published fitter is used."""
        return self.method == "differential_evolution"

    @property
    def start_range(self) -> StartRange:
        """The least and the largest number of runs of a point."""
        if self.is_evolution:
            return StartRange(1, 1)
        return self.starts if isinstance(self.starts, StartRange) else StartRange(self.starts, self.starts)

    @property
    def n_starts(self) -> int:
        """Largest number of runs recorded for a point."""
        return self.start_range.max

    @property
    def n_starts_together(self) -> int:
        """Runs of a point that are fitted together at first.

        That is the least number, because few points need more; but at least a share of the largest, so that what is
        recorded of a block stays small.
        """
        limits = self.start_range
        return max(limits.min, -(-limits.max // LARGEST_RATIO))


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
        The class "good" where no degrees of freedom are left; below it a fit has more freedom than data.
    chi2_acceptable : float
        From the end of "good" to here: acceptable; above: bad.
    p_value : (float, float)
        Where degrees of freedom are left: χ² is bad if a correct model exceeds it more seldom than with the first
        probability, and good from the second on.
    scale : (float, float) or None
        Scales of reasonable size. None: as the model declares; not judged where it declares nothing.
    pull : float or None
        Largest |predicted − observed|/σ. None: 1 where no degrees of freedom are left, else what the largest pull of a
        correct model exceeds with the first probability of `p_value`.
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
    p_value: tuple[float, float] = (0.001, 0.05)
    scale: tuple[float, float] | None = None
    pull: float | None = None
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
