"""The fits of toys: at the place where they are made, and with the scanned parameters released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from hpcscan.answer.coordinates import Arranged, Frame
from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.likelihood.rows import in_calls, never_alone
from hpcscan.likelihood.scalar import objective_of
from hpcscan.model.problem import Problem
from hpcscan.tolerance import tie_tolerance
from hpcscan.toys.basins import beside
from hpcscan.toys.draws import Draw, normals, streams, uniforms
from hpcscan.toys.response import Expansion, Response
from hpcscan.toys.toy_ends import MOST_KEPT, Descents, Ends, Shared, Starts

#: Toys are made in blocks of so many.
BLOCK = 100
#: Numbers that derivatives may take at a time, or simulated data in one call where these are had by differences.
MOST_NUMBERS = 4_000_000
#: Parameters so many widths from zero have differences of their own, which ask for more rows: others err by less than
#: the square of what a toy's χ² is known to.
FAR = 1000.0
#: Random starts of a toy where these are used.
N_RANDOM = 8
#: So often toys of a block begin where others have ended, as long as some get lower by that.
SHARINGS = 3


@dataclass(frozen=True)
class Making:
    """How toys are made and fitted, the same at every place.

    Attributes
    ----------
    frame : Frame
        With the range in which the scanned parameters are released.
    minima : array, shape (n_minima, n_coordinates)
        Of the data, from which fits of toys start beside the place where these are made.
    observed : array, shape (n_data,)
        The data: of the observables, then those that a scalar model simulates.
    """

    frame: Frame
    minima: Array
    observed: Array
    seed: int
    max_iter: int
    precision: float | None = None
    constraints_fluctuate: bool = True
    precision_floor: float = 0.0


@dataclass(frozen=True)
class Blocks:
    """n blocks of toys.

    Attributes
    ----------
    z : array, shape (n, n_coordinates)
        Where each is made.
    place : int array, shape (n,)
        Number of that place.
    number : int array, shape (n,)
        Of the block: it has the toys from number × `BLOCK` on.
    is_held : bool array, shape (n,)
        Whether the scanned parameters are held in the first fit; else there is one fit with everything free.
    n_random : int array, shape (n,)
        So many of its toys are fitted from random places, too.
    """

    z: Array
    place: IntArray
    number: IntArray
    is_held: BoolArray
    n_random: IntArray

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: IntArray) -> Blocks:
        """Select blocks."""
        return Blocks(*(getattr(self, name)[rows] for name in ("z", "place", "number", "is_held", "n_random")))


@dataclass(frozen=True)
class Statistics:
    """What came of n blocks.

    Attributes
    ----------
    t : array, shape (n, BLOCK)
        χ² with the scanned parameters held minus that with them released; the latter itself where nothing was held.
        NaN of a toy whose fits failed.
    n_negative, n_lower, n_at_end : int array, shape (n,)
        Toys whose released fit came out higher; where a random start was lower than all others; whose released fit
        rests on an end of the range that is no declared bound.
    """

    t: Array
    n_negative: IntArray
    n_lower: IntArray
    n_at_end: IntArray

    @classmethod
    def joined(cls, parts: Sequence[Statistics]) -> Statistics:
        """Put blocks one after another."""
        return cls(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(cls)))


class ToyFitter:
    """Makes and fits toys, each twice: where it is made, and released.

    Parameters
    ----------
    free : Problem
        Without axes; of terms, or of a number whose data it simulates.
    shared : Shared, optional
        By others who make the same toys.
    """

    def __init__(self, free: Problem, making: Making, shared: Shared | None = None) -> None:
        frame, self._shared = making.frame, shared or Shared()
        self._making, self.frame, self.observed = making, frame, making.observed
        # Three arrangements: scanned parameters held, everything held, everything moving.
        moving = tuple(k for k in frame.parameters if k not in frame.scanned)
        self._whole = Arranged(free, frame, (), tuple(range(len(frame.names))), FAR)
        self._null = self._descents(Arranged(free, frame, frame.scanned, moving, FAR))
        self._free = self._descents(Arranged(free, frame, (), frame.parameters, FAR))
        self._response = self._responding(free)
        self._draw = Draw(free, making.observed, constraints_fluctuate=making.constraints_fluctuate)

    def _descents(self, arranged: Arranged) -> Descents:
        making = self._making
        objective = objective_of(arranged, making.precision, floor=making.precision_floor)
        return Descents(objective, arranged, making.frame, making.max_iter, self._shared)

    def _responding(self, free: Problem) -> Response | None:
        """Return what fits toys by their response, where numbers are precise and derivatives few."""
        if free.is_scalar or self._making.precision:
            return None
        response = Response(self._whole, free, BLOCK)
        return response if response.is_small else None

    def expected(self, z: Array) -> Array:
        """Compute the scaled predictions at places, shape (n, n_coordinates): (n, n_observables)."""
        rows = never_alone(np.arange(len(z)))
        with np.errstate(all="ignore"):
            predicted = in_calls(self._whole, self._whole.predict, np.empty((len(rows), 0)), z[rows])
        result: Array = predicted[: len(z)]
        return result

    def experiments(self, z: Array, first: int, n: int) -> Array:
        """Make n data sets at one place, shape (1, n_coordinates), from this number on: (n, n_data)."""
        data: Array = self._drawn(self.expected(z), z, first, n)[0]
        return data

    def _drawn(self, expected: Array, z: Array, first: int, n: int) -> Array:
        """Draw n data sets at every place, from this number on: shape (n_places, n, n_data)."""
        seed, size = self._making.seed, len(self._whole.data)
        data: Array = self._draw(expected, normals(seed, first, n, expected.shape[1]))
        if not size:
            return data
        # What a scalar model draws follows what stands for the constraints.
        own = np.empty((len(z), n, size))
        for row, place in enumerate(z):
            for toy, rng in enumerate(streams(seed, first, n)):
                own[row, toy] = self._whole.simulate(rng, np.empty((1, 0)), place[None])
        return np.concatenate([data, own], axis=2)

    def __call__(self, blocks: Blocks) -> Statistics:
        """Make and fit some blocks; each comes out the same whatever others are done with it."""
        # Every start has derivatives of its own, or a call the data of every row: so many blocks fit into memory.
        n_values = max(3 * len(self._whole.data), len(self._whole.observables))
        of_block = BLOCK * max(N_RANDOM, 1 + len(self._making.minima)) * len(self.frame.coordinates) * n_values
        size = max(MOST_NUMBERS // max(of_block, 1), 1)
        rows = np.arange(len(blocks))
        return Statistics.joined([self._made(blocks.take(rows[k : k + size])) for k in range(0, len(rows), size)])

    def _made(self, blocks: Blocks) -> Statistics:
        # Held where the toys are made, and released: by the response of both fits, the others one after the other.
        data, z, held = self._toys(blocks), np.repeat(blocks.z, BLOCK, axis=0), np.repeat(blocks.is_held, BLOCK)
        null, end = self._responses(blocks, data, z)
        rows = np.flatnonzero(~null.is_good)
        self._null.begin(null, Starts(rows, null.x[rows]), data, z)
        is_lower = self._improve(self._null, null, blocks, data, z)
        # A released fit begins where the other one has ended, so that it comes out no higher.
        rows, place = np.flatnonzero(~end.is_good | (held & (end.chi2 > null.chi2))), z.copy()
        place[:, self._null.moving] = null.x
        self._free.begin(end, Starts(rows, place[rows][:, self._free.moving]), data, z)
        # From all minima of the data, where these are not seen to lead there.
        elsewhere, minima = self._elsewhere(data, end), self._making.minima[:, self._free.moving]
        self._free.improve(end, Starts.of_each(elsewhere, np.repeat(minima[None], len(elsewhere), axis=0)), data, z)
        is_lower |= self._improve(self._free, end, blocks, data, z)
        return self._summed(blocks, null, end, is_lower)

    def _improve(self, descents: Descents, end: Ends, blocks: Blocks, data: Array, z: Array) -> BoolArray:
        """Look for lower ends all over the range, and from random places; tell for which toys these were lower."""
        is_fitted = blocks.is_held if descents is self._null else np.ones(len(blocks), bool)
        is_seen = descents.look_around(end, np.flatnonzero(is_fitted), blocks.z, data, z)
        # Random starts of the first toys tell whether the others miss minima.
        toy = np.tile(np.arange(BLOCK), len(blocks))
        rows = np.flatnonzero(toy < np.repeat(np.where(is_fitted, blocks.n_random, 0), BLOCK))
        is_lower: BoolArray = np.zeros(len(data), bool)
        if len(rows):
            # A toy has the same starts at all places.
            rows = rows[np.argsort(toy[rows], kind="stable")]
            random = self._random(blocks, rows)[:, :, descents.columns]
            is_lower = descents.improve(end, Starts.of_each(rows, random), data, z)
        # Where some toys have more than one minimum, each may end where another one has.
        for _ in range(SHARINGS):
            several = np.flatnonzero((is_seen | is_lower).reshape(len(blocks), BLOCK).any(axis=1))
            is_seen = descents.share(end, several, blocks.z, data, z)
        return is_lower

    def _toys(self, blocks: Blocks) -> Array:
        """Make the data, shape (n_blocks × BLOCK, n_data)."""
        # One draw serves all places: a toy has the same numbers everywhere.
        expected, size = self.expected(blocks.z), len(self.observed)
        data = np.empty((len(blocks), BLOCK, size))
        for number in np.unique(blocks.number).tolist():
            rows = np.flatnonzero(blocks.number == number)
            data[rows] = self._drawn(expected[rows], blocks.z[rows], number * BLOCK, BLOCK)
        return data.reshape(-1, size)

    def _responses(self, blocks: Blocks, data: Array, z: Array) -> tuple[Ends, Ends]:
        """Fit both by their response; nothing is good yet where there is none."""
        null, end = (Ends.unknown(z[:, descents.moving]) for descents in (self._null, self._free))
        is_held = np.repeat(blocks.is_held, BLOCK)
        null.is_good[:], null.chi2[:] = ~is_held, np.where(is_held, np.inf, 0.0)
        if self._response is None:
            return null, end
        held = np.flatnonzero(blocks.is_held)
        # The held fits of all blocks, then the released ones.
        block = np.concatenate([held, np.arange(len(blocks))])
        rows = (block[:, None] * BLOCK + np.arange(BLOCK)).ravel()
        stays = np.zeros((z.shape[1], len(rows)), bool)
        stays[list(self.frame.scanned), : len(held) * BLOCK] = True
        found = self._response.fit(self._around(self._response, blocks.z[block]), _columns(data[rows]), stays)
        hessian = np.moveaxis(self._response.of_parameters(found.hessian), -1, 0)
        for descents, of, some in zip(
            (self._null, self._free), (null, end), np.split(np.arange(len(rows)), [len(held) * BLOCK]), strict=True
        ):
            columns = np.array(descents.columns, np.int64)
            moving = np.ix_(some, columns, columns)
            part = found.take(some)
            of.put(rows[some], Ends(part.z[descents.moving].T, part.chi2, part.is_good, hessian[moving]))
        return null, end

    def _around(self, response: Response, z: Array) -> Expansion:
        """Expand the predictions around places, shape (n, n_coordinates)."""
        keys, known = [place.tobytes() for place in z], self._shared.expansions
        new = [row for row, key in enumerate(keys) if key not in known and key not in keys[:row]]
        if new:
            if len(known) + len(new) > MOST_KEPT:
                known.clear()
                new = [row for row, key in enumerate(keys) if key not in keys[:row]]
            found = response.around(z[new])
            known.update({keys[row]: found.take(np.array([k])) for k, row in enumerate(new)})
        return Expansion.joined([known[key] for key in keys])

    def _elsewhere(self, data: Array, end: Ends) -> IntArray:
        """Return the toys that some minimum of the data may lead elsewhere than to where they have ended."""
        response = self._response
        if response is None:
            return np.arange(len(data))
        leads, hessian = end.is_good.copy(), np.moveaxis(end.hessian, 0, -1)
        for minimum in self._making.minima:
            around = self._around(response, np.repeat(minimum[None], len(data) // BLOCK, axis=0))
            z, chi2, is_near = response.led(around, _columns(data))
            apart = (z[self._free.moving] - end.x.T) / self._free.objective.box.width
            leads &= is_near & beside(apart, hessian, chi2 - end.chi2)
        return np.flatnonzero(~leads)

    def _random(self, blocks: Blocks, rows: IntArray) -> Array:
        """Draw starts from the ranges of all parameters."""
        size = len(self.frame.parameters)
        drawn = np.empty((len(blocks), BLOCK, N_RANDOM, size))
        for number in np.unique(blocks.number).tolist():
            drawn[blocks.number == number] = uniforms(self._making.seed, number * BLOCK, BLOCK, (N_RANDOM, size))
        box = self._free.objective.box
        start = box.start + (box.stop - box.start) * drawn.reshape(-1, N_RANDOM, size)[rows].transpose(0, 2, 1)
        return np.asarray(start.transpose(0, 2, 1))

    def _summed(self, blocks: Blocks, null: Ends, end: Ends, is_lower: BoolArray) -> Statistics:
        held, shape = np.repeat(blocks.is_held, BLOCK), (len(blocks), BLOCK)
        of_null = np.where(null.is_good & end.is_good, null.chi2, np.nan)
        # t ≥ 0: a released fit that comes out higher is a failure of the fit, and counted.
        tie = tie_tolerance(np.where(np.isfinite(of_null), of_null, 0.0), self._free.objective.precision)
        is_negative = held & (end.chi2 > of_null + tie)
        t = np.where(held, np.maximum(of_null - end.chi2, 0.0), end.chi2 + 0 * of_null)
        counts = (flags.reshape(shape).sum(axis=1) for flags in (is_negative, is_lower, self._is_at_end(end.x)))
        return Statistics(t.reshape(shape), *counts)

    def _is_at_end(self, x: Array) -> BoolArray:
        """Mark which fits rest on an end of the range that is no bound."""
        z = np.zeros((len(x), len(self.frame.coordinates)))
        z[:, self.frame.parameters] = x
        side = self.frame.side(z)
        kinds = [(c.lower_end, c.upper_end) for c in self.frame.coordinates]
        is_end: BoolArray = np.zeros(len(x), bool)
        for k in self.frame.scanned:
            is_end |= ((side[:, k] < 0) & (kinds[k][0] == "grid")) | ((side[:, k] > 0) & (kinds[k][1] == "grid"))
        return is_end


def _columns(data: Array) -> Array:
    return np.ascontiguousarray(data.T)
