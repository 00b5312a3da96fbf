"""Frames: bytes with a length, a number and a checksum, one after another in a file that only grows.

A frame is a mark, a head and a payload. The checksum covers head and payload, under a key that belongs to the file, so
that a frame that was copied from another file is found out; only frames of kind 0, from which the key is made, have
none. What is damaged is skipped up to the next mark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct

#: Not text, and not what a file system or a transfer in text mode leaves behind.
MARK = b"\x89HSJ\r\n\x1a\n"
DIGEST_BYTES = 16

#: The kind of frame that has no key.
HEADER = 0

#: Length of the payload, sequence number, kind.
_HEAD = Struct("<QQB")
_PAYLOAD = len(MARK) + _HEAD.size + DIGEST_BYTES


@dataclass(frozen=True)
class Frame:
    """One frame that is what was written.

    Attributes
    ----------
    sequence : int
        Its number among the frames of the file.
    kind : int
        What the payload is.
    payload : bytes or memoryview
        A view of the whole file where it was read: it may be large.
    """

    sequence: int
    kind: int
    payload: bytes | memoryview


@dataclass(frozen=True)
class Damage:
    """Bytes first ≤ position < stop that are not a whole frame.

    Attributes
    ----------
    first, stop : int
    is_torn : bool
        Whether they look like a frame that was cut off while it was written: the last one of the file.
    """

    first: int
    stop: int
    is_torn: bool


def write_frame(frame: Frame, key: bytes) -> bytes:
    """Turn a frame into bytes."""
    head = _HEAD.pack(len(frame.payload), frame.sequence, frame.kind)
    return b"".join((MARK, head, _checksum(head, frame.payload, key), frame.payload))


def key_of(payload: bytes | memoryview) -> bytes:
    """Make a key from the payload of a header."""
    return blake2b(payload, digest_size=DIGEST_BYTES).digest()


def _checksum(head: bytes, payload: bytes | memoryview, key: bytes) -> bytes:
    """Give 128 bits, which no accident produces twice."""
    *_, kind = _HEAD.unpack(head)
    state = blake2b(head, digest_size=DIGEST_BYTES, key=b"" if kind == HEADER else key)
    state.update(payload)
    return state.digest()


def read_frames(data: bytes, key: bytes) -> Iterator[Frame | Damage]:
    """Read frames up to the end, whatever the bytes are.

    Parameters
    ----------
    data : bytes
        The whole file.
    key : bytes
        Under which the frames were written.

    Yields
    ------
    Frame or Damage
        In the order of their places; together they are the whole file.
    """
    position = damaged = 0
    while position < len(data):
        frame = _frame_at(data, position, key)
        if frame is None:
            following = data.find(MARK, position + 1)
            position = len(data) if following < 0 else following
            continue
        if damaged < position:
            yield Damage(damaged, position, is_torn=False)
        yield frame
        position = damaged = position + _PAYLOAD + len(frame.payload)
    if damaged < position:
        yield Damage(damaged, position, _is_cut_off(data, damaged))


def _frame_at(data: bytes, position: int, key: bytes) -> Frame | None:
    """Read the frame that begins at a position; None where none does, or not a whole one."""
    start = position + _PAYLOAD
    if start > len(data) or not data.startswith(MARK, position):
        return None
    head = data[position + len(MARK) : start - DIGEST_BYTES]
    length, sequence, kind = _HEAD.unpack(head)
    # An absurd length ends here, before anything of that size is asked for.
    if length > len(data) - start:
        return None
    payload = memoryview(data)[start : start + length]
    is_intact = data[start - DIGEST_BYTES : start] == _checksum(head, payload, key)
    return Frame(sequence, kind, payload) if is_intact else None


def _is_cut_off(data: bytes, position: int) -> bool:
    """Tell whether what is left from a position on is the beginning of one frame."""
    if data.find(MARK, position + 1) >= 0:
        return False
    start = position + _PAYLOAD
    if start > len(data):
        return data[position : position + len(MARK)] == MARK[: len(data) - position]
    length, *_ = _HEAD.unpack(data[position + len(MARK) : start - DIGEST_BYTES])
    return data.startswith(MARK, position) and bool(length > len(data) - start)
