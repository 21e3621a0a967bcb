"""Who may use a recorder, and what becomes of one that nobody finalized."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing.util  # noqa: F401  # its exit handler, which ends processes, must run after ours
import os
import threading
from collections.abc import Iterator
from typing import Protocol
from weakref import WeakSet

from roboreel.errors import UsageError


class Closable(Protocol):
    """Something that must not stay open when the interpreter ends."""

    def abandon(self) -> None:
        """Close it where nobody did; raises nothing."""


_recorders: WeakSet[Closable] = WeakSet()
_processes: WeakSet[Closable] = WeakSet()


def close_at_exit(recorder: Closable) -> None:
    """Let `abandon` be called when the interpreter ends, unless the recorder was collected before."""
    _recorders.add(recorder)


def end_at_exit(process: Closable) -> None:
    """The same of a camera's process, after all recorders: they need it to finish their videos."""
    _processes.add(process)


@atexit.register
def _at_exit() -> None:
    for one in [*_recorders, *_processes]:
        one.abandon()


class _Forks:
    """How many forks led to this process: counted by the fork, so that a frame needs no system call."""

    count = 0


def _forked() -> None:
    _Forks.count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class OneCaller:
    """Lets one thread at a time use a recorder, in the process that made it."""

    def __init__(self) -> None:
        self._lock, self._forks = threading.Lock(), _Forks.count

    @property
    def at_home(self) -> bool:
        """False in a process that was forked since."""
        return _Forks.count == self._forks

    def enter(self) -> None:
        """Let this thread in, until `leave`.

        Raises:
            UsageError: another thread is in, or this is a forked process.
        """
        if _Forks.count != self._forks:
            raise UsageError(
                "this process was forked from the one that made the recorder: record in that one only"
            )
        if not self._lock.acquire(blocking=False):
            raise UsageError(
                "another call of this recorder is in progress, in another thread or below a signal handler:"
                " use a recorder from one thread"
            )

    def leave(self) -> None:
        """Let the next one in."""
        self._lock.release()

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """`enter` before the block, and `leave` after it."""
        self.enter()
        try:
            yield
        finally:
            self.leave()
