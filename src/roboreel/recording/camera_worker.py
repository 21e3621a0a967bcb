"""The loop of a camera's process: take frames, encode them, write the video, and measure it."""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from dataclasses import dataclass, replace
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import RoboreelError, RunError, StorageError
from roboreel.format.depth import DepthScale, DepthUnit
from roboreel.format.encoding import canonical_codec
from roboreel.parallel import end_with_parent
from roboreel.recording.frame_ring import (
    BEGIN,
    DISCARD,
    FINISH,
    LEAVE,
    REPEATED,
    FrameReceiver,
    SharedFrames,
)
from roboreel.recording.recorded_pixels import RecordedPixels
from roboreel.stats.feature_stats import FeatureStats
from roboreel.stats.sampling import SamplingProfile
from roboreel.storage.video.encoded_stream import EncodedStream
from roboreel.storage.video.packets import SampleEntry
from roboreel.storage.video.stream_encoder import StreamEncoder, load_encoders
from roboreel.storage.video.streamed_video import StreamedVideo


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTask:
    """What a camera's process is to do."""

    fps: Fraction
    encoder: dict[str, str]
    profile: SamplingProfile
    scale: DepthScale | None
    """Of a depth camera."""
    unit: str
    """The declared unit of its depths: `m`, `mm`, or empty where none is."""
    folder: str
    """For files without a name."""
    slots: int
    slot_bytes: int
    spill_frames: int
    niceness: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVideo:
    """The beginning of an episode."""

    serial: int
    """Tells it from the others of this process; from 1."""
    path: str
    shape: tuple[int, ...]
    """(H, W, 3), or (H, W) of depths."""
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedVideo:
    """The end of an episode: its video is complete."""

    frames: int
    encoded: int
    size_bytes: int
    entry: SampleEntry
    stats: FeatureStats | None
    longest_identical: int
    sync_s: float


def unit_of(dtype: np.dtype[np.generic]) -> DepthUnit:
    """The unit of depths: metres where they have fractions, else millimetres."""
    return "m" if dtype.kind == "f" else "mm"


def serve(
    task: WorkerTask, pipe: int, answers: Connection, memory: int, spill: int, *, alone: bool
) -> None:
    """Do what the pipe says until it is closed. A video in progress then stays, as far as it is written.

    Args:
        task: what to do.
        pipe, memory, spill: descriptors, see `frame_ring`.
        answers: what to begin comes from there, and what was finished goes there.
        alone: True in a process of its own, False in a thread.
    """
    if alone:
        end_with_parent()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the recorder decides, which may save first
        with contextlib.suppress(OSError):
            os.nice(task.niceness)
        _yield_to_recorder()
        load_encoders()
    shared = SharedFrames(memory, task.slots, task.slot_bytes)
    frames = FrameReceiver(shared, spill, task.spill_frames, pipe)
    worker = _Worker(task, shared, frames, answers)
    shared.set("progress", 1)  # all is loaded
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while (byte := frames.receive()) not in (None, LEAVE):
            worker.obey(byte)
            shared.set("progress", shared.get("progress") + 1)
    worker.leave()


