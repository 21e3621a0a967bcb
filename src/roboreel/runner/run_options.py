"""Options for running a plan, shared by all commands and functions that run one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from roboreel.errors import UsageError
from roboreel.executors.worker_options import WorkerKeywords, WorkerOptions

Leftovers: TypeAlias = Literal["refuse", "resume", "clean"]
"""What to do with the remains of an earlier run: refuse, resume from them, or remove them."""


class RunKeywords(WorkerKeywords, total=False):
    """The fields of `RunOptions` as keyword arguments, for type checkers (PEP 692)."""

    leftovers: Leftovers
    discard_original: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(WorkerOptions):
    """How to run a plan.

    Args:
        workers: processes to use. On a Ray cluster: tasks that run at a time; 1 uses all its CPUs.
        executor: `serial`, `thread`, `process`, or `ray` for a cluster (extra `ray`); by default `process`
            if there are several workers or an op decodes, because only a process can be stopped if it hangs
            or crashes.
        timeout_factor: multiplies the timeout of an op, after which its process is stopped; 0 disables it.
            The timeout is 2 min, plus 1 s for each MB the op reads, plus 0.5 s for each frame it decodes. To
            measure a camera in an episode, it is 30 s, plus 1 s for each MB of the file, plus 0.2 s for each
            frame.
        ray_address: address of the Ray cluster. By default that of the environment (`RAY_ADDRESS`), else a
            cluster is started on this machine for the run.
        leftovers: if an earlier run left something beside the output: `refuse` to begin, `resume` from it, or
            `clean` it up.
        discard_original: in place only: remove the original at the end.

    Raises:
        UsageError: a choice is unknown, or a number is out of range.
    """

    leftovers: Leftovers = "refuse"
    discard_original: bool = False

    def __post_init__(self) -> None:
        WorkerOptions.__post_init__(self)  # no `super()` in a dataclass with slots
        if self.leftovers not in get_args(Leftovers):
            choices = ", ".join(get_args(Leftovers))
            raise UsageError(f"leftovers is '{self.leftovers}', expected one of {choices}")
