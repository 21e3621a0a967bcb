"""Executors run any job that has a number, words and a timeout: one that is lost costs itself alone."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from roboreel.executors.jobs import JobFailure
from roboreel.executors.make_executor import make_executor
from roboreel.executors.worker_options import ExecutorName
from roboreel.runner.run_options import RunOptions


@dataclass(frozen=True, slots=True)
class Toy:
    """A job of a few milliseconds, unless it goes wrong."""

    number: int
    way: str = "well"
    timeout_s: float = 60.0
    encodes: bool = False

    @property
    def described(self) -> str:
        return f"toy {self.number}"


def play(toy: Toy) -> str | JobFailure | None:
    """What the toy's way leads to."""
    if toy.way == "hangs":
        time.sleep(3600)
    if toy.way == "crashes":
        os._exit(3)
    if toy.way == "raises":
        raise AttributeError(f"no such thing as toy {toy.number}")
    if toy.way == "fails":
        return JobFailure(number=toy.number, message="broken")
    return None if toy.way == "gives nothing" else f"done {toy.number} here: {os.getpid()}"


def outcomes(executor: ExecutorName, *toys: Toy) -> list[str | JobFailure | None]:
    return list(
        make_executor(RunOptions(executor=executor, workers=2), decodes=False).run(toys, play)
    )


@pytest.mark.parametrize("executor", ["serial", "thread", "process"])
def test_results_and_failures_of_any_kind_come_back(executor: ExecutorName) -> None:
    toys = [Toy(0), Toy(1, "fails"), Toy(2, "gives nothing"), Toy(3, encodes=True)]
    found = outcomes(executor, *toys)
    assert len(found) == 4
    assert JobFailure(number=1, message="broken") in found
    assert None in found
    pids = {one.rpartition(" ")[2] for one in found if isinstance(one, str)}
    assert (str(os.getpid()) in pids) == (executor != "process")


def test_a_job_that_hangs_and_one_that_crashes_cost_themselves_alone() -> None:
    toys = [Toy(0), Toy(1, "hangs", timeout_s=0.3), Toy(2, "crashes"), *map(Toy, range(3, 9))]
    begun = time.monotonic()
    found = outcomes("process", *toys)
    assert time.monotonic() - begun < 60
    lost = {one.number: one.message for one in found if isinstance(one, JobFailure)}
    assert lost == {
        1: "toy 1: it did not finish within 0 s, so its worker process was stopped",
        2: "toy 2: its worker process ended with 3",
    }
    numbers = sorted(int(one.split()[1]) for one in found if isinstance(one, str))
    assert numbers == [0, *range(3, 9)]
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("executor", ["serial", "thread", "process"])
def test_what_a_job_raises_ends_the_run(executor: ExecutorName) -> None:
    with pytest.raises((RuntimeError, AttributeError), match="no such thing as toy 1"):
        outcomes(executor, Toy(0), Toy(1, "raises"))
    assert multiprocessing.active_children() == []


def test_threads_encode_one_after_another() -> None:
    running, most = set[int](), [0, 0]
    lock = threading.Lock()

    def watched(toy: Toy) -> int:
        with lock:
            running.add(toy.number)
            encoding = sum(number % 2 for number in running)
            most[:] = [max(most[0], len(running)), max(most[1], encoding)]
        time.sleep(0.05)
        with lock:
            running.remove(toy.number)
        return toy.number

    toys = [Toy(number, encodes=bool(number % 2)) for number in range(12)]
    found = make_executor(RunOptions(executor="thread", workers=4), decodes=False).run(
        toys, watched
    )
    assert sorted(one for one in found if isinstance(one, int)) == list(range(12))
    assert most[0] > 1
    assert most[1] == 1


def test_jobs_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def toys() -> Iterator[Toy]:
        for number in range(100):
            taken.append(number)
            yield Toy(number)

    run = make_executor(RunOptions(executor="process"), decodes=False).run(toys(), play)
    next(run)
    run.close()
    assert len(taken) <= 3
