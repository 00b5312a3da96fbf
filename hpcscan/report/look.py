"""Which figures a report draws, and how: their size, their files, a style of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hpcscan.errors import UsageError
from hpcscan.settings import SETTINGS, ReportSettings

#: Kinds of figures, in the order of a report.
KINDS = (
    "contours", "profiles", "corner", "data", "pulls", "correlations", "toys", "evidence", "starts", "derived",
    "scales", "parameters",
)  # fmt: skip
SIZES, FORMATS = (
    next(setting.choices for setting in SETTINGS if setting.name == name) for name in ("report.size", "report.format")
)
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
    style : Path or None
        A matplotlib style file, which counts more than the style of a report.
    asked : str
        What named that file.
    """

    only: tuple[str, ...] = ()
    size: str = "double"
    formats: tuple[str, ...] = ("png", "pdf")
    style: Path | None = None
    asked: str = "--style"

    @classmethod
    def of(cls, settings: ReportSettings) -> Look:
        """Return what a configuration says.

        Raises
        ------
        UsageError
            Where its style file is not there.
        """
        path = None if settings.style is None else _style_file("report.style", settings.style)
        return cls((), settings.size, settings.format, path, "report.style")

    def read(self, only: str | None, size: str | None, formats: str | None, style: str | None) -> Look:
        """Read what a command line says, which counts more; lists have commas.

        Raises
        ------
        UsageError
            With every name that is not known, and a style file that cannot be read.
        """
        kinds, files = _names("--only", only, KINDS, self.only), _names("--format", formats, FORMATS, self.formats)
        (chosen,) = _names("--size", size, SIZES, (self.size,))[:1]
        if style is None:
            return replace(self, only=kinds, size=chosen, formats=files)
        return Look(kinds, chosen, files, _style_file("--style", style))


def _style_file(asked: str, name: str) -> Path:
    """Refuse what is no file, or too large for a style."""
    path = Path(name)
    if not path.is_file():
        hint = "expected a matplotlib style file" if asked == "--style" else "name it by --style, or start where it is"
        raise UsageError(f"{asked} {name}: is not a file; {hint}")
    if path.stat().st_size > LARGEST_STYLE:
        raise UsageError(f"{asked} {name}: is larger than {LARGEST_STYLE:,} bytes; expected a style file")
    return path


def _names(option: str, text: str | None, known: Sequence[str], default: tuple[str, ...]) -> tuple[str, ...]:
    if text is None:
        return default
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if unknown := [name for name in names if name not in known]:
        raise UsageError(*(f"{option} {name}: is not known; expected some of {', '.join(known)}" for name in unknown))
    return names
