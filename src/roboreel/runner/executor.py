"""Executors: the same ops and the same bytes, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, Protocol, TypeAlias

from roboreel.errors import UsageError
from roboreel.runner.processes import Outcome, Outcomes, ProcessExecutor
from roboreel.runner.work import Work

ExecutorName: TypeAlias = Literal["serial", "process"]


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


def make_executor(name: str, workers: int, *, patience: float = 1.0) -> Executor:
    """The executor of that name.

    Args:
        name: `serial` or `process`.
        workers: processes to use.
        patience: how many times its usual allowance an op may take in a process; 0 for ever.

    Raises:
        UsageError: there is none, or a number makes no sense.
    """
    if workers < 1:
        raise UsageError(f"workers is {workers}, expected 1 or more")
    if not 0 <= patience < float("inf"):
        raise UsageError(f"patience is {patience}, expected 0 or a positive number")
    if name == "serial":
        return SerialExecutor()
    if name == "process":
        return ProcessExecutor(workers, patience=patience)
    raise UsageError(f"unknown executor '{name}': expected serial or process")
