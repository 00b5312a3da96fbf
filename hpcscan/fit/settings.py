"""What the user chose about the fit."""

from __future__ import annotations

from dataclasses import dataclass

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
