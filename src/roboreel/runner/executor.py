"""Executors: the same ops and the same bytes, in this process or in several."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Literal, Protocol, TypeAlias

from roboreel.errors import RunError, UsageError
from roboreel.runner.work import OpResult, Work

ExecutorName: TypeAlias = Literal["serial", "process"]
_QUEUED_PER_WORKER = 4
_DEATH = (
    "a worker process died: out of memory, killed, or the calling script has no"
    " `if __name__ == '__main__':` around its code"
)


class Executor(Protocol):
    """Runs works; results come in any order."""

    def run(self, works: Iterable[Work], execute: Callable[[Work], OpResult]) -> Iterator[OpResult]:
        """Results as they come.

        Raises:
            RunError: a work failed; works that have not begun are dropped.
        """
        ...


class SerialExecutor:
    """One op after another in this process."""

    def run(self, works: Iterable[Work], execute: Callable[[Work], OpResult]) -> Iterator[OpResult]:
        """Results in the order of the works."""
        yield from map(execute, works)


class ProcessExecutor:
    """Ops in several processes of this machine."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, works: Iterable[Work], execute: Callable[[Work], OpResult]) -> Iterator[OpResult]:
        """Results as they come; only a few works per process are under way at once."""
        spawn = multiprocessing.get_context("spawn")  # forking a process with threads is unsafe
        others = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(self.workers, mp_context=spawn, initializer=_end_with_parent)
        waiting = iter(works)
        running: set[Future[OpResult]] = set()
        try:
            while True:
                for work in waiting:
                    with _interrupts_held():
                        running.add(pool.submit(execute, work))
                    if len(running) >= self.workers * _QUEUED_PER_WORKER:
                        break
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise RunError(_DEATH) from error
        except BaseException:
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()  # what they write is discarded: do not wait for it
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while workers start.

    They inherit the blocked signal, and so leave interrupts to the parent. The parent itself may still be
    told of one by a library's thread: it raises it after the workers have read what they start with.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _frame: held.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler or signal.SIG_DFL)
    if held:
        raise KeyboardInterrupt


def _end_with_parent() -> None:
    """In a worker: leave interrupts to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def make_executor(name: str, workers: int) -> Executor:
    """The executor of that name.

    Raises:
        UsageError: there is none, or the number of workers is not positive.
    """
    if workers < 1:
        raise UsageError(f"workers is {workers}, expected 1 or more")
    if name == "serial":
        return SerialExecutor()
    if name == "process":
        return ProcessExecutor(workers)
    raise UsageError(f"unknown executor '{name}': expected serial or process")
