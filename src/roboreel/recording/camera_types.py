"""What a recorder tells its cameras, and what they give back."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from roboreel.errors import RunError, UsageError
from roboreel.format.encoding import Encoding
from roboreel.format.feature import Feature
from roboreel.stats.feature_stats import FeatureStats
from roboreel.stats.sampling import OWN, SamplingProfile
from roboreel.storage.video.packets import SampleEntry
from roboreel.types import Json

WhenSlow: TypeAlias = Literal["spill", "block", "raise"]
"""What to do with a frame while the encoder is slower than the camera."""
CameraFrame: TypeAlias = npt.NDArray[np.generic]
"""(H, W, 3) uint8 RGB; of a depth camera (H, W), (H, W, 1) or (1, H, W): uint16 or float32."""


def is_number(given: object) -> bool:
    """True for a number, NumPy's too, but not for a boolean."""
    return isinstance(given, numbers.Real) and not isinstance(given, bool)


def is_whole(given: object) -> bool:
    """True for a whole number, NumPy's too, but not for a boolean."""
    return isinstance(given, numbers.Integral) and not isinstance(given, bool)


class SlowEncoderError(RunError):
    """A frame was not taken, because an encoder is slower than its camera (`when_slow="raise"`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedFrame:
    """A frame as a camera or relay encoded it: one packet, which shows one frame."""

    data: bytes = field(repr=False)
    """The packet: h264 or hevc with start codes (Annex B) or with lengths (as in MP4), AV1 as OBUs."""
    codec: Literal["h264", "hevc", "av1"] = "h264"
    extradata: bytes = field(default=b"", repr=False)
    """The parameter sets, in Annex B or as an `avcC`, `hvcC` or `av1C` payload; empty where the first
    packet brings them."""

    def __post_init__(self) -> None:
        for name in ("data", "extradata"):
            given: object = getattr(self, name)
            if not isinstance(given, (bytes, bytearray, memoryview)):
                kind = type(given).__name__
                raise UsageError(f"EncodedFrame: {name} is a {kind}, expected bytes")
            object.__setattr__(self, name, bytes(given))


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraTask:
    """A camera that is recorded."""

    name: str
    feature: Feature
    """Its declaration: shape, and whether it has depths, with their scale."""
    fps: Fraction
    encoding: Encoding | None = None
    """How frames are encoded; None: lerobot's defaults, for RGB or for depth."""
    profile: SamplingProfile = OWN
    """How its statistics are computed."""
    encoded: bool = False
    """True where it is expected to give `EncodedFrame`s: no process is started before a plain frame comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraOptions:
    """How cameras are recorded; the same for all of a recorder."""

    folder: str | os.PathLike[str]
    """Frames are spilled to its disk, into a file without a name; need not exist yet."""
    when_slow: WhenSlow = "spill"
    """`spill`: frames wait in a file, up to `spill_mb`, then as with `block`. `block`: `add` waits for the
    encoder. `raise`: `add` raises `RunError`."""
    spill_mb: float = 4096.0
    """Limit for the frames of one camera that wait in a file, in 10⁶ bytes."""
    buffer_frames: int = 30
    """Frames of one camera that wait in memory."""
    timeout_s: float = 30.0
    """A camera's process that encodes no frame for so long while frames wait is ended."""
    low_delay: bool = False
    """AV1: the encoder holds no frames back, so an episode ends sooner; files are larger."""
    threads: int | None = None
    """Threads of each encoder; None: the processors shared out among the cameras."""
    niceness: int = 5
    """How much lower the priority of the cameras' processes is than this one's."""
    processes: bool = True
    """True: each camera encodes in a process of its own. False: in a thread of this one."""

    def __post_init__(self) -> None:
        frames, threads, niceness = self.buffer_frames, self.threads, self.niceness
        for name, sound, expected in (
            ("when_slow", self.when_slow in ("spill", "block", "raise"), "spill, block or raise"),
            ("spill_mb", is_number(self.spill_mb) and self.spill_mb >= 0, "0 or more"),
            ("buffer_frames", is_whole(frames) and frames >= 1, "a whole number, 1 or more"),
            ("timeout_s", is_number(self.timeout_s) and self.timeout_s > 0, "seconds, more than 0"),
            ("threads", threads is None or (is_whole(threads) and threads >= 1), "1 or more"),
            ("niceness", is_whole(niceness) and 0 <= niceness <= 19, "0 to 19"),
        ):
            if not sound:
                raise UsageError(f"{name} is {getattr(self, name)!r}, expected {expected}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameCounts:
    """What became of a camera's frames in an episode."""

    given: int = 0
    """Frames and packets given, repeated ones included: the video has exactly as many."""
    encoded: int = 0
    """Those that were encoded here; packets are not."""
    repeated: int = 0
    """Those that repeat the one before, to fill a gap."""
    spilled: int = 0
    """Those that waited in a file, because the encoder was slower than the camera."""
    longest_wait_s: float = 0.0
    """Longest time that `add` waited for the encoder."""
    longest_identical: int = 0
    """Most frames in a row that were the same image, as from a camera that hangs; without repeated ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVideo:
    """A camera's video of one episode: complete, closed and on the disk."""

    path: Path
    frames: int
    size_bytes: int
    entry: SampleEntry
    counts: FrameCounts
    stats: FeatureStats | None
    """Of the reference's sample of the frames as given; None for packets, which are not decoded."""
    facts: Mapping[str, Json]
    """What `info.json` says of the encoder and of a depth camera's scale (`video.g`, `video.crf`, …); empty
    for packets."""
    sync_s: float
    """Seconds that it took to force the file to the disk."""


class CameraWriter(Protocol):
    """Writes a camera's video of one episode after another. One thread uses it.

    A frame is taken in two steps, `put` and `send`, so that of several cameras all take it or none. Errors
    name the camera and the episode. A frame that `put` refuses (`UsageError`, `SlowEncoderError`) is not
    taken, and the episode can go on. After any other error the episode cannot be finished; its file stays as
    far as it is written, until `discard`. The next `begin` starts again, with a new process where one was
    lost.

    The encoder works while the caller goes on, so an error can come with a later frame, or with `finish`.
    """

    def begin(self, path: Path, episode: int) -> None:
        """Begin an episode's video: a new file, which has its index once it is finished.

        Args:
            path: the file; nothing may exist there. Its folders are made.
            episode: its number, for messages.

        Raises:
            StorageError: there is something at the path.
            RunError: a process cannot be started.
        """

    def put(self, frame: CameraFrame | EncodedFrame | None) -> None:
        """Check a frame and copy it; `send` takes it. Another `put` before that replaces it.

        Args:
            frame: an image, a packet as the camera encoded it, or None for the last frame again; of packets
                that is the last keyframe, after which the next one must be a keyframe.

        Raises:
            UsageError: it has another shape, dtype or kind than the frames before; it is not one whole frame;
                the first packet is not a keyframe; or there is no frame to repeat.
            SlowEncoderError: the encoder is too slow (`raise`).
            RunError: the camera's process died or hangs.
            VideoError: the encoder fails.
            StorageError: the disk fails.
        """

    def send(self) -> None:
        """Take the frame that was put.

        Raises:
            RunError: the camera's process died.
            VideoError: the packets show their frames in another order than they come in.
            StorageError: the disk fails.
        """

    def add(self, frame: CameraFrame | EncodedFrame | None) -> None:
        """`put` and `send`."""

    @property
    def identical(self) -> int:
        """How many of the last encoded frames in a row were the same image; 0 for packets."""

    def request_finish(self) -> None:
        """Let the video be finished without waiting for it: several cameras then finish at the same time."""

    def finish(self) -> RecordedVideo:
        """Write what is left and the index, close the file and force it to the disk.

        Raises:
            RunError: the process died or hangs, or not every frame was encoded.
            VideoError: the encoder fails, or there is no frame.
            StorageError: the disk fails.
        """

    def discard(self) -> None:
        """Give up the episode in progress, if there is one, and remove its file. Raises nothing."""

    def close(self) -> None:
        """Discard the episode in progress and end the process."""
