"""The process in which a camera's frames are encoded, as the recorder sees it: started, watched, ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

from roboreel.errors import RunError
from roboreel.parallel import caller_left_out, interrupts_held
from roboreel.recording.camera_worker import NewVideo, WorkerTask, serve
from roboreel.recording.frame_ring import (
    BEGIN,
    DISCARD,
    FINISH,
    LEAVE,
    REPEATED,
    FrameSender,
    SharedFrames,
    size_of,
)
from roboreel.recording.recorder_guard import OneCaller, end_at_exit
from roboreel.storage import disk

_LEAVING_S = 10.0
_LONGEST_GAP_S = 1.0
"""Time between two looks that counts at most: the whole machine may have been asleep."""
_PAUSE_S = 0.0005
_START_S = 120.0
_SYNC_FACTOR = 20
"""Times the usual timeout that forcing a file to the disk may take."""


class LostProcessError(RunError):
    """A camera's process died or hangs."""


class CameraProcess:
    """One process, or a thread where `alone` is False. Only the thread that started it uses it."""

    def __init__(self, task: WorkerTask, *, timeout_s: float, alone: bool) -> None:
        """Start it; it is ready some tenths of a second later, but takes frames at once.

        Raises:
            OSError: there is no memory or no room for another process.
        """
        self._timeout_s, self._alone, self._serial = timeout_s, alone, 0
        memory = disk.memory_file(size_of(task.slots, task.slot_bytes))
        spill = disk.unnamed_file(task.folder)
        theirs, self._pipe = os.pipe()
        self._answers, other = multiprocessing.get_context("spawn").Pipe()
        self.shared = SharedFrames(memory, task.slots, task.slot_bytes)
        os.set_blocking(self._pipe, False)
        self._sender = FrameSender(self.shared, spill, task.spill_frames, self._pipe, self.pause)
        self._spill = spill
        self._runs = _start(task, theirs, other, memory, spill, alone=alone)
        if alone:
            for descriptor in (theirs, memory):
                os.close(descriptor)
            other.close()
        self._seen, self._looked, self._stalled_s = -1, time.monotonic(), 0.0
        self._caller = OneCaller()
        end_at_exit(self)

    def begin(self, path: str, shape: tuple[int, ...], dtype: str) -> None:
        """Let it begin a video, see `NewVideo`."""
        self._serial += 1
        video = NewVideo(serial=self._serial, path=path, shape=shape, dtype=dtype)
        self._sender.torn = True
        self._send(lambda: self._answers.send(video))
        self._send(lambda: self._sender.send(BEGIN))
        self._sender.torn = False

    def hold(self, frame: Any, *, spill: bool) -> str:
        """Copy a frame to where it can see it: `memory` or `file`; empty where there is no room."""
        if self._sender.hold_in_memory(frame):
            return "memory"
        return "file" if spill and self._sender.hold_in_file(frame) else ""

    def announce(self) -> None:
        """Let it take the frame that was copied last."""
        self._send(self._sender.announce)

    def repeat(self) -> None:
        """Let it take the last frame again."""
        self._send(lambda: self._sender.send(REPEATED))

    def request_finish(self) -> None:
        """Let it finish the video; `answer` has the result."""
        self._send(lambda: self._sender.send(FINISH))

    def discard(self) -> None:
        """Let it give up the video that it began last; wait until its file is gone."""
        self.shared.set("dropped", self._serial)  # frames that wait are not encoded any more
        self._send(lambda: self._sender.send(DISCARD))
        self.answer()

    def answer(self) -> Any:
        """Wait for what it has to say.

        Raises:
            LostProcessError: it died, or encodes nothing for too long; it is ended.
        """
        try:
            while True:
                while not self._answers.poll(0.05):
                    self.look()
                serial, answer = self._answers.recv()
                if serial == self._serial:  # others are of episodes whose end was interrupted
                    self._sender.empty_file()
                    return answer
        except (EOFError, OSError) as error:
            raise LostProcessError(self._how_it_ended()) from error

    def pause(self) -> None:
        """Wait a little for it, and see whether it goes on."""
        time.sleep(_PAUSE_S)
        self.look()

    def look(self) -> None:
        """See whether it is there and goes on; call it while it has something to do.

        Raises:
            LostProcessError: it died, or encodes nothing for too long; it is ended.
        """
        if not self._runs.is_alive():
            raise LostProcessError(self._how_it_ended())
        self.glance()

    def glance(self) -> bool:
        """See whether it goes on, in less than a microsecond; raises as `look`.

        Returns:
            True where it waits to say why it cannot encode the video that it began last.
        """
        now, progress = time.monotonic(), self.shared.get("progress")
        if progress != self._seen:
            self._seen, self._stalled_s = progress, 0.0
        else:
            self._stalled_s += min(now - self._looked, _LONGEST_GAP_S)
        self._looked = now
        if self._stalled_s > self._timeout_s and self._stalled_s > self._limit_s(progress):
            self.kill()
            limit_s = self._limit_s(progress)
            raise LostProcessError(
                f"its process did not respond for {limit_s:g} s and was terminated"
            )
        return self.shared.get("failed") == self._serial

    def _limit_s(self, progress: int) -> float:
        """Seconds that it may take for the step that it is at."""
        if not progress:
            return max(self._timeout_s, _START_S)
        return self._timeout_s * (_SYNC_FACTOR if self.shared.get("syncing") else 1)

    @property
    def alive(self) -> bool:
        """False where it has ended."""
        return bool(self._runs.is_alive())

    @property
    def torn(self) -> bool:
        """True where an interrupt left what was sent to it in disorder."""
        return self._sender.torn

    def close(self) -> None:
        """End it when it has done what it was told."""
        with contextlib.suppress(LostProcessError):
            self._send(
                lambda: self._sender.send(LEAVE)
            )  # forked processes may have the pipe open, too
        self._close_pipe()
        self._runs.join(_LEAVING_S)
        self.kill()

    def kill(self) -> None:
        """End it, whatever it is doing; a thread can only be left alone."""
        self._close_pipe()
        if isinstance(self._runs, threading.Thread):
            return
        if self._runs.is_alive():
            self._runs.kill()
        self._runs.join()

    def abandon(self) -> None:
        """`kill` a process that nobody closed; raises nothing."""
        if self._caller.at_home:
            with contextlib.suppress(Exception):
                self.kill()

    def _close_pipe(self) -> None:
        if self._pipe < 0:
            return
        os.close(self._pipe)
        self._pipe = -1
        self._answers.close()
        if self._alone:  # a thread closes what it shares with this one
            os.close(self._spill)

    def _send(self, step: Callable[[], Any]) -> None:
        try:
            step()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise LostProcessError(self._how_it_ended()) from error

    def _how_it_ended(self) -> str:
        if isinstance(self._runs, threading.Thread):
            return "its thread has ended"
        self._runs.join(1.0)
        code = self._runs.exitcode or 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        memory = ", as happens when memory runs out" if code == -9 else ""
        return f"its process {how}{memory}"


