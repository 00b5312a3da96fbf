"""Whether the model of a resumed scan is the one that computed its points, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hpcscan.errors import UsageError
from hpcscan.fitting.records import PointResults
from hpcscan.output.resume import OTHERWISE, Past
from hpcscan.scanning.recheck import Again, predict_again, spread
from hpcscan.scanning.work import Common
from hpcscan.words.numbers import count, place

#: Blocks of which a point is predicted again.
MOST_BLOCKS = 5


def check_same_model(output: Path, common: Common, past: Past, libraries: str) -> list[str]:
    """Predict a few finished points again; return the remarks.

    Parameters
    ----------
    past : Past
        What is kept.
    libraries : str
        What computes now.

    Raises
    ------
    UsageError
        Where the model predicts something else than before.
    """
    is_elsewhere = past.libraries != libraries
    moved = [f"computed with {past.libraries} before, with {libraries} now"] if is_elsewhere else []

    def read(block: int) -> PointResults:
        return past.records[block].read()

    chosen = spread(len(past.records), MOST_BLOCKS, read) if past.records else None
    return [] if chosen is None else check_points(output, common, chosen, moved)


def check_points(output: Path, common: Common, chosen: PointResults, moved: Sequence[str] = ()) -> list[str]:
    """Predict these finished points again; return the remarks.

    Raises
    ------
    UsageError
        Where the model predicts something else than before.
    """
    again = predict_again(common, chosen)
    if isinstance(again, str):
        return [f"whether the model is the same cannot be told from its predictions: {again}", *moved]
    if not again.is_same_model:
        what = "\n".join(f"  {line}" for line in (*_differences(again, common), *moved))
        raise UsageError(
            f"output {output}: its points are of another model, which predicted something else, and cannot be "
            f"continued; bring back what was changed, {OTHERWISE}\n{what}"
        )
    return [*_agreement(again), *moved]


def _agreement(again: Again) -> Iterator[str]:
    worst = again.difference[again.worst]
    if worst > 0:
        points = count(len(again.point_index), "finished point")
        yield f"{points} predicted again: the same to {worst:.1g} σ, as rounding may be elsewhere or in another batch"


def _differences(again: Again, common: Common) -> Iterator[str]:
    """Format the largest difference, with the values before and now."""
    row, k = again.worst
    name = [*(o.name for o in common.model.observables), "-2 ln L"][k]
    before, now = again.before[row, k], again.now[row, k]
    where = place(common.grid, int(again.point_index[row]))
    yield f"at {where}: {name} {before:.15g} before, {now:.15g} now, {again.difference[row, k]:.2g} σ apart"
