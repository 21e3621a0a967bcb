"""Jobs for a cluster, in a module that its workers can import."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Sum:
    """A job that adds one."""

    number: int
    timeout_s: float = 60.0
    described: str = "a sum"
    encodes: bool = False
    marker: str = ""
    """File that tells that a worker has died."""


def add_one(job: Sum) -> tuple[int, int]:
    return job.number, job.number + 1


def die_on_seven(job: Sum) -> tuple[int, int]:
    if job.number == 7:
        os._exit(1)
    return add_one(job)


def hang_on_three(job: Sum) -> tuple[int, int]:
    if job.number == 3:
        time.sleep(600)
    return add_one(job)


def die_once(job: Sum) -> tuple[int, int]:
    if job.number == 5 and not Path(job.marker).exists():
        Path(job.marker).touch()
        os._exit(1)
    return add_one(job)