def _yield_to_recorder() -> None:
    """Let this process not interrupt the recorder when a frame wakes it; threads made later inherit it."""
    if hasattr(os, "SCHED_BATCH"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class _Worker:
    """The episode in progress, and what became of it."""

    def __init__(
        self, task: WorkerTask, shared: SharedFrames, frames: FrameReceiver, answers: Connection
    ) -> None:
        self._task, self._shared, self._frames, self._answers = task, shared, frames, answers
        self._episode: _Episode | None = None
        self._error: RoboreelError | None = None
        self._serial = 0

    def obey(self, byte: int) -> None:
        """Do what one byte of the pipe says."""
        if byte == BEGIN:
            self.discard()
            new: NewVideo = self._answers.recv()
            self._serial = new.serial
            self._try(lambda: self._begin(new))
        elif byte == FINISH:
            self._answers.send((self._serial, self._finished()))
        elif byte == DISCARD:
            self.discard()
            self._answers.send((self._serial, None))
        elif byte == REPEATED:
            self._try(lambda: self._running().repeat())
        else:
            self._try(lambda: self._running().add(self._frames, byte))
            self._frames.free(byte)

    def discard(self) -> None:
        """Give up the episode."""
        if self._episode is not None:
            self._episode.discard()
        self._fail(None)
        self._episode = None

    def leave(self) -> None:
        """Close the files; a video in progress stays as it is."""
        if self._episode is not None:
            self._episode.close()

    def _begin(self, new: NewVideo) -> None:
        self._episode = _Episode(self._task, self._shared, new)

    def _running(self) -> _Episode:
        assert self._episode is not None
        return self._episode

    def _finished(self) -> EncodedVideo | RoboreelError:
        done: list[EncodedVideo] = []
        self._try(lambda: done.append(self._running().finish()))
        if self._error is not None:
            return self._error
        self._episode = None
        return done[0]

    def _try(self, step: Any) -> None:
        """Do a step, unless one has failed: the recorder hears of the first failure."""
        if self._error is not None or self._shared.get("dropped") == self._serial:
            return
        try:
            step()
        except RoboreelError as error:
            self._fail(type(error)(str(error)))
        except OSError as error:
            self._fail(StorageError(error.strerror or str(error)))
        except Exception:  # a bug in roboreel: the recorder raises it
            self._fail(RunError(traceback.format_exc()))

    def _fail(self, error: RoboreelError | None) -> None:
        self._error = error
        self._shared.set("failed", 0 if error is None else self._serial)


class _Episode:
    """One video in progress."""

    def __init__(self, task: WorkerTask, shared: SharedFrames, new: NewVideo) -> None:
        self._shape, self._dtype = new.shape, np.dtype(new.dtype)
        self._shared = shared
        self._scale = task.scale and replace(task.scale, unit=unit_of(self._dtype))
        self._table: npt.NDArray[np.uint16] | None = None
        """The code of each depth of 16 bits."""
        self._encoder = StreamEncoder(task.encoder, task.fps)
        self._codec = canonical_codec(task.encoder["codec"])
        depth = task.scale is not None
        self._video = StreamedVideo(new.path, task.fps)
        self._pixels = RecordedPixels(task.profile, depth=depth, folder=task.folder)
        shared.set("identical", 0)

    def add(self, frames: FrameReceiver, byte: int) -> None:
        """Encode a frame and measure it."""
        image = frames.frame(byte, self._shape, self._dtype)
        self._encode(image)
        self._pixels.add(image if image.ndim == 3 else image[..., None])
        self._shared.set("identical", self._pixels.identical)

    def repeat(self) -> None:
        """Encode the last frame again."""
        self._write(self._encoder.repeat())
        self._pixels.repeat()

    def finish(self) -> EncodedVideo:
        """Complete the video."""
        self._write(self._encoder.finish())
        self._shared.set("syncing", 1)
        try:
            sync_s = self._video.finish()
        finally:
            self._shared.set("syncing", 0)
        stats = self._pixels.stats()
        self._pixels.close()
        return EncodedVideo(
            frames=self._video.frames,
            encoded=self._encoder.frames,
            size_bytes=self._video.size_bytes,
            entry=self._video.entry,
            stats=stats,
            longest_identical=self._pixels.longest_identical,
            sync_s=sync_s,
        )

    def discard(self) -> None:
        """Remove the file."""
        self._encoder.drop()
        self._video.discard()
        self._pixels.close()

    def close(self) -> None:
        """Leave the file as it is."""
        self._video.close()
        self._pixels.close()

    def _encode(self, image: npt.NDArray[np.generic]) -> None:
        self._write(self._encoder.add(image if self._scale is None else self._codes(image)))

    def _codes(self, image: npt.NDArray[np.generic]) -> npt.NDArray[np.uint16]:
        assert self._scale is not None
        if image.dtype != np.uint16:
            return self._scale.codes(image)
        if self._table is None:
            self._table = self._scale.codes(np.arange(1 << 16, dtype=np.uint16))
        codes: npt.NDArray[np.uint16] = self._table[image]
        return codes

    def _write(self, packets: Any) -> None:
        for packet in packets:
            if not self._video.begun:
                self._video.begin(EncodedStream(self._codec, self._encoder.extradata))
            self._video.add(packet.data, packet.frame, keyframe=packet.keyframe)
