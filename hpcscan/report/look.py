"""Which figures a report draws, and how: their size, their files, a style of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcscan.errors import UsageError

#: Kinds of figures, in the order of a report.
KINDS = (
    "contours", "profiles", "corner", "data", "pulls", "correlations", "toys", "evidence", "starts", "derived",
    "scales", "parameters",
)  # fmt: skip
SIZES = ("double", "single")
FORMATS = ("png", "pdf", "svg")
#: A style file is text of some lines.
LARGEST_STYLE = 1_000_000


@dataclass(frozen=True)
class Look:
    """What is drawn, and how.

    Attributes
    ----------
    only : tuple of str
        Kinds of figures that are written, without page and tables; empty for a whole report.
    size : {"double", "single"}
        For two columns of a paper, or one.
    formats : tuple of str
    style : Path or None
        A matplotlib style file, which counts more than the style of a report.
    """

    only: tuple[str, ...] = ()
    size: str = "double"
    formats: tuple[str, ...] = ("png", "pdf")
    style: Path | None = None

    @classmethod
    def read(cls, only: str | None, size: str | None, formats: str | None, style: str | None) -> Look:
        """Read what a command line says; lists have commas.

        Raises
        ------
        UsageError
            With every name that is not known, and a style file that cannot be read.
        """
        kinds, files = _names("--only", only, KINDS, ()), _names("--format", formats, FORMATS, ("png", "pdf"))
        (chosen,) = _names("--size", size, SIZES, ("double",))[:1]
        path = Path(style) if style else None
        if path is not None and not path.is_file():
            raise UsageError(f"--style {style}: is not a file; expected a matplotlib style file")
        if path is not None and path.stat().st_size > LARGEST_STYLE:
            raise UsageError(f"--style {style}: is larger than {LARGEST_STYLE:,} bytes; expected a style file")
        return cls(kinds, chosen, files, path)


def _names(option: str, text: str | None, known: Sequence[str], default: tuple[str, ...]) -> tuple[str, ...]:
    if text is None:
        return default
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if unknown := [name for name in names if name not in known]:
        raise UsageError(*(f"{option} {name}: is not known; expected some of {', '.join(known)}" for name in unknown))
    return names
