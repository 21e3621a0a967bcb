"""Executors: the same ops and the same bytes, in this process, in threads of it, or in several processes."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Protocol

from roboreel.plan.plan import EncodeVideo
from roboreel.runner.process_executor import Outcome, Outcomes, ProcessExecutor
from roboreel.runner.run_options import RunOptions
from roboreel.runner.work import Work


class Executor(Protocol):
    """Runs works; outcomes come in any order."""

    def run(self, works: Iterable[Work], attempt: Callable[[Work], Outcome]) -> Outcomes:
        """What became of each work, as it comes; works that have not begun when it is closed are dropped.

        Raises:
            RunError: no work can be done at all.
        """
        ...


class SerialExecutor:
    """One op after another in this process."""

    def run(self, works: Iterable[Work], attempt: Callable[[Work], Outcome]) -> Outcomes:
        """Outcomes in the order of the works."""
        yield from map(attempt, works)


class ThreadExecutor:
    """Several ops at once in threads of this process; of those that encode, one after another.

    Two SVT-AV1 encoders in one process wait for each other for ever.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._encoding = threading.Lock()

    def run(self, works: Iterable[Work], attempt: Callable[[Work], Outcome]) -> Outcomes:
        """Outcomes as they come; closing waits for the ops that are under way: a thread cannot be stopped."""
        waiting = iter(works)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="op") as pool:
            running: set[Future[Outcome]] = set()
            while True:
                for work in islice(waiting, self.workers - len(running)):
                    running.add(pool.submit(self._attempt, attempt, work))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()

    def _attempt(self, attempt: Callable[[Work], Outcome], work: Work) -> Outcome:
        if not isinstance(work.op, EncodeVideo):
            return attempt(work)
        with self._encoding:
            return attempt(work)


def make_executor(options: RunOptions, *, decodes: bool) -> Executor:
    """The executor that is asked for; by default processes where there are several, or an op decodes.

    A process that must not have any of its own (`multiprocessing` calls it a daemon) does its only worker's
    ops itself.
    """
    watched = decodes and not multiprocessing.current_process().daemon
    usual = "process" if options.workers > 1 or watched else "serial"
    name = options.executor or usual
    if name == "serial":
        return SerialExecutor()
    if name == "thread":
        return ThreadExecutor(options.workers)
    return ProcessExecutor(options.workers, timeout_factor=options.timeout_factor)
