"""How a recorder works: cameras, gaps, room on the disk."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import TypedDict

from roboreel.errors import UsageError
from roboreel.format.encoding import Encoding
from roboreel.format.feature import Feature
from roboreel.recording.camera_types import CameraOptions, WhenSlow, is_number


class RecordKeywords(TypedDict, total=False):
    """The fields of `RecordOptions` as keyword arguments, for type checkers (PEP 692)."""

    encoding: Encoding | Mapping[str, Encoding] | None
    encoded_cameras: Collection[str]
    measure_packets: bool
    max_gap_s: float | None
    min_free_mb: float
    when_slow: WhenSlow
    spill_mb: float
    buffer_frames: int
    timeout_s: float
    low_delay: bool
    threads: int | None
    niceness: int
    processes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOptions:
    """How a recorder works.

    Args:
        encoding: how frames are encoded, of all cameras or by camera; by default as the dataset's videos
            are, and in a new dataset as lerobot does (AV1).
        encoded_cameras: cameras that give `EncodedFrame`s: no process is started for them.
        measure_packets: compute the statistics of cameras that give `EncodedFrame`s, by decoding a sample
            when an episode is saved. False leaves them out until `finalize` compacts the dataset.
        max_gap_s: a camera without a frame for up to so many seconds repeats its last one, which the column
            `frame_repeated` marks; None refuses a frame that lacks a camera.
        min_free_mb: an episode is not begun with less room on the disk than this, in 10⁶ bytes, and the size
            of the largest episode so far.
        when_slow: what happens to frames while an encoder is slower than its camera. `spill`: they wait in a
            file, up to `spill_mb`, then as with `block`. `block`: `add_frame` waits. `raise`: it raises.
        spill_mb: limit for the frames of one camera that wait in a file, in 10⁶ bytes.
        buffer_frames: frames of one camera that wait in memory.
        timeout_s: a camera's process that encodes no frame for so long while frames wait is ended.
        low_delay: AV1: the encoder holds no frames back, so an episode ends sooner; files are larger.
        threads: threads of each encoder; by default the processors are shared out among the cameras.
        niceness: how much lower the priority of the cameras' processes is than this one's, 0 to 19.
        processes: True encodes each camera in a process of its own, False in a thread of this one.

    Raises:
        UsageError: a value is out of range.
    """

    encoding: Encoding | Mapping[str, Encoding] | None = None
    encoded_cameras: Collection[str] = frozenset()
    measure_packets: bool = True
    max_gap_s: float | None = None
    min_free_mb: float = 500.0
    when_slow: WhenSlow = "spill"
    spill_mb: float = 4096.0
    buffer_frames: int = 30
    timeout_s: float = 30.0
    low_delay: bool = False
    threads: int | None = None
    niceness: int = 5
    processes: bool = True

    def __post_init__(self) -> None:
        gap = self.max_gap_s
        if gap is not None and not (is_number(gap) and 0 < gap < float("inf")):
            raise UsageError(f"max_gap_s is {gap!r}, expected seconds, more than 0")
        if not (is_number(self.min_free_mb) and self.min_free_mb >= 0):
            raise UsageError(f"min_free_mb is {self.min_free_mb!r}, expected 0 or more")
        if isinstance(self.encoded_cameras, str):
            raise UsageError(
                f"encoded_cameras is {self.encoded_cameras!r}, expected a list of names, not one string"
            )
        self._require_encoding(self.encoding)
        self.cameras("")

    @staticmethod
    def _require_encoding(given: object) -> None:
        several = given.values() if isinstance(given, Mapping) else (given,)
        if not all(one is None or isinstance(one, Encoding) for one in several):
            raise UsageError(
                f"encoding is {given!r:.80}, expected a roboreel.Encoding, or a dict with one by camera"
            )

    @property
    def encoded_by_name(self) -> set[str]:
        """The cameras that have an encoding of their own."""
        return set(self.encoding) if isinstance(self.encoding, Mapping) else set()

    def cameras(self, folder: str | os.PathLike[str]) -> CameraOptions:
        """The options of cameras that spill to the disk of a folder."""
        names = {one.name for one in fields(CameraOptions)} - {"folder"}
        return CameraOptions(folder=folder, **{name: getattr(self, name) for name in names})

    def encoding_of(self, feature: Feature) -> Encoding | None:
        """How a camera is encoded; None: as lerobot does."""
        if isinstance(self.encoding, Encoding):
            return self.encoding
        given = (self.encoding or {}).get(feature.name)
        return given or _encoding_before(feature)


def _encoding_before(feature: Feature) -> Encoding | None:
    """The encoding of the dataset's videos, as far as `info.json` tells it."""
    facts = feature.video_facts
    codec = facts.get("video.codec")
    if feature.is_depth or not isinstance(codec, str):
        return None
    settings = {"vcodec": codec, "g": facts.get("video.g"), "crf": facts.get("video.crf")}
    settings |= {"preset": facts.get("video.preset"), "pix_fmt": facts.get("video.pix_fmt")}
    known = {name: value for name, value in settings.items() if value is not None}
    try:
        return Encoding(**known)  # type: ignore[arg-type]  # whatever the document has is checked there
    except UsageError:
        return None
