"""The fits of toys: at the place where they are made, and with the scanned parameters released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from hpcscan.answer.coordinates import Arranged, Frame
from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.descent import minimise
from hpcscan.fitting.guided import Guide
from hpcscan.fitting.records import Status
from hpcscan.likelihood.objective import Given
from hpcscan.likelihood.rows import in_calls, never_alone
from hpcscan.likelihood.scalar import AnyObjective, objective_of
from hpcscan.model.problem import Problem
from hpcscan.tolerance import tie_tolerance
from hpcscan.toys.draws import Draw, normals, streams, uniforms

#: Toys are made in blocks of so many.
BLOCK = 100
#: Numbers that simulated data may take in one call, where derivatives are had by differences.
MOST_NUMBERS = 4_000_000
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
        self._null = self._objective(Arranged(free, frame, self._held, self._moving))
        self._whole = Arranged(free, frame, (), tuple(range(len(frame.names))))
        self._free = self._objective(Arranged(free, frame, (), frame.parameters))
        self._minima = making.minima[:, frame.parameters]
        self._draw = Draw(free, making.observed, constraints_fluctuate=making.constraints_fluctuate)

    def _objective(self, problem: Problem) -> AnyObjective:
        return objective_of(problem, self._making.precision, floor=self._making.precision_floor)

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
        # A call has the data of every row: of simulated ones, which may be many, so many blocks fit into memory.
        of_block = BLOCK * max(N_RANDOM, 1 + len(self._minima)) * 3 * len(self.frame.parameters) * len(self._whole.data)
        size = max(MOST_NUMBERS // of_block, 1) if of_block else len(blocks)
        rows = np.arange(len(blocks))
        return Statistics.joined([self._made(blocks.take(rows[k : k + size])) for k in range(0, len(rows), size)])

    def _made(self, blocks: Blocks) -> Statistics:
        # Held where the toys are made, then released from there and from all minima of the data.
        data, z = self._toys(blocks), np.repeat(blocks.z, BLOCK, axis=0)
        x, null, is_good = self._at_places(np.repeat(blocks.is_held, BLOCK), data, z)
        end = self._released(data, x[:, None])
        every, n_lower = np.arange(len(x)), np.zeros(len(blocks), np.int64)
        self._improve(end, every, data, np.repeat(self._minima[None], len(x), axis=0))

        # Random starts of the first toys tell whether the others miss minima.
        rows = np.flatnonzero(np.tile(np.arange(BLOCK), len(blocks)) < np.repeat(blocks.n_random, BLOCK))
        if len(rows):
            is_lower = self._improve(end, rows, data, self._random(blocks, rows))
            np.add.at(n_lower, rows[is_lower] // BLOCK, 1)
        is_good &= end.is_good
        return self._summed(blocks, np.where(is_good, null, np.nan), end, n_lower)

    def _toys(self, blocks: Blocks) -> Array:
        """Make the data, shape (n_blocks × BLOCK, n_data)."""
        # One draw serves all places: a toy has the same numbers everywhere.
        expected, size = self.expected(blocks.z), len(self.observed)
        data = np.empty((len(blocks), BLOCK, size))
        for number in np.unique(blocks.number).tolist():
            rows = np.flatnonzero(blocks.number == number)
            data[rows] = self._drawn(expected[rows], blocks.z[rows], number * BLOCK, BLOCK)
        return data.reshape(-1, size)

    def _at_places(self, is_held: BoolArray, data: Array, z: Array) -> tuple[Array, Array, BoolArray]:
        """Fit what is profiled at the places where toys are made; zero where nothing is held."""
        parameters = list(self.frame.parameters)
        x, chi2, is_good = z[:, parameters], np.zeros(len(z)), np.ones(len(z), bool)
        rows = np.flatnonzero(is_held)
        if len(rows):
            given = Given(np.ascontiguousarray(z[rows][:, self._held].T), _columns(data[rows]))
            begin = self._inside(z[rows][:, self._moving], self._null)
            ends = minimise(self._null, given, begin, self._making.max_iter, with_ranks=False)
            x[rows[:, None], [parameters.index(k) for k in self._moving]] = ends.x.T
            chi2[rows], is_good[rows] = ends.chi2, np.isfinite(ends.chi2) & (ends.status == Status.CONVERGED)
        return x, chi2, is_good

    def _inside(self, x: Array, objective: AnyObjective) -> Array:
        return np.ascontiguousarray(np.clip(x.T, objective.box.lower, objective.box.upper))

    def _released(self, data: Array, starts: Array, known: _Ends | None = None) -> _Ends:
        """Fit with the scanned parameters released, from starts of shape (n, n_starts, n_parameters).

        Starts that are seen to lead to known ends are left.
        """
        n, n_starts, size = starts.shape
        given = Given(np.empty((0, n * n_starts)), _columns(np.repeat(data, n_starts, axis=0)))
        x = self._inside(starts.reshape(n * n_starts, size), self._free)
        guide = None
        if known is not None:
            guide = Guide(self._free, np.repeat(np.arange(n), n_starts), known.chi2, known.x.T, LOWER)
        ends = minimise(self._free, given, x, self._making.max_iter, guide, with_ranks=False)
        chi2 = np.where(np.isfinite(ends.chi2), ends.chi2, np.inf).reshape(n, n_starts)
        row = np.arange(n) * n_starts + chi2.argmin(axis=1)
        return _Ends(ends.x.take(row, axis=-1).T, chi2.min(axis=1), ends.status[row] == Status.CONVERGED)

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
    """Where released fits ended: arrays of shape (n, n_parameters), (n,) and (n,)."""

    x: Array
    chi2: Array
    is_good: BoolArray

    def take(self, rows: IntArray) -> _Ends:
        return _Ends(self.x[rows], self.chi2[rows], self.is_good[rows])

    def put(self, rows: IntArray, part: _Ends) -> None:
        self.x[rows], self.chi2[rows], self.is_good[rows] = part.x, part.chi2, part.is_good
