"""Executors: the same jobs and the same bytes, in this process, in threads of it, or in several processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Literal, Protocol, TypeAlias

from roboreel.errors import UsageError
from roboreel.runner.jobs import J, JobFailure, Outcomes, R
from roboreel.runner.process_executor import ProcessExecutor

ExecutorName: TypeAlias = Literal["serial", "thread", "process"]


class Executor(Protocol):
    """Runs jobs; outcomes come in any order."""

    def run(self, jobs: Iterable[J], function: Callable[[J], R | JobFailure]) -> Outcomes[R]:
        """What became of each job, as it comes; jobs that have not begun when it is closed are dropped.

        Raises:
            RunError: no job can be done at all.
        """
        ...


class SerialExecutor:
    """One job after another in this process."""

    def run(self, jobs: Iterable[J], function: Callable[[J], R | JobFailure]) -> Outcomes[R]:
        """Outcomes in the order of the jobs."""
        yield from map(function, jobs)


class ThreadExecutor:
    """Several jobs at once in threads of this process; of those that encode, one after another.

    Two SVT-AV1 encoders in one process wait for each other for ever.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._encoding = threading.Lock()

    def run(self, jobs: Iterable[J], function: Callable[[J], R | JobFailure]) -> Outcomes[R]:
        """Outcomes as they come; closing waits for the jobs under way: a thread cannot be stopped."""
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


def usual_executor(workers: int, *, decodes: bool) -> ExecutorName:
    """The executor where none is asked for: processes where there are several, or something is to be watched.

    A process that must not have any of its own (`multiprocessing` calls it a daemon) does its only worker's
    ops itself.
    """
    watched = decodes and not multiprocessing.current_process().daemon
    return "process" if workers > 1 or watched else "serial"


def make_executor(name: str, workers: int, *, timeout_factor: float = 1.0) -> Executor:
    """The executor of that name.

    Args:
        name: `serial`, `thread` or `process`.
        workers: threads or processes to use.
        timeout_factor: multiplies the timeout of a job in a process; 0 waits for ever.

    Raises:
        UsageError: there is none, or a number makes no sense.
    """
    if workers < 1:
        raise UsageError(f"workers is {workers}, expected 1 or more")
    if not 0 <= timeout_factor < float("inf"):
        raise UsageError(f"timeout_factor is {timeout_factor}, expected 0 or a positive number")
    if name == "serial":
        return SerialExecutor()
    if name == "process":
        return ProcessExecutor(workers, timeout_factor=timeout_factor)
    if name == "thread":
        return ThreadExecutor(workers)
    raise UsageError(f"unknown executor '{name}': expected serial, thread or process")
