"""Keep a decoder open and feed it with the packets of any file that has its sample entry.

Opening a decoder costs more than decoding a frame (h264, 640×480: 9 ms against 3 ms).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from roboreel.errors import VideoError
from roboreel.storage.video.codec_context import CodecContext
from roboreel.storage.video.headers import brings_other_sets, codec_of
from roboreel.storage.video.indexed_video import IndexedVideo
from roboreel.storage.video.packets import Int64

_REUSED = ("avc1", "av01", "vp09")
"""Kinds of sample entries whose decoders forget a file on `flush`, except for what `Decoder.feed` checks.

Not hevc: a used decoder conceals damaged packets with other pixels than a new one does (7 of 2,000 damaged
videos).
"""
_MOST_IDLE = 8
"""Idle decoders to keep. Each holds at most 16 frames that later frames refer to."""
_IDLE: list[Decoder] = []
"""Idle decoders. Each access to this list is one Python operation, so threads need no lock."""


class Decoder:
    """A decoder for one sample entry. It remembers its position in a file and continues from there.

    Its frames equal those of a new decoder as long as `is_reusable` is True. It serves one caller at a time.
    """

    def __init__(self, video: IndexedVideo) -> None:
        """Open a decoder for a file; it also serves other files with the same sample entry.

        Raises:
            StorageError: the file cannot be read.
            VideoError: there is no decoder for the file.
        """
        entry = video.table.entry
        (first,) = video.packets(np.zeros(1, dtype=np.int64))
        self._context = CodecContext(entry, first, video.name)
        self._kind = entry.data, entry.matrix
        self._codec = codec_of(entry)
        known = self._codec is not None or entry.fourcc == "vp09"  # VP9 has no sets
        self._is_clean = known and entry.fourcc in _REUSED and not self._is_new(first)
        self._delay = self._context.delay
        self._fed: tuple[IndexedVideo, int, int] | None = None
        """The file, and the decode positions of the first packet fed and of the next packet."""

    @property
    def is_reusable(self) -> bool:
        """False where it may remember more of a file than the sample entry says.

        Examples are parameter sets that packets brought, and how long frames wait where a stream does not
        say.
        """
        return self._is_clean and self._context.delay == self._delay

    def serves(self, video: IndexedVideo) -> bool:
        """True where a file has the sample entry of this decoder."""
        return self._kind == (video.table.entry.data, video.table.entry.matrix)

    def is_in(self, video: IndexedVideo) -> bool:
        """True where it has decoded part of a GOP of this file and can continue."""
        return self._fed is not None and self._fed[0] is video

    def feed(self, number: int, data: bytes) -> list[Any]:
        """Feed the packet of a frame; return the complete PyAV frames, with their number as `pts`."""
        if self._is_clean and self._is_new(data):
            self._is_clean = False
        return self._context.decode(number, data)

    def drain(self) -> list[Any]:
        """The frames that still wait to be shown; the next packet fed must be a keyframe's."""
        frames = self._context.drain()
        self._context.flush()
        self._fed = None
        return frames

    def frames(
        self, video: IndexedVideo, positions: Int64, wanted: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        """(frame number, PyAV frame) for each wanted frame of a run of packets.

        Args:
            video: the file.
            positions: decode positions from an entry point on (`run_of_frames`).
            wanted: frame numbers, ascending, each once.

        Raises:
            VideoError: a frame does not decode, or frames come in another order than the index says.
        """
        table, due, awaited = video.table, deque(wanted), set(wanted)
        first, last = int(positions[0]), int(positions[-1])
        positions = self._from_here(video, positions, wanted)
        numbers = table.frame_of_packet[positions].tolist()
        for number, data in zip(numbers, video.packets(positions), strict=True):
            yield from _in_turn(self.feed(number, data), due, awaited, video.name)
        if due:  # frames wait for packets that are not wanted
            yield from _in_turn(self.drain(), due, awaited, video.name)
        else:
            self._fed = video, first, last + 1
        if due:
            raise VideoError(f"'{video.name}': frame {due[0]} does not decode")

    def _from_here(self, video: IndexedVideo, positions: Int64, wanted: Sequence[int]) -> Int64:
        """The packets of a run that are still to be fed: all, unless every wanted frame comes later."""
        fed, self._fed = self._fed, None
        if fed is None:
            return positions
        if fed[0] is video and fed[1] == positions[0]:
            table = video.table
            packets = table.display_order[table.hidden_before + np.asarray(wanted)]
            if packets.min() >= fed[2]:
                return positions[positions >= fed[2]]
        self._context.flush()
        return positions

    def _is_new(self, data: bytes) -> bool:
        """True where a packet brings parameter sets that the sample entry lacks."""
        return self._codec is not None and brings_other_sets(self._codec, data)


def take_decoder(video: IndexedVideo) -> Decoder:
    """An unused decoder for a file: one that is already in this file, if possible."""
    for decoder in sorted(_IDLE, key=lambda one: one.is_in(video), reverse=True):
        if decoder.serves(video):
            with suppress(ValueError):  # another thread was faster
                _IDLE.remove(decoder)
                return decoder
    return Decoder(video)


def keep_decoder(decoder: Decoder) -> None:
    """Keep a decoder for reuse if its frames will equal those of a new one. Do not call it after an error."""
    if decoder.is_reusable:
        _IDLE.append(decoder)
        del _IDLE[:-_MOST_IDLE]


def _in_turn(
    frames: Iterable[Any], due: deque[int], awaited: set[int], name: str
) -> Iterator[tuple[int, Any]]:
    """The awaited frames among decoded ones; they must come in the order in which they are due."""
    for frame in frames:
        if frame.pts not in awaited:
            continue
        awaited.discard(frame.pts)
        if frame.pts != due.popleft():
            raise VideoError(
                f"'{name}': frames decode in another order than the file says:"
                " it lacks the display times of its B-frames, or is damaged"
            )
        yield frame.pts, frame
