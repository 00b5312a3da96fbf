"""How long a scan takes on many ranks, and how many are worth while: a formula for what a simulation finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

#: What rank 0 needs for a chunk's message and for a point in it; measured by tests/benchmarks/simulation.py.
SECONDS_PER_CHUNK, SECONDS_PER_POINT = 250e-6, 2e-6
#: Spread of the time of a chunk, log-normal.
SPREAD = 0.2
#: Ranks are worth while as long as so much of their time is work.
LEAST_EFFICIENCY = 0.5


@dataclass(frozen=True)
class BatchCost:
    """Seconds of a batch whatever its size, and seconds for every point in it."""

    batch: float
    point: float

    def of(self, n_points: int) -> float:
        """Seconds of a batch."""
        return self.batch + n_points * self.point


@dataclass(frozen=True)
class Prediction:
    """How long all chunks take, and what of it is due to what.

    Attributes
    ----------
    balance : float
        Seconds until all ranks have done their part, the last chunks included.
    service : float
        Seconds until rank 0 has taken in all results, where it is never idle.
    straggler : float
        Seconds until the slowest of the first chunks is done.
    """

    balance: float
    service: float
    straggler: float

    @property
    def seconds(self) -> float:
        """The longest of them."""
        return max(self.balance, self.service, self.straggler)

    @property
    def limit(self) -> str:
        """Why the ranks wait, where they do."""
        return "rank 0 is busy with their results" if self.service == self.seconds else "each has too few points"


def predict(sizes: Sequence[int], n_computing: int, rank_0_computes: bool, cost: BatchCost) -> Prediction:
    """Predict the time that ranks need for chunks of these sizes, largest first, start-up excluded.

    The last chunk ends half its time after the mean, and with many ranks one of them is slow: the largest of n times
    that are log-normal with spread σ is exp(σ √(2 ln n)) times their mean, roughly. A test holds this to the
    discrete-event model of the coordinator, in which every chunk is handed out, computed and served.

    Parameters
    ----------
    sizes : sequence of int
        Points of every chunk, each of which is one batch.
    n_computing : int
        Ranks that compute.
    rank_0_computes : bool
        Whether rank 0 is one of them.
    cost : BatchCost
    """
    n = min(n_computing, len(sizes))
    work = sum(map(cost.of, sizes))
    service = len(sizes) * SECONDS_PER_CHUNK + sum(sizes) * SECONDS_PER_POINT
    slowest = exp(SPREAD * sqrt(2 * log(n)))
    end = 0.5 * slowest * cost.of(max(sizes[-n:]))
    if rank_0_computes:
        return Prediction((work + service) / n + end * (n - 1) / n, service, 0.0)
    handing_out = 0.5 * n * SECONDS_PER_CHUNK
    first = cost.of(sizes[0])
    return Prediction(work / n + end + handing_out, service + 0.5 * first, handing_out + slowest * first)


def most_worth_while(efficiency: Callable[[int], float], most: int) -> int:
    """Give the largest number of ranks that are still efficient, to about two digits.

    Parameters
    ----------
    efficiency : callable
        Of a number of ranks.
    most : int
        More are not asked for.
    """
    low = 1
    while low < most and efficiency(min(2 * low, most)) >= LEAST_EFFICIENCY:
        low = min(2 * low, most)
    high = min(2 * low, most)
    while high - low > max(1, low // 20):
        middle = (low + high) // 2
        low, high = (middle, high) if efficiency(middle) >= LEAST_EFFICIENCY else (low, middle)
    return low
