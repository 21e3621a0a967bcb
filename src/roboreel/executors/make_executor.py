"""Executors: the same jobs and the same bytes, in this process, in threads, or in several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import islice
from typing import Protocol

from roboreel.executors.jobs import J, JobFailure, Moved, Outcomes, R
from roboreel.executors.process_executor import ProcessExecutor
from roboreel.executors.ray_executor import RayExecutor
from roboreel.executors.worker_options import WorkerOptions
from roboreel.progress.work_done import telling

_LOOK_S = 0.2
"""How often a thread looks for what jobs in other threads tell."""


class Executor(Protocol):
    """Runs jobs; outcomes come in any order."""

    def run(
        self,
        jobs: Iterable[J],
        function: Callable[[J], R | JobFailure],
        moved: Moved | None = None,
    ) -> Outcomes[R]:
        """Yield the outcome of each job as it completes; closing drops jobs that have not begun.

        Args:
            jobs: what to do.
            function: does one job.
            moved: called in the caller's thread, up to five times a second for each job at work.

        Raises:
            RunError: no job can run at all.
        """
        ...


class SerialExecutor:
    """One job after another in this process."""

    def run(
        self,
        jobs: Iterable[J],
        function: Callable[[J], R | JobFailure],
        moved: Moved | None = None,
    ) -> Outcomes[R]:
        """Outcomes in the order of the jobs."""
        for job in jobs:
            with telling(None if moved is None else partial(moved, job.number)):
                outcome = function(job)
            yield outcome


class ThreadExecutor:
    """Runs several jobs at once in threads of this process, but jobs that encode one at a time.

    Two SVT-AV1 encoders in one process deadlock.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._encoding = threading.Lock()

    def run(
        self,
        jobs: Iterable[J],
        function: Callable[[J], R | JobFailure],
        moved: Moved | None = None,
    ) -> Outcomes[R]:
        """Yield outcomes as they complete; closing waits for running jobs: a thread cannot be stopped."""
        waiting = iter(jobs)
        told: queue.SimpleQueue[tuple[int, int, int]] | None = None
        if moved is not None:
            told = queue.SimpleQueue()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="job") as pool:
            running: set[Future[R | JobFailure]] = set()
            while True:
                for job in islice(waiting, self.workers - len(running)):
                    running.add(pool.submit(self._done, function, job, told))
                if not running:
                    return
                timeout_s = None if told is None else _LOOK_S
                done, running = wait(running, timeout_s, return_when=FIRST_COMPLETED)
                while told is not None and moved is not None and not told.empty():
                    moved(*told.get())
                for future in done:
                    yield future.result()

    def _done(
        self,
        function: Callable[[J], R | JobFailure],
        job: J,
        told: queue.SimpleQueue[tuple[int, int, int]] | None,
    ) -> R | JobFailure:
        def tell(frames: int, size_bytes: int) -> None:
            if told is not None:
                told.put((job.number, frames, size_bytes))

        alone = self._encoding if job.encodes else contextlib.nullcontext()
        with alone, telling(None if told is None else tell):
            return function(job)


def make_executor(options: WorkerOptions, *, decodes: bool) -> Executor:
    """The requested executor; by default processes if there are several workers or an op decodes.

    A process that may not have children (`multiprocessing` calls it a daemon) runs the ops of a single worker
    itself.
    """
    watched = decodes and not multiprocessing.current_process().daemon
    usual = "process" if options.workers > 1 or watched else "serial"
    name = options.executor or usual
    if name == "serial":
        return SerialExecutor()
    if name == "thread":
        return ThreadExecutor(options.workers)
    if name == "ray":
        return RayExecutor(
            options.workers,
            timeout_factor=options.timeout_factor,
            address=options.ray_address,
        )
    return ProcessExecutor(options.workers, timeout_factor=options.timeout_factor)
