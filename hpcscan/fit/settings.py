"""What the user chose about the fit."""

from __future__ import annotations

from dataclasses import dataclass

METHODS = ("multistart", "differential_evolution")


@dataclass(frozen=True)
class FitSettings:
    """Settings of the fit, the same for every grid point.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    starts : int
        Starts per point of `multistart`.
    seed : int
        Root of every random stream.
    max_iter : int
        Iterations that one start may take; generations for `differential_evolution`.
    """

    method: str = "multistart"
    starts: int = 16
    seed: int = 42
    max_iter: int = 200

    @property
    def n_starts(self) -> int:
        """Number of runs recorded for every point."""
        return self.starts if self.method == "multistart" else 1
