"""A writer for each camera of a recorder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from roboreel.errors import StorageError, UsageError, VideoError
from roboreel.format.depth import DepthScale, depth_scale
from roboreel.format.encoding import (
    AUTO,
    Encoding,
    describe,
    encoder_settings,
    without_delay,
)
from roboreel.ops.inputs import hardware_encoder_that_works
from roboreel.plan.camera_features import frame_size
from roboreel.recording.camera_types import (
    CameraFrame,
    CameraOptions,
    CameraTask,
    CameraWriter,
    EncodedFrame,
    RecordedVideo,
)
from roboreel.recording.camera_worker import WorkerTask
from roboreel.recording.frame_ring import MOST_SLOTS
from roboreel.recording.frame_writer import FrameWriter
from roboreel.recording.packet_writer import PacketWriter
from roboreel.storage.video.encoders import require_encoder
from roboreel.storage.video.stream_encoder import with_threads
from roboreel.types import Json

DEPTH_ENCODING = Encoding(
    vcodec="hevc", pix_fmt="gray12le", extra_options={"x265-params": "lossless=1"}
)
"""lerobot's defaults for depth cameras; each frame becomes a keyframe (`gop_of`)."""

_MOST_THREADS = 4
"""Of an encoder by default: more cost more than they gain for a frame of usual size."""


class _Writer:
    """Frames and packets of one camera; those of an episode are of one kind."""

    def __init__(self, name: str, frames: FrameWriter, packets: PacketWriter) -> None:
        self._name, self._frames, self._packets = name, frames, packets
        self._next: FrameWriter | PacketWriter | None = None
        self._where = ""

    def begin(self, path: Path, episode: int) -> None:
        self.discard()
        if os.path.lexists(path):
            raise StorageError(
                f"episode {episode}: '{path}' exists: a video needs a path of its own"
            )
        self._where = f"episode {episode}, camera '{self._name}'"
        self._frames.begin(path, episode)
        self._packets.begin(path, episode)

    def put(self, frame: CameraFrame | EncodedFrame | None) -> None:
        if isinstance(frame, EncodedFrame):
            self._refuse_mixed(self._frames.frames, "an encoded frame after plain ones")
            self._packets.put(frame)
            self._next = self._packets
        elif frame is None and self._packets.frames:
            self._packets.put(None)
        else:
            self._refuse_mixed(self._packets.frames, "a plain frame after encoded ones")
            self._frames.put(frame)
            self._next = self._frames

    def add(self, frame: CameraFrame | EncodedFrame | None) -> None:
        self.put(frame)
        self.send()

    def send(self) -> None:
        assert self._next is not None
        self._next.send()

    def _refuse_mixed(self, others: int, what: str) -> None:
        if others:
            raise UsageError(f"{self._where}: {what}: an episode of a camera has one kind of them")

    @property
    def identical(self) -> int:
        return 0 if self._packets.frames else self._frames.identical

    def request_finish(self) -> None:
        if not self._packets.frames:
            self._frames.request_finish()

    def finish(self) -> RecordedVideo:
        return self._given.finish()

    def discard(self) -> None:
        self._frames.discard()
        self._packets.discard()

    def close(self) -> None:
        self._packets.discard()
        self._frames.close()

    @property
    def _given(self) -> FrameWriter | PacketWriter:
        return self._packets if self._packets.frames else self._frames


