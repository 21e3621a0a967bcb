"""The jobs that executors run: ops of a plan, or anything else with a number, a description and a timeout."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

BYTES_PER_S = 1e6
_BEGIN_S, _FRAMES_PER_S = 120.0, 2.0


class Job(Protocol):
    """One thing to do. It is sent to a process, so it and the function that does it must be picklable."""

    @property
    def number(self) -> int:
        """Identifies the job among the jobs of a run."""
        ...

    @property
    def described(self) -> str:
        """The job in words, for messages."""
        ...

    @property
    def timeout_s(self) -> float:
        """Timeout in seconds, long enough for any machine and store that is still usable."""
        ...

    @property
    def encodes(self) -> bool:
        """True if it must not run in one process with another job that encodes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """Why a job has no result."""

    number: int
    message: str
    ends_run: bool = False
    """True if every other job would fail too, as on a full disk."""
    inputs_changed: bool = False
    """True if an input has changed since the job was made."""


def usable_s(size_bytes: int, decoded_frames: int = 0) -> float:
    """Seconds in which a machine that is still usable reads so many bytes and decodes so many frames.

    Slower ones count as stuck: 2 min to begin, 1 MB/s, 2 frames/s.
    """
    return _BEGIN_S + size_bytes / BYTES_PER_S + decoded_frames / _FRAMES_PER_S


J = TypeVar("J", bound=Job)
R = TypeVar("R")
Moved: TypeAlias = Callable[[int, int, int], object]
"""Called with the number of a job at work, and the frames and bytes that it has done so far."""
Outcomes: TypeAlias = Generator[R | JobFailure, None, None]
"""The outcome of each job: its result, or why it has none."""
