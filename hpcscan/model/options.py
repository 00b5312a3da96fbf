"""What a model says of its options: the keyword arguments of its constructor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """What an option means, beside its type: ``mass: Annotated[float, Option("mass of the bob", unit="kg")] = 1.0``."""

    meaning: str = ""
    unit: str = ""
