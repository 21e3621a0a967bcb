"""Read and build ISO base media boxes (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from roboreel.errors import VideoError

ENTRY_HEADER = 86
"""Bytes of a `VisualSampleEntry` before its inner boxes, including its own header."""
_MOST_BOXES = 10_000
"""Limit for boxes at one level: a file of nothing but empty boxes would have millions to walk through."""
_SIZE_AND_KIND = struct.Struct(">I4s").unpack_from


class Box(NamedTuple):
    """A box inside a buffer: `data[start:stop]` is its payload."""

    kind: str
    start: int
    stop: int


def boxes(data: bytes | memoryview, start: int = 0, stop: int | None = None) -> Iterator[Box]:
    """The boxes of `data[start:stop]`, in order."""
    end = len(data) if stop is None else stop
    at, count = start, 0
    while at + 8 <= end:
        count += 1
        if count > _MOST_BOXES:
            raise VideoError(f"more than {_MOST_BOXES} boxes side by side")
        size, raw = _SIZE_AND_KIND(data, at)
        kind, header = raw.decode("latin-1"), 8
        if size <= 1:
            size, header = _long_header(data, at, end, size)
        if size < header or at + size > end:
            raise VideoError(f"box '{kind}' is longer than the box that contains it")
        yield Box(kind, at + header, at + size)
        at += size


class Children:
    """The boxes inside a box, walked once: the first of each kind.

    If a box overruns its parent, the error is raised only when a kind is requested that was not found before
    it.
    """

    def __init__(self, data: bytes | memoryview, parent: Box) -> None:
        self.parent = parent
        self.twins: set[str] = set()
        """Kinds that occur more than once."""
        self._first: dict[str, Box] = {}
        self._damage: VideoError | None = None
        try:
            for found in boxes(data, parent.start, parent.stop):
                if self._first.setdefault(found.kind, found) is not found:
                    self.twins.add(found.kind)
        except VideoError as error:
            self._damage = error

    def optional(self, kind: str) -> Box | None:
        """The first box of that kind, or None."""
        found = self._first.get(kind)
        if found is None and self._damage is not None:
            raise self._damage
        return found

    def one(self, kind: str) -> Box:
        """The first box of that kind. Raises `VideoError` if there is none."""
        found = self.optional(kind)
        if found is None:
            raise VideoError(f"box '{self.parent.kind}' has no '{kind}'")
        return found


def box(kind: str, *payload: bytes) -> bytes:
    """A box with this payload."""
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind.encode("latin-1")) + body


def full_box(kind: str, version: int, flags: int, *payload: bytes) -> bytes:
    """A box that starts with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def _long_header(data: bytes | memoryview, at: int, end: int, size: int) -> tuple[int, int]:
    """Size and header length in bytes of a box whose 32-bit size field does not hold its size."""
    if size == 1 and at + 16 <= end:
        return struct.unpack_from(">Q", data, at + 8)[0], 16
    return (end - at if size == 0 else size), 8  # zero: up to the end of the parent
