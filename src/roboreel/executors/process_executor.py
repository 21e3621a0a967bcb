"""Run jobs in watched processes of this machine: one that dies or hangs costs its job and nothing else."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Iterable
from multiprocessing.connection import Connection, wait
from typing import Any, Generic

from roboreel.errors import RunError
from roboreel.executors.jobs import J, JobFailure, Moved, Outcomes, R
from roboreel.parallel import caller_left_out, end_with_parent, interrupts_held
from roboreel.progress.work_done import telling

_NO_START = "a worker process died before it began: out of memory, or killed"
_START_S = 120.0
_LEAVING_S = 10.0
_BEGUN, _MOVED, _DONE, _DEFECT = "begun", "moved", "done", "defect"
"""Kinds of a worker's messages."""


class ProcessExecutor:
    """Jobs in several processes of this machine."""

    def __init__(self, workers: int, *, timeout_factor: float = 1.0) -> None:
        self.workers, self.timeout_factor = workers, timeout_factor

    def run(
        self,
        jobs: Iterable[J],
        function: Callable[[J], R | JobFailure],
        moved: Moved | None = None,
    ) -> Outcomes[R]:
        """Yield outcomes as they complete.

        Raises:
            RunError: processes cannot be started.
        """
        waiting = iter(jobs)
        crew: list[_Worker[J, R]] = []
        leaving: list[_Worker[J, R]] = []
        try:
            while True:
                while len(crew) < self.workers and (job := next(waiting, None)) is not None:
                    crew.append(_Worker(function, job, self.timeout_factor, moved))
                if not crew:
                    break
                for worker, outcome in _outcomes(crew):
                    following = next(waiting, None) if worker.sound else None
                    if following is not None:  # first: the caller may take its time
                        worker.give(following)
                    else:
                        worker.dismiss()
                        crew.remove(worker)
                        leaving.append(worker)
                    yield outcome
            for worker in leaving:
                worker.wait()
        finally:
            for worker in crew + leaving:
                worker.kill()  # what it is writing will not be used: do not wait for it


def _outcomes(crew: list[_Worker[J, R]]) -> list[tuple[_Worker[J, R], R | JobFailure]]:
    """The outcomes of the crew's jobs since the last call; waits until something happens."""
    soonest = min(worker.deadline for worker in crew)
    timeout = None if soonest == float("inf") else max(0.0, soonest - time.monotonic())
    wait([end for worker in crew for end in worker.ends], timeout)
    return [(worker, outcome) for worker in crew for outcome in worker.look()]


class _Worker(Generic[J, R]):
    """A process that does one job after another, and its current job."""

    def __init__(
        self,
        function: Callable[[J], R | JobFailure],
        first: J,
        timeout_factor: float,
        moved: Moved | None,
    ) -> None:
        spawn = multiprocessing.get_context("spawn")  # forking a process with threads is unsafe
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=_serve, args=(theirs, function, moved is not None), daemon=True
        )
        self._job, self._timeout_factor, self._moved = first, timeout_factor, moved
        self._begun, self.sound = False, True
        self.deadline = time.monotonic() + _START_S
        with interrupts_held(), caller_left_out():
            self._process.start()
        theirs.close()

    @property
    def ends(self) -> tuple[Connection, int]:
        """Handles that become ready when a message arrives or the process dies."""
        return self._pipe, self._process.sentinel

    def give(self, job: J) -> None:
        """Send it the next job."""
        self._job = job
        self.deadline = self._from_now(job.timeout_s)
        with contextlib.suppress(OSError):  # it has died: the next `look` reports it
            self._pipe.send(job)

    def look(self) -> list[R | JobFailure]:
        """The outcome of its job; empty if there is none yet."""
        while self._pipe.poll():
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                self._process.join(_LEAVING_S)
                break
            if message[0] != _MOVED:
                return self._heard(message)
            if self._moved is not None:
                self._moved(self._job.number, *message[1])
        if not self._process.is_alive():
            return [self._died()]
        if time.monotonic() < self.deadline:
            return []
        self.kill()
        seconds = self._job.timeout_s * self._timeout_factor
        return [
            self._lost(
                f"it did not finish within {seconds:.0f} s, so its worker process was stopped"
            )
        ]

    def dismiss(self) -> None:
        """Let it end when its job is done."""
        self._pipe.close()

    def wait(self) -> None:
        """Wait until it has ended."""
        self._process.join(_LEAVING_S)

    def kill(self) -> None:
        """Kill the process, whatever it is doing."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def _heard(self, message: tuple[str, Any]) -> list[R | JobFailure]:
        kind, content = message
        if kind == _DONE:
            return [content]
        if kind == _DEFECT:
            raise RuntimeError(f"in a worker process: {content}")
        self._begun = True
        self.give(self._job)
        return []

    def _died(self) -> JobFailure:
        if not self._begun:
            raise RunError(_NO_START)
        code = self._process.exitcode or 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        memory = ", as happens when memory runs out" if code == -9 else ""
        return self._lost(f"its worker process {how}{memory}")

    def _lost(self, why: str) -> JobFailure:
        self.sound = False
        return JobFailure(number=self._job.number, message=f"{self._job.described}: {why}")

    def _from_now(self, seconds: float) -> float:
        return (
            time.monotonic() + seconds * self._timeout_factor
            if self._timeout_factor
            else float("inf")
        )


def _serve(pipe: Connection, function: Callable[[J], R | JobFailure], tells_moves: bool) -> None:
    """Run jobs in a worker process until there are no more."""

    def tell(frames: int, size_bytes: int) -> None:
        with contextlib.suppress(
            OSError
        ):  # nobody listens any more: what is being done does not fail
            pipe.send((_MOVED, (frames, size_bytes)))

    end_with_parent()
    pipe.send((_BEGUN, None))
    with contextlib.suppress(EOFError, OSError):
        while True:
            job = pipe.recv()
            try:
                with telling(tell if tells_moves else None):
                    message: tuple[str, object] = (_DONE, function(job))
            except Exception:  # a bug in roboreel: the parent raises it
                message = (_DEFECT, traceback.format_exc())
            pipe.send(message)