def _start(
    task: WorkerTask, pipe: int, answers: Connection, memory: int, spill: int, *, alone: bool
) -> Any:
    """Start a process, or a thread, that serves."""
    if not alone:
        thread = threading.Thread(
            target=_in_thread, args=(task, pipe, answers, memory, spill), daemon=True
        )
        thread.start()
        return thread
    ends = (_Passed(pipe), answers, _Passed(memory), _Passed(spill))
    spawn = multiprocessing.get_context("spawn")  # forking a process with threads is unsafe
    process = spawn.Process(target=_in_process, args=(task, *ends), daemon=True)
    with interrupts_held(), caller_left_out():
        process.start()
    return process


class _Passed:
    """A descriptor that a new process gets too."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> Any:
        return _received, (reduction.DupFd(self.descriptor),)


def _received(passed: Any) -> _Passed:
    return _Passed(passed.detach())


def _in_process(
    task: WorkerTask, pipe: _Passed, answers: Connection, memory: _Passed, spill: _Passed
) -> None:
    serve(task, pipe.descriptor, answers, memory.descriptor, spill.descriptor, alone=True)


def _in_thread(task: WorkerTask, pipe: int, answers: Connection, memory: int, spill: int) -> None:
    try:
        serve(task, pipe, answers, memory, spill, alone=False)
    finally:
        answers.close()
        for descriptor in (pipe, memory, spill):
            with contextlib.suppress(OSError):
                os.close(descriptor)
