"""The published fitter: differential evolution, one run per grid point, for comparison with the multistart.

R. Storn, K. Price, J. Global Optim. 11, 341 (1997), as in scipy.
"""

from __future__ import annotations

import numpy as np

from hpcscan.arrays import Array
from hpcscan.fitting import quadratic, quasi_newton
from hpcscan.fitting.ends import Minima
from hpcscan.fitting.records import UNKNOWN, Status
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.rows import never_alone
from hpcscan.likelihood.scalar import AnyObjective, ScalarObjective
from hpcscan.settings import FitSettings

#: The published settings; everything else is scipy's default (best1bin, 15 members per parameter, L-BFGS-B at the end).
TOLERANCE = 1e-8


def evolve(objective: AnyObjective, given: Given, settings: FitSettings) -> Minima:
    """Run scipy's differential evolution once at every row of what is given."""
    runs = [_evolve_point(objective, given.take(np.array([row])), settings) for row in range(given.points.shape[1])]
    x, counts = np.stack([run[0] for run in runs], axis=1), np.array([run[1:] for run in runs], np.int64)
    chi2, edm = _assess(objective, given, x)
    n_iterations, n_evaluations, has_converged = counts.T
    status = np.where(has_converged, Status.CONVERGED, Status.NOT_CONVERGED)
    status = np.where(np.isfinite(chi2), status, Status.FAILED).astype(np.int8)
    return Minima(
        x,
        np.where(np.isfinite(chi2), chi2, np.nan),
        edm,
        status,
        n_iterations,
        n_evaluations,
        np.full_like(n_iterations, UNKNOWN),
    )


def _assess(objective: AnyObjective, given: Given, x: Array) -> tuple[Array, Array]:
    """χ² and estimated distance to the minimum where the runs ended."""
    rows = never_alone(np.arange(x.shape[1]))
    given, x, n = given.take(rows), x.take(rows, axis=-1), x.shape[1]
    at = objective.evaluate(given, x)
    with np.errstate(all="ignore"):
        if isinstance(objective, ScalarObjective):
            return at.chi2[:n], quasi_newton.estimated_distance(objective, given, x, at)[:n]
        return at.chi2[:n], quadratic.estimated_distance(objective, given, x, at)[:n]


def _seed(seed: int) -> int | np.random.Generator:
    """Give scipy the seed, as the published runs do, or a generator where it takes no number so large."""
    return seed if seed < 2**32 else np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def _evolve_point(objective: AnyObjective, point: Given, settings: FitSettings) -> tuple[Array, int, int, bool]:
    """Fit one point; give the parameters, the generations, the evaluations and scipy's own verdict."""
    from scipy.optimize import differential_evolution  # noqa: PLC0415  (half a second, which the default fit never pays)

    def chi2(x: Array) -> float:
        value = float(objective.evaluate(point, x[:, None]).chi2[0])
        return value if np.isfinite(value) else np.inf

    box = objective.box
    lower = np.where(np.isfinite(box.lower), box.lower, box.start)[:, 0]
    upper = np.where(np.isfinite(box.upper), box.upper, box.start + box.width)[:, 0]
    bounds = [(float(low), float(high)) for low, high in zip(lower, upper, strict=True)]
    with np.errstate(all="ignore"):
        run = differential_evolution(
            chi2, bounds, seed=_seed(settings.seed), maxiter=settings.max_iter, tol=TOLERANCE, atol=TOLERANCE
        )
    return np.clip(run.x, box.lower[:, 0], box.upper[:, 0]), run.nit, run.nfev, bool(run.success)
