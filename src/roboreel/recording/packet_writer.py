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
from roboreel.storage.video.encoded_stream import EncodedStream, StreamPacket
from roboreel.storage.video.streamed_video import MOST_ORDERED, StreamedVideo


class PacketWriter:
    """Writes packets to a growing file as they come, in the recorder's own process."""

    def __init__(self, feature: Feature, fps: Fraction) -> None:
        self._feature, self._fps = feature, fps
        self._path, self._episode = Path(), 0
        self._video: StreamedVideo | None = None
        self._codec = ""
        self._stream: EncodedStream | None = None
        self._key: EncodedFrame | None = None
        self._held: tuple[EncodedFrame, StreamPacket] | None = None
        """The packet that waits for `send`."""
        self._repeats = False
        """True where that is the last keyframe again."""
        self._untaken = b""
        """A packet that was good, and not taken because of another camera: those after it may refer to it."""
        self._repeated, self._after_gap, self._broken = 0, False, False

    @property
    def frames(self) -> int:
        """Packets written in this episode."""
        return 0 if self._video is None else self._video.frames

    def begin(self, path: Path, episode: int) -> None:
        """See `CameraWriter.begin`; the file is made with the first packet."""
        self._path, self._episode, self._video = path, episode, None
        self._stream = self._key = None
        self._repeated, self._after_gap, self._broken, self._untaken = 0, False, False, b""

    def put(self, packet: EncodedFrame | None) -> None:
        """See `CameraWriter.put`."""
        with self._explained():
            if self._broken:
                raise RunError("it failed before: discard the episode")
            self._repeats = packet is None
            given = packet or self._key
            if given is None:
                raise UsageError("there is no frame to repeat")
            checked = self._checked(given)
            if packet is not None:
                self._require_untaken(packet, checked)
                self._untaken = packet.data if self.frames else b""
            self._held = given, checked

    def send(self) -> None:
        """See `CameraWriter.send`."""
        with self._explained():
            assert self._held is not None
            assert self._stream is not None
            if self._video is None:
                self._video = StreamedVideo(self._path, self._fps)
                self._video.begin(self._stream)
            given, packet = self._held
            self._untaken = b""
            self._video.write(packet, self.frames)
            if self._repeats:
                self._repeated, self._after_gap = self._repeated + 1, True
            elif packet.keyframe:
                self._key, self._after_gap = given, False
            if self.frames == MOST_ORDERED:
                self._refuse_reordered(self._video)

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

    def _checked(self, packet: EncodedFrame) -> StreamPacket:
        """The packet as the file has it; the first one begins the stream."""
        number = self.frames
        first = not number  # also after a first packet that another camera refused
        if not first and packet.codec != self._codec:
            raise UsageError(
                f"packet {number} is {packet.codec}, the ones before are {self._codec}"
            )
        try:
            stream = EncodedStream(packet.codec, packet.extradata) if first else self._stream
            assert stream is not None
            found = stream.packet(packet.data)
            if first:
                self._require_size(stream)
            self._require_key_after_gap(found)
        except (UsageError, VideoError) as error:
            # a first packet that no decoder reads is refused like any other wrong one
            raise UsageError(f"packet {number}: {error}") from error
        self._stream, self._codec = stream, packet.codec
        return found

    def _require_untaken(self, given: EncodedFrame, packet: StreamPacket) -> None:
        """Raise where a packet may refer to one before that is not in the video."""
        if self._untaken and not packet.keyframe and given.data != self._untaken:
            raise UsageError(
                f"packet {self.frames}: the packet before it was not taken, because another value of its"
                " frame was refused: give that packet again, or go on with a keyframe"
            )

    def _require_key_after_gap(self, packet: StreamPacket) -> None:
        if self._after_gap and not packet.keyframe:
            raise UsageError("the packet after a gap must be a keyframe")

    def _require_size(self, stream: EncodedStream) -> None:
        entry = stream.entry
        assert entry is not None
        if not has_size(self._feature, entry.height, entry.width):
            raise UsageError(
                f"declared as {list(self._feature.shape)}, the packets are {entry.height}×{entry.width}"
                " (height×width)"
            )

    def _refuse_reordered(self, video: StreamedVideo) -> None:
        if video.reorders:
            raise VideoError(
                "the packets have B-frames (the display order is not the order of the packets): turn B-frames"
                " off in the encoder"
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
