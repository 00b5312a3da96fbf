"""Frames: bytes with a length, a number and a checksum, one after another in a file that only grows.

A frame is a mark, a head and a payload. The checksum covers head and payload, under a key that belongs to the file, so
that a frame that was copied from another file is found out; only frames of kind 0, from which the key is made, have
none. What is damaged is skipped up to the next mark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from os import SEEK_END
from struct import Struct
from typing import BinaryIO

#: Not text, and not what a file system or a transfer in text mode leaves behind.
MARK = b"\x89HSJ\r\n\x1a\n"
DIGEST_BYTES = 16

#: The kind of frame that has no key.
HEADER = 0

#: Length of the payload, sequence number, kind.
_HEAD = Struct("<QQB")
_PAYLOAD = len(MARK) + _HEAD.size + DIGEST_BYTES
#: A mark is looked for in so many bytes at a time.
PIECE_BYTES = 2**20
#: No payload is longer.
MOST_BYTES = 2**31
#: What looks like frames and is not may claim so many times the size of the file before the rest is given up.
PATIENCE = 4


@dataclass(frozen=True)
class JournalFrame:
    """One frame that is what was written.

    Attributes
    ----------
    sequence : int
        Its number among the frames of the file.
    kind : int
        What the payload is.
    place : int
        Where it begins in the file that it was read from.
    """

    sequence: int
    kind: int
    payload: bytes
    place: int = 0


@dataclass(frozen=True)
class Damage:
    """Bytes first ≤ position < stop that are not a whole frame.

    Attributes
    ----------
    is_torn : bool
        Whether they look like a frame that was cut off while it was written: the last one of the file.
    """

    first: int
    stop: int
    is_torn: bool


def write_frame(frame: JournalFrame, key: bytes) -> bytes:
    """Turn a frame into bytes."""
    head = _HEAD.pack(len(frame.payload), frame.sequence, frame.kind)
    return b"".join((MARK, head, _checksum(head, frame.payload, key), frame.payload))


def key_of(payload: bytes) -> bytes:
    """Make a key from the payload of a header."""
    return blake2b(payload, digest_size=DIGEST_BYTES).digest()


def _checksum(head: bytes, payload: bytes, key: bytes) -> bytes:
    """Compute 128 bits, which no accident produces twice."""
    *_, kind = _HEAD.unpack(head)
    # Keyed by the header: a frame of another journal is none of this one.
    state = blake2b(head, digest_size=DIGEST_BYTES, key=b"" if kind == HEADER else key)
    state.update(payload)
    return state.digest()


def read_frames(file: BinaryIO, key: bytes) -> Iterator[JournalFrame | Damage]:
    """Read frames up to the end, whatever the bytes are; only one is in memory at a time.

    Parameters
    ----------
    file : binary file
        Read up to where it ends now; it may grow meanwhile.
    key : bytes
        Under which the frames were written.

    Yields
    ------
    Frame or Damage
        In the order of their places; together they are the whole file.
    """
    size = file.seek(0, SEEK_END)
    position = damaged = claimed = 0
    while position < size:
        frame = read_frame(file, position, key)
        if frame is None:
            # Marks without frames, each with a length that reaches far, could keep a reader busy for ever.
            claimed += _claimed(file, position, size)
            position = _find_mark(file, position + 1, size) if claimed <= PATIENCE * size else size
            continue
        if damaged < position:
            yield Damage(damaged, position, is_torn=False)
        # What lies between two frames is damaged, whatever it was.
        yield frame
        position = damaged = position + _PAYLOAD + len(frame.payload)
    if damaged < position:
        yield Damage(damaged, position, _is_cut_off(file, damaged, size))


def read_frame(file: BinaryIO, position: int, key: bytes) -> JournalFrame | None:
    """Read the frame that begins at a position; None where none does, or not a whole one."""
    rest = file.seek(0, SEEK_END) - position - _PAYLOAD
    head = _read(file, position, _PAYLOAD)
    if len(head) < _PAYLOAD or not head.startswith(MARK):
        return None
    head, checksum = head[len(MARK) : -DIGEST_BYTES], head[-DIGEST_BYTES:]
    length, sequence, kind = _HEAD.unpack(head)
    # An absurd length ends here, before anything of that size is asked for.
    if length > min(rest, MOST_BYTES):
        return None
    payload = file.read(length)
    return JournalFrame(sequence, kind, payload, position) if checksum == _checksum(head, payload, key) else None


def _claimed(file: BinaryIO, position: int, size: int) -> int:
    """Count the bytes that were read in vain where no frame begins."""
    head = _read(file, position, _PAYLOAD)
    if len(head) < _PAYLOAD or not head.startswith(MARK):
        return 0
    length, *_ = _HEAD.unpack(head[len(MARK) : -DIGEST_BYTES])
    return int(length) if length <= min(size - position - _PAYLOAD, MOST_BYTES) else 0


def _read(file: BinaryIO, position: int, n_bytes: int) -> bytes:
    file.seek(position)
    return file.read(n_bytes)


def _find_mark(file: BinaryIO, begin: int, size: int) -> int:
    """Find the first mark from a position on; the size of the file where there is none."""
    while begin < size:
        piece = _read(file, begin, PIECE_BYTES)
        found = piece.find(MARK)
        if found >= 0:
            return begin + found
        # The next piece begins with what may be the first bytes of a mark.
        begin += max(1, len(piece) - len(MARK) + 1)
    return size


def _is_cut_off(file: BinaryIO, position: int, size: int) -> bool:
    """Whether what is left from a position on is the beginning of one frame."""
    if _find_mark(file, position + 1, size) < size:
        return False
    head, rest = _read(file, position, _PAYLOAD), size - position - _PAYLOAD
    if len(head) < _PAYLOAD:
        return head[: len(MARK)] == MARK[: len(head)]
    length, *_ = _HEAD.unpack(head[len(MARK) : -DIGEST_BYTES])
    return head.startswith(MARK) and bool(length > rest)
