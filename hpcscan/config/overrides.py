"""Command-line options that replace keys of the configuration: `--set KEY=VALUE` and `-o`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hpcscan.config.composing import compose
from hpcscan.config.keys import split_name
from hpcscan.config.nodes import MAX_DEPTH, Node, shown
from hpcscan.errors import Mistake, UsageError


def override(root: Node, overrides: Sequence[str], output: str | None, mistakes: list[Mistake]) -> Node:
    """Return the tree with the options of the command line put in; wrong ones are added to `mistakes`."""
    for text in overrides:
        try:
            root = _set(root, text, mistakes)
        except UsageError as error:
            mistakes += error.mistakes
    if output is not None:
        root = _put(root, ("output",), Node(output, "-o", "-o", output))
    return root


def _set(root: Node, text: str, mistakes: list[Mistake]) -> Node:
    name, equals, value = text.partition("=")
    where = f"--set {shown(name.strip())}=…"
    path = split_name(name.strip())
    if not equals or not all(path) or not name.isprintable() or len(path) > MAX_DEPTH:
        raise UsageError(Mistake(f"--set {shown(text)}", "expected KEY=VALUE, such as fit.starts=32"))
    node = compose(value, lambda line, column: where, mistakes) if value.strip() else Node(None, where)
    return _put(root, path, replace(node, key_where=where))


def _put(root: Node, path: tuple[str, ...], node: Node) -> Node:
    """Copy the tree with one node replaced; sections that are missing come into being at its place."""
    if not path:
        return node
    head, *rest = path
    child = root.entries.get(head, Node({}, node.where, node.where))
    if rest and child.entries == {}:
        child = Node({}, node.where, child.key_where)
    return replace(root, value={**root.entries, head: _put(child, tuple(rest), node)})
