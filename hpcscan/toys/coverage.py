"""Coverage: how often the regions contain true values, in experiments that are simulated there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcscan.answer.held_fits import Asked, Library
from hpcscan.arrays import Array
from hpcscan.toys.rounds import Places, Toymaker
from hpcscan.toys.toy_fits import ToyFitter

#: The experiments have numbers of their own among the toys.
FIRST_EXPERIMENT = 2**40

#: Does what calls the model, whatever it does.
Ask = Callable[[Callable[[], Array]], Array]


def direct(what: Callable[[], Array]) -> Array:
    """Call it at once, in this process."""
    return what()


@dataclass(frozen=True)
class Experiments:
    """How experiments are simulated.

    Attributes
    ----------
    n : int
        Experiments at each place.
    """

    fitter: ToyFitter
    n: int
    ask: Ask = direct

    def at(self, z: Array) -> Array:
        """Make the data of all experiments at one place, shape (1, n_coordinates)."""
        return self.ask(lambda: self.fitter.experiments(z, FIRST_EXPERIMENT, self.n))


@dataclass(frozen=True)
class Covered:
    """What experiments at one place of true values came out as.

    Attributes
    ----------
    z : array, shape (n_coordinates,)
        The place: the others are those fitted to the data there.
    t : array, shape (n,)
        Of each experiment at the true values; NaN where its fits failed.
    p_value : array, shape (n,)
        By toys of its own.
    """

    z: Array
    t: Array
    p_value: Array


def coverage(experiments: Experiments, library: Library, at: Array, maker: Toymaker) -> Covered:
    """Simulate experiments at true values, and find their t and p there.

    Parameters
    ----------
    library : Library
        What is known, from which fits start.
    at : array, shape (n_scanned,)
        Coordinates of the true values.
    """
    fitter, n, minima = experiments.fitter, experiments.n, library.minima
    frame = fitter.frame
    [fit] = maker.compute(
        [Asked(frame.scanned, library.starts(frame.scanned, at[None]), observed=fitter.observed[None])]
    )
    data = experiments.at(fit.z)

    # Each is fitted as toys are: at the true values, then released.
    [null] = maker.compute([Asked(frame.scanned, np.repeat(fit.z, n, axis=0)[:, None], observed=data)])
    others = np.repeat(minima.z[None], n, axis=0)
    [free] = maker.compute([Asked((), np.concatenate([null.z[:, None], others], axis=1), observed=data)])
    is_good = null.is_good & free.is_good
    t = np.where(is_good, np.maximum(null.chi2 - free.chi2, 0.0), np.nan)

    # Without nuisance parameters, all have the same toys.
    if len(frame.scanned) == len(frame.coordinates):
        place = Places(maker.numbered(1), fit.z, np.zeros(1), is_checked=False)
        made = np.sort(maker.toys_at(place, is_adaptive=False).t[0])
        made = made[np.isfinite(made)]
        as_large = len(made) - np.searchsorted(made, t - maker.rounds.tie, side="left")
        return Covered(fit.z[0], t, np.where(is_good, (as_large + 1) / (len(made) + 1), np.nan))
    places = Places(maker.numbered(n), null.z, t, is_checked=False)
    return Covered(fit.z[0], t, maker.toys_at(places).p_value)
