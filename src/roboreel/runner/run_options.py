"""How a plan is run: the options that every command and function which runs one shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, TypedDict, get_args

from roboreel.errors import UsageError

Leftovers: TypeAlias = Literal["refuse", "resume", "clean"]
"""What to do with what an earlier run left: say so, go on from it, or remove it."""
ExecutorName: TypeAlias = Literal["serial", "thread", "process"]


class RunKeywords(TypedDict, total=False):
    """The fields of `RunOptions` as keyword arguments, for type checkers (PEP 692)."""

    workers: int
    executor: ExecutorName | None
    timeout_factor: float
    leftovers: Leftovers
    discard_original: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run a plan.

    Args:
        workers: processes to use.
        executor: `serial`, `thread` or `process`; by default `process` where there are several workers, or
            an op decodes: only there what hangs or crashes can be stopped.
        timeout_factor: multiplies the timeout of an op, after which its process is stopped; 0 waits for
            ever. The timeout is 2 min, 1 s for each MB it reads, and 0.5 s for each frame it decodes; to
            measure a camera in an episode 30 s, 1 s for each MB of the file, and 0.2 s for each frame.
        leftovers: what an earlier run left beside the output: `refuse` to begin, `resume` from there, or
            `clean` it away.
        discard_original: in place only: remove the original at the end.

    Raises:
        UsageError: a choice is unknown, or a number makes no sense.
    """

    workers: int = 1
    executor: ExecutorName | None = None
    timeout_factor: float = 1.0
    leftovers: Leftovers = "refuse"
    discard_original: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise UsageError(f"workers is {self.workers}, expected 1 or more")
        if self.executor is not None and self.executor not in get_args(ExecutorName):
            known = "serial, thread or process"
            raise UsageError(f"unknown executor '{self.executor}': expected {known}")
        if not 0 <= self.timeout_factor < float("inf"):
            expected = "expected 0 or a positive number"
            raise UsageError(f"timeout_factor is {self.timeout_factor}, {expected}")
        if self.leftovers not in get_args(Leftovers):
            choices = ", ".join(get_args(Leftovers))
            raise UsageError(f"leftovers is '{self.leftovers}', expected one of {choices}")
