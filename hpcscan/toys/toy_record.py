"""Toys as they are kept: names, numbers and flags, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hpcscan.answer.answer_record import Kept


@dataclass(frozen=True)
class ToyRecord:
    """What toys say.

    Attributes
    ----------
    settings : str
        What was asked, as text.
    arrays : mapping of str to Kept
        In the order of a result file; "point" stands for the axes.
    refusal : str
        Why there are none; empty where there are.
    """

    settings: str
    arrays: Mapping[str, Kept] = field(default_factory=dict)
    refusal: str = ""

    @property
    def n_made(self) -> int:
        """Number of toys in all."""
        return int(self.arrays["n_toys_made"].values.sum()) if "n_toys_made" in self.arrays else 0

    @property
    def attributes(self) -> dict[str, str]:
        """What a file says of them."""
        return {"hpcscan_toys": self.settings} | ({"hpcscan_toys_refused": self.refusal} if self.refusal else {})
