"""How a grid is cut: points into blocks that are fitted together, blocks into chunks that travel to a rank."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from hpcscan.arrays import BoolArray, IntArray
from hpcscan.fitting.block import fit_block
from hpcscan.fitting.records import PointResults, Status
from hpcscan.guard.guard import Finished, Fit, Guard
from hpcscan.model.problem import Problem
from hpcscan.scanning.work import GRID_POINT, Common, ScanTask

#: Rows (points × starts) fitted together: enough to make numpy's cost per call small, few enough to stay in cache.
ROWS_PER_BLOCK = 2048
#: Or fewer, so that their derivatives are at most so many numbers.
NUMBERS_PER_BLOCK = 1 << 18
#: The last chunks: this part of the largest, but no more than this part of what a rank has to do.
LEAST_OF_LARGEST, LEAST_OF_SHARE = 2, 6


@dataclass(frozen=True, eq=False)
class Block:
    """Grid points whose fits run in one batch."""

    point_index: IntArray

    @property
    def n_points(self) -> int:
        """Number of points."""
        return len(self.point_index)


@dataclass(frozen=True)
class Chunk(ScanTask[PointResults]):
    """Blocks that one rank fits as one task."""

    kind = GRID_POINT
    blocks: tuple[Block, ...]

    @property
    def n_points(self) -> int:
        """Number of points in all blocks."""
        return sum(block.n_points for block in self.blocks)

    @property
    def points(self) -> IntArray:
        """Its points."""
        return np.concatenate([block.point_index for block in self.blocks])

    def only(self, is_kept: BoolArray) -> Chunk:
        """Return the same blocks with some of their points."""
        kept = self.points[is_kept]
        blocks = [Block(block.point_index[np.isin(block.point_index, kept)]) for block in self.blocks]
        return Chunk(tuple(block for block in blocks if block.n_points))

    def compute(self, common: Common, guard: Guard) -> Finished[PointResults]:
        """Fit every block."""
        return Finished.joined([_fit(block, common, guard) for block in self.blocks])

    def give_up(self, common: Common, rows: IntArray, status: Status) -> PointResults:
        """Record points of which nothing is known but how their fit ended."""
        return _without_fit(common, self.points[rows], status)


def _fit(block: Block, common: Common, guard: Guard) -> Finished[PointResults]:
    def fit(rows: IntArray) -> PointResults:
        begin, point_index = perf_counter(), block.point_index[rows]
        result = fit_block(common.model, common.points(point_index), point_index, common.settings)
        result.fit_seconds[:] = (perf_counter() - begin) / len(rows)
        return result

    def give_up(rows: IntArray, status: Status) -> PointResults:
        return _without_fit(common, block.point_index[rows], status)

    return guard.run(block.point_index, Fit(fit, give_up))


def _without_fit(common: Common, point_index: IntArray, status: Status) -> PointResults:
    result = PointResults.not_run(common.model, point_index, common.settings.n_starts)
    result.status[:] = status
    return result


@dataclass(frozen=True, eq=False)
class ScanState:
    """Where a scan stands before it is continued; bool arrays of shape (n_points,).

    Attributes
    ----------
    is_known : bool array
        Points with a result that is to be kept.
    is_tried : bool array
        Points that failed before, and are tried again when all others are done.
    """

    is_known: BoolArray
    is_tried: BoolArray

    @classmethod
    def fresh(cls, n_points: int) -> ScanState:
        """Return a scan of which nothing is known."""
        return cls(*(np.zeros(n_points, bool) for _ in range(2)))


def cut(
    n_points: int, most: int, ranks: int, chunk: int | None, *, standing: ScanState | None = None
) -> tuple[Chunk, ...]:
    """Cut a grid, or what is left of it, into chunks, in the order in which they are handed out.

    A row of a model has the same bits whatever is asked with it, so a grid may be cut anywhere: large chunks first,
    smaller ones towards the end, so that all ranks finish together.

    Parameters
    ----------
    most : int
        Points of a block; see `block_size`.
    ranks : int
        Number of ranks that compute.
    chunk : int or None
        Points per chunk, if the user chose it.
    standing : ScanState, optional
        What is done; nothing where it is not given.
    """
    now = standing or ScanState.fresh(n_points)
    todo = np.flatnonzero(~now.is_known)
    # What failed before comes last, so that it holds nothing else up.
    todo = todo[np.argsort(now.is_tried[todo], kind="stable")]
    return cut_points(todo, most, ranks, chunk)


def cut_points(points: IntArray, most: int, ranks: int, chunk: int | None) -> tuple[Chunk, ...]:
    """Cut some points into chunks, as `cut` does."""
    chunks, first = [], 0
    for size in sizes_of_chunks(len(points), most, ranks, chunk):
        chunks.append(Chunk((Block(points[first : first + size]),)))
        first += size
    return tuple(chunks)


def sizes_of_chunks(n_points: int, most: int, ranks: int, chunk: int | None) -> list[int]:
    """Return the points of every chunk into which `cut` cuts a grid of which nothing is known."""
    return _equal(n_points, min(chunk, most)) if chunk else chunk_sizes(n_points, most, ranks)


def block_size(n_starts: int, model: Problem) -> int:
    """Return the most points that are fitted together: what fits into a batch, and its derivatives into the cache."""
    # Derivatives have a number for every observable, parameter and start.
    numbers = max(1, len(model.observables) * len(model.parameters))
    return max(1, min(ROWS_PER_BLOCK, NUMBERS_PER_BLOCK // numbers) // n_starts)


def alone(problem: Problem) -> int | None:
    """Return one, the fits of a task of a dear model: what is lost is little, and ranks share all there is."""
    return 1 if problem.rows_per_call == 1 and not problem.batch_invariant else None


def chunk_sizes(n_points: int, most: int, ranks: int) -> list[int]:
    """Compute sizes of chunks that may be cut anywhere, in the order in which they are handed out.

    Half of what is left over all ranks, again and again ("factoring" [1]_), so that ranks which are late with their
    large chunks find small ones, and all end together.

    How small they get is a bargain. A batch costs a time of its own, whatever its size (with the lepton model as much
    as 40 of its points with 16 starts, as 200 with adaptive ones), so that many small batches waste what they save at
    the end, and so does rank 0 with their messages; but a model may have dear points and no such cost. Half of the
    largest chunk keeps the batches of a large grid large, and a sixth of what a rank has to do lets the ranks end
    together where they are many. In the model of the coordinator (``tests/benchmarks/simulation.py``) a half, quarter
    or eighth of the largest and a quarter, sixth or eighth of the share were tried for grids of 1,000 to 1,000,000
    points on 2 to 16,384 ranks: a quarter of the share loses up to 9 % of the best with dear points, an eighth up to
    20 % where rank 0 is the limit.

    Parameters
    ----------
    most : int
        Points of the largest chunk.
    ranks : int
        Number of ranks that compute; one has nobody to wait for.

    References
    ----------
    .. [1] S. F. Hummel, E. Schonberg, L. E. Flynn, Commun. ACM 35 (8), 90 (1992).
    """
    least = most if ranks == 1 else max(1, min(most // LEAST_OF_LARGEST, n_points // (LEAST_OF_SHARE * ranks)))
    sizes, left = [], n_points
    while left > 0:
        # −(−a // b) rounds up.
        sizes.append(min(max(-(-left // (2 * ranks)), least), most, left))
        left -= sizes[-1]
    return sizes


def _equal(n_points: int, size: int) -> list[int]:
    return [min(size, n_points - first) for first in range(0, n_points, size)]
