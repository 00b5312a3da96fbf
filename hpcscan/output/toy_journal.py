"""The journal of toys that are made for a finished result: another command with the same settings goes on from it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hpcscan.config.validated import Config
from hpcscan.dataset.provenance import computing_platform
from hpcscan.fitting.records import PointResults
from hpcscan.model.problem import Problem
from hpcscan.output.destination import toy_journal_path
from hpcscan.output.identity import identity
from hpcscan.output.journal import Journal, layout_of
from hpcscan.output.journal_header import Header, new_session
from hpcscan.output.journal_reading import read_journal
from hpcscan.table import RecordKind, RecordTable


class ToyJournal:
    """Keeps records of toys. Made by `toy_journal`."""

    def __init__(self, journal: Journal, tables: list[RecordTable]) -> None:
        self._journal, self._tables = journal, tables

    def keep(self, part: RecordTable) -> None:
        """Keep some records.

        Raises
        ------
        StorageError
        """
        self._tables.append(part)
        self._journal.append(part)

    def tick(self) -> None:
        """Do what is due from time to time."""
        self._journal.tick()

    def table(self, kind: RecordKind) -> RecordTable:
        """Return all records of a kind, in the order of their keys."""
        return RecordTable.joined(
            [RecordTable.empty(kind), *(part for part in self._tables if part.kind == kind)]
        ).ordered()


@contextmanager
def toy_journal(
    output: Path, config: Config, model: Problem, kinds: tuple[RecordKind, ...], scan: str
) -> Iterator[ToyJournal]:
    """Open the journal beside a result, with what it holds for the same settings; it goes once all is well.

    Parameters
    ----------
    output : Path
        The result.
    scan : str
        What tells the result from another one at the same place.

    Raises
    ------
    StorageError
    """
    path = toy_journal_path(output)
    own = {**identity(config), "scan": scan}
    known = _known(path, own, kinds)
    header = Header(
        session=new_session(),
        identity=own,
        grid=config.grid,
        layout=layout_of(PointResults.not_run(model, np.arange(0), 1)),
        config=config.resolved,
        started=datetime.now(UTC).timestamp(),
        kinds={kind.name: kind.layout for kind in kinds},
        libraries=computing_platform(),
    )
    journal = Journal.create(path, header, known)
    try:
        yield ToyJournal(journal, known)
        path.unlink(missing_ok=True)
    finally:
        journal.close()


def _known(path: Path, own: dict[str, str], kinds: tuple[RecordKind, ...]) -> list[RecordTable]:
    """Read what an earlier command has left, if it was asked for the same."""
    if not path.exists():
        return []
    contents, layouts = read_journal(path), {kind.name: kind for kind in kinds}
    header = contents.header
    is_same = header is not None and header.identity == own and header.kinds == {k.name: k.layout for k in kinds}
    return [stored.read(layouts[stored.kind]) for stored in contents.tables] if is_same else []
