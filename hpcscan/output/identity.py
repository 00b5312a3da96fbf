"""What must be equal for two runs to belong to one scan: the model and the fit."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from hpcscan.config.validated import Config, ModelChoice
from hpcscan.dataset.inspection import Identity

#: Settings of the fit that change no result: a point that timed out may be tried again with more time.
NOT_COUNTED = ("fit.time_limit",)


def identity(config: Config) -> Identity:
    """Return the configuration keys that count, each with its value as text.

    The grid is not among them, because it may grow. Neither are paths: a plugin counts by what it says, and so do the
    modules beside it that it imports.
    """
    fit = asdict(config.fit) | ({"precision": None, "precision_floor": 0.0} if config.is_measured else {})
    entries = {
        **dict(_model(config.model)),
        **dict(_entries("fit", fit)),
        **dict(_entries("answer", asdict(config.answer))),
        **(dict(_entries("toys", asdict(config.toys))) if config.toys.are_wanted else {}),
    }
    return {key: value for key, value in entries.items() if key not in NOT_COUNTED}


def differences(old: Identity, new: Identity) -> list[str]:
    """List the keys that differ, with their old and new values; control characters are made visible."""
    keys = [*old, *(key for key in new if key not in old)]
    return [
        _visible(f"{key}: {old.get(key, 'unset')} before, {new.get(key, 'unset')} now")
        for key in keys
        if old.get(key) != new.get(key)
    ]


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _model(choice: ModelChoice) -> Iterator[tuple[str, str]]:
    if choice.plugin is None:
        yield "model.name", choice.name
    else:
        yield "model.plugin", f"{choice.plugin.class_name} (source {_digest(choice.plugin.text)})"
        for name, _path, text in sorted(choice.plugin.modules):
            yield f"model.modules.{name}", f"source {_digest(text)}"
    # A file counts by what it holds.
    files = {name: f"content {digest[:16]}" for name, digest in choice.contents.items()}
    yield from _entries("model.options", {**choice.options, **files})
    if choice.rows_per_call is not None:
        yield "model.rows_per_call", str(choice.rows_per_call)
    yield from _entries("fix", choice.fixed)


def _digest(source: str) -> str:
    """Compute 64 bits of what a source means: comments, blank lines and the layout of a line do not count."""
    try:
        meaning = "\n".join(_meaning(ast.parse(source)))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        meaning = source
    return sha256(meaning.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _meaning(tree: ast.AST) -> Iterator[str]:
    """Write a syntax tree without places, each node before its parts.

    What is empty is left out, because versions of Python differ in that.
    """
    todo: list[Any] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.AST):
            fields = {name: value for name, value in ast.iter_fields(node) if value is not None and value != []}
            yield f"{type(node).__name__} {' '.join(fields)}"
            todo += reversed(fields.values())
        elif isinstance(node, list):
            yield f"{len(node)} parts"
            todo += reversed(node)
        else:
            yield f"{type(node).__name__} {node!r}"


def _entries(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _entries(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", json.dumps(value, ensure_ascii=False)
