"""Run jobs as tasks of a Ray cluster: one that dies or hangs costs its job and nothing else.

Small jobs go in bundles, so that what they share is sent once. A job whose worker or node dies is tried again
alone. An attempt that was given up may go on, but changes nothing (`storage/staging/attempt_root.py`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic

from roboreel.errors import RunError
from roboreel.executors.jobs import J, JobFailure, Moved, Outcomes, R
from roboreel.executors.ray_library import ray_library
from roboreel.executors.seen_folders import unseen
from roboreel.progress.work_done import telling

_ATTEMPTS = 3
_LOOK_S = 0.2
_HEAR_S = 10.0
_MOST_RUNS = 64
_CONNECT_S = 10.0
_BUNDLE_JOBS, _BUNDLE_S = 16, 2500.0
"""A bundle ends with this many jobs, or when their timeouts sum up to this."""
_BEGUN, _MOVED = "begun", "moved"
_ACTORS: dict[tuple[str, str], Any] = {}
"""The actor that passes on what tasks tell, by the connection that has it: at most one."""


class RayExecutor:
    """Jobs as tasks of a Ray cluster."""

    def __init__(
        self, workers: int, *, timeout_factor: float = 1.0, address: str | None = None
    ) -> None:
        """Connect to nothing yet.

        Args:
            workers: tasks at a time; 1 stands for as many as the cluster has CPUs.
            timeout_factor: multiplies the timeout of a job; 0 disables it.
            address: address of the cluster; by default that of the environment or, without one, a cluster
                that is started on this machine and ended with the run.
        """
        self.workers, self.timeout_factor, self.address = workers, timeout_factor, address

    def run(
        self,
        jobs: Iterable[J],
        function: Callable[[J], R | JobFailure],
        moved: Moved | None = None,
    ) -> Outcomes[R]:
        """Yield outcomes as they complete; closing cancels what runs.

        Raises:
            RunError: the cluster cannot be reached, or its workers cannot run roboreel here.
            MissingDependencyError: the extra `ray` is not installed.
        """
        ray = ray_library()
        with connected(self.address):
            workers = self.workers if self.workers > 1 else _cpus(ray)
            # Sent once to each node, whatever it holds: a plan's tables, say.
            shared = ray.put(function)
            crew: _Crew[J, R] = _Crew(ray, shared, moved, self.timeout_factor)
            bundles = _bundled(jobs)
            try:
                while True:
                    while len(crew.tasks) < workers and (jobs_of := crew.next(bundles)):
                        crew.begin(jobs_of)
                    if not crew.tasks:
                        return
                    yield from crew.look()
            finally:
                crew.cancel()


@dataclass(slots=True, eq=False)
class _Task(Generic[J]):
    """A bundle that runs, or waits for a CPU."""

    jobs: list[J]
    at: int | None = None
    """Position of the job that is at work; None before the first."""
    deadline: float = float("inf")


@dataclass(slots=True)
class _Crew(Generic[J, R]):
    """The tasks of a run."""

    ray: Any
    function: Any
    """Reference to the function that does a job."""
    moved: Moved | None
    timeout_factor: float
    tasks: dict[Any, _Task[J]] = field(default_factory=dict)
    again: deque[J] = field(default_factory=deque)
    """Jobs to try again, each alone."""
    losses: dict[int, int] = field(default_factory=dict)
    """How often a job's worker died while the job was at work."""
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    """Tells its events from those of other runs."""
    told: Any = None
    """Reference to what the events' actor answers. It takes a second to start, so it is not waited for."""

    def next(self, bundles: Iterator[list[J]]) -> list[J] | None:
        """The jobs of the next task; None if there are no more."""
        return [self.again.popleft()] if self.again else next(bundles, None)

    def begin(self, jobs: list[J]) -> None:
        """Submit a task."""
        ray = self.ray
        remote = ray.remote(num_cpus=1, max_retries=0)(_serve)
        tells = self.moved is not None
        reference = remote.remote(self.function, jobs, _events(ray), self.run, os.getcwd(), tells)
        self.tasks[reference] = _Task(jobs)

    def look(self) -> Iterator[R | JobFailure]:
        """Outcomes since the last call; waits a little for the first."""
        ready, _ = self.ray.wait(list(self.tasks), num_returns=1, timeout=_LOOK_S)
        self._hear(0.0)
        for reference in ready:
            yield from self._ended(reference)
        now = time.monotonic()
        for reference, task in list(self.tasks.items()):
            if task.deadline < now and task.at is not None:
                yield from self._overdue(reference, task, task.at)

    def cancel(self) -> None:
        """Stop everything: what runs is of no use any more."""
        for reference in self.tasks:
            with contextlib.suppress(Exception):  # it has ended, or the cluster is gone
                self.ray.cancel(reference, force=True)
        self.tasks.clear()
        with contextlib.suppress(Exception):
            if self.told is not None:
                self.ray.cancel(self.told)

    def _hear(self, timeout_s: float) -> None:
        """Take what tasks told: which job is at work, and how far it is."""
        self.told = self.told or _events(self.ray).take.remote(self.run)
        ready, _ = self.ray.wait([self.told], timeout=timeout_s)
        if not ready:
            return
        told, self.told = self.ray.get(self.told), None
        by_first = {task.jobs[0].number: task for task in self.tasks.values()}
        for kind, first, number, frames, size_bytes in told:
            task = by_first.get(first)
            if task is None:
                continue
            if kind == _MOVED:
                if self.moved is not None:
                    self.moved(number, frames, size_bytes)
                continue
            task.at = next(at for at, job in enumerate(task.jobs) if job.number == number)
            if self.timeout_factor:
                limit = task.jobs[task.at].timeout_s * self.timeout_factor
                task.deadline = time.monotonic() + limit

    def _ended(self, reference: Any) -> Iterator[R | JobFailure]:
        errors = self.ray.exceptions
        try:
            outcomes: list[R | JobFailure] = self.ray.get(reference)
        except errors.RayTaskError as error:
            raise _defect(error) from error
        except errors.RayError as error:
            for _ in range(2):  # the first answer may be older than the loss
                self._hear(_HEAR_S)
            yield from self._lost(self.tasks.pop(reference), error)
            return
        del self.tasks[reference]
        yield from outcomes

    def _lost(self, task: _Task[J], error: Exception) -> Iterator[JobFailure]:
        """A task whose worker or node died: its jobs are tried again, but not for ever."""
        at = 0 if len(task.jobs) == 1 else task.at
        if at is None:  # it died before it could tell which job was at work
            self.again.extend(task.jobs)
            return
        guilty = task.jobs[at]
        self.losses[guilty.number] = self.losses.get(guilty.number, 0) + 1
        given_up = self.losses[guilty.number] >= _ATTEMPTS
        self.again.extend(job for job in task.jobs if not (given_up and job is guilty))
        if given_up:
            why = f"its worker died {_ATTEMPTS} times ({_words_of(error)})"
            yield JobFailure(number=guilty.number, message=f"{guilty.described}: {why}")

    def _overdue(self, reference: Any, task: _Task[J], at: int) -> Iterator[JobFailure]:
        self.ray.cancel(reference, force=True)
        del self.tasks[reference]
        job = task.jobs[at]
        self.again.extend(other for other in task.jobs if other is not job)
        seconds = job.timeout_s * self.timeout_factor
        yield JobFailure(
            number=job.number,
            message=f"{job.described}: it did not finish within {seconds:.0f} s, so its worker was stopped",
        )


