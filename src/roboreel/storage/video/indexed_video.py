"""Keep the packet indexes of video files as long as the files do not change."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import chain, pairwise
from typing import TypeAlias

import numpy as np

from roboreel.errors import ChangedInputError, StorageError
from roboreel.storage.memory.held_ranges import HeldRanges
from roboreel.storage.memory.near_ranges import Span
from roboreel.storage.root import FileStat, OpenFile, Root
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.headers import ByteSource, codec_of
from roboreel.storage.video.index import packet_table_of
from roboreel.storage.video.key_access import KeyAccess
from roboreel.storage.video.keyframe_heads import KeyframeHeads
from roboreel.storage.video.packets import Int64, PacketTable
from roboreel.storage.video.stream_units import is_packet

_MOST_VIDEOS, _MOST_PACKETS = 8, 1 << 20
"""Number of indexes to keep: about 70 MB in total, unless a single one is larger."""
_FRESH_NS = 2_000_000_000
"""A file written more recently than this may be rewritten with the same timestamp."""
_BLOCK_BYTES = 4 << 20
"""Size of the packets that are read at once."""


class IndexedVideo:
    """A video file and its packets. Several threads may use it at once."""

    def __init__(
        self,
        root: Root,
        name: str,
        table: PacketTable | None = None,
        access: KeyAccess | None = None,
        held: HeldRanges | None = None,
        *,
        in_doubt: bool = False,
    ) -> None:
        """Read the index of a file.

        Args:
            root: the root of the file.
            name: the file.
            table: its index where that is known already; the file is then not opened.
            access: where decoding can start, where that is known; else keyframes are read when it is asked.
            held: parts of the file that are in memory: packets in them are not read again.
            in_doubt: True if `table` may be that of another file of the same size: each packet is looked at.

        Raises:
            StorageError: the file cannot be read.
            VideoError: it is not an MP4, is cut short, or does not have exactly one video track.
        """
        self.root, self.name = root, name
        if table is None:
            with self._file.as_file() as file:
                table = packet_table_of(file, name)
        self.table: PacketTable = table
        self._access, self.held, self._in_doubt = access, held, in_doubt
        self._idle: list[AccessPoints] = []
        self._points: AccessPoints | None = None
        """The one that was made last."""

    @cached_property
    def _file(self) -> OpenFile:
        return self.root.kept_open(self.name)

    def packets(self, positions: Int64) -> Iterator[bytes]:
        """The bytes of the packets at some decode positions, read a few megabytes at a time.

        Raises:
            StorageError: the file cannot be read.
            ChangedInputError: it is not the file that the index is of.
        """
        found = self._read(positions)
        return map(self._looked_at, found) if self._in_doubt else found

    def _looked_at(self, packet: bytes) -> bytes:
        if not is_packet(packet, codec_of(self.table.entry)):
            raise ChangedInputError(
                f"'{self.name}' in '{self.root.url}' has changed since its packet index was made: make that"
                " again with `roboreel index`"
            )
        return packet

    def _read(self, positions: Int64) -> Iterator[bytes]:
        offset, size = self.table.offset[positions], self.table.size[positions]
        offsets, sizes = offset.tolist(), size.tolist()
        total = sum(sizes)
        if total <= _BLOCK_BYTES:
            return iter(self._together(offsets, sizes, total))
        ends = np.flatnonzero(np.diff(np.cumsum(size) // _BLOCK_BYTES)) + 1
        bounds = pairwise([0, *ends.tolist(), len(sizes)])
        return chain.from_iterable(
            self._together(offsets[a:b], sizes[a:b], sum(sizes[a:b])) for a, b in bounds
        )

    def _together(self, offset: list[int], size: list[int], total: int) -> Sequence[bytes]:
        """Packets that are read at once: in one read if they follow each other in the file."""
        if not offset:
            return []
        first = offset[0]
        if offset[-1] + size[-1] - first != total or offset != sorted(offset):
            return self._ranges(list(zip(offset, size, strict=True)))
        (data,) = self._ranges([(first, total)])
        if len(offset) == 1:
            return [data]
        return [
            data[start - first : start - first + count]
            for start, count in zip(offset, size, strict=True)
        ]

    def read_range(self, span: Span) -> bytes:
        """A part of the file.

        Raises:
            StorageError: it cannot be read.
        """
        (data,) = self._file.ranges([span])
        return data

    def _ranges(self, spans: Sequence[Span]) -> Sequence[bytes]:
        found = None if self.held is None else self.held.parts(spans)
        return self._file.ranges(spans) if found is None else found

    def _keyframes(self) -> ByteSource:
        """The file, to look at keyframes in order."""
        remote = self.held is not None
        return KeyframeHeads(self._file, self.table) if remote else self._file.as_file()

    @contextmanager
    def access_points(self) -> Iterator[AccessPoints | KeyAccess]:
        """The points where decoding can start, for one caller at a time; later calls reuse what was read."""
        if self._access is not None:
            yield self._access
            return
        try:
            points = self._idle.pop()
        except IndexError:
            points = self._points = AccessPoints(self._keyframes(), self.table, self._points)
        yield points
        # only if nothing failed: what was read in part is not used again
        self._idle.append(points)


_Key: TypeAlias = tuple[str, bool, str, str, FileStat]
_KEPT: list[tuple[_Key, IndexedVideo]] = []
"""Most recently used first. Threads share it without a lock: at worst, one of them reads an index again."""


def indexed_video(root: Root, name: str) -> IndexedVideo:
    """A video file with its index, which is read again only when the file's size or timestamp changes.

    Raises:
        StorageError: the file cannot be read.
        VideoError: it is not an MP4, is cut short, or does not have exactly one video track.
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
    """What identifies the state of a file; None where it could change without being noticed."""
    own, path = root.root_of(name)
    try:
        stat = root.stat(name)
    except StorageError:  # opening the file will report the reason
        return None
    stamp = stat.stamp
    if not stamp or (stamp.isdigit() and time.time_ns() - int(stamp) < _FRESH_NS):
        return None
    return os.path.abspath(own.url), own.follow_links, path, name, stat


def _bounded(kept: list[tuple[_Key, IndexedVideo]]) -> list[tuple[_Key, IndexedVideo]]:
    packets = np.cumsum([video.table.packets for _, video in kept])
    count = int(np.searchsorted(packets, _MOST_PACKETS, side="right"))
    return kept[: min(max(count, 1), _MOST_VIDEOS)]
