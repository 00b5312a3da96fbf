"""YAML text as a small tree of nodes; the only door to the YAML library, which ranks that only compute never load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import yaml

from hpcscan.config.nodes import MAX_DEPTH, Node, resolve_plain, shown
from hpcscan.errors import Mistake, UsageError

Place: TypeAlias = Callable[[int, int], str]

MAX_NODES = 200_000
MAX_NAME = 200


def compose(text: str, place: Place, mistakes: list[Mistake]) -> Node:
    """Build the tree of a text that holds one YAML document.

    Parameters
    ----------
    place : callable
        Turns line and column, counted from 1, into what a message shows.
    mistakes : list of Mistake
        Receives what is wrong but leaves the rest readable, such as a duplicate key.

    Raises
    ------
    UsageError
        If the text cannot be read on from some place: not YAML, too deep, a recursive alias.
    """
    # Events only: the library's own constructors would make objects of tags.
    builder = _Builder(yaml.parse(text, Loader=yaml.SafeLoader), place, mistakes)
    try:
        return builder.document()
    except yaml.reader.ReaderError as error:
        # Only the character's index is known.
        line, column = line_and_column(text, error.position)
        raise UsageError(Mistake(place(line, column), f"the character {error.character!r} is not allowed")) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        reason = " ".join(part for part in (error.context, error.problem) if part)
        raise UsageError(Mistake(place(line, column), f"this is not valid YAML: {reason}")) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The library lets a few conversions escape, such as the escape sequence "\UFFFFFFFF".
        raise UsageError(Mistake(builder.last, f"this is not valid YAML: {error}")) from None


def line_and_column(text: str, index: int) -> tuple[int, int]:
    """Line and column, counted from 1, of the character with this index."""
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


@dataclass
class _Builder:
    """Turns the library's flat stream of events into nodes.

    The library's own composer recurses without limit and hides explicit tags.
    """

    events: Iterator[yaml.Event]
    place: Place
    mistakes: list[Mistake]
    n_nodes: int = 0
    last: str = ""
    anchors: dict[str, tuple[Node, int] | None] = field(default_factory=dict)

    def document(self) -> Node:
        """Read the stream, which must hold exactly one document."""
        self.next()
        if isinstance(self.next(), yaml.StreamEndEvent):
            raise self.error("nothing is written here; expected a configuration, such as scan, model and output")
        node = self.node(self.next(), 0)
        self.next()
        if not isinstance(self.next(), yaml.StreamEndEvent):
            raise self.error("a second document starts here; a configuration is a single one")
        return node

    def next(self) -> yaml.Event:
        """Take the next event, and remember its place for messages."""
        # A stream that ends early goes on ending.
        event = next(self.events, yaml.StreamEndEvent())
        if event.start_mark is not None:
            self.last = self.place(event.start_mark.line + 1, event.start_mark.column + 1)
        return event

    def error(self, message: str) -> UsageError:
        return UsageError(Mistake(self.last, message))

    def node(self, event: yaml.Event, depth: int) -> Node:
        """Build the node that starts with this event."""
        where = self.last
        if isinstance(event, yaml.AliasEvent):
            return self.alias(str(event.anchor))
        self.count(1)
        if depth > MAX_DEPTH:
            raise self.error(f"nested deeper than {MAX_DEPTH} levels")
        if not isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent):
            raise self.error("a value was expected here")
        if event.tag is not None:
            self.mistakes.append(Mistake(where, f"the tag {shown(event.tag)} is not supported; remove it"))
        return self.remember(event.anchor, lambda: self.content(event, where, depth))

    def content(self, event: yaml.NodeEvent, where: str, depth: int) -> Node:
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(tuple(self.sequence(depth)), where)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(self.mapping(depth), where)
        assert isinstance(event, yaml.ScalarEvent)
        return self.scalar(event, where)

    def remember(self, anchor: str | None, build: Callable[[], Node]) -> Node:
        """Build a node and keep it, with its size, for the aliases of its anchor."""
        if anchor is None:
            return build()
        # Not yet known: an alias that meets this is inside its own anchor.
        self.anchors[anchor] = None
        before = self.n_nodes
        node = build()
        self.anchors[anchor] = (node, 1 + self.n_nodes - before)
        return node

    def alias(self, anchor: str) -> Node:
        if anchor not in self.anchors:
            raise self.error(f"the alias *{shown(anchor)} has no anchor before it")
        known = self.anchors[anchor]
        if known is None:
            raise self.error(f"the alias *{shown(anchor)} contains itself")
        node, size = known
        self.count(size)
        return replace(node, where=self.last)

    def count(self, n: int) -> None:
        """Count entries as if aliases were written out, so that a few lines cannot stand for billions."""
        self.n_nodes += n
        if self.n_nodes > MAX_NODES:
            raise self.error(f"the configuration has more than {MAX_NODES} entries, aliases included")

    def sequence(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            yield self.node(event, depth + 1)

    def mapping(self, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: list[Mapping[str, Node]] = []
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            key = self.node(event, depth + 1)
            key_where = key.where
            node = replace(self.node(self.next(), depth + 1), key_where=key_where)
            if key.value == "<<" and key.text == "<<":
                merged += self.merged(node)
            elif problem := _key_problem(key, entries):
                self.mistakes.append(Mistake(key_where, problem))
            else:
                entries[str(key.value)] = node
        # What is written here comes before what is merged, and what is merged first before the rest.
        for other in merged:
            entries = {**other, **entries}
        return entries

    def merged(self, node: Node) -> list[Mapping[str, Node]]:
        """Return the mappings of a merge key, the last one first."""
        parts = node.value if isinstance(node.value, tuple) else (node,)
        if not all(isinstance(part.value, Mapping) for part in parts):
            self.mistakes.append(Mistake(node.where, "<< merges a mapping, or a list of them"))
        return [part.entries for part in parts]

    def scalar(self, event: yaml.ScalarEvent, where: str) -> Node:
        text = event.value
        if not text.isprintable():
            self.mistakes.append(Mistake(where, f"{shown(text)} has line breaks or characters that cannot be printed"))
            text = "".join(character if character.isprintable() else "?" for character in text)
        return Node(resolve_plain(text) if event.style is None else text, where, text=text)


def _key_problem(key: Node, entries: Mapping[str, Node]) -> str | None:
    if not isinstance(key.value, str):
        written = f"{shown(key.text)} is" if key.text else "this key is"
        return f"{written} not a name; a key is text (put it in quotes if it is meant as text)"
    if not 0 < len(key.value) <= MAX_NAME:
        return f"a key has 1 to {MAX_NAME} characters, this one has {len(key.value)}"
    if key.value in entries:
        return f"duplicate key {shown(key.value)}, first at {entries[key.value].key_where}; remove one of them"
    return None
