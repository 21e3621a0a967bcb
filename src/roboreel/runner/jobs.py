"""What executors run: ops of a plan, and whatever else has a number, words for it and a timeout."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar


class Job(Protocol):
    """One thing to do. A process is sent it, so it can be pickled, as can the function that does it."""

    @property
    def number(self) -> int:
        """What tells it from the other jobs of a run."""
        ...

    @property
    def described(self) -> str:
        """The job in words, for messages."""
        ...

    @property
    def timeout_s(self) -> float:
        """Seconds that it may take in a process on any machine and store that is still of use."""
        ...

    @property
    def encodes(self) -> bool:
        """True where it must not run in one process with another one that encodes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFailure:
    """Why a job has no result."""

    number: int
    message: str
    ends_run: bool = False
    """True where no other job would do better, as on a full disk."""
    inputs_changed: bool = False
    """True if an input has changed since the job was made."""


J = TypeVar("J", bound=Job)
R = TypeVar("R")
Outcomes: TypeAlias = Generator[R | JobFailure, None, None]
"""What became of each job: its result, or why it has none."""
