"""The tree against the table of keys: unknown names, values, defaults, and where a key was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hpcscan.config.kinds import convert, did_you_mean, found, python_node
from hpcscan.config.nodes import Node, shown
from hpcscan.errors import Mistake, UsageError
from hpcscan.settings import SETTINGS, Setting

Path = tuple[str, ...]

#: Sections that exist even where nothing is known of their contents.
_SECTIONS = {
    key.parts[:n] for key in SETTINGS for n in range(1, len(key.parts)) if "<" not in "".join(key.parts[:n])
}  # fmt: skip


def read_values(root: Node, keys: Sequence[Setting]) -> tuple[dict[str, Any], list[Mistake]]:
    """Read the value of every key.

    Returns
    -------
    values : dict
        By dotted name; the default where the key is not written; absent where its value is wrong.
    mistakes : list of Mistake
    """
    values, mistakes = {}, unknown_names(root, keys)
    for key in keys:
        node = find(root, key.parts)
        # An option of the model without a default.
        if node is None and key.is_required:
            mistakes.append(Mistake(locate(root, key.name), f"{key.name}: expected a value; it has no default"))
            continue
        try:
            values[key.name] = convert(python_node(key.default, "") if node is None else node, key)
        except UsageError as error:
            mistakes += error.mistakes
    return values, mistakes


def salvaged_value(node: Node | None, key: Setting) -> Any:
    """Return the value of an option that is wrong: without the entries that are wrong, or else its default."""
    right = {name: child for name, child in (node.entries if node else {}).items() if _fits(name, child, key)}
    # What is right of a mapping still tells the model what to check.
    kept = Node(right, "") if right else python_node(key.default, "")
    return convert(kept, key)


def _fits(name: str, child: Node, key: Setting) -> bool:
    try:
        convert(Node({name: child}, ""), key)
    except UsageError:
        return False
    return True


def unknown_names(root: Node, keys: Sequence[Setting]) -> list[Mistake]:
    """List every key that the table does not have, and every section that is no section."""
    paths = {key.parts for key in keys}
    sections = _SECTIONS | {path[:n] for path in paths for n in range(1, len(path))}
    return list(_unknown(root, (), paths, sections))


def _unknown(node: Node, path: Path, keys: set[Path], sections: set[Path]) -> Iterator[Mistake]:
    known = sorted({known[len(path)] for known in keys | sections if known[:-1] == path})
    if not isinstance(node.value, Mapping):
        if node.value is not None:
            expected = f"a mapping with {', '.join(known) or 'keys'}"
            yield Mistake(node.where, f"{_dotted(path)}: expected {expected}, found {found(node)}")
        return
    for name, child in node.value.items():
        here = (*path, name)
        if here in keys:
            continue
        if here in sections:
            yield from _unknown(child, here, keys, sections)
        else:
            yield Mistake(child.name_where, f"{_dotted(here)} is not a known key; {_hint(path, name, known)}")


def _hint(path: Path, name: str, siblings: list[str]) -> str:
    """Suggest a sibling, or a key of the same name elsewhere."""
    elsewhere = [key.name for key in SETTINGS if key.parts[-1] == name]
    if elsewhere and not path:
        return f"did you mean {elsewhere[0]}?"
    return did_you_mean(".".join((*path, name)), [".".join((*path, sibling)) for sibling in siblings])


def _dotted(path: Iterable[str]) -> str:
    return ".".join(shown(part) for part in path)


def find(root: Node, path: Sequence[str]) -> Node | None:
    """Find the node with this path."""
    node: Node | None = root
    for part in path:
        node = None if node is None else node.entries.get(part)
    return node


def locate(root: Node, name: str) -> str:
    """Return where a dotted key was written, or else the nearest section around it."""
    node, parts, depth = root, name.split("."), 0
    while parts:
        child, n_parts = _child(node, parts)
        if child is None:
            return node.where if depth == 0 else node.name_where
        node, parts, depth = child, parts[n_parts:], depth + 1
    return node.name_where if node.value is None or isinstance(node.value, Mapping) else node.where


def _child(node: Node, parts: Sequence[str]) -> tuple[Node | None, int]:
    """Find the entry to which the longest beginning of a name leads, and how many parts these are."""
    if isinstance(node.value, tuple):
        is_place = parts[0].isdecimal() and int(parts[0]) < len(node.value)
        return (node.value[int(parts[0])] if is_place else None), 1
    for n_parts in range(len(parts), 0, -1):
        if (child := node.entries.get(".".join(parts[:n_parts]))) is not None:
            return child, n_parts
    return None, 0
