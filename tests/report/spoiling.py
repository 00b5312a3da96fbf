"""Result files that are wrong in their structure: a result as plain data, mistakes in it, and a file of it again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from commands.mutations import mutate

TEXTS = (
    "", "x", "\x1b[31mred\x1b[0m", "\x9b31m", "\u202eabc", "=cmd|' /C calc'!A0", "@SUM(1)", "+1", "-2+3", "\t=1",
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "$\\frac{$", "$\\nonsense$", "$", "$$", "a\nb",
    "a\r\nb", "\\input{x}", "%", "{}", "[", "{a: &a [*a]}", "x" * 5000, "\0", "é" * 300, "💥", "1e999", "nan", "../x",
)  # fmt: skip
NUMBERS = (0.0, -1.0, 1e-320, 1e308, -1e308, np.nan, np.inf, -np.inf, 3.5, 1e30)
INTEGERS = (0, -1, 1, 2, 99, 127, -128, 2**31 - 1, -(2**31))
TYPES = ("f8", "f4", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "S1", "str")
HUGE = (10**5, 10**7, 10**9, 10**10)


@dataclass
class Entry:
    """A variable: its type, dimensions, values and attributes."""

    dtype: str
    dims: tuple[str, ...]
    values: Any
    attributes: dict[str, Any]


@dataclass
class Description:
    """A file as plain data, to be changed in place."""

    sizes: dict[str, int]
    entries: dict[str, Entry]
    attributes: dict[str, Any]
    #: What the netCDF library does to the file besides.
    extras: list[Callable[[Any], None]] = field(default_factory=list)


def describe(path: Path) -> Description:
    with netCDF4.Dataset(path) as dataset:
        dataset.set_auto_maskandscale(False)
        entries = {
            name: Entry(
                "str" if variable.dtype == str else variable.dtype.str[1:],
                variable.dimensions,
                np.asarray(variable[...]),
                {key: variable.getncattr(key) for key in variable.ncattrs() if key != "_FillValue"},
            )
            for name, variable in dataset.variables.items()
        }
        about = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        return Description({name: len(dim) for name, dim in dataset.dimensions.items()}, entries, about)


def write(description: Description, path: Path) -> None:
    with netCDF4.Dataset(path, "w") as dataset:
        for name, size in description.sizes.items():
            dataset.createDimension(name, size)
        for name, value in description.attributes.items():
            set_attribute(dataset, name, value)
        for name, entry in description.entries.items():
            kind = str if entry.dtype == "str" else entry.dtype
            endian = "big" if entry.dtype.startswith(">") else "native"
            variable = dataset.createVariable(name, kind, entry.dims, endian=endian)
            variable.set_auto_maskandscale(False)
            for key, value in entry.attributes.items():
                set_attribute(variable, key, value)
            fill(variable, entry)
        for extra in description.extras:
            extra(dataset)


def set_attribute(owner: Any, name: str, value: Any) -> None:
    if isinstance(value, list):
        owner.setncattr_string(name, value)
    else:
        owner.setncattr(name, value)


def fill(variable: Any, entry: Entry) -> None:
    """Write the values, as many as fit; nothing of what is huge."""
    if np.prod(variable.shape, dtype=float) > 1e5 or not variable.size:
        return
    with np.errstate(all="ignore"):
        values = entry.values.ravel()
        values = np.resize(values, variable.shape) if values.size else np.zeros(variable.shape)
        if entry.dtype == "str":
            values = np.array([str(value) for value in values.flat], object).reshape(variable.shape)
        elif values.dtype == object:
            values = np.zeros(variable.shape)
        variable[...] = values if entry.dtype == "str" else values.astype(entry.dtype)


def some(dice: random.Random, what: Any) -> Any:
    return dice.choice(sorted(what))


def attribute(d: Description, dice: random.Random) -> None:
    owner = d if dice.random() < 0.5 else d.entries[some(dice, d.entries)]
    name = some(dice, {*owner.attributes, "units", "flag_values", "hpcscan_complete", "long_name"})
    other = (3, -1, 1.5, np.nan, np.arange(5), np.zeros(1000), ["a", "b"], [], np.int8(3), "x" * 10**6)
    owner.attributes[name] = dice.choice((*TEXTS, *other))


def attribute_missing(d: Description, dice: random.Random) -> None:
    owner = d if dice.random() < 0.7 else d.entries[some(dice, d.entries)]
    if owner.attributes:
        del owner.attributes[some(dice, owner.attributes)]


def variable_missing(d: Description, dice: random.Random) -> None:
    del d.entries[some(dice, d.entries)]


def variable_renamed(d: Description, dice: random.Random) -> None:
    names = ("x", "S_opt", "y_opt", "lepton_name", "energy_total", "start_name", "beta", "a b", "é")
    d.entries[dice.choice(names)] = d.entries.pop(some(dice, d.entries))


def variables_swapped(d: Description, dice: random.Random) -> None:
    a, b = some(dice, d.entries), some(dice, d.entries)
    d.entries[a], d.entries[b] = d.entries[b], d.entries[a]


def another_type(d: Description, dice: random.Random) -> None:
    d.entries[some(dice, d.entries)].dtype = dice.choice(TYPES)


def dimensions_transposed(d: Description, dice: random.Random) -> None:
    entry = d.entries[some(dice, d.entries)]
    entry.dims = tuple(dice.sample(entry.dims, len(entry.dims)))


def dimension_dropped(d: Description, dice: random.Random) -> None:
    entry = d.entries[some(dice, d.entries)]
    entry.dims = entry.dims[:-1] if dice.random() < 0.5 else entry.dims[1:]


def dimension_added(d: Description, dice: random.Random) -> None:
    entry, dim = d.entries[some(dice, d.entries)], some(dice, d.sizes)
    entry.dims = (*entry.dims, dim) if dice.random() < 0.5 else (dim, *entry.dims)


def dimension_replaced(d: Description, dice: random.Random) -> None:
    entry = d.entries[some(dice, d.entries)]
    if entry.dims:
        entry.dims = (*entry.dims[:-1], some(dice, d.sizes))


def dimension_resized(d: Description, dice: random.Random) -> None:
    d.sizes[some(dice, d.sizes)] = dice.choice((0, 1, 2, 3, 7, 40))


def dimension_huge(d: Description, dice: random.Random) -> None:
    d.sizes[some(dice, d.sizes)] = dice.choice(HUGE)


def label(d: Description, dice: random.Random) -> None:
    names = [name for name in sorted(d.entries) if d.entries[name].dtype == "str" and d.entries[name].values.size]
    if names:
        entry = d.entries[dice.choice(names)]
        entry.values = entry.values.astype(object)
        entry.values.flat[dice.randrange(entry.values.size)] = dice.choice(TEXTS).replace("\0", "")


def text_of_an_axis(d: Description, dice: random.Random) -> None:
    entry = d.entries[dice.choice([name for name in sorted(d.entries) if d.entries[name].dims == (name,)] or ["chi2"])]
    entry.attributes[dice.choice(("long_name", "units", "unit_name"))] = dice.choice(TEXTS)


def axis_values(d: Description, dice: random.Random) -> None:
    names = [name for name in sorted(d.entries) if d.entries[name].dims == (name,)]
    if names:
        entry = d.entries[dice.choice(names)]
        values = np.array(entry.values, float)
        kind = dice.randrange(5)
        values[dice.randrange(len(values))] = dice.choice(NUMBERS)
        steps = np.arange(len(values)) * dice.choice((1e-300, 1e300, 1e-12))
        wide = np.linspace(-8e307, 8e307, len(values))
        entry.values = {0: values[::-1], 1: wide, 2: steps}.get(kind, values)


def numbers(d: Description, dice: random.Random) -> None:
    """Numbers in one variable, in a few or in all: nothing forbids most of them."""
    entry = d.entries[some(dice, d.entries)]
    if entry.dtype != "str" and entry.values.size:
        values = np.array(entry.values)
        where = dice.choice((slice(None), slice(0, 1), slice(None, None, 2)))
        is_float = values.dtype.kind == "f"
        limits = None if is_float else np.iinfo(values.dtype)
        number = dice.choice(NUMBERS) if is_float else min(max(dice.choice(INTEGERS), limits.min), limits.max)
        values.reshape(-1)[where] = number
        entry.values = values


def noise(d: Description, dice: random.Random) -> None:
    entry = d.entries[some(dice, d.entries)]
    if entry.values.dtype.kind == "f":
        rng = np.random.default_rng(dice.randrange(10**6))
        entry.values = rng.normal(size=entry.values.shape) * 10.0 ** dice.randint(-300, 300)


def configuration(d: Description, dice: random.Random) -> None:
    text = str(d.attributes.get("hpcscan_config", "")).encode()
    changed = mutate(text or b"a: 1\n", dice)[1].decode("utf-8", "replace").replace("\0", "")
    nested = "".join(dice.choice(("[", "{a: ")) for _ in range(3000))
    d.attributes["hpcscan_config"] = dice.choice((changed, changed, changed, nested, "a: " * 2000, "- [" * 50))


def identity(d: Description, dice: random.Random) -> None:
    d.attributes["hpcscan_identity"] = dice.choice(
        ("[" * 100_000, "{}", "[1]", '{"a": 1}', "NaN", '{"a": "b"}', "\ud83d")
    )


def foreign(d: Description, dice: random.Random) -> None:
    def group(dataset: Any) -> None:
        dataset.createGroup("g/h").createDimension("x", 3)

    def compound(dataset: Any) -> None:
        kind = dataset.createCompoundType(np.dtype([("a", "f8"), ("b", "i4")]), "kind")
        dataset.createVariable("compound", kind, ())

    def ragged(dataset: Any) -> None:
        dataset.createVariable("ragged", dataset.createVLType("f8", "list"), ())

    def enum(dataset: Any) -> None:
        dataset.createVariable("enum", dataset.createEnumType("i1", "choice", {"a": 0}), ())

    def unlimited(dataset: Any) -> None:
        dataset.createVariable("endless", "f8", (dataset.createDimension("endless_", None).name,))[:3] = 1.0

    def many(dataset: Any) -> None:
        for number in range(2500):
            dataset.createVariable(f"v{number}", "i1", ())

    d.extras.append(dice.choice((group, compound, ragged, enum, unlimited, many)))


STRUCTURAL: tuple[Callable[[Description, random.Random], None], ...] = (
    attribute, attribute_missing, variable_missing, variable_renamed, variables_swapped, another_type,
    dimensions_transposed, dimension_dropped, dimension_added, dimension_replaced, dimension_resized, dimension_huge,
    label, text_of_an_axis, axis_values, numbers, numbers, noise, configuration, identity, foreign,
)  # fmt: skip


def flip_bits(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 3, 30))):
        changed[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def flip_at_the_beginning(data: bytes, dice: random.Random) -> bytes:
    """Most of what describes the file lies there."""
    return flip_bits(data[:4096], dice) + data[4096:]


def cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data))]


def zeros(data: bytes, dice: random.Random) -> bytes:
    begin = dice.randrange(len(data))
    n = dice.choice((1, 8, 64, 4096))
    return data[:begin] + bytes(n) + data[begin + n :]


def ones(data: bytes, dice: random.Random) -> bytes:
    begin = dice.randrange(len(data))
    return data[:begin] + b"\xff" * 8 + data[begin + 8 :]


def blocks_swapped(data: bytes, dice: random.Random) -> bytes:
    a, b = sorted((dice.randrange(len(data) - 512), dice.randrange(len(data) - 512)))
    return data[:a] + data[b : b + 256] + data[a + 256 : b] + data[a : a + 256] + data[b + 256 :]


def appended(data: bytes, dice: random.Random) -> bytes:
    return data + dice.randbytes(dice.choice((1, 1000)))


def another_format(data: bytes, dice: random.Random) -> bytes:
    heads = (b"CDF\x01", b"CDF\x05", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x0e\x03\x13\x01", b"", b"#!/bin/sh\n")
    return dice.choice(heads) + dice.choice((b"", dice.randbytes(3000), data[8:]))


BYTEWISE = (flip_bits, flip_at_the_beginning, cut, zeros, ones, blocks_swapped, appended, another_format)


def spoil(original: Path, target: Path, dice: random.Random) -> str:
    """Write a file with one to three mistakes; say which."""
    if dice.random() < 0.3:
        damage = dice.choice(BYTEWISE)
        target.write_bytes(damage(original.read_bytes(), dice))
        return damage.__name__
    # A mistake that cannot be written is another one.
    for _ in range(20):
        description = describe(original)
        chosen = [dice.choice(STRUCTURAL) for _ in range(dice.choice((1, 1, 1, 2, 3)))]
        try:
            for change in chosen:
                change(description, dice)
            write(description, target)
        except (OSError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError):
            continue
        return " + ".join(change.__name__ for change in chosen)
    target.write_bytes(b"")
    return "empty"
