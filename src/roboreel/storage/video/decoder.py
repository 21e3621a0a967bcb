"""Keep a decoder open and feed it with the packets of any file that has its sample entry.

Opening a decoder costs more than decoding a frame (h264, 640×480: 9 ms against 3 ms).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
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

    def __init__(self, video: IndexedVideo, position: int = 0) -> None:
        """Open a decoder for a file; it also serves other files with the same sample entry.

        Args:
            video: the file.
            position: decode position of a packet that needs no earlier one, to open it with.

        Raises:
            StorageError: the file cannot be read.
            VideoError: there is no decoder for the file.
        """
        entry = video.table.entry
        (first,) = video.packets(np.array([position], dtype=np.int64))
        self._context = CodecContext(entry, first, video.name)
        self._kind = entry.data, entry.matrix
        self._codec = codec_of(entry)
        known = self._codec is not None or entry.fourcc == "vp09"  # VP9 has no sets
        self._is_clean = known and entry.fourcc in _REUSED and not self._is_new(first)
        self._delay = self._context.delay
        self._progress: _Progress | None = None
        self._held: list[Any] = []
        """Frames that came out, later ones than any that was wanted."""

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

    def nearness(self, video: IndexedVideo, frame: int) -> int:
        """2 where the frame before this one was wanted last, 1 where another one of the file was, else 0."""
        if self._progress is None or self._progress.video is not video:
            return 0
        return 2 if self._progress.shown == frame - 1 else 1

    def feed(self, number: int, data: bytes) -> list[Any]:
        """Feed the packet of a frame; return the complete PyAV frames, with their number as `pts`."""
        if self._is_clean and self._is_new(data):
            self._is_clean = False
        return self._context.decode(number, data)

    def drain(self) -> list[Any]:
        """The frames that still wait to be shown; the next packet fed must be a keyframe's."""
        frames = self._context.drain()
        self._forget()
        return frames

    def _forget(self) -> None:
        self._context.flush()
        self._progress, self._held = None, []

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
        due, first, stop = deque(wanted), int(positions[0]), int(positions[-1]) + 1
        reached, in_sequence = self._progress, self.nearness(video, wanted[0]) == 2
        if (
            reached
            and reached.video is video
            and reached.first == first
            and wanted[0] > reached.shown
        ):
            held, self._held = self._held, []
            positions = positions[positions >= reached.next]
            stop = max(stop, reached.next)
            yield from self._in_turn(held, due, video)
        elif reached:
            self._forget()
        self._progress = None  # until all frames are there
        yield from self._decoded(video, positions, due)
        if due and in_sequence:  # the next frames are likely to be wanted next: the decoder goes on
            for position in _packets_after(video, first, stop):
                yield from self._decoded(video, position, due)
                stop = int(position[0]) + 1
                if not due:
                    break
        if due:  # frames wait for packets that are not wanted
            yield from self._in_turn(self.drain(), due, video)
            first = -1  # there is no going on from here
        if due:
            raise VideoError(f"'{video.name}': frame {due[0]} does not decode")
        self._progress = _Progress(video, first, stop, wanted[-1])

    def _decoded(
        self, video: IndexedVideo, positions: Int64, due: deque[int]
    ) -> Iterator[tuple[int, Any]]:
        numbers = video.table.frame_of_packet[positions].tolist()
        for number, data in zip(numbers, video.packets(positions), strict=True):
            yield from self._in_turn(self.feed(number, data), due, video)

    def _in_turn(
        self, frames: Iterable[Any], due: deque[int], video: IndexedVideo
    ) -> Iterator[tuple[int, Any]]:
        """The frames that are due among decoded ones, which must come in order; later ones are held."""
        for frame in frames:
            number = frame.pts
            if not due:
                self._held.append(frame)
            elif number == due[0]:
                due.popleft()
                yield number, frame
            elif number > due[0] and number in due:
                raise VideoError(
                    f"'{video.name}': the frames decode in a different order than the file says:"
                    " the display times of its B-frames are missing, or it is damaged"
                )

    def _is_new(self, data: bytes) -> bool:
        """True where a packet brings parameter sets that the sample entry lacks."""
        return self._codec is not None and brings_other_sets(self._codec, data)


@dataclass(frozen=True, slots=True, eq=False)
class _Progress:
    """How far a decoder has come in a file."""

    video: IndexedVideo
    first: int
    """Decode position of the first packet fed; -1 where the decoder cannot go on."""
    next: int
    """Decode position of the next packet to feed."""
    shown: int
    """The last frame that was wanted: later ones are held, or still to come."""


def _packets_after(video: IndexedVideo, first: int, stop: int) -> Iterator[Int64]:
    """The decode positions from `stop` to the end of the GOP, one by one, of a run that began at `first`."""
    table = video.table
    at = int(np.searchsorted(table.keys, stop))
    end = int(table.keys[at]) if at < len(table.keys) else table.packets
    for position in range(stop, end):
        if table.frame_of_packet[position] >= table.frame_of_packet[first]:
            yield np.array([position], dtype=np.int64)


def take_decoder(video: IndexedVideo, frame: int, position: int) -> Decoder:
    """An unused decoder for frames of a file from one on: one that is already there, if possible.

    Args:
        video: the file.
        frame: the first frame.
        position: decode position of the keyframe where decoding starts.
    """
    for decoder in sorted(_IDLE, key=lambda one: one.nearness(video, frame), reverse=True):
        if decoder.serves(video):
            with suppress(ValueError):  # another thread was faster
                _IDLE.remove(decoder)
                return decoder
    return Decoder(video, position)


def keep_decoder(decoder: Decoder) -> None:
    """Keep a decoder for reuse if its frames will equal those of a new one. Do not call it after an error."""
    if decoder.is_reusable:
        _IDLE.append(decoder)
        del _IDLE[:-_MOST_IDLE]
