"""Random mistakes in a configuration: of a user, of an editor, of a disk. Each takes text as bytes, and gives bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from hpcscan.settings import SETTINGS

Mutation = Callable[[bytes, random.Random], bytes]


def words(*lines: str) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split(" "))


NUMBERS = words(
    "0 -0.0 -1 1 2 3 1.5 7e0 1e-3 1e-30 1e-308 1e-320 1e30 1e154 1e300 1e308 1e309 -1e308 1e999 .inf -.inf .nan NaN",
    "inf nan 100000000000000000000000000000000000000000 0x1F 0o17 1_000 1,000 ٣ 1e 1:30 01 +5 .5 5. 9007199254740993",
)
#: Sizes of grids, starts and chunks.
SIZES = words(
    "0 -1 1 2 3 5 10 100 1000 10000 1000000 10000000 2147483647 2147483648 1e6 9223372036854775808 1e400",
)
WORDS = words(
    "~ null true false yes off '' \"\" '3' [] {} [[]] [1,2] [3.1,3.0] [.nan] {a:1} {a:{b:{c:1}}} text lepton leptons",
    "widened published log linear auto multistart differential_evolution 2026-01-01 !!int '1' !!binary aGk= !!set {a}",
    '!!python/object/apply:os.getcwd [] ! x *x &x <<: ? - | > % @ ` "\\u0000" "\\x07" "a\\nb" ☃ é 1h 30m 2:00:00',
    "plugins/pendulum.py:Pendulum plugins/pendulum.py nowhere.py:A :A a: /dev/null:A ../x.py:A",
)
PATHS = (
    "/proc/nowhere/out.nc", "/dev/null", "/dev/full", ".", "..", "scan.yaml", "scan.yaml/out.nc", "plugins", "",
    "' '", "a" * 300 + ".nc", "out", "out.nc.journal", "dir with spaces/ö.nc", "a/b/c/d/e/f.nc", "'x\ty.nc'",
    "~/../out", "-o", "out.nc/", "a#b", "http://x/y.nc", "a\\b.nc", "' a.nc'",
)  # fmt: skip
WEIRD = (
    b"---\n", b"...\n", b"%YAML 1.1\n---\n", b"%TAG ! tag:x,2000:\n---\n", b"\t", b"  ", b"- ", b"? ", b"&a ", b"*a",
    b"<<: *a\n", b"&a [*a]", b"!!binary ", b"!<tag:yaml.org,2002:int> ", b"| ", b">-\n", b"{", b"}", b"[", b"]", b"'",
    b'"', b"#", b": ", b"\r\n", b"\r", b"\x00", b"\x1b[31m", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"\xe2\x80\xa8",
    b"\xf0\x9f\x98\x80", b"[" * 2000, b"a: &x [1]\nb: &y [*x, *x, *x]\nc: &z [*y, *y, *y]\n", b"{? {a: 1} : 2}",
    b"x" * 70000,
)  # fmt: skip


def delete_line(text: bytes, dice: random.Random) -> bytes:
    lines = text.splitlines(keepends=True) or [b""]
    del lines[dice.randrange(len(lines))]
    return b"".join(lines)


def repeat_line(text: bytes, dice: random.Random) -> bytes:
    lines = text.splitlines(keepends=True) or [b"\n"]
    lines.insert(dice.randrange(len(lines) + 1), dice.choice(lines))
    return b"".join(lines)


def swap_lines(text: bytes, dice: random.Random) -> bytes:
    lines = text.splitlines(keepends=True)
    dice.shuffle(lines)
    return b"".join(lines)


def indent_line(text: bytes, dice: random.Random) -> bytes:
    lines = text.splitlines(keepends=True) or [b""]
    place = dice.randrange(len(lines))
    lines[place] = dice.choice((b" ", b"    ", b"\t")) + lines[place]
    return b"".join(lines)


def _replace(text: bytes, dice: random.Random, pattern: bytes, new: str) -> bytes:
    """Put something in the place of one match."""
    places = [match.span() for match in re.finditer(pattern, text)] or [(len(text), len(text))]
    first, last = dice.choice(places)
    return text[:first] + new.encode() + text[last:]


def replace_number(text: bytes, dice: random.Random) -> bytes:
    return _replace(text, dice, rb"(?<=[ \[])-?[0-9.]+(e-?[0-9]+)?", dice.choice(NUMBERS))


def replace_value(text: bytes, dice: random.Random) -> bytes:
    return _replace(text, dice, rb"(?<=: )[^,}\]\n]+", dice.choice((*WORDS, *NUMBERS)))


def replace_size(text: bytes, dice: random.Random) -> bytes:
    return _replace(text, dice, rb"(?<=points: )[0-9]+", dice.choice(SIZES))


def replace_output(text: bytes, dice: random.Random) -> bytes:
    return _replace(text, dice, rb"(?<=output: ).+", dice.choice(PATHS))


def misspell(text: bytes, dice: random.Random) -> bytes:
    """A letter more, less, another, or two exchanged."""
    words = [match.span() for match in re.finditer(rb"[A-Za-z_]{2,}", text)] or [(0, len(text))]
    first, last = dice.choice(words)
    word = bytearray(text[first:last] or b"aa")
    place = dice.randrange(len(word))
    match dice.randrange(4):
        case 0:
            del word[place]
        case 1:
            word.insert(place, dice.choice(b"abcxyz_.-"))
        case 2:
            word[place] = dice.choice(b"abcxyzABC_09.")
        case _:
            word[place - 1], word[place] = word[place], word[place - 1]
    return text[:first] + bytes(word) + text[last:]


def delete_entry(text: bytes, dice: random.Random) -> bytes:
    """One `key: value` of a mapping in braces, or of a line."""
    return _replace(text, dice, rb"[\w.]+: *[^,{}\[\]\n]*,? *", "")


def repeat_entry(text: bytes, dice: random.Random) -> bytes:
    entries = [match.span() for match in re.finditer(rb"[\w.]+: [^,{}\[\]\n]+(?=[,}])", text)]
    if not entries:
        return repeat_line(text, dice)
    first, last = dice.choice(entries)
    return text[:last] + b", " + text[first:last] + text[last:]


def add_key(text: bytes, dice: random.Random) -> bytes:
    """A key of the program, with a value that may not be one of its own."""
    name = dice.choice(SETTINGS).name.replace("<axis>", dice.choice(("beta", "w", "z"))).replace("<option>", "sigma")
    *sections, last = name.split(".")
    value = dice.choice((*NUMBERS, *SIZES, *WORDS))
    nested = "".join(f"{section}: {{" for section in sections) + f"{last}: {value}" + "}" * len(sections)
    return text.rstrip(b"\n") + b"\n" + nested.encode() + b"\n"


def add_option(text: bytes, dice: random.Random) -> bytes:
    name = dice.choice(("sigma", "r_max", "R_ref", "eta", "mapping", "box", "bounds", "masses", "frame", "nothing"))
    inner = dice.choice(("muon.U", "tau.A", "electron.R_c", "muon", "x"))
    value = dice.choice((*NUMBERS, *WORDS, f"{{{inner}: {dice.choice(NUMBERS)}}}", f"{{{inner}: [0.02, 0.2]}}"))
    return _replace(text, dice, rb"(?<=name: )leptons", f"leptons, options: {{{name}: {value}}}")


def flip_bits(text: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(text or b"\0")
    for _ in range(dice.randint(1, 3)):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def insert_weird(text: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(text) + 1)
    return text[:place] + dice.choice(WEIRD) + text[place:]


def insert_bytes(text: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(text) + 1)
    return text[:place] + dice.randbytes(dice.randint(1, 20)) + text[place:]


def cut(text: bytes, dice: random.Random) -> bytes:
    return text[: dice.randrange(len(text) + 1)]


def another_encoding(text: bytes, dice: random.Random) -> bytes:
    encoding = dice.choice(("utf-16", "utf-32", "utf-8-sig", "cp037", "latin-1"))
    return (text.decode("utf-8", "replace") + "# é").encode(encoding, "replace")


def another_line_end(text: bytes, dice: random.Random) -> bytes:
    return text.replace(b"\n", dice.choice((b"\r\n", b"\r", b"\xe2\x80\xa9", b"")))


def a_second_document(text: bytes, dice: random.Random) -> bytes:
    return text + dice.choice((b"---\n", b"...\n", b"")) + text


def nest(text: bytes, dice: random.Random) -> bytes:
    key = dice.choice((b"scan", b"model", b"x"))
    return key + b":\n" + b"".join(b"  " + line for line in text.splitlines(keepends=True))


def extend_values(text: bytes, dice: random.Random) -> bytes:
    """An axis as a list: long, unsorted or of anything."""
    n = dice.choice((0, 1, 3, 1000, 20000))
    values = [str(3 + 0.15 * k / max(n, 1)) for k in range(n)]
    if dice.random() < 0.5:
        values.insert(dice.randrange(n + 1), dice.choice((*NUMBERS, "x", "[]")))
    return _replace(text, dice, rb"(?<=(beta|.. w): )\{[^}]*\}", f"{{values: [{', '.join(values)}]}}")


MUTATIONS: tuple[Mutation, ...] = (
    delete_line, repeat_line, swap_lines, indent_line, replace_number, replace_value, replace_size, replace_output,
    misspell, delete_entry, repeat_entry, add_key, add_option, flip_bits, insert_weird, insert_bytes, cut,
    another_encoding, another_line_end, a_second_document, nest, extend_values,
)  # fmt: skip


def mutate(text: bytes, dice: random.Random) -> tuple[str, bytes]:
    """Make one to three mistakes: what they are, and the text with them."""
    chosen = [dice.choice(MUTATIONS) for _ in range(dice.choice((1, 1, 1, 2, 3)))]
    for mutation in chosen:
        text = mutation(text, dice)
    return " + ".join(mutation.__name__ for mutation in chosen), text
