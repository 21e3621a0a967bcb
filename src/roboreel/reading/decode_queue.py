"""In which order threads decode the jobs of several batches at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition

import numpy as np

from roboreel.errors import RoboreelError
from roboreel.reading.decode_jobs import DecodeJob


class DecodeWork:
    """The jobs of one batch."""

    def __init__(self, jobs: Sequence[DecodeJob]) -> None:
        self.waiting = dict(enumerate(jobs))
        """Jobs that nobody has begun, by their number."""
        self.left = len(jobs)
        """How many are not finished."""
        self.errors: dict[int, BaseException] = {}
        """By the number of the job, so that the first one is raised, whichever thread was faster."""


class DecodeQueue:
    """Jobs of batches, first come first served, done by the threads that call `run`.

    However many batches are made at once, only so many jobs are done at a time: more threads than processors
    would take turns, each with its memory out of the processor's cache. A job that goes on in the GOP where
    another one ends waits for that, and takes over its decoder: else the GOP would be decoded again from its
    start.
    """

    def __init__(self, threads: int, decode: Callable[[DecodeJob], None]) -> None:
        """Hold no jobs yet.

        Args:
            threads: jobs that are done at a time.
            decode: does a job.
        """
        self._free, self._decode = threads, decode
        self._works: list[DecodeWork] = []
        self._busy: list[DecodeJob] = []
        self._changed = Condition()

    def add(self, jobs: Sequence[DecodeJob]) -> DecodeWork:
        """Queue the jobs of a batch."""
        work = DecodeWork(jobs)
        with self._changed:
            self._works.append(work)
        return work

    def run(self, until: DecodeWork | None = None) -> None:
        """Do jobs until those of a batch are finished; without one, until all are begun."""
        while (found := self._take(until)) is not None:
            work, number, job = found
            error: BaseException | None = None
            try:
                self._decode(job)
            except BaseException as raised:
                error = raised
                if not isinstance(raised, Exception):  # an interrupt of this thread
                    raise
            finally:
                self._finish(work, number, job, error)

    def drop(self, work: DecodeWork) -> None:
        """Give up what is not begun of a batch, and wait for the rest: the arrays belong to the caller."""
        with self._changed:
            work.left -= len(work.waiting)
            work.waiting.clear()
            while work.left:
                self._changed.wait()
            self._works.remove(work)
            self._changed.notify_all()

    def _take(self, until: DecodeWork | None) -> tuple[DecodeWork, int, DecodeJob] | None:
        with self._changed:
            while until.left if until is not None else any(work.waiting for work in self._works):
                found = self._next() if self._free else None
                if found is not None:
                    work, number, job = found
                    del work.waiting[number]
                    self._busy.append(job)
                    self._free -= 1
                    return found
                self._changed.wait()
        return None

    def _next(self) -> tuple[DecodeWork, int, DecodeJob] | None:
        for work in self._works:
            for number, job in work.waiting.items():
                if not any(_goes_on(job, other) for other in self._busy):
                    return work, number, job
        return None

    def _finish(
        self, work: DecodeWork, number: int, job: DecodeJob, error: BaseException | None
    ) -> None:
        with self._changed:
            self._busy = [other for other in self._busy if other is not job]
            self._free += 1
            work.left -= 1
            if error is not None:
                work.errors[number] = error
                # after an error of a file the batch goes on: which error it raises must not depend on threads
                if not isinstance(error, RoboreelError):
                    work.left -= len(work.waiting)
                    work.waiting.clear()
            self._changed.notify_all()


def _goes_on(job: DecodeJob, other: DecodeJob) -> bool:
    """True where a job begins in the GOP in which another one ends, after it."""
    if job.video is not other.video or job.numbers[0] <= other.numbers[-1]:
        return False
    table = job.video.table
    ends = table.hidden_before + np.array([other.numbers[-1], job.numbers[0]])
    if ends[-1] >= table.packets:
        return False  # it is refused when it is decoded
    gops = np.searchsorted(table.keys, table.display_order[ends], side="right")
    return bool(gops[0] == gops[1])
