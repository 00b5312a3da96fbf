"""How a grid is cut: points into blocks that are fitted together, blocks into chunks that travel to a rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hpcscan.model.interface import Model

#: Rows (points × starts) fitted together: enough to make numpy's cost per call small, few enough to stay in cache.
ROWS_PER_BLOCK = 2048
#: A grid has at least so many blocks where it has so many points, so that there is work for many ranks.
LEAST_BLOCKS = 256
#: A batch of fewer points than this costs as much as one of this many (measured with the lepton model).
LEAST_POINTS = 16


@dataclass(frozen=True)
class Block:
    """Consecutive grid points whose fits run in one batch: first ≤ point index < stop."""

    first: int
    stop: int

    @property
    def n_points(self) -> int:
        """Number of points."""
        return self.stop - self.first


@dataclass(frozen=True)
class Chunk:
    """Blocks that one rank computes as one task."""

    blocks: tuple[Block, ...]

    @property
    def n_points(self) -> int:
        """Number of points in all blocks."""
        return sum(block.n_points for block in self.blocks)


def cut(n_points: int, n_starts: int, model: Model, ranks: int, chunk: int | None) -> tuple[Chunk, ...]:
    """Cut a grid into chunks, in the order in which they are handed out.

    The bits of a point's result may depend on the rows in its batch. So the blocks of a model follow from grid and
    starts alone, and a chunk is one block or more. A model that is `batch_invariant` may be cut anywhere: large chunks
    first, smaller ones towards the end, so that all ranks finish together.

    Parameters
    ----------
    n_points, n_starts : int
    model : Model
    ranks : int
        Number of ranks that compute.
    chunk : int or None
        Points per chunk, if the user chose it.
    """
    size = block_size(n_points, n_starts, model)
    if model.batch_invariant:
        most = min(chunk, size) if chunk else size
        sizes = [most] * -(-n_points // most) if chunk else _shrinking(n_points, most, ranks)
        return tuple(Chunk((block,)) for block in _consecutive(sizes, n_points))
    blocks = _consecutive([size] * -(-n_points // size), n_points)
    return _grouped(blocks, max(1, (chunk or size) // size))


def block_size(n_points: int, n_starts: int, model: Model) -> int:
    """Give the points of a block: what fits into a batch, but enough blocks for many ranks.

    For a model that is `batch_invariant` it is the most, and a block may have fewer.
    """
    most = max(1, ROWS_PER_BLOCK // n_starts)
    return most if model.batch_invariant else max(1, min(n_points // LEAST_BLOCKS, most))


def _shrinking(n_points: int, most: int, ranks: int) -> list[int]:
    """Give sizes that follow the work still to do: half of it over all ranks, again and again (factoring)."""
    least = min(LEAST_POINTS, most, -(-n_points // ranks))
    sizes, left = [], n_points
    while left > 0:
        size = min(max(-(-left // (2 * ranks)), least), most, left)
        sizes.append(size)
        left -= size
    return sizes


def _consecutive(sizes: Sequence[int], n_points: int) -> list[Block]:
    blocks, first = [], 0
    for size in sizes:
        blocks.append(Block(first, min(first + size, n_points)))
        first += size
    return blocks


def _grouped(blocks: Sequence[Block], n: int) -> tuple[Chunk, ...]:
    return tuple(Chunk(tuple(blocks[i : i + n])) for i in range(0, len(blocks), n))
