"""The fits of toys: at the place where they are made, and with the scanned parameters released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from hpcscan.answer.coordinates import Arranged, Frame
from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.descent import minimise
from hpcscan.fitting.records import Status
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.rows import in_calls, never_alone
from hpcscan.likelihood.scalar import AnyObjective, objective_of
from hpcscan.model.problem import Problem
from hpcscan.tolerance import tie_tolerance
from hpcscan.toys.basins import Basins, Forward, beside
from hpcscan.toys.draws import Draw, normals, streams, uniforms
from hpcscan.toys.response import Response

#: Toys are made in blocks of so many.
BLOCK = 100
#: Numbers that derivatives may take at a time, or simulated data in one call where these are had by differences.
MOST_NUMBERS = 4_000_000
#: Parameters so many widths from zero have differences of their own, which ask for more rows: others err by less than
#: the square of what a toy's χ² is known to.
FAR = 1000.0
#: Random starts of a toy where these are used, and by how much one has to be lower.
N_RANDOM, LOWER = 8, 1e-3


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
    """

    def __init__(self, free: Problem, making: Making) -> None:
        frame = making.frame
        self._making, self.frame, self.observed = making, frame, making.observed
        self._held = frame.scanned
        self._moving = tuple(k for k in frame.parameters if k not in frame.scanned)
        # Three arrangements: scanned parameters held, everything held, everything moving.
        self._null = self._objective(Arranged(free, frame, self._held, self._moving, FAR))
        self._whole = Arranged(free, frame, (), tuple(range(len(frame.names))), FAR)
        released = Arranged(free, frame, (), frame.parameters, FAR)
        self._free = self._objective(released)
        # Where numbers are precise, forward differences tell where a start leads.
        is_precise = not (free.is_scalar or making.precision)
        self._guided = Forward(released) if is_precise else self._free
        self._minima = making.minima[:, frame.parameters]
        self._response = self._responding(free) if is_precise else None
        self._draw = Draw(free, making.observed, constraints_fluctuate=making.constraints_fluctuate)

    def _objective(self, problem: Problem) -> AnyObjective:
        return objective_of(problem, self._making.precision, floor=self._making.precision_floor)

    def _responding(self, free: Problem) -> Response | None:
        """Return what fits toys by their response, where derivatives are few."""
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
        of_block = BLOCK * max(N_RANDOM, 1 + len(self._minima)) * len(self.frame.coordinates) * n_values
        size = max(MOST_NUMBERS // max(of_block, 1), 1)
        rows = np.arange(len(blocks))
        return Statistics.joined([self._made(blocks.take(rows[k : k + size])) for k in range(0, len(rows), size)])

    def _made(self, blocks: Blocks) -> Statistics:
        # Held where the toys are made, and released: by the response of both fits, the others one after the other.
        data, z, held = self._toys(blocks), np.repeat(blocks.z, BLOCK, axis=0), np.repeat(blocks.is_held, BLOCK)
        x, null, is_good, end = self._responses(blocks, data, z)
        rows = np.flatnonzero(~is_good)
        x[rows], null[rows], is_good[rows] = self._at_places(data[rows], z[rows])
        # A released fit begins where the other one has ended, so that it comes out no higher.
        rows = np.flatnonzero(~end.is_good | (held & (end.chi2 > null)))
        if len(rows):
            end.put(rows, self._released(data[rows], x[rows, None]))
        # From all minima of the data, where these are not seen to lead there.
        n_lower, elsewhere = np.zeros(len(blocks), np.int64), self._elsewhere(data, end)
        self._improve(end, elsewhere, data, np.repeat(self._minima[None], len(elsewhere), axis=0))

        # Random starts of the first toys tell whether the others miss minima.
        toy = np.tile(np.arange(BLOCK), len(blocks))
        rows = np.flatnonzero(toy < np.repeat(blocks.n_random, BLOCK))
        if len(rows):
            # A toy has the same starts at all places.
            rows = rows[np.argsort(toy[rows], kind="stable")]
            is_lower = self._improve(end, rows, data, self._random(blocks, rows))
            np.add.at(n_lower, rows[is_lower] // BLOCK, 1)
        null = np.where(is_good & end.is_good, null, np.nan)
        return self._summed(blocks, null, end, n_lower)

    def _toys(self, blocks: Blocks) -> Array:
        """Make the data, shape (n_blocks × BLOCK, n_data)."""
        # One draw serves all places: a toy has the same numbers everywhere.
        expected, size = self.expected(blocks.z), len(self.observed)
        data = np.empty((len(blocks), BLOCK, size))
        for number in np.unique(blocks.number).tolist():
            rows = np.flatnonzero(blocks.number == number)
            data[rows] = self._drawn(expected[rows], blocks.z[rows], number * BLOCK, BLOCK)
        return data.reshape(-1, size)

    def _responses(self, blocks: Blocks, data: Array, z: Array) -> tuple[Array, Array, BoolArray, _Ends]:
        """Fit both by their response; nothing is good yet where there is none."""
        parameters, is_good = list(self.frame.parameters), ~np.repeat(blocks.is_held, BLOCK)
        x, null, end = z[:, parameters], np.zeros(len(z)), _Ends.unknown(z[:, parameters])
        if self._response is None:
            return x, null, is_good, end
        places, which = np.unique(blocks.z, axis=0, return_inverse=True)
        around, held = self._response.around(places), np.flatnonzero(blocks.is_held)
        # The held fits of all blocks, then the released ones.
        block = np.concatenate([held, np.arange(len(blocks))])
        rows = (block[:, None] * BLOCK + np.arange(BLOCK)).ravel()
        stays = np.zeros((z.shape[1], len(rows)), bool)
        stays[list(self._held), : len(held) * BLOCK] = True
        found = self._response.fit(around.take(which.ravel()[block]), _columns(data[rows]), stays)
        first, second = np.split(np.arange(len(rows)), [len(held) * BLOCK])
        x[rows[first]], null[rows[first]] = found.z[parameters][:, first].T, found.chi2[first]
        is_good[rows[first]] = found.is_good[first]
        last = found.take(second)
        hessian = np.moveaxis(self._response.of_parameters(last.hessian), -1, 0)
        end.put(rows[second], _Ends(last.z[parameters].T, last.chi2, last.is_good, hessian))
        return x, null, is_good, end

    def _elsewhere(self, data: Array, end: _Ends) -> IntArray:
        """Return the toys that some minimum of the data may lead elsewhere than to where they have ended."""
        response = self._response
        if response is None:
            return np.arange(len(data))
        leads, hessian = end.is_good.copy(), np.moveaxis(end.hessian, 0, -1)
        for minimum in self._making.minima:
            around = response.around(minimum[None]).take(np.zeros(len(data) // BLOCK, np.int64))
            z, chi2, is_near = response.led(around, _columns(data))
            apart = (z[list(self.frame.parameters)] - end.x.T) / self._free.box.width
            leads &= is_near & beside(apart, hessian, chi2 - end.chi2)
        return np.flatnonzero(~leads)

    def _at_places(self, data: Array, z: Array) -> tuple[Array, Array, BoolArray]:
        """Fit what is profiled at the places where toys are made."""
        parameters = list(self.frame.parameters)
        x, rows = z[:, parameters], np.arange(len(z))
        if not len(rows):
            return x, np.zeros(0), np.zeros(0, bool)
        given = Given(np.ascontiguousarray(z[:, self._held].T), _columns(data))
        ends = minimise(
            self._null, given, self._inside(z[:, self._moving], self._null), self._making.max_iter, with_ranks=False
        )
        x[rows[:, None], [parameters.index(k) for k in self._moving]] = ends.x.T
        return x, ends.chi2, np.isfinite(ends.chi2) & (ends.status == Status.CONVERGED)

    def _inside(self, x: Array, objective: AnyObjective) -> Array:
        return np.ascontiguousarray(np.clip(x.T, objective.box.lower, objective.box.upper))

    def _released(self, data: Array, starts: Array, known: _Ends | None = None) -> _Ends:
        """Fit with the scanned parameters released, from starts of shape (n, n_starts, n_parameters).

        Starts that are seen to lead to known ends are left.
        """
        # The same start of all toys comes in succession: equal ones are asked for once.
        n, n_starts, size = starts.shape
        given = Given(np.empty((0, n * n_starts)), _columns(np.tile(data, (n_starts, 1))))
        objective, guide = self._free, None
        x = self._inside(starts.transpose(1, 0, 2).reshape(n * n_starts, size), objective)
        if known is not None:
            objective, owner = self._guided, np.tile(np.arange(n), n_starts)
            guide = Basins(objective, owner, known.chi2, known.x.T, LOWER, np.moveaxis(known.hessian, 0, -1))
        ends = minimise(objective, given, x, self._making.max_iter, guide, with_ranks=False)
        chi2 = np.where(np.isfinite(ends.chi2), ends.chi2, np.inf).reshape(n_starts, n)
        row = chi2.argmin(axis=0) * n + np.arange(n)
        end = _Ends.unknown(ends.x.take(row, axis=-1).T)
        return replace(end, chi2=chi2.min(axis=0), is_good=ends.status[row] == Status.CONVERGED)

    def _improve(self, end: _Ends, rows: IntArray, data: Array, starts: Array) -> BoolArray:
        """Try more starts, shape (n, n_starts, n_parameters), of some toys; tell which end lower by what counts.

        One that is seen to lead where the fit has ended is left there.
        """
        is_lower: BoolArray = np.zeros(len(rows), bool)
        for guided in (True, False):
            some = np.flatnonzero(end.is_good[rows] == guided)
            if len(some):
                # Where a fit has arrived, a start only has to tell whether it leads elsewhere.
                known = end.take(rows[some])
                more = self._released(data[rows[some]], starts[some], known if guided else None)
                is_lower[some] = more.chi2 < np.where(known.is_good, known.chi2 - LOWER, np.inf)
                better = np.flatnonzero(more.chi2 < known.chi2)
                end.put(rows[some[better]], more.take(better))
        return is_lower

    def _random(self, blocks: Blocks, rows: IntArray) -> Array:
        """Draw starts from the ranges of all parameters."""
        size = len(self.frame.parameters)
        drawn = np.empty((len(blocks), BLOCK, N_RANDOM, size))
        for number in np.unique(blocks.number).tolist():
            drawn[blocks.number == number] = uniforms(self._making.seed, number * BLOCK, BLOCK, (N_RANDOM, size))
        box = self._free.box
        start = box.start + (box.stop - box.start) * drawn.reshape(-1, N_RANDOM, size)[rows].transpose(0, 2, 1)
        return np.asarray(start.transpose(0, 2, 1))

    def _summed(self, blocks: Blocks, null: Array, end: _Ends, n_lower: IntArray) -> Statistics:
        held = np.repeat(blocks.is_held, BLOCK)
        # t ≥ 0: a released fit that comes out higher is a failure of the fit, and counted.
        tie = tie_tolerance(np.where(np.isfinite(null), null, 0.0), self._free.precision)
        is_negative = held & (end.chi2 > null + tie)
        t = np.where(held, np.maximum(null - end.chi2, 0.0), end.chi2 + 0 * null)
        shape = (len(blocks), BLOCK)
        n_at_end = self._is_at_end(end.x).reshape(shape).sum(axis=1)
        return Statistics(t.reshape(shape), is_negative.reshape(shape).sum(axis=1), n_lower, n_at_end)

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


@dataclass(frozen=True)
class _Ends:
    """Where n released fits ended: arrays of shape (n, p), (n,), (n,) and (n, p, p), the Hessian of `Basins`."""

    x: Array
    chi2: Array
    is_good: BoolArray
    hessian: Array

    @classmethod
    def unknown(cls, x: Array) -> _Ends:
        """Account for fits that nobody has made yet."""
        n, p = x.shape
        return cls(x.copy(), np.full(n, np.inf), np.zeros(n, bool), np.full((n, p, p), np.nan))

    def take(self, rows: IntArray) -> _Ends:
        return _Ends(*(values[rows] for values in vars(self).values()))

    def put(self, rows: IntArray, part: _Ends) -> None:
        for name, values in vars(self).items():
            values[rows] = getattr(part, name)
