"""Packets of remote videos, read before they are decoded: all at once, because each request takes a while."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from roboreel.reading.decode_jobs import DecodeJob
from roboreel.storage.memory.held_ranges import HeldRanges
from roboreel.storage.memory.near_ranges import Span, joined
from roboreel.storage.remote.io_threads import at_once
from roboreel.storage.video.decode import packets_of
from roboreel.storage.video.indexed_video import IndexedVideo


class PacketFetch:
    """The packets that some frames need, in memory from `run` to `release`."""

    def __init__(self, jobs: Iterable[DecodeJob]) -> None:
        """Find out what is needed of videos that are not on this machine, and what of that is in memory.

        Raises:
            StorageError: a video cannot be read.
        """
        needed: dict[IndexedVideo, list[Span]] = {}
        for job in jobs:
            if job.video.held is not None:
                needed.setdefault(job.video, []).extend(_spans(job.video, job.numbers.tolist()))
        self._needed = {video: joined(spans, near_bytes=0) for video, spans in needed.items()}
        self._pinned: list[tuple[HeldRanges, list[Any]]] = []
        self._pin()
        self._blocks = [
            (video, block)
            for video, spans in self._needed.items()
            for block in joined(_held(video).missing(spans))
        ]
        self.size_bytes = sum(size for _, (_, size) in self._blocks)
        """Bytes that it reads."""

    def run(self) -> None:
        """Read the packets.

        Raises:
            StorageError, HubError: a part cannot be read.
        """
        data = at_once(_read, self._blocks)
        for (video, block), part in zip(self._blocks, data, strict=True):
            _held(video).add(block[0], part)
        if self._blocks:
            self._pin()

    def release(self) -> None:
        """Let the packets be dropped when room is needed."""
        while self._pinned:
            held, chunks = self._pinned.pop()
            held.unpin(chunks)

    def _pin(self) -> None:
        for video, spans in self._needed.items():
            held = _held(video)
            self._pinned.append((held, held.pin(spans)))


def _held(video: IndexedVideo) -> HeldRanges:
    assert video.held is not None
    return video.held


def _spans(video: IndexedVideo, numbers: Sequence[int]) -> list[Span]:
    """Where the packets of some frames are."""
    table, positions = video.table, packets_of(video, numbers)
    spans = zip(table.offset[positions].tolist(), table.size[positions].tolist(), strict=True)
    return list(spans)


def _read(part: tuple[IndexedVideo, Span]) -> bytes:
    video, block = part
    return video.read_range(block)
