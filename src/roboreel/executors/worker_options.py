"""Options for running jobs in workers, shared by all commands and functions that can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict, get_args

from roboreel.errors import UsageError

ExecutorName: TypeAlias = Literal["serial", "thread", "process", "ray"]


class WorkerKeywords(TypedDict, total=False):
    """The fields of `WorkerOptions` as keyword arguments, for type checkers (PEP 692)."""

    workers: int
    executor: ExecutorName | None
    timeout_factor: float
    ray_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """Where jobs run, and how many at a time. The fields are those of `RunOptions`.

    Raises:
        UsageError: a choice is unknown, or a number is out of range.
    """

    workers: int = 1
    executor: ExecutorName | None = None
    timeout_factor: float = 1.0
    ray_address: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"workers is {self.workers}, expected 1 or more")
        if self.executor is not None and self.executor not in get_args(ExecutorName):
            known = "serial, thread, process or ray"
            raise UsageError(f"unknown executor '{self.executor}': expected {known}")
        if self.ray_address is not None and self.executor != "ray":
            raise UsageError('ray_address needs executor="ray"')
        if not 0 <= self.timeout_factor < float("inf"):
            expected = "expected 0 or a positive number"
            raise UsageError(f"timeout_factor is {self.timeout_factor}, {expected}")

    @property
    def several(self) -> bool:
        """True if more than one job may run at a time."""
        return self.workers > 1 or self.executor == "ray"

    def keywords(self) -> WorkerKeywords:
        """The fields as keyword arguments."""
        return {
            "workers": self.workers,
            "executor": self.executor,
            "timeout_factor": self.timeout_factor,
            "ray_address": self.ray_address,
        }


WorkerChoice: TypeAlias = int | WorkerOptions
"""A number of processes of this machine, or where else to run."""


def worker_options(choice: WorkerChoice) -> WorkerOptions:
    """The options that a choice stands for."""
    return choice if isinstance(choice, WorkerOptions) else WorkerOptions(workers=choice)
