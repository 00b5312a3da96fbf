"""Where fits of toys end: from starts of all kinds, of which only those that may lead lower are followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hpcscan.answer.coordinates import Arranged, Frame
from hpcscan.arrays import Array, BoolArray, IntArray
from hpcscan.fitting.descent import minimise
from hpcscan.fitting.records import Status
from hpcscan.likelihood.objective import Given, Objective
from hpcscan.likelihood.scalar import AnyObjective
from hpcscan.toys.basins import Basins, Forward
from hpcscan.toys.overview import Overview, others
from hpcscan.toys.response import Expansion

#: By how much another end has to be lower to count.
LOWER = 1e-3
#: So many toys of a block, the most promising ones, tell of a place whether it leads lower.
N_FIRST = 4
#: Places of which is kept what toys share there, at most.
MOST_KEPT = 50


@dataclass(frozen=True)
class Ends:
    """Where n fits ended: arrays of shape (n, p), (n,), (n,) and (n, p, p), the Hessian of `Basins`."""

    x: Array
    chi2: Array
    is_good: BoolArray
    hessian: Array

    @classmethod
    def unknown(cls, x: Array) -> Ends:
        """Account for fits that nobody has made yet."""
        n, p = x.shape
        return cls(x.copy(), np.full(n, np.inf), np.zeros(n, bool), np.full((n, p, p), np.nan))

    def take(self, rows: IntArray) -> Ends:
        """Select rows."""
        return Ends(*(values[rows] for values in vars(self).values()))

    def put(self, rows: IntArray, part: Ends) -> None:
        """Replace rows by those of another record, which has the same parts."""
        for name, values in vars(self).items():
            values[rows] = getattr(part, name)


@dataclass(frozen=True)
class Starts:
    """n starts of toys.

    Attributes
    ----------
    toy : int array, shape (n,)
        Whose they are. Equal starts in succession are asked for once.
    x : array, shape (n, p)
    """

    toy: IntArray
    x: Array

    @classmethod
    def of_each(cls, toys: IntArray, x: Array) -> Starts:
        """Give every toy some starts, shape (n_toys, n_starts, p)."""
        n, n_starts, p = x.shape
        return cls(np.tile(toys, n_starts), x.transpose(1, 0, 2).reshape(n * n_starts, p))

    @classmethod
    def joined(cls, parts: Sequence[Starts]) -> Starts:
        """Put starts one after another."""
        return cls(np.concatenate([part.toy for part in parts]), np.concatenate([part.x for part in parts]))

    def where(self, chosen: BoolArray) -> Starts:
        """Select some."""
        return Starts(self.toy[chosen], self.x[chosen])


@dataclass
class Shared:
    """What toys of a place share, by its numbers: it is asked for once by everyone who makes toys.

    Attributes
    ----------
    expansions : dict of bytes to Expansion
    overviews : dict of bytes to Overview or None
        With the scanned parameters held there; and, of no numbers, with these released.
    """

    expansions: dict[bytes, Expansion] = field(default_factory=dict)
    overviews: dict[bytes, Overview | None] = field(default_factory=dict)


class Descents:
    """One of the two fits of toys: with the scanned parameters held where toys are made, or released.

    Parameters
    ----------
    objective : Objective or ScalarObjective
        Of an arranged problem.
    shared : Shared
        What is known already, and what will be.
    """

    def __init__(
        self, objective: AnyObjective, arranged: Arranged, frame: Frame, max_iter: int, shared: Shared
    ) -> None:
        self.objective, self._max_iter, self._held, self._shared = objective, max_iter, list(arranged.held), shared
        # Where numbers are precise, forward differences tell where a start leads.
        is_precise = isinstance(objective, Objective) and not objective.precision.relative
        self._guided = Forward(arranged) if is_precise else objective
        # The parameters that move, among the coordinates and among the parameters.
        self.moving = list(arranged.moving)
        self.columns = [frame.parameters.index(k) for k in self.moving]

    def begin(self, end: Ends, starts: Starts, data: Array, z: Array) -> None:
        """Fit some toys whose ends are not known, from one start each."""
        if len(starts.toy):
            end.put(*self.run(starts, data, z))

    def run(self, starts: Starts, data: Array, z: Array, known: Ends | None = None) -> tuple[IntArray, Ends]:
        """Fit from starts, and give the toys that had any, in order, and the lowest end of each.

        Parameters
        ----------
        data, z : array, shape (n_toys, n_data) and (n_toys, n_coordinates)
            Of all toys, and where each is made.
        known : Ends, optional
            Of all toys: starts that are seen to lead there are left.
        """
        toy, objective, guide = starts.toy, self.objective, None
        given = Given(np.ascontiguousarray(z[toy][:, self._held].T), np.ascontiguousarray(data[toy].T))
        if known is not None:
            objective, hessian = self._guided, np.moveaxis(known.hessian, 0, -1)
            guide = Basins(objective, toy, known.chi2, known.x.T, LOWER, hessian)
        box = objective.box
        x = np.ascontiguousarray(np.clip(starts.x.T, box.lower, box.upper))
        found = minimise(objective, given, x, self._max_iter, guide, with_ranks=False)
        # The lowest of each; of equal ones the first.
        chi2 = np.where(np.isfinite(found.chi2), found.chi2, np.inf)
        order = np.lexsort((chi2, toy))
        some, first = np.unique(toy[order], return_index=True)
        row = order[first]
        end = Ends.unknown(found.x.take(row, axis=-1).T)
        return some, replace(end, chi2=chi2[row], is_good=found.status[row] == Status.CONVERGED)

    def improve(self, end: Ends, starts: Starts, data: Array, z: Array) -> BoolArray:
        """Try more starts; tell which toys end lower by what counts, shape (n_toys,).

        One that is seen to lead where the fit has ended is left there.
        """
        is_lower: BoolArray = np.zeros(len(data), bool)
        if not self.objective.box.has_freedom:
            return is_lower
        # Where nothing is known, there is nothing that leads there.
        for is_guided in (True, False):
            some = starts.where(end.is_good[starts.toy] == is_guided)
            if len(some.toy):
                # Where a fit has arrived, a start only has to tell whether it leads elsewhere.
                toys, more = self.run(some, data, z, end if is_guided else None)
                known = end.take(toys)
                is_lower[toys] = more.chi2 < np.where(known.is_good, known.chi2 - LOWER, np.inf)
                better = np.flatnonzero(more.chi2 < known.chi2)
                end.put(toys[better], more.take(better))
        return is_lower

    def look_around(self, end: Ends, blocks: IntArray, places: Array, data: Array, z: Array) -> BoolArray:
        """Try starts where the χ² of toys looks as if there might be lower minima; tell which toys end lower.

        Parameters
        ----------
        blocks : int array, shape (n,)
            Which blocks of toys are looked at.
        places : array, shape (n_blocks, n_coordinates)
            Of all blocks.
        """
        found, size = [], len(data) // len(places)
        for block in blocks.tolist():
            overview, rows = self._overview(places[block, self._held]), slice(block * size, (block + 1) * size)
            if overview is not None:
                toy, node, above = overview.places(data[rows], end.x[rows], end.chi2[rows])
                found.append((toy + rows.start, node, overview.x[:, node].T, above, np.full(len(toy), block)))
        if not found:
            return np.zeros(len(data), bool)
        toy, node, x, above, block = (np.concatenate(parts) for parts in zip(*found, strict=True))
        # Equal starts in succession; of each and every block the most promising toys first.
        key = node * len(places) + block
        order = np.lexsort((above, key))
        starts = Starts(toy[order], x[order])
        _, first, kind = np.unique(key[order], return_index=True, return_inverse=True)
        is_first = np.arange(len(kind)) - first[kind] < N_FIRST
        is_lower = self.improve(end, starts.where(is_first), data, z)
        # Where none of them gets lower from there, no others do.
        pays = np.bincount(kind, is_lower[starts.toy] & is_first, len(first)) > 0
        return is_lower | self.improve(end, starts.where(pays[kind] & ~is_first), data, z)

    def share(self, end: Ends, blocks: IntArray, places: Array, data: Array, z: Array) -> BoolArray:
        """Try starts where other toys of a block have ended; see `look_around`."""
        size, found = len(data) // len(places), [Starts(np.empty(0, np.int64), end.x[:0])]
        for block in blocks.tolist():
            held, rows = places[block, self._held], slice(block * size, (block + 1) * size)
            overview = self._overview(held)
            if overview is not None and isinstance(self.objective, Objective):
                toy, other = others(overview, self.objective, held, end.x[rows], data[rows])
                found.append(Starts(toy + rows.start, end.x[rows][other]))
        return self.improve(end, Starts.joined(found), data, z)

    def _overview(self, held: Array) -> Overview | None:
        """See the range where these are held; None where it is too large, or χ² is no sum of terms."""
        known, key = self._shared.overviews, held.tobytes()
        if key not in known:
            if len(known) >= MOST_KEPT:
                known.clear()
            known[key] = Overview.of(self.objective, held) if isinstance(self.objective, Objective) else None
        return known[key]
