"""Run functions in several processes of this machine, which start safely and end with their parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import TypeVar

from roboreel.errors import RunError

A = TypeVar("A")
B = TypeVar("B")
_QUEUED_PER_WORKER = 4
_LOOKS_S = 1.0
_DEATH = "a worker process died: it was killed, or the machine ran out of memory"


class Workers:
    """Processes that run functions; a context manager that starts them when there is something to run."""

    def __init__(self, count: int) -> None:
        self.count = count
        spawn = multiprocessing.get_context("spawn")  # forking a process with threads is unsafe
        self._others = set(multiprocessing.active_children())
        self._pool = ProcessPoolExecutor(count, mp_context=spawn, initializer=end_with_parent)

    def run(self, function: Callable[[A], B], tasks: Iterable[A]) -> Iterator[B]:
        """Yield results as they complete; only a few tasks per process are in progress at once.

        Raises:
            RunError: a process died.
        """
        waiting = iter(tasks)
        running: set[Future[B]] = set()
        try:
            while True:
                for task in waiting:
                    with interrupts_held(), caller_left_out():
                        running.add(self._pool.submit(function, task))
                    if len(running) >= self.count * _QUEUED_PER_WORKER:
                        break
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise RunError(_DEATH) from error

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._terminate()
        try:
            self._pool.shutdown(wait=True, cancel_futures=True)
        except BaseException:  # an interrupt while waiting
            self._terminate()
            self._pool.shutdown(wait=True)
            raise

    def _terminate(self) -> None:
        """Terminate the workers; their results are no longer needed."""
        for worker in set(multiprocessing.active_children()) - self._others:
            worker.terminate()


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold back Ctrl-C while workers start.

    They inherit the blocked signal, and so leave interrupts to the parent. The parent may still receive an
    interrupt in a library's thread: it is raised once the workers have read their start data.
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


@contextlib.contextmanager
def caller_left_out() -> Iterator[None]:
    """Start workers without importing the calling script again.

    They need nothing from it. Its imports (for the command: the command line) would cost each worker time and
    memory, and code outside a `__main__` guard would run again.
    """
    known: dict[str, object] = vars(sys.modules["__main__"])
    kept: dict[str, object] = {
        name: known[name] for name in ("__spec__", "__file__") if name in known
    }
    for name in kept:
        known[name] = None
    try:
        yield
    finally:
        known |= kept


@contextlib.contextmanager
def stops_passed_over() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and a closed terminal in the block, which is short and must not stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    known = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {number: signal.getsignal(number) for number in known if number is not None}
    for number in before:
        signal.signal(number, lambda _number, _frame: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def end_with_parent() -> None:
    """In a worker: leave interrupts to the parent, and end when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    above = os.getppid()

    def watch() -> None:
        while os.getppid() == above and parent.is_alive():
            parent.join(_LOOKS_S)  # a process that the parent forked can keep this from ending
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
