"""One criterion of the gate."""

from __future__ import annotations

from dataclasses import dataclass

NUMERICAL, PHYSICAL = "numerical", "physical"


@dataclass(frozen=True)
class Criterion:
    """What is demanded, and what was found.

    Attributes
    ----------
    group : str
        `NUMERICAL`: whether the scan can be trusted; `PHYSICAL`: what it says.
    holds : bool or None
        None where it does not apply; it does not count.
    found, wanted : str
        With their numbers.
    cause : str
        The likely cause, in words, where it fails.
    """

    group: str
    name: str
    holds: bool | None
    found: str
    wanted: str
    cause: str = ""