def open_cameras(tasks: Sequence[CameraTask], options: CameraOptions) -> dict[str, CameraWriter]:
    """Writers by camera; close each. The processes of cameras with plain frames are started.

    Raises:
        UsageError: a depth camera's scale is not valid, or an option is not.
        VideoError: an encoder does not work here.
        RunError: a process cannot be started.
    """
    if not hasattr(os, "preadv"):
        raise UsageError("cameras are recorded on Linux and macOS only")
    if options.buffer_frames > MOST_SLOTS:
        raise UsageError(f"buffer_frames is {options.buffer_frames}, expected at most {MOST_SLOTS}")
    plain = sum(not task.encoded for task in tasks)
    shared_out = _processors() // max(1, plain)
    threads = options.threads or max(1, min(shared_out, _MOST_THREADS))
    made: dict[str, FrameWriter] = {}
    writers: dict[str, CameraWriter] = {}
    try:
        for task in tasks:
            made[task.name] = _frame_writer(task, options, threads)
            writers[task.name] = _Writer(
                task.name, made[task.name], PacketWriter(task.feature, task.fps)
            )
            if not task.encoded:
                made[task.name].start()
    except BaseException:
        for writer in made.values():
            writer.close()
        raise
    return writers


def finish_all(writers: Mapping[str, CameraWriter]) -> dict[str, RecordedVideo]:
    """Finish the episode of several cameras at the same time; raises as `CameraWriter.finish` does."""
    for writer in writers.values():
        writer.request_finish()
    return {name: writer.finish() for name, writer in writers.items()}


def _frame_writer(task: CameraTask, options: CameraOptions, threads: int) -> FrameWriter:
    feature = task.feature
    scale = _scale(task) if feature.is_depth else None
    encoding = _encoding(task, low_delay=options.low_delay)
    settings = encoder_settings(encoding)
    if options.threads is not None or settings["codec"] == "libsvtav1":
        settings = with_threads(settings, threads)
    if not task.encoded:
        _require(task, settings)
    slot_bytes = int(np.prod(feature.shape)) * (4 if scale else 1)
    work = WorkerTask(
        fps=task.fps,
        encoder=settings,
        profile=task.profile,
        scale=scale,
        unit=str(feature.video_facts.get("depth_unit") or ""),
        folder=os.fspath(options.folder),
        slots=options.buffer_frames,
        slot_bytes=slot_bytes,
        spill_frames=int(options.spill_mb * 1_000_000 // slot_bytes),
        niceness=options.niceness,
    )
    return FrameWriter(task.name, work, options, _facts(encoding, scale))


def _encoding(task: CameraTask, *, low_delay: bool) -> Encoding:
    encoding = task.encoding or (DEPTH_ENCODING if task.feature.is_depth else Encoding())
    if encoding.vcodec == AUTO:
        encoding = replace(encoding, vcodec=hardware_encoder_that_works())
    return without_delay(encoding) if low_delay else encoding


def _require(task: CameraTask, settings: Mapping[str, str]) -> None:
    """Raise `VideoError` unless an encoder works here."""
    width, height = frame_size(task.feature)
    try:
        _try_encoder(tuple(settings.items()), width, height)
    except VideoError as error:
        odd = (
            " (most pixel formats need an even width and height)" if width % 2 or height % 2 else ""
        )
        raise VideoError(
            f"camera '{task.name}': {error}{odd}; choose another vcodec, or `auto` for one that works"
        ) from error


@lru_cache(maxsize=64)  # cameras are often alike; an error is not kept
def _try_encoder(settings: tuple[tuple[str, str], ...], width: int, height: int) -> None:
    require_encoder(dict(settings), width=width, height=height)


def _scale(task: CameraTask) -> DepthScale:
    scale = depth_scale(task.feature)
    if scale is None:
        raise UsageError(
            f"camera '{task.name}': its depth scale is not valid: video.depth_min must be below"
            " video.depth_max, and depth_min + shift positive"
        )
    return scale


def _facts(encoding: Encoding, scale: DepthScale | None) -> dict[str, Json]:
    """What `info.json` says of an encoder, and of a depth camera's scale."""
    if scale is None:
        return describe(encoding)
    return {
        **describe(encoding),
        "video.depth_min": scale.nearest,
        "video.depth_max": scale.farthest,
        "video.shift": scale.shift,
        "video.use_log": scale.logarithmic,
    }


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
