"""Models: parameters, the data that they predict, and how they are posed to the fit. Pure functions; numpy only.

A `Model` declares `parameters` and `data` and computes `predict`; a `Likelihood` computes −2 ln L itself. The rules:

- Every parameter arrives by its name as a read-only array of shape (n, 1), so that it broadcasts against an array of
  abscissas; every term comes back as (n, size). Row i depends on row i of the arguments alone.
- Calls have `rows_per_call` rows, 128 unless the class or the configuration says otherwise, and the last one is filled
  up: so a row has the same bits whatever is asked with it. Write ``rows_per_call = 1`` where a row takes a millisecond
  or more: then nothing is filled up, and a task is one point. A row that is not the same when asked again is told.
- A scale multiplies the prediction of a term by a factor that is found in closed form; every name is one factor, and
  it is written as ``NAME_opt``. Scales of counts are not negative. Without one a prediction is compared as it is.
- A profiled parameter without bounds, or with one, needs a finite `start` range; a range of no width is that value.
  Bounds are never exceeded. A parameter that is scanned lies within its bounds. A constraint counts as a datum.
- A prediction that is not finite, or a negative expectation of counts, ends a start only if it is its first; later it
  is a step not taken.
- Before a scan everything that the model computes is tried at the first and the last grid point, for `fit.time_limit`
  or a minute at most; derivatives are compared with differences, and the precision of the numbers is measured. What
  raises there, returns something else than declared, or is possible nowhere, ends the program with exit code 2.
- Later, an exception fails the grid point, with a message, and the others go on; ``--strict`` stops instead.
- The file is read once, by rank 0, and its text is kept in the result. It imports what is installed and, by import
  statements, modules beside it, whose texts are kept too; a name beside the plugin comes before an installed one, for
  that plugin alone. ``plugin: file.py:Class`` chooses among several models of a file.
- Options are the keyword arguments of the constructor with their type hints, `Option` for more; ``hpcscan keys``
  lists them. A path is relative to the configuration, and the content of the file belongs to the scan.

For a proof, `predict` is called once more with arrays that carry intervals and derivatives through numpy's own
protocols. There are proofs for normal errors with or without a covariance, for counts (whose parameters need bounds,
and are nonlinear under a scale of theirs), for constraints, and for profiled scales, unless counts and normal errors
share one. Nonlinear parameters need finite bounds: one period of a phase, say. Parameters in which predictions are
linear cost nothing and need no bounds; one or two nonlinear ones close in any range, three within a factor of ten, more
than five that depend on each other are not tried. Branches on a parameter (``if``; write `where`), integrals by scipy
and compiled functions cannot be enclosed: the run says so once, with file and line; `ranges` may help there.
"""

from hpcscan.arrays import Array
from hpcscan.model.data_terms import Gaussian, Poisson
from hpcscan.model.interface import Derived, Dimension, Likelihood, Model, Option, Parameter, Ranges, Together, where

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
    "Together",
    "where",
]
