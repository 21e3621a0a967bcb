"""ISO base media boxes (ISO/IEC 14496-12): walking them, and making them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from roboreel.errors import VideoError

_MOST_BOXES = 10_000
"""Side by side. A file of nothing but empty boxes has millions, and they would all be walked."""


@dataclass(frozen=True, slots=True)
class Box:
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
        size, kind, header = _header(data, at, end)
        if size < header or at + size > end:
            raise VideoError(f"box '{kind}' runs over the end of what holds it")
        yield Box(kind, at + header, at + size)
        at += size


def child(data: bytes | memoryview, parent: Box, kind: str) -> Box:
    """The first box of that kind inside `parent`."""
    found = optional_child(data, parent, kind)
    if found is None:
        raise VideoError(f"box '{parent.kind}' holds no '{kind}'")
    return found


def optional_child(data: bytes | memoryview, parent: Box, kind: str) -> Box | None:
    """The first box of that kind inside `parent`, or None."""
    inside = boxes(data, parent.start, parent.stop)
    return next((box for box in inside if box.kind == kind), None)


def box(kind: str, *payload: bytes) -> bytes:
    """A box with this payload."""
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind.encode("latin-1")) + body


def full_box(kind: str, version: int, flags: int, *payload: bytes) -> bytes:
    """A box that starts with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def _header(data: bytes | memoryview, at: int, end: int) -> tuple[int, str, int]:
    size, raw = struct.unpack_from(">I4s", data, at)
    kind = raw.decode("latin-1")
    if size == 1 and at + 16 <= end:
        return struct.unpack_from(">Q", data, at + 8)[0], kind, 16
    if size == 0:  # to the end of the file
        return end - at, kind, 8
    return size, kind, 8
