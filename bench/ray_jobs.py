"""Jobs that do nothing, or say how long they took, in a module that the workers of a cluster can import."""

import time
from dataclasses import dataclass

from roboreel.executors.jobs import JobFailure
from roboreel.runner.work import Work
from roboreel.runner.worker import attempt


@dataclass(frozen=True, slots=True)
class Nothing:
    number: int
    timeout_s: float
    described: str = "nothing"
    encodes: bool = False


def do_nothing(job: Nothing) -> int:
    return job.number


def timed_attempt(work: Work) -> float | JobFailure:
    """Seconds that an op takes in its worker."""
    started = time.perf_counter()
    outcome = attempt(work)
    return outcome if isinstance(outcome, JobFailure) else time.perf_counter() - started
