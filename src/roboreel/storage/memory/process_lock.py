"""A lock for threads that stays usable after a fork."""

from __future__ import annotations

import os
from threading import Lock


class ProcessLock:
    """A lock that a forked process does not inherit: a thread that it does not have may hold it there."""

    def __init__(self) -> None:
        self._lock, self._process = Lock(), os.getpid()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self._lock, self._process = Lock(), os.getpid()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
