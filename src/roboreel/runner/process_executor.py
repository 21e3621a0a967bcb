"""Ops in processes of this machine, each watched: one that dies or hangs costs its op and nothing else."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Generator, Iterable
from multiprocessing.connection import Connection, wait
from typing import TypeAlias, cast

from roboreel.errors import RunError
from roboreel.parallel import caller_left_out, end_with_parent, interrupts_held
from roboreel.plan.plan import ROWS, EncodeVideo, MeasureCamera
from roboreel.runner.work import OpFailure, OpResult, Work

Outcome: TypeAlias = OpResult | OpFailure
Outcomes: TypeAlias = Generator[Outcome, None, None]

_NO_START = "a worker process died before it began: out of memory, or killed"
_START_S, _BYTES_PER_S, _FRAMES_PER_S = 120.0, 1e6, 2.0
"""What any machine and store that is still of use manages: slower is taken for stuck."""
_MEASURE_S, _MEASURED_FRAMES_PER_S = 30.0, 5.0
"""The same for a camera's statistics, where nothing is encoded or written."""
_LEAVING_S = 10.0


def timeout_s(work: Work) -> float:
    """Seconds that an op may take: it grows with the bytes it reads and the frames it decodes."""
    frames: int = sum(work.inputs[ROWS].to_pylist())
    reading = work.size_bytes / _BYTES_PER_S
    if isinstance(work.op, MeasureCamera):
        return _MEASURE_S + reading + frames / _MEASURED_FRAMES_PER_S
    decodes = isinstance(work.op, EncodeVideo) or bool(work.table.decoded)
    return _START_S + reading + (frames / _FRAMES_PER_S if decodes else 0.0)


class ProcessExecutor:
    """Ops in several processes of this machine."""

    def __init__(self, workers: int, *, timeout_factor: float = 1.0) -> None:
        self.workers, self.timeout_factor = workers, timeout_factor

    def run(self, works: Iterable[Work], attempt: Callable[[Work], Outcome]) -> Outcomes:
        """Outcomes as they come.

        Raises:
            RunError: processes do not start.
        """
        waiting = iter(works)
        crew: list[_Worker] = []
        leaving: list[_Worker] = []
        try:
            while True:
                while len(crew) < self.workers and (work := next(waiting, None)) is not None:
                    crew.append(_Worker(attempt, work, self.timeout_factor))
                if not crew:
                    break
                for worker, outcome in _outcomes(crew):
                    following = next(waiting, None) if worker.sound else None
                    if following is not None:  # before all else: the caller takes its time
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
                worker.kill()  # what it writes is not vouched for: do not wait for it


def _outcomes(crew: list[_Worker]) -> list[tuple[_Worker, Outcome]]:
    """What came of the crew's works since the last look; waits for something to happen."""
    soonest = min(worker.deadline for worker in crew)
    timeout = None if soonest == float("inf") else max(0.0, soonest - time.monotonic())
    wait([end for worker in crew for end in worker.ends], timeout)
    looked = [(worker, worker.look()) for worker in crew]
    return [(worker, outcome) for worker, outcome in looked if outcome is not None]


class _Worker:
    """A process that does one work after another, and the work it is at."""

    def __init__(
        self, attempt: Callable[[Work], Outcome], first: Work, timeout_factor: float
    ) -> None:
        spawn = multiprocessing.get_context("spawn")  # forking a process with threads is unsafe
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs, attempt), daemon=True)
        self._work, self._timeout_factor = first, timeout_factor
        self._begun, self.sound = False, True
        self.deadline = time.monotonic() + _START_S
        with interrupts_held(), caller_left_out():
            self._process.start()
        theirs.close()

    @property
    def ends(self) -> tuple[Connection, int]:
        """What becomes ready when something happens: its messages, and its death."""
        return self._pipe, self._process.sentinel

    def give(self, work: Work) -> None:
        """Let it do another work."""
        self._work = work
        self.deadline = self._from_now(timeout_s(work))
        with contextlib.suppress(OSError):  # it has died: the next look tells
            self._pipe.send(work)

    def look(self) -> Outcome | None:
        """What came of its work, if anything has."""
        if self._pipe.poll():
            try:
                return self._heard(self._pipe.recv())
            except (EOFError, OSError):
                self._process.join(_LEAVING_S)
        if not self._process.is_alive():
            return self._died()
        if time.monotonic() < self.deadline:
            return None
        self.kill()
        seconds = timeout_s(self._work) * self._timeout_factor
        return self._lost(f"not done after {seconds:.0f} s: its worker process was stopped")

    def dismiss(self) -> None:
        """Let it end."""
        self._pipe.close()

    def wait(self) -> None:
        """Wait for its end."""
        self._process.join(_LEAVING_S)

    def kill(self) -> None:
        """End it, whatever it does."""
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def _heard(self, message: object) -> Outcome | None:
        if message is None:
            self._begun = True
            self.give(self._work)
            return None
        if not isinstance(message, str):
            return cast("Outcome", message)
        raise RuntimeError(f"in a worker process: {message}")

    def _died(self) -> OpFailure:
        if not self._begun:
            raise RunError(_NO_START)
        code = self._process.exitcode or 0
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        memory = ", as happens where memory runs out" if code == -9 else ""
        return self._lost(f"its worker process {how}{memory}")

    def _lost(self, why: str) -> OpFailure:
        self.sound = False
        return OpFailure(number=self._work.number, message=f"{self._work.described}: {why}")

    def _from_now(self, seconds: float) -> float:
        return (
            time.monotonic() + seconds * self._timeout_factor
            if self._timeout_factor
            else float("inf")
        )


def _serve(pipe: Connection, attempt: Callable[[Work], Outcome]) -> None:
    """In a worker: do works as they come, until there are no more."""
    end_with_parent()
    pipe.send(None)
    with contextlib.suppress(EOFError, OSError):
        while True:
            work = pipe.recv()
            try:
                message: Outcome | str = attempt(work)
            except Exception:  # a defect of ours: the parent raises it
                message = traceback.format_exc()
            pipe.send(message)
