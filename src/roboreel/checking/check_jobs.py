"""What a check does to files, as jobs that any executor runs: the report is the same on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from roboreel.errors import RunError
from roboreel.executors.jobs import JobFailure
from roboreel.executors.make_executor import Executor
from roboreel.executors.seen_folders import require_seen
from roboreel.progress.reporter import Phase, current_reporter
from roboreel.storage.local import folder_of
from roboreel.storage.root import Root

_FILES, _UNITS = 64, 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJob:
    """Files to read, small enough to be sent anywhere."""

    number: int
    described: str
    timeout_s: float
    units: int
    """How much of its phase the job is."""
    frames: bool
    """True if these units are frames, or rows with frames: their speed is told."""
    encodes: bool = False


J = TypeVar("J", bound=CheckJob)
R = TypeVar("R")
_A = TypeVar("_A")


def in_order(
    executor: Executor,
    jobs: Sequence[J],
    function: Callable[[J], R],
    phase: Phase,
    *,
    root: Root,
) -> Iterator[tuple[J, R | JobFailure]]:
    """Each job with its outcome, in the order of the jobs, whichever are done first.

    Args:
        executor: runs the jobs.
        jobs: numbered from 0.
        function: does a job.
        phase: counts what is done.
        root: what the jobs read; where it is a folder, each worker must see it.

    Raises:
        RunError: no job can run.
    """
    told: dict[int, int] = {}

    def moved(number: int, units: int, _: int) -> None:
        step = units - told.get(number, 0)
        told[number] = units
        phase.add(step, frames=step if jobs[number].frames else 0)

    waiting: dict[int, R | JobFailure] = {}
    found: R | JobFailure
    following = 0
    listener = None if current_reporter() is None else moved
    for outcome in executor.run(jobs, partial(_numbered, folder_of(root), function), listener):
        if isinstance(outcome, JobFailure):
            if outcome.ends_run:
                raise RunError(outcome.message)
            number, found = outcome.number, outcome
        else:
            number, found = outcome
        moved(number, jobs[number].units, 0)
        waiting[number] = found
        while following in waiting:
            yield jobs[following], waiting.pop(following)
            following += 1


def _numbered(folder: str | None, function: Callable[[J], R], job: J) -> tuple[int, R] | JobFailure:
    try:
        require_seen(folder)
    except RunError as error:
        return JobFailure(number=job.number, message=str(error), ends_run=True)
    return job.number, function(job)


def in_groups(items: Iterable[_A], units: Callable[[_A], int]) -> Iterator[list[_A]]:
    """Items in groups of a few files each, so that small files don't cost a job each."""
    group: list[_A] = []
    size = 0
    for item in items:
        if group and (len(group) == _FILES or size + units(item) > _UNITS):
            yield group
            group, size = [], 0
        group.append(item)
        size += units(item)
    if group:
        yield group
