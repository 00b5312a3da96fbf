"""Models posed as in the shipped configurations."""

from __future__ import annotations

from typing import Any

from hpcscan.model.problem import Problem, pose
from hpcscan.models.leptons.model import LeptonModel


def leptons(**options: Any) -> Problem:
    """The lepton model with beta and w scanned."""
    return pose(LeptonModel(**options), ("beta", "w"))