class _Events:
    """An actor that passes on what tasks of several runs tell."""

    def __init__(self) -> None:
        self._told: dict[str, list[tuple[str, int, int, int, int]]] = {}

    def tell(self, run: str, *event: Any) -> None:
        """Keep an event. Those of runs that ended are dropped when others have come."""
        self._told.setdefault(run, []).append(event)
        if len(self._told) > _MOST_RUNS:
            del self._told[next(iter(self._told))]

    def take(self, run: str) -> list[tuple[str, int, int, int, int]]:
        """The events of a run since the last call."""
        return self._told.pop(run, [])


def _events(ray: Any) -> Any:
    """The actor of this connection, which ends with it. It is made by the first run."""
    here = ray.get_runtime_context()
    connection = here.get_node_id(), here.get_job_id()
    if _ACTORS.keys() != {connection}:
        # started again elsewhere if its node dies
        actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Events)
        _ACTORS.clear()
        _ACTORS[connection] = actor.remote()
    return _ACTORS[connection]


def _serve(
    function: Callable[[J], R | JobFailure],
    jobs: list[J],
    events: Any,
    run: str,
    folder: str,
    tells_moves: bool,
) -> list[R | JobFailure]:
    """Run a bundle in a worker of the cluster."""
    first = jobs[0].number
    try:
        os.chdir(folder)
    except OSError:
        return [JobFailure(number=first, message=unseen(folder), ends_run=True)]
    outcomes = []
    for job in jobs:
        events.tell.remote(run, _BEGUN, first, job.number, 0, 0)

        def tell(frames: int, size_bytes: int, number: int = job.number) -> None:
            events.tell.remote(run, _MOVED, first, number, frames, size_bytes)

        with telling(tell if tells_moves else None):
            outcomes.append(function(job))
    return outcomes


def _bundled(jobs: Iterable[J]) -> Iterator[list[J]]:
    """Jobs in bundles: those that may take long are alone."""
    bundle: list[J] = []
    cost = 0.0
    for job in jobs:
        if bundle and (len(bundle) == _BUNDLE_JOBS or cost + job.timeout_s > _BUNDLE_S):
            yield bundle
            bundle, cost = [], 0.0
        bundle.append(job)
        cost += job.timeout_s
    if bundle:
        yield bundle


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """A connection to the cluster; the program's own is used and kept if it has one."""
    ray = ray_library()
    if ray.is_initialized():
        yield
        return
    _require_answer(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        where = f"the Ray cluster at '{address}'" if address else "a Ray cluster"
        raise RunError(f"cannot connect to {where}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_answer(address: str | None) -> None:
    """Raise if nothing answers at `host:port`: Ray itself would try for minutes."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except OSError as error:
        raise RunError(
            f"cannot connect to the Ray cluster at '{address}': {error.strerror or error}"
        ) from error


def _cpus(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _defect(error: Any) -> Exception:
    """What an error in a task means: roboreel is missing there, or a bug."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, ImportError) or "No module named" in str(cause):
        return RunError(
            f"a Ray worker cannot import what it needs ({_words_of(cause)}): install the same release of"
            " roboreel on all nodes"
        )
    return RuntimeError(f"in a Ray worker: {error}")


def _words_of(error: BaseException | None) -> str:
    """An error of Ray in one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
