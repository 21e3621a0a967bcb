"""A video file that grows with the packets of one encoder, under its own name from the beginning.

It is a `GrowingVideo`: without its index, which comes last, no reader takes it for a video. What a killed
process has written can be read again, see `grow.py`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from fractions import Fraction

from roboreel.errors import StorageError, VideoError
from roboreel.storage import disk
from roboreel.storage.output_file import Output
from roboreel.storage.video.encoded_stream import EncodedStream, StreamPacket
from roboreel.storage.video.grow import GrowingVideo
from roboreel.storage.video.packets import SampleEntry
from roboreel.storage.video.reorder import reorders

MOST_ORDERED = 16
"""Packets whose order is checked: an encoder that reorders frames does so from the beginning."""


class StreamedVideo:
    """One growing file."""

    def __init__(self, path: str | os.PathLike[str], fps: Fraction) -> None:
        """Make the file, and its folders.

        Raises:
            StorageError: there is something of that name, or the disk fails.
        """
        self.path, self._fps = os.fspath(path), fps
        self._stream: EncodedStream | None = None
        self._video: GrowingVideo | None = None
        self._first: list[bytes] = []
        with self._explained():
            self._file = disk.create(self.path, to=self.path)

    @property
    def begun(self) -> bool:
        """True once it is known what its packets are."""
        return self._stream is not None

    @property
    def frames(self) -> int:
        """How many it has so far."""
        return 0 if self._video is None else self._video.packets

    @property
    def entry(self) -> SampleEntry:
        """How to decode its packets.

        Raises:
            VideoError: there is none yet.
        """
        if self._stream is None or self._stream.entry is None:
            raise VideoError("there is no frame")
        return self._stream.entry

    @property
    def size_bytes(self) -> int:
        """Bytes written so far."""
        return 0 if self._video is None else self._video.size_bytes

    def begin(self, stream: EncodedStream) -> None:
        """Say what the packets are, before the first one."""
        self._stream = stream

    @property
    def reorders(self) -> bool:
        """True where the first packets show their frames in another order than they came in."""
        return bool(self._first) and reorders(self.entry, self._first)

    def add(self, data: bytes, frame: int, *, keyframe: bool) -> None:
        """Append a packet as the encoder gave it, in decode order.

        Args:
            data: the packet.
            frame: the number of the frame that it shows.
            keyframe: whether it is one.

        Raises:
            UsageError: it is not one frame, or does not fit the others.
            StorageError: the disk fails.
        """
        assert self._stream is not None
        self.write(StreamPacket(self._stream.packet(data).data, keyframe), frame)

    def write(self, packet: StreamPacket, frame: int) -> None:
        """Append a packet of its stream; raises `StorageError` where the disk fails."""
        with self._explained():
            if self._video is None:
                self._video = GrowingVideo(Output(self._file), self.entry, self._fps)
            self._video.add(packet.data, frame=frame, keyframe=packet.keyframe)
            if len(self._first) < MOST_ORDERED:
                self._first.append(packet.data)
            self._file.flush()  # so that it survives the end of this process

    def finish(self) -> float:
        """Write the index, close the file and force it to the disk; returns the seconds that forcing took.

        Raises:
            VideoError: there is no frame, or the packets do not show each frame once.
            StorageError: the disk fails.
        """
        if self._video is None:
            raise VideoError("there is no frame")
        try:
            with self._explained():
                self._video.finish()
                self._file.close()
                began = time.perf_counter()
                disk.sync([self.path])
        except ValueError as error:
            raise VideoError(f"'{self.path}': {error}") from error
        return time.perf_counter() - began

    def discard(self) -> None:
        """Close and remove the file."""
        self.close()
        with contextlib.suppress(OSError):
            disk.unlink(self.path)

    def close(self) -> None:
        """Close the file as it is, without an index."""
        with contextlib.suppress(OSError):
            self._file.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"'{self.path}': {disk.explained(error)}") from error
