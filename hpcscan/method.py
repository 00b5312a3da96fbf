"""The ways to fit that a configuration may name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """What a way to fit asks of the rest of the program; how it runs is in `hpcscan.fitting.methods`.

    Attributes
    ----------
    n_runs : int or None
        Runs of a point; None where `fit.starts` says.
    is_repaired : bool
        Whether points without a proof are refitted from their neighbours' minima.
    is_slow : bool
        Whether one point takes seconds, so that it makes a task.
    has_agreement : bool
        Whether there are starts that can agree on a minimum.
    """

    n_runs: int | None = None
    is_repaired: bool = True
    is_slow: bool = False
    has_agreement: bool = True


#: The first one is the default.
METHODS = {
    "multistart": Method(),
    "differential_evolution": Method(n_runs=1, is_repaired=False, is_slow=True, has_agreement=False),
}
