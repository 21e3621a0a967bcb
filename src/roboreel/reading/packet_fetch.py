"""Packets of remote videos, read before they are decoded: all at once, because each request takes a while."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roboreel.reading.decode_jobs import DecodeJob
from roboreel.storage.io_threads import at_once
from roboreel.storage.local import LocalRoot
from roboreel.storage.near_ranges import Span, joined
from roboreel.storage.video.decode import packets_of
from roboreel.storage.video.indexed_video import IndexedVideo


class PacketFetch:
    """The packets that some frames need, kept in memory from `run` to `release`."""

    def __init__(self, jobs: Iterable[DecodeJob]) -> None:
        """Find out what is needed of videos that are not on this machine; packets in memory are left out.

        Raises:
            StorageError: a video cannot be read.
        """
        spans: dict[int, tuple[IndexedVideo, list[Span]]] = {}
        for job in jobs:
            if not isinstance(job.video.root.root_of(job.video.name)[0], LocalRoot):
                needed = spans.setdefault(id(job.video), (job.video, []))[1]
                needed += _needed(job.video, job.numbers.tolist())
        self._blocks = [
            (video, block)
            for video, needed in spans.values()
            for block in video.lacks(joined(needed))
        ]
        self.size_bytes = sum(size for _, (_, size) in self._blocks)
        """Bytes that it reads."""

    def __add__(self, other: PacketFetch) -> PacketFetch:
        """What both read."""
        both = PacketFetch(())
        both._blocks = [*self._blocks, *other._blocks]
        both.size_bytes = self.size_bytes + other.size_bytes
        return both

    def run(self) -> None:
        """Read the packets.

        Raises:
            StorageError, HubError: a part cannot be read.
        """
        data = at_once(_read, self._blocks)
        for (video, block), part in zip(self._blocks, data, strict=True):
            video.hold((self, block), [block], [part])

    def release(self) -> None:
        """Drop the packets."""
        for video, block in self._blocks:
            video.release((self, block))


def _needed(video: IndexedVideo, numbers: Sequence[int]) -> list[Span]:
    """Where the packets of some frames are."""
    table, positions = video.table, packets_of(video, numbers)
    spans = zip(table.offset[positions].tolist(), table.size[positions].tolist(), strict=True)
    return list(spans)


def _read(part: tuple[IndexedVideo, Span]) -> bytes:
    video, block = part
    return video.read_range(block)
