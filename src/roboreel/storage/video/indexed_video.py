"""Video files whose packet index has been read, kept while the files stay the same."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TypeAlias

import numpy as np

from roboreel.errors import StorageError
from roboreel.storage.root import FileStat, Root
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import Int64, PacketTable

_MOST_VIDEOS, _MOST_PACKETS = 8, 1 << 20
"""Indexes that are kept: together at most about 70 MB, unless one alone is larger."""
_FRESH_NS = 2_000_000_000
"""A file written more recently may be written again under the same stamp."""
_BLOCK_BYTES = 4 << 20
"""Packets that are read together."""


class IndexedVideo:
    """A video file and its packets. Several threads may use it at once."""

    def __init__(self, root: Root, name: str) -> None:
        """Read the index of a file.

        Raises:
            StorageError: the file cannot be read.
            VideoError: it is no MP4, is cut short, or holds other than one video track.
        """
        self.root, self.name = root, name
        self.table: PacketTable = read_packet_table(root, name)
        self._idle: list[tuple[_LazyInput, AccessPoints]] = []

    def packets(self, positions: Int64) -> Iterator[bytes]:
        """The bytes of the packets at some decode positions, read a few megabytes at a time.

        Raises:
            StorageError: the file cannot be read.
        """
        offset, size = self.table.offset[positions], self.table.size[positions]
        block = np.cumsum(size) // _BLOCK_BYTES
        for members in np.split(np.arange(len(positions)), np.flatnonzero(np.diff(block)) + 1):
            spans = zip(offset[members].tolist(), size[members].tolist(), strict=True)
            yield from self.root.ranges(self.name, list(spans))

    @contextmanager
    def access_points(self) -> Iterator[AccessPoints]:
        """Where decoding can start; one caller at a time has these, what they learn is kept."""
        try:
            file, points = self._idle.pop()
        except IndexError:
            file = _LazyInput(self.root, self.name)
            points = AccessPoints(file, self.table)
        try:
            yield points
        finally:
            file.close()
        # only where nothing failed: what was read in part is not used again
        self._idle.append((file, points))


class _LazyInput:
    """A file that is open from the first read until it is closed, each time again.

    No file stays open between calls: a process that is forked would share its position.
    """

    def __init__(self, root: Root, name: str) -> None:
        self._root, self._name = root, name
        self._file: IO[bytes] | None = None

    def seek(self, offset: int, /) -> int:
        return self._opened().seek(offset)

    def read(self, size: int, /) -> bytes:
        return self._opened().read(size)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = self._root.input(self._name)
        return self._file


_Key: TypeAlias = tuple[str, bool, str, str, FileStat]
_KEPT: list[tuple[_Key, IndexedVideo]] = []
"""The last used first. Threads share it without a lock: at worst one of them reads an index again."""


def indexed_video(root: Root, name: str) -> IndexedVideo:
    """A video file with its index, which is read once while the file has the same size and stamp.

    Raises:
        StorageError: the file cannot be read.
        VideoError: it is no MP4, is cut short, or holds other than one video track.
    """
    key = _key(root, name)
    for kept in tuple(_KEPT):
        if kept[0] == key:
            _KEPT[:] = [kept, *(other for other in _KEPT if other[0] != key)]
            return kept[1]
    video = IndexedVideo(root, name)
    if key is not None:
        _KEPT[:] = _bounded([(key, video), *_KEPT])
    return video


def _key(root: Root, name: str) -> _Key | None:
    """What an index hangs on; None where a file may change without a trace."""
    own, path = root.root_of(name)
    try:
        stat = root.stat(name)
    except StorageError:  # opening it says why
        return None
    stamp = stat.stamp
    if not stamp or (stamp.isdigit() and time.time_ns() - int(stamp) < _FRESH_NS):
        return None
    return os.path.abspath(own.url), own.follow_links, path, name, stat


def _bounded(kept: list[tuple[_Key, IndexedVideo]]) -> list[tuple[_Key, IndexedVideo]]:
    packets = np.cumsum([video.table.packets for _, video in kept])
    count = int(np.searchsorted(packets, _MOST_PACKETS, side="right"))
    return kept[: min(max(count, 1), _MOST_VIDEOS)]
