"""hpcscan: profile-likelihood scans under MPI, with a convergence record for every grid point.

From Python: `scan` fits a model over a grid, `fit` at one point, and `open` reads a result; all give the same object.
The words of which a model is made (`Model`, `Parameter`, …) are here too.
"""

from __future__ import annotations

from hpcscan.version import __version__

# `python -m hpcscan` begins here, with the working directory first on the import path: nothing of Python's own library
# is imported before `__main__` has taken it off, not even `typing`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcscan.door import Scan, fit, open, scan
    from hpcscan.errors import UsageError
    from hpcscan.model import Array, Derived, Dimension, Gaussian, Likelihood, Model, Option, Parameter, Poisson, Ranges

#: Nothing is loaded before it is asked for: the command line, and every rank of a job, begin here.
_ROOMS = {
    "hpcscan.errors": ("UsageError",),
    "hpcscan.door": ("Scan", "fit", "open", "scan"),
    "hpcscan.model": (
        "Array",
        "Derived",
        "Dimension",
        "Gaussian",
        "Likelihood",
        "Model",
        "Option",
        "Parameter",
        "Poisson",
        "Ranges",
    ),
}

__all__ = [
    "Array",
    "Derived",
    "Dimension",
    "Gaussian",
    "Likelihood",
    "Model",
    "Option",
    "Parameter",
    "Poisson",
    "Ranges",
    "Scan",
    "UsageError",
    "__version__",
    "fit",
    "open",
    "scan",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for."""
    from importlib import import_module  # noqa: PLC0415

    for room, names in _ROOMS.items():
        if name in names:
            return getattr(import_module(room), name)
    raise AttributeError(f"module 'hpcscan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
