"""How the code that does the work tells what it has done, in whichever process or thread it runs.

`advance` costs a fraction of a microsecond where nobody listens, so it may be called for every frame.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TypeAlias

Told: TypeAlias = Callable[[int, int], object]
"""Called with the frames and bytes that a job has done so far."""

_INTERVAL_S = 0.2
_job: ContextVar[Tally | None] = ContextVar("_job", default=None)


class Tally:
    """What one job has done; tells it at most five times a second."""

    __slots__ = ("_next", "_tell", "frames", "size_bytes")

    def __init__(self, tell: Told) -> None:
        self.frames, self.size_bytes, self._tell = 0, 0, tell
        self._next = time.monotonic() + _INTERVAL_S

    def add(self, frames: int, size_bytes: int) -> None:
        """Count what was done."""
        self.frames += frames
        self.size_bytes += size_bytes
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _INTERVAL_S
            self._tell(self.frames, self.size_bytes)


def advance(*, frames: int = 0, size_bytes: int = 0) -> None:
    """Tell that the current job has done so many more frames and bytes."""
    tally = _job.get()
    if tally is not None:
        tally.add(frames, size_bytes)


@contextlib.contextmanager
def telling(tell: Told | None) -> Iterator[None]:
    """Tell what the block's `advance` calls add up to; None: nobody listens."""
    token = _job.set(None if tell is None else Tally(tell))
    try:
        yield
    finally:
        _job.reset(token)
