"""A configuration as the program uses it: validated, complete, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hpcscan.grid import Grid
from hpcscan.settings import AnswerSettings, FitSettings, RunSettings, ToySettings


@dataclass(frozen=True)
class PluginSource:
    """A user's model: the text travels to the ranks, so that only rank 0 reads the file.

    Attributes
    ----------
    modules : tuple of (name, path, text)
        The modules beside the file that it imports, in the order of their names.
    """

    path: str
    class_name: str
    text: str
    modules: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class ModelChoice:
    """Which model, its options, and what becomes of its parameters.

    Attributes
    ----------
    options : mapping
        As the model's constructor takes them; paths lead there from the working directory.
    plugin : PluginSource, optional
        None for a built-in model.
    fixed : mapping of str to float
        All other parameters are profiled.
    contents : mapping of str to str
        SHA-256 of the file that a path among the options names.
    rows_per_call : int, optional
        What the model says, where it is not given.
    """

    name: str
    options: Mapping[str, Any]
    plugin: PluginSource | None = None
    scanned: tuple[str, ...] = ()
    fixed: Mapping[str, float] = field(default_factory=dict)
    contents: Mapping[str, str] = field(default_factory=dict)
    rows_per_call: int | None = None


@dataclass(frozen=True)
class Config:
    """One scan, as configured.

    Attributes
    ----------
    grid : Grid
        Axes in the order in which they were written.
    output : str
        Where the result goes, relative to the working directory.
    resolved : str
        The configuration with every default filled in, as YAML; reading it gives this record again.
    is_measured : bool
        Whether the precision in `fit` was measured, and not written.
    evidence : str
        Whether proofs are tried and why, in words; "" where nobody has planned.
    """

    grid: Grid
    model: ModelChoice
    fit: FitSettings
    run: RunSettings
    output: str
    resolved: str
    is_measured: bool = False
    evidence: str = ""
    answer: AnswerSettings = field(default_factory=AnswerSettings)
    toys: ToySettings = field(default_factory=ToySettings)

    @property
    def points_per_chunk(self) -> int | None:
        """Points per task: as chosen, or one where a single fit takes seconds; None leaves it to the plan."""
        if isinstance(self.run.chunk, int):
            return self.run.chunk
        return 1 if self.fit.about.is_slow else None
