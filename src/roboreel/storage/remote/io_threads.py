"""Wait for many answers of a server at once: threads that only wait."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MOST_AT_ONCE = 32
_A = TypeVar("_A")
_B = TypeVar("_B")


class _Threads:
    """The threads of this process; a forked process has none of its parent's."""

    def __init__(self) -> None:
        self._process, self._pool = -1, None  # type: int, ThreadPoolExecutor | None

    def pool(self) -> ThreadPoolExecutor:
        if self._pool is None or self._process != os.getpid():
            self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="roboreel-io")
            self._process = os.getpid()
        return self._pool


_THREADS = _Threads()


def at_once(function: Callable[[_A], _B], tasks: Sequence[_A]) -> list[_B]:
    """The results of a function that waits for a server, for all tasks, in order.

    At most 32 run at a time, of all callers together. The function must not call this one with several tasks.

    Raises:
        Whatever the function raises for the first task that fails; all others have ended by then.
    """
    if len(tasks) < 2:
        return [function(task) for task in tasks]
    running = [_THREADS.pool().submit(function, task) for task in tasks]
    failures = [one.exception() for one in running]
    for failure in failures:
        if failure is not None:
            raise failure
    return [one.result() for one in running]
