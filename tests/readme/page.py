"""The README as data: its code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

_FENCED = re.compile(r"^```(?P<kind>.*)\n(?P<text>(?:.*\n)*?)```$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A code block: what stands after its fence (``sh``, ``python``, …), its text, and the line where it begins."""

    kind: str
    text: str
    line: int


def blocks(kind: str | None = None) -> list[Block]:
    """All code blocks of one kind, in order."""
    found = (Block(m["kind"], m["text"], README.count("\n", 0, m.start()) + 1) for m in _FENCED.finditer(README))
    return [block for block in found if kind in (None, block.kind)]


def block_after(block: Block) -> Block:
    """The code block that follows another."""
    everything = blocks()
    return everything[everything.index(block) + 1]
