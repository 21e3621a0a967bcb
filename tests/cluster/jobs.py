"""Jobs for a cluster, in a module that its workers can import."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from roboreel.executors.jobs import JobFailure
from roboreel.runner.work import OpResult, Work
from roboreel.runner.worker import attempt
from roboreel.storage import disk

LATE_OP = 5


@dataclass(frozen=True)
class Sum:
    """A job that adds one."""

    number: int
    timeout_s: float = 60.0
    described: str = "a sum"
    encodes: bool = False
    marker: str = ""
    """File that tells that a worker has died."""


def add_one(job: Sum) -> tuple[int, int]:
    return job.number, job.number + 1


def die_on_seven(job: Sum) -> tuple[int, int]:
    if job.number == 7:
        os._exit(1)
    return add_one(job)


def hang_on_three(job: Sum) -> tuple[int, int]:
    if job.number == 3:
        time.sleep(600)
    return add_one(job)


def die_once(job: Sum) -> tuple[int, int]:
    if job.number == 5 and not Path(job.marker).exists():
        Path(job.marker).touch()
        os._exit(1)
    return add_one(job)


def mortal_attempt(work: Work) -> OpResult | JobFailure:
    """Run an op; of every tenth, the first attempt dies when all is done but told."""
    outcome = attempt(work)
    marker = _beside(work) / f"died-{work.number}"
    if work.number % 10 == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does where memory runs out
    return outcome


def poisoned_attempt(work: Work) -> OpResult | JobFailure:
    """Run an op; that of one episode kills its worker whenever it is tried."""
    with (_beside(work) / "tried").open("a") as file:
        file.write(f"{work.number}\n")
    if work.number == 5:
        os._exit(1)
    return attempt(work)


def late_attempt(work: Work, *, stops_before: str, hangs: bool = False) -> OpResult | JobFailure:
    """Run an op; the first attempt at one is taken over by a process that Ray cannot reach.

    Args:
        work: the op.
        stops_before: the operation of the disk before which that process waits.
        hangs: True if the worker of that attempt hangs then, and is not killed.
    """
    late = LateAttempt(_beside(work) / "late")
    if work.number != LATE_OP or late.folder.exists():
        return attempt(work)
    late.folder.mkdir()
    late.given.write_bytes(pickle.dumps((work, stops_before)))
    words = [sys.executable, "-m", "tests.cluster.jobs", str(late.folder)]
    # not a child of the worker, which Ray would kill with it
    subprocess.run(["sh", "-c", '"$@" &', "sh", *words], start_new_session=True, check=True)
    _wait(late.stopped.exists)
    if hangs:
        time.sleep(600)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@dataclass(frozen=True)
class LateAttempt:
    """An attempt at an op that goes on in a process of its own, and how far it is."""

    folder: Path

    @property
    def given(self) -> Path:
        return self.folder / "given"

    @property
    def stopped(self) -> Path:
        return self.folder / "stopped"

    @property
    def outcome(self) -> Path:
        return self.folder / "outcome"

    def finish(self) -> str:
        """Let it go on until it ends; what came of it."""
        (self.folder / "go").touch()
        _wait(self.outcome.exists)
        return self.outcome.read_text()

    def run(self) -> None:
        """In the process of its own."""
        work, stops_before = pickle.loads(self.given.read_bytes())

        def stop(when: str, operation: str, path: str) -> None:
            if (when, operation) == ("before", stops_before) and not self.stopped.exists():
                self.stopped.touch()
                _wait((self.folder / "go").exists)

        with disk.faults(stop):
            outcome = attempt(work)
        partial = self.folder / "partial"
        partial.write_text(str(outcome))
        partial.replace(self.outcome)


def _wait(reached: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.02)


def _beside(work: Work) -> Path:
    """The folder in which the result gets its name."""
    return Path(work.staging).parents[1]


def clip_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row with an episode; that of clip 2 has an action of another width."""
    number = int(row["n"])
    action = np.full((4, 3 if number == 2 else 2), number, np.float32)
    return {"clip": f"clip-{number}", "segment": 0, "task": "pick", "action": action}


def mortal_clip_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row with an episode; the worker that makes the last one dies the first time."""
    number, marker = int(row["n"]), Path(row["marker"])
    if number == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {**clip_row({"n": 0}), "clip": f"clip-{number}"}


if __name__ == "__main__":
    LateAttempt(Path(sys.argv[1])).run()
