"""Put questions to files: what is not known already is read, here or in processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import TypeAlias

import pyarrow as pa

from roboreel.parallel import Workers
from roboreel.probes.cache import Cache
from roboreel.probes.probe_request import ProbeRequest
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import Root

Probe: TypeAlias = Callable[[Root, ProbeRequest], pa.Table]
"""Reads files and gives a row per question. Lives in a module, so that a process can import it."""

_WORTH_PROCESSES_US = 1_000_000
"""Below this much reading, starting processes costs what they save."""


class Probing:
    """Asks the files of one dataset; a context, as it may have processes."""

    def __init__(self, root: Root, *, workers: int, cache: Cache) -> None:
        self._root, self._cache = root, cache
        self._wanted = workers if isinstance(root, LocalRoot) else 1
        self._workers: Workers | None = None
        self._stack = ExitStack()

    def answers(self, section: str, probe: Probe, request: ProbeRequest) -> pa.Table:
        """The answers, a row per question, in their order.

        Args:
            section: names the questions in the cache.
            probe: answers them.
            questions: about files of one kind.

        Raises:
            RunError: a worker process died.
        """
        keys = request.keys(section)
        known = self._cache.known(section, keys)
        open_ones = [position for position, row in enumerate(known.rows) if row is None]
        everything = len(open_ones) == len(request)
        fresh = self._probed(probe, request if everything else request.part(open_ones))
        answers = known.completed(fresh)
        self._cache.keep(section, keys, request.files, answers)
        return answers

    def _probed(self, probe: Probe, request: ProbeRequest) -> pa.Table:
        tasks = [(self._root, batch) for batch in request.batches()]
        if not tasks:
            tasks = [(self._root, request)]
        worth = len(tasks) > 1 and int(request.cost_us.sum()) >= _WORTH_PROCESSES_US
        if self._wanted > 1 and worth and self._workers is None:
            self._workers = self._stack.enter_context(Workers(self._wanted))
        parts = probe_all(probe, tasks, self._workers if worth else None)
        return joined(parts)

    def save(self) -> None:
        """Keep the answers for the next survey."""
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
        pa.default_memory_pool().release_unused()  # a large table's columns are not needed again


def probe_all(
    probe: Probe, tasks: Sequence[tuple[Root, ProbeRequest]], workers: Workers | None
) -> list[pa.Table]:
    """The answers to portions of questions, in order; without workers in this process."""
    if workers is None:
        return [probe(root, request) for root, request in tasks]
    numbered = [(number, probe, *task) for number, task in enumerate(tasks)]
    answers: dict[int, pa.Table] = dict(workers.run(_probe_numbered, numbered))
    return [answers[number] for number in range(len(tasks))]


def _probe_numbered(task: tuple[int, Probe, Root, ProbeRequest]) -> tuple[int, pa.Table]:
    number, probe, root, request = task
    return number, probe(root, request)


def joined(parts: Iterable[pa.Table]) -> pa.Table:
    """Answers one below another."""
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()
