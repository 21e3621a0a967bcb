"""Jobs that do nothing, in a module that the workers of a cluster can import."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Nothing:
    number: int
    timeout_s: float
    described: str = "nothing"
    encodes: bool = False


def do_nothing(job: Nothing) -> int:
    return job.number
