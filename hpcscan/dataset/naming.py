"""Whether the names that a model declares fit into one file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hpcscan.dataset.variable import POINT, Variable
from hpcscan.errors import UsageError
from hpcscan.model.interface import Dimension

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_REMEDY = "rename it in the model: a name is made of letters, digits and underscores, and is used once in a result"


def refuse_bad_names(rows: Sequence[Variable], labelled: Sequence[Dimension]) -> None:
    """Raise a `UsageError` with every clash of names and every name that CF does not allow."""
    variables = [row.name for row in rows]
    others = [POINT, "start", *(dimension.name for dimension in labelled)]
    dimensions = [row.name for row in rows if row.is_coordinate] + others
    clashes = [
        *(f"variable {name!r} is declared twice" for name in _repeated(variables)),
        *(f"dimension {name!r} is declared twice" for name in _repeated(dimensions)),
        *(f"{name!r} is both a dimension and a variable" for name in {*others} & {*variables}),
        *(f"{name!r} is not a name" for name in {*variables, *dimensions} if not _NAME.fullmatch(name)),
    ]
    if clashes:
        raise UsageError(*(f"{clash}; {_REMEDY}" for clash in sorted(clashes)))


def _repeated(names: Sequence[str]) -> set[str]:
    return {name for name in names if names.count(name) > 1}
