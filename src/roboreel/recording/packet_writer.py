"""Write a camera's video from packets that are encoded already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from roboreel.errors import RoboreelError, RunError, UsageError, VideoError
from roboreel.format.declared import has_size
from roboreel.format.feature import Feature
from roboreel.recording.camera_types import EncodedFrame, FrameCounts, RecordedVideo
from roboreel.storage.video.streamed_video import MOST_ORDERED, StreamedVideo


class PacketWriter:
    """Writes packets to a growing file as they come, in the recorder's own process."""

    def __init__(self, feature: Feature, fps: Fraction) -> None:
        self._feature, self._fps = feature, fps
        self._path, self._episode = Path(), 0
        self._video: StreamedVideo | None = None
        self._codec = ""
        self._key: EncodedFrame | None = None
        self._repeated, self._after_gap, self._broken = 0, False, False

    @property
    def frames(self) -> int:
        """Packets written in this episode."""
        return 0 if self._video is None else self._video.frames

    def begin(self, path: Path, episode: int) -> None:
        """See `CameraWriter.begin`; the file is made with the first packet."""
        self._path, self._episode, self._video = path, episode, None
        self._key = None
        self._repeated, self._after_gap, self._broken = 0, False, False

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
            self._begun(self._key)
            self._video.add(self._key.data, self.frames)
            self._repeated, self._after_gap = self._repeated + 1, True

    def finish(self) -> RecordedVideo:
        """See `CameraWriter.finish`."""
        with self._explained():
            if self._video is None:
                raise VideoError("there is no frame")
            if self._broken:
                raise RunError("it failed before: discard the episode")
            self._refuse_reordered(self._video)
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
        if self._broken:
            raise RunError("it failed before: discard the episode")
        if self._video is None:
            self._video = StreamedVideo(self._path, self._fps)
            self._video.begin(packet.codec, packet.extradata)
            self._codec = packet.codec
        elif packet.codec != self._codec:
            raise UsageError(
                f"packet {self.frames} is {packet.codec}, the ones before are {self._codec}"
            )
        return self._video

    def _write(self, video: StreamedVideo, packet: EncodedFrame) -> None:
        number = video.frames
        try:
            key = video.add(packet.data, number, after_gap=self._after_gap)
            if not number:
                self._require_size(video)
        except (UsageError, VideoError) as error:
            if not number:  # the next packet may be the first
                self.discard()
            raise type(error)(f"packet {number}: {error}") from error
        if key:
            self._key, self._after_gap = packet, False
        if video.frames == MOST_ORDERED:
            self._refuse_reordered(video)

    def _require_size(self, video: StreamedVideo) -> None:
        entry = video.entry
        if not has_size(self._feature, entry.height, entry.width):
            raise UsageError(
                f"declared as {list(self._feature.shape)}, the packets are {entry.height}×{entry.width}"
                " (height×width)"
            )

    def _refuse_reordered(self, video: StreamedVideo) -> None:
        if video.reorders:
            raise VideoError(
                "the packets show frames in another order than they come in: let the encoder make no"
                " B-frames"
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Name the camera and the episode in errors."""
        try:
            yield
        except RoboreelError as error:
            self._broken |= self._video is not None and not isinstance(error, UsageError)
            where = f"episode {self._episode}, camera '{self._feature.name}'"
            raise type(error)(f"{where}: {error}") from error
