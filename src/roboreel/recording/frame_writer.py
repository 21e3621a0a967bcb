"""Write a camera's video from frames, which a process of its own encodes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from roboreel.errors import RoboreelError, RunError, StorageError, UsageError, VideoError
from roboreel.recording.camera_process import CameraProcess, LostProcessError
from roboreel.recording.camera_types import (
    CameraFrame,
    CameraOptions,
    FrameCounts,
    RecordedVideo,
    SlowEncoderError,
    WhenSlow,
)
from roboreel.recording.camera_worker import EncodedVideo, WorkerTask, unit_of
from roboreel.storage import disk
from roboreel.types import Json

_DEPTH_TYPES = (np.uint16, np.float32)


class FrameWriter:
    """Gives one camera's frames to its process, one episode after another."""

    def __init__(
        self, name: str, task: WorkerTask, options: CameraOptions, facts: Mapping[str, Json]
    ) -> None:
        """Prepare; `start` starts the process.

        Args:
            name: the camera, for messages.
            task: what its process is to do.
            options: of all cameras.
            facts: what `info.json` says of the encoder.
        """
        self._name, self._task, self._facts = name, task, dict(facts)
        self._when_slow: WhenSlow = options.when_slow
        self._timeout_s, self._alone = options.timeout_s, options.processes
        self._process: CameraProcess | None = None
        self._path, self._episode = Path(), 0
        self._kind: tuple[tuple[int, ...], np.dtype[np.generic]] | None = None
        self._given = self._repeated = self._spilled = 0
        self._longest_wait_s = 0.0
        self._asked = self._wanted = False
        self._broken = False
        self._held = ""
        """Where the frame is that waits for `send`: `memory`, `file`, or `repeat` for the one before."""
        self._done: EncodedVideo | None = None

    def start(self) -> None:
        """Start the process where none runs.

        Raises:
            RunError: it cannot be started.
        """
        self._wanted = True
        if self._process is not None and self._process.alive and not self._process.torn:
            return
        if self._process is not None:
            self._process.kill()
        try:
            self._process = CameraProcess(self._task, timeout_s=self._timeout_s, alone=self._alone)
        except (OSError, AssertionError) as error:
            raise RunError(
                f"camera '{self._name}': a process to encode it cannot be started ({error})"
            ) from error

    def begin(self, path: Path, episode: int) -> None:
        """See `CameraWriter.begin`; the file is made with the first frame."""
        self._path, self._episode, self._kind = path, episode, None
        self._given = self._repeated = self._spilled = 0
        self._longest_wait_s, self._asked, self._broken = 0.0, False, False
        self._held, self._done = "", None
        if self._wanted:
            self.start()

    def put(self, frame: CameraFrame | None) -> None:
        """See `CameraWriter.put`."""
        try:
            if self._broken:
                self._refuse_broken()
            if frame is not None:
                self._held = self._copied(frame)
            elif self._given:
                self._held = "repeat"
            else:
                raise UsageError("there is no frame to repeat")
        except (RoboreelError, OSError) as error:
            raise self._explained(error) from error

    def send(self) -> None:
        """See `CameraWriter.send`."""
        try:
            process = self._running()
            if self._held == "repeat":
                process.repeat()
                self._repeated += 1
            else:
                process.announce()
                self._spilled += self._held == "file"
            self._given += 1
        except (RoboreelError, OSError) as error:
            raise self._explained(error) from error

    def _copied(self, frame: CameraFrame) -> str:
        """Copy a frame to where the process can see it; returns where that is."""
        image = _plane(frame) if self._task.scale else _with_channels(frame)
        kind = self._kind
        if kind is None:
            self._first(image)
        elif kind[0] != image.shape or kind[1] != image.dtype:
            raise UsageError(
                f"frame {self._given} is {_said(image)}, the frames before are {_said_of(*kind)}"
            )
        return self._give(image)

    @property
    def frames(self) -> int:
        """Frames given in this episode."""
        return self._given

    @property
    def identical(self) -> int:
        """See `CameraWriter.identical`."""
        return 0 if self._process is None else self._process.shared.get("identical")

    def request_finish(self) -> None:
        """See `CameraWriter.request_finish`."""
        try:
            self._refuse_broken()
            if not self._given:
                raise VideoError("there is no frame")
            if not self._asked:
                self._running().request_finish()
                self._asked = True
        except (RoboreelError, OSError) as error:
            raise self._explained(error) from error

    def finish(self) -> RecordedVideo:
        """See `CameraWriter.finish`."""
        self.request_finish()
        try:
            if self._done is None:  # else an interrupted `finish` has the answer
                self._done = self._answer()
            done = self._done
            if (done.frames, done.encoded) != (self._given, self._given):
                self._broken = True
                raise RunError(
                    f"{self._given} frames were given, {done.encoded} encoded, {done.frames} written"
                )
        except (RoboreelError, OSError) as error:
            raise self._explained(error) from error
        video = self._video(done)
        self._kind = None
        return video

    def discard(self) -> None:
        """See `CameraWriter.discard`."""
        if self._kind is None:
            return
        self._kind = None
        if not self._tell_discard():
            with contextlib.suppress(OSError):
                disk.unlink(self._path)

    def _tell_discard(self) -> bool:
        """Let the process remove the file; False where it cannot."""
        if self._process is None or self._process.torn:
            return False
        try:
            if self._done is not None:
                return False
            if self._asked and isinstance(self._process.answer(), EncodedVideo):
                return False
            self._process.discard()
        except LostProcessError:
            self._lose()
            return False
        return True

    def close(self) -> None:
        """See `CameraWriter.close`."""
        self.discard()
        if self._process is not None:
            self._process.close()
        self._process, self._wanted = None, False

    def _first(self, image: CameraFrame) -> None:
        if image.nbytes > self._task.slot_bytes:
            raise UsageError(f"a frame is {_said(image)}, larger than the declared camera")
        if image.dtype not in (_DEPTH_TYPES if self._task.scale else (np.uint8,)):
            expected = "uint16 millimetres or float32 metres" if self._task.scale else "uint8"
            raise UsageError(f"a frame is {_said(image)}, expected {expected}")
        if self._task.unit not in ("", unit_of(image.dtype)):
            raise UsageError(
                f"a frame is {image.dtype.name}, which is for {unit_of(image.dtype)}; the camera's depths"
                f" are declared in {self._task.unit}"
            )
        self.start()
        shape, dtype = image.shape, image.dtype
        self._running().begin(str(self._path), shape, dtype.str)
        self._kind = shape, dtype

    def _give(self, image: CameraFrame) -> str:
        process = self._running()
        if process.glance():
            process.request_finish()
            self._answer()
        spill = self._when_slow == "spill"
        held = process.hold(image, spill=spill)
        if held:
            return held
        if self._when_slow == "raise":
            raise SlowEncoderError(
                f"frame {self._given} was refused: {self._task.slots} frames wait to be encoded, because the"
                " encoder is slower than the camera; choose a faster preset or codec, or let frames wait"
                " (when_slow='spill' or 'block')"
            )
        began = time.perf_counter()
        while not (held := process.hold(image, spill=spill)):
            process.pause()
        self._longest_wait_s = max(self._longest_wait_s, time.perf_counter() - began)
        return held

    def _answer(self) -> EncodedVideo:
        """The video that the process has finished; raises what kept it from that."""
        answer: EncodedVideo | RoboreelError = self._running().answer()
        self._asked = False
        if isinstance(answer, RoboreelError):
            self._broken = True
            raise answer
        return answer

    def _video(self, done: EncodedVideo) -> RecordedVideo:
        return RecordedVideo(
            path=self._path,
            frames=done.frames,
            size_bytes=done.size_bytes,
            entry=done.entry,
            counts=self._counts(done),
            stats=done.stats,
            facts={**self._facts, **self._unit},
            sync_s=done.sync_s,
        )

    def _counts(self, done: EncodedVideo) -> FrameCounts:
        return FrameCounts(
            given=self._given,
            encoded=done.encoded,
            repeated=self._repeated,
            spilled=self._spilled,
            longest_wait_s=self._longest_wait_s,
            longest_identical=done.longest_identical,
        )

    @property
    def _unit(self) -> dict[str, Json]:
        return (
            {}
            if self._kind is None or not self._task.scale
            else {"depth_unit": unit_of(self._kind[1])}
        )

    def _running(self) -> CameraProcess:
        if self._process is None or self._process.torn:
            raise LostProcessError("its process was lost, or a call interrupted")
        return self._process

    def _refuse_broken(self) -> None:
        if self._broken:
            raise RunError("it failed before: discard the episode")

    def _lose(self) -> None:
        """Forget a process that died."""
        self._broken = True
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _explained(self, error: RoboreelError | OSError) -> RoboreelError:
        """The error with the camera and the episode; a process that died is forgotten."""
        where = f"episode {self._episode}, camera '{self._name}'"
        if isinstance(error, LostProcessError):
            self._lose()
            return RunError(f"{where}: {error}: discard the episode")
        if isinstance(error, RoboreelError):
            return type(error)(f"{where}: {error}")
        return StorageError(f"{where}: {error.strerror or error}")


def _with_channels(frame: CameraFrame) -> CameraFrame:
    """(H, W, 1) of a grey frame without an axis of channels."""
    return frame[..., None] if frame.ndim == 2 else frame


def _plane(frame: CameraFrame) -> CameraFrame:
    """(H, W) of a depth frame with an axis of one channel."""
    if frame.ndim != 3:
        return frame
    return frame[0] if frame.shape[0] == 1 else frame[..., 0]


def _said(image: CameraFrame) -> str:
    return _said_of(image.shape, image.dtype)


def _said_of(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> str:
    return f"{'×'.join(map(str, shape))} {dtype.name}"
