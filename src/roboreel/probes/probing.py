"""Run probes: read the files whose answers are not cached, in this process or in workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from types import TracebackType
from typing import Protocol, TypeAlias, TypeVar

import pyarrow as pa

from roboreel.executors.seen_folders import require_seen
from roboreel.executors.worker_options import WorkerOptions
from roboreel.executors.worker_pool import WorkerPool, worker_pool
from roboreel.probes.cache import FileCache
from roboreel.probes.probe_request import ProbeRequest
from roboreel.progress.reporter import Phase, begin_phase
from roboreel.storage.local import LocalRoot, folder_of
from roboreel.storage.remote.io_threads import MOST_AT_ONCE
from roboreel.storage.root import Root

Probe: TypeAlias = Callable[[Root, ProbeRequest], pa.Table]
"""Returns one row per file of the request. Must be a module's function, so that workers can import it."""

_A = TypeVar("_A")
_B = TypeVar("_B")

_TASKS_AT_ONCE = 1024
_WORTH_PROCESSES_US = 1_000_000
"""Least estimated time for which starting workers pays off, in µs."""


class Probing:
    """Probes the files of one dataset; a context manager, because it may start workers."""

    def __init__(self, root: Root, *, workers: WorkerOptions, cache: FileCache | None) -> None:
        self._root, self._cache, self._options = root, cache, workers
        self._is_local = isinstance(root, LocalRoot)
        self._several = workers.several and self._is_local
        self._workers: WorkerPool | None = None
        self._stack = ExitStack()

    def answers(self, section: str, probe: Probe, request: ProbeRequest) -> pa.Table:
        """One row per file of the request, in order.

        Args:
            section: name of the request in the cache.
            probe: reads the files.
            request: files of one kind.

        Raises:
            RunError: a worker process died.
        """
        if self._cache is None:
            return self._probed(section, probe, request)
        keys = request.keys(section)
        cached = self._cache.lookup(section, keys)
        missing = [position for position, row in enumerate(cached.rows) if row is None]
        everything = len(missing) == len(request)
        fresh = self._probed(section, probe, request if everything else request.part(missing))
        answers = cached.completed(fresh)
        self._cache.store(section, keys, request.files, answers)
        return answers

    def _probed(self, section: str, probe: Probe, request: ProbeRequest) -> pa.Table:
        batches = request.batches() if self._is_local else request.single_files()
        tasks = [(self._root, batch) for batch in batches]
        if not tasks:
            tasks = [(self._root, request)]
        worth = len(tasks) > 1 and int(request.cost_us.sum()) >= _WORTH_PROCESSES_US
        if self._several and worth and self._workers is None:
            self._workers = self._stack.enter_context(worker_pool(self._options))
        phase = None
        if len(request):
            phase = begin_phase(
                f"looking through {_words(section)}", total=len(request), unit="files"
            )
        workers: _Runs | None = self._workers if worth else None
        parts = probe_all(probe, tasks, workers if self._is_local else _Threads(), phase)
        return concat_answers(parts)

    def save(self) -> None:
        """Save the answers for the next survey."""
        if self._cache is not None:
            self._cache.save()

    def __enter__(self) -> Probing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        pa.default_memory_pool().release_unused()  # the columns of large tables are no longer needed


class _Runs(Protocol):
    """What calls a function for every task, and gives the results as they come, in any order."""

    def run(self, function: Callable[[_A], _B], tasks: Iterable[_A], /) -> Iterator[_B]:
        """The results."""
        ...


class _Threads:
    """Waits for the answers of a store to many requests at once."""

    def run(self, function: Callable[[_A], _B], tasks: Iterable[_A], /) -> Iterator[_B]:
        """The results, in order."""
        left = iter(tasks)
        with ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="roboreel-probe") as pool:
            while some := list(islice(left, _TASKS_AT_ONCE)):
                yield from pool.map(function, some)


def _words(section: str) -> str:
    """What a request is about, such as `tables` or `videos of top`."""
    kind, _, camera = section.partition(" ")
    return f"{kind} of {camera.removeprefix('observation.images.')}" if camera else kind


def probe_all(
    probe: Probe,
    tasks: Sequence[tuple[Root, ProbeRequest]],
    workers: _Runs | None,
    phase: Phase | None = None,
) -> list[pa.Table]:
    """The answers to parts of a request, in order; `workers` None probes in this process."""
    numbered = [(number, probe, *task) for number, task in enumerate(tasks)]
    run = map if workers is None else workers.run
    answers: dict[int, pa.Table] = {}
    for number, answer in run(_probe_numbered, numbered):
        answers[number] = answer
        if phase is not None:
            phase.add(len(tasks[number][1]))
    return [answers[number] for number in range(len(tasks))]


def _probe_numbered(task: tuple[int, Probe, Root, ProbeRequest]) -> tuple[int, pa.Table]:
    number, probe, root, request = task
    require_seen(folder_of(root))
    return number, probe(root, request)


def concat_answers(parts: Iterable[pa.Table]) -> pa.Table:
    """Concatenate answers."""
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()
