"""Executors: the same ops and the same bytes, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, Protocol, TypeAlias

from roboreel.errors import UsageError
from roboreel.processes import Workers
from roboreel.runner.work import OpResult, Work

ExecutorName: TypeAlias = Literal["serial", "process"]


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
        with Workers(self.workers) as workers:
            yield from workers.run(execute, works)


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
