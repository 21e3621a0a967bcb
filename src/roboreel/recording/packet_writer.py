"""Write a camera's video from packets that are encoded already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from roboreel.errors import RoboreelError, UsageError, VideoError
from roboreel.format.declared import has_size
from roboreel.format.feature import Feature
from roboreel.recording.camera_types import EncodedFrame, FrameCounts, RecordedVideo
from roboreel.storage.video.streamed_video import StreamedVideo


class PacketWriter:
    """Writes packets to a growing file as they come, in the recorder's own process."""

    def __init__(self, feature: Feature, fps: Fraction) -> None:
        self._feature, self._fps = feature, fps
        self._path, self._episode = Path(), 0
        self._video: StreamedVideo | None = None
        self._first: EncodedFrame | None = None
        self._key: EncodedFrame | None = None
        self._repeated, self._after_gap = 0, False

    @property
    def frames(self) -> int:
        """Packets written in this episode."""
        return 0 if self._video is None else self._video.frames

    def begin(self, path: Path, episode: int) -> None:
        """See `CameraWriter.begin`; the file is made with the first packet."""
        self._path, self._episode, self._video = path, episode, None
        self._first = self._key = None
        self._repeated, self._after_gap = 0, False

    def add(self, packet: EncodedFrame) -> None:
        """See `CameraWriter.add_packet`."""
        with self._explained():
            video = self._begun(packet)
            self._write(video, packet)

    def repeat(self) -> None:
        """See `CameraWriter.repeat`."""
        with self._explained():
            if self._video is None or self._key is None:
                raise UsageError("there is no frame to repeat")
            self._video.add(self._key.data, self.frames)
            self._repeated, self._after_gap = self._repeated + 1, True

    def finish(self) -> RecordedVideo:
        """See `CameraWriter.finish`."""
        with self._explained():
            if self._video is None:
                raise VideoError("there is no frame")
            video, sync_s = self._video, self._video.finish()
        self._video = None
        return RecordedVideo(
            path=self._path,
            frames=video.frames,
            size_bytes=video.size_bytes,
            entry=video.entry,
            counts=FrameCounts(given=video.frames, repeated=self._repeated),
            stats=None,
            facts={},
            sync_s=sync_s,
        )

    def discard(self) -> None:
        """See `CameraWriter.discard`."""
        if self._video is not None:
            self._video.discard()
            self._video = None

    def _begun(self, packet: EncodedFrame) -> StreamedVideo:
        if self._video is None:
            self._video = StreamedVideo(self._path, self._fps)
            self._video.begin(packet.codec, packet.extradata)
            self._first = packet
        elif self._first is not None and packet.codec != self._first.codec:
            raise UsageError(
                f"packet {self.frames} is {packet.codec}, the first one was {self._first.codec}"
            )
        return self._video

    def _write(self, video: StreamedVideo, packet: EncodedFrame) -> None:
        try:
            key = video.add(packet.data, video.frames, after_gap=self._after_gap)
        except UsageError as error:
            raise UsageError(f"packet {self.frames}: {error}") from error
        if video.frames == 1:
            self._require_size(video)
        if key:
            self._key, self._after_gap = packet, False

    def _require_size(self, video: StreamedVideo) -> None:
        entry = video.entry
        if not has_size(self._feature, entry.height, entry.width):
            raise UsageError(
                f"declared as {list(self._feature.shape)}, the packets are {entry.height}×{entry.width}"
                " (height×width)"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Name the camera and the episode in errors."""
        try:
            yield
        except RoboreelError as error:
            where = f"episode {self._episode}, camera '{self._feature.name}'"
            raise type(error)(f"{where}: {error}") from error
