"""How the fits of many points ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcscan.dataset.scan import ScanData


@dataclass(frozen=True)
class Statuses:
    """The status of every point.

    Attributes
    ----------
    codes : int array, shape (n,)
    names : mapping of int to str
        What the codes mean.
    """

    codes: NDArray[np.integer]
    names: Mapping[int, str]

    @classmethod
    def of(cls, scan: ScanData) -> Statuses:
        """Collect them from a file."""
        return cls(scan.at_points("status"), scan.variables["status"].flags)

    def are(self, name: str) -> NDArray[np.bool_]:
        """Tell of every point whether it has this status."""
        return np.isin(self.codes, [code for code, one in self.names.items() if one == name])

    def count(self, name: str) -> int:
        """Count the points of a status."""
        return int(np.count_nonzero(self.are(name)))

    def first(self, name: str) -> int:
        """Give the first point of a status that some point has."""
        return int(np.argmax(self.are(name)))

    @property
    def present(self) -> list[str]:
        """Names of those that any point has, in alphabetical order."""
        return sorted(self.names[int(code)] for code in np.unique(self.codes))

    def at(self, points: NDArray[np.integer]) -> Statuses:
        """Take those of some points."""
        return Statuses(self.codes[points], self.names)

    def listed(self) -> list[str]:
        """Give the name of every one."""
        return [self.names[code] for code in self.codes.tolist()]
