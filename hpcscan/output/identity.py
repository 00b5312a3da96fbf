"""What must be equal for two runs to belong to one scan: the model and the fit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from hpcscan.config.records import Config, ModelChoice
from hpcscan.dataset.outline import Identity

#: Settings of the fit that change no result: a point that timed out may be tried again with more time.
NOT_COUNTED = ("fit.time_limit",)


def identity(config: Config) -> Identity:
    """Give the configuration keys that count, each with its value as text.

    The grid is not among them, because it may grow. Neither are paths: a plugin counts by what it says.
    """
    entries = {**dict(_model(config.model)), **dict(_entries("fit", asdict(config.fit)))}
    return {key: value for key, value in entries.items() if key not in NOT_COUNTED}


def differences(old: Identity, new: Identity) -> list[str]:
    """Name the keys that differ, with their old and new values."""
    keys = [*old, *(key for key in new if key not in old)]
    return [
        f"{key}: {old.get(key, 'unset')} before, {new.get(key, 'unset')} now"
        for key in keys
        if old.get(key) != new.get(key)
    ]


def _model(choice: ModelChoice) -> Iterator[tuple[str, str]]:
    if choice.plugin is None:
        yield "model.name", choice.name
    else:
        source = sha256(choice.plugin.text.encode("utf-8", "surrogatepass")).hexdigest()
        yield "model.plugin", f"{choice.plugin.class_name} (source {source[:16]})"
    yield from _entries("model.options", choice.options)


def _entries(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _entries(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", json.dumps(value, ensure_ascii=False)
