"""The beginnings of a remote file's keyframes: read in order, the next ones together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from roboreel.storage.memory.near_ranges import Span, joined
from roboreel.storage.root import OpenFile
from roboreel.storage.video.packets import PacketTable

_HEAD_BYTES = 4096
"""Of a keyframe that are read at first: its parameter sets, and the header of its image."""
_READ_AHEAD_BYTES = 16 << 20


class KeyframeHeads:
    """A file whose keyframes are looked at in order. One caller at a time."""

    def __init__(self, file: OpenFile, table: PacketTable) -> None:
        """Read nothing yet.

        Args:
            file: the file.
            table: its packets.
        """
        bearers = np.union1d(table.keys, [0])
        sizes = np.minimum(table.size[bearers], _HEAD_BYTES)
        self._file = file
        self._blocks = joined(
            list(zip(table.offset[bearers].tolist(), sizes.tolist(), strict=True))
        )
        self._starts = [start for start, _ in self._blocks]
        self._data: dict[int, bytes] = {}
        self._at = 0

    def seek(self, offset: int, /) -> int:
        """Go to a position."""
        self._at = offset
        return offset

    def read(self, size: int, /) -> bytes:
        """The bytes that follow.

        Raises:
            StorageError: the file cannot be read.
        """
        at, self._at = self._at, self._at + size
        number = bisect_right(self._starts, at) - 1
        if number < 0 or at + size > sum(self._blocks[number]):
            (data,) = self._file.ranges([(at, size)])
            return data
        if number not in self._data:
            chosen = dict(_up_to(enumerate(self._blocks[number:], number), _READ_AHEAD_BYTES))
            found: Sequence[bytes] = self._file.ranges(list(chosen.values()))
            self._data = dict(zip(chosen, found, strict=True))
        start = at - self._starts[number]
        return self._data[number][start : start + size]


def _up_to(blocks: Iterable[tuple[int, Span]], most_bytes: int) -> Iterator[tuple[int, Span]]:
    """The first of some blocks, as many as have so many bytes, but at least one."""
    total = 0
    for number, (start, size) in blocks:
        if total and total + size > most_bytes:
            return
        total += size
        yield number, (start, size)
