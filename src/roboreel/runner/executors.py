"""Executors: the same jobs and the same bytes, in this process, in threads, or in several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Protocol

from roboreel.runner.jobs import J, JobFailure, Outcomes, R
from roboreel.runner.process_executor import ProcessExecutor
from roboreel.runner.run_options import RunOptions


class Executor(Protocol):
    """Runs jobs; outcomes come in any order."""

    def run(self, jobs: Iterable[J], function: Callable[[J], R | JobFailure]) -> Outcomes[R]:
        """Yield the outcome of each job as it completes; closing drops jobs that have not begun.

        Raises:
            RunError: no job can run at all.
        """
        ...


class SerialExecutor:
    """One job after another in this process."""

    def run(self, jobs: Iterable[J], function: Callable[[J], R | JobFailure]) -> Outcomes[R]:
        """Outcomes in the order of the jobs."""
        yield from map(function, jobs)


class ThreadExecutor:
    """Runs several jobs at once in threads of this process, but jobs that encode one at a time.

    Two SVT-AV1 encoders in one process deadlock.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._encoding = threading.Lock()

    def run(self, jobs: Iterable[J], function: Callable[[J], R | JobFailure]) -> Outcomes[R]:
        """Yield outcomes as they complete; closing waits for running jobs: a thread cannot be stopped."""
        waiting = iter(jobs)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="job") as pool:
            running: set[Future[R | JobFailure]] = set()
            while True:
                for job in islice(waiting, self.workers - len(running)):
                    running.add(pool.submit(self._done, function, job))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()

    def _done(self, function: Callable[[J], R | JobFailure], job: J) -> R | JobFailure:
        with self._encoding if job.encodes else contextlib.nullcontext():
            return function(job)


def make_executor(options: RunOptions, *, decodes: bool) -> Executor:
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
    return ProcessExecutor(options.workers, timeout_factor=options.timeout_factor)
