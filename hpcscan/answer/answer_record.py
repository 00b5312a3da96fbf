"""An answer as it is kept: names, numbers and flags, whoever found them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Flags = tuple[tuple[int, str], ...]

#: Why a region or a line ends; a closed line has no end.
END_FLAGS: Flags = ((0, "none"), (1, "crossed"), (2, "bound"), (3, "grid"), (4, "hole"))


@dataclass(frozen=True)
class Kept:
    """One array of an answer.

    Attributes
    ----------
    values : array
        Numbers; text for names.
    unit : str or None
        None for names and flags, and "" where every entry has its own.
    flags : tuple of (value, meaning)
    """

    dims: tuple[str, ...]
    values: NDArray[np.generic]
    long_name: str
    unit: str | None = "1"
    flags: Flags = ()


@dataclass(frozen=True)
class AnswerRecord:
    """An answer.

    Attributes
    ----------
    base : float
        χ² of the best fit.
    arrays : mapping of str to Kept
        In the order of a result file; "point" stands for the axes.
    sentence : str
        What is not said, and why; empty where everything is.
    """

    base: float
    arrays: Mapping[str, Kept] = field(default_factory=dict)
    sentence: str = ""
