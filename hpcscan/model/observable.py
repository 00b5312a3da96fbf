"""What was observed, value by value: those of terms, and the constraints of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hpcscan.model.interface import Parameter
from hpcscan.model.terms import Poisson, Term, value_names

#: In front of the name of a parameter whose constraint is an observable.
CONSTRAINT = "constraint."
#: How an observable is compared with its prediction.
Kind = Literal["gaussian", "poisson"]


@dataclass(frozen=True)
class Observable:
    """One measured value, which the model predicts up to a profiled scale or exactly.

    Attributes
    ----------
    name : str
    observed, sigma : float
        The value and its standard deviation, in `unit`; the latter is NaN for a count.
    scale : str, optional
        Name of the profiled scale that multiplies the prediction; None where the prediction is compared as it is.
    unit, description : str
    kind : {"gaussian", "poisson"}
    term : str
        The term to which it belongs.
    label : str
        How it is written.
    x : float
        Where it was taken; NaN where there is no abscissa.
    is_tolerance : bool
        Whether σ is a tolerance and no statistical error.
    """

    name: str
    observed: float
    sigma: float
    scale: str | None = None
    unit: str = "1"
    description: str = ""
    kind: Kind = "gaussian"
    term: str = ""
    label: str = ""
    x: float = np.nan
    is_tolerance: bool = False
    x_label: str = ""
    x_unit: str = "1"


def observables_of(term: Term) -> tuple[Observable, ...]:
    """List the values of a term."""
    kind: Kind = "poisson" if isinstance(term, Poisson) else "gaussian"
    names, size = value_names(term), len(term.values)
    x = np.full(size, np.nan) if term.x is None else np.atleast_1d(np.asarray(term.x, float))
    columns = zip(names, term.values.tolist(), term.errors.tolist(), x.tolist(), strict=True)
    label, is_tolerance = term.label or term.name, term.is_tolerance
    about, of_x = (term.scale, term.unit, term.description, kind, term.name), (term.x_label, term.x_unit)
    return tuple(Observable(n, y, s, *about, label, at, is_tolerance, *of_x) for n, y, s, at in columns)


def constraint_of(parameter: Parameter) -> Observable:
    """Turn the constraint of a parameter into an observable."""
    assert parameter.constraint is not None
    name, (mean, sigma) = f"{CONSTRAINT}{parameter.name}", parameter.constraint
    about = parameter.unit, f"what is known of {parameter.name} otherwise"
    return Observable(name, float(mean), float(sigma), None, *about, "gaussian", name, parameter.label)
