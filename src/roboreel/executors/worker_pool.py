"""Workers that call a function with many values, on this machine or on a cluster."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Generic, Protocol, TypeVar

from roboreel.errors import RoboreelError, RunError
from roboreel.executors.jobs import JobFailure
from roboreel.executors.ray_executor import RayExecutor, connected
from roboreel.executors.worker_options import WorkerOptions
from roboreel.parallel import Workers

A = TypeVar("A")
B = TypeVar("B")


class WorkerPool(Protocol):
    """Workers that are there while a block runs."""

    def run(self, function: Callable[[A], B], tasks: Iterable[A]) -> Iterator[B]:
        """Yield results as they complete; an error of the function is raised.

        Raises:
            RunError: a worker died, or the cluster cannot be used.
        """
        ...


def worker_pool(
    options: WorkerOptions, *, most: int | None = None
) -> AbstractContextManager[WorkerPool]:
    """Workers for tasks that need no timeout: reading, not decoding.

    Args:
        options: where they are, and how many. There is no pool of threads: reading holds Python's lock.
        most: more are not needed.
    """
    if options.executor == "ray":
        return nullcontext(_ClusterPool(options))
    return Workers(options.workers if most is None else min(options.workers, most))


def cluster_session(options: WorkerOptions) -> AbstractContextManager[None]:
    """Stay connected to the cluster, if there is one, while a block runs several things on it."""
    return connected(options.ray_address) if options.executor == "ray" else nullcontext()


@dataclass(frozen=True, slots=True)
class _ClusterPool:
    options: WorkerOptions

    def run(self, function: Callable[[A], B], tasks: Iterable[A]) -> Iterator[B]:
        executor = RayExecutor(self.options.workers, address=self.options.ray_address)
        calls = (_Call(number, task) for number, task in enumerate(tasks))
        for outcome in executor.run(calls, partial(_called, function)):
            if isinstance(outcome, JobFailure):
                raise RunError(outcome.message)
            yield outcome.given()


@dataclass(frozen=True, slots=True)
class _Call(Generic[A]):
    """A task as a job."""

    number: int
    task: A
    described: str = "reading files"
    timeout_s: float = math.inf
    encodes: bool = False


@dataclass(frozen=True, slots=True)
class _Answer(Generic[B]):
    """What a function gave, or its error, which would lose its type on the way."""

    values: tuple[B, ...] = ()
    error: RoboreelError | None = None

    def given(self) -> B:
        if self.error is not None:
            raise self.error
        return self.values[0]


def _called(function: Callable[[A], B], call: _Call[A]) -> _Answer[B]:
    try:
        return _Answer((function(call.task),))
    except RoboreelError as error:
        return _Answer(error=error)
