"""Jobs of several batches are decoded in order, a few at a time, and no GOP from its start twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.reading.decode_jobs import DecodeJob, decode_job
from roboreel.reading.decode_queue import DecodeQueue
from roboreel.storage.video.indexed_video import IndexedVideo
from roboreel.testing import Camera, make_dataset

CAMERAS = {f"observation.images.{name}": Camera(height=32, gop=250) for name in "ab"}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[IndexedVideo]:
    path = make_dataset(tmp_path_factory.mktemp("queue") / "set", episodes=(40,), cameras=CAMERAS)
    root = roboreel.open(path).root
    names = sorted(str(name.relative_to(path)) for name in path.rglob("*.mp4"))
    return [IndexedVideo(root, name) for name in names]


def frames(video: IndexedVideo, start: int, stop: int) -> DecodeJob:
    want: Any = None  # a job's target, which the queue does not look at
    numbers = np.arange(start, stop, dtype=np.int64)
    return decode_job(video, want, numbers, numbers)


class Noted:
    """Notes when jobs begin and end; what takes their time is given."""

    def __init__(self, work: Callable[[DecodeJob], object]) -> None:
        self._work = work
        self.events: list[tuple[str, DecodeJob]] = []
        self.running, self.most = 0, 0
        self._lock = Lock()

    def __call__(self, job: DecodeJob) -> None:
        with self._lock:
            self.events.append(("begin", job))
            self.running += 1
            self.most = max(self.most, self.running)
        self._work(job)
        with self._lock:
            self.running -= 1
            self.events.append(("end", job))

    def at(self, event: str, job: DecodeJob) -> int:
        return next(
            n for n, (what, which) in enumerate(self.events) if (what, which) == (event, job)
        )


def run_batches(queue: DecodeQueue, batches: Sequence[Sequence[DecodeJob]]) -> None:
    works = [queue.add(jobs) for jobs in batches]
    with ThreadPoolExecutor(len(batches)) as pool:
        for future in [pool.submit(queue.run, work) for work in works]:
            future.result()
    for work in works:
        assert not work.left
        queue.drop(work)


def test_a_job_that_goes_on_in_a_gop_waits_for_the_one_before(videos: list[IndexedVideo]) -> None:
    first, second, third = (frames(videos[0], at, at + 10) for at in (0, 10, 20))
    other, begun = frames(videos[1], 0, 10), Event()

    def work(job: DecodeJob) -> None:
        if job is other:
            begun.set()
        elif job is first:
            assert begun.wait(10)  # nothing else waits

    noted = Noted(work)
    run_batches(DecodeQueue(3, noted), [[first], [second], [third, other]])
    assert noted.at("end", first) < noted.at("begin", second)
    assert noted.at("end", second) < noted.at("begin", third)


def test_no_more_jobs_than_processors_are_done_at_a_time(videos: list[IndexedVideo]) -> None:
    batches = [[frames(video, at, at + 1) for video in videos] for at in (9, 7, 5, 3, 1)]
    meet = Barrier(2)

    def work(job: DecodeJob) -> None:
        if any(job is one for one in batches[0]):
            meet.wait(10)  # both at once

    noted = Noted(work)
    run_batches(DecodeQueue(2, noted), batches)
    assert noted.most == 2
    begun = [job for event, job in noted.events if event == "begin"]
    assert begun[:2] == batches[0]
    assert len(begun) == 10


def test_an_error_belongs_to_the_batch_of_its_job(videos: list[IndexedVideo]) -> None:
    bad, meet = frames(videos[0], 3, 4), Barrier(2)

    def decode(job: DecodeJob) -> None:
        meet.wait(10)
        if job is bad:
            raise roboreel.VideoError("damaged")

    queue = DecodeQueue(2, decode)
    good = queue.add([frames(videos[1], 0, 1)])
    wrong = queue.add([bad])
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(queue.run, work) for work in (good, wrong)]:
            future.result()
    assert not good.errors
    assert [str(error) for error in wrong.errors.values()] == ["damaged"]


@pytest.mark.parametrize("fails", [ValueError, KeyboardInterrupt])
def test_what_is_dropped_is_not_begun(
    videos: list[IndexedVideo], fails: Callable[[], BaseException]
) -> None:
    begun = list[DecodeJob]()

    def decode(job: DecodeJob) -> None:
        begun.append(job)
        raise fails()

    queue = DecodeQueue(1, decode)
    work = queue.add([frames(videos[0], at, at + 1) for at in (0, 5)])
    try:
        queue.run(work)
    except KeyboardInterrupt:
        assert fails is KeyboardInterrupt
    queue.drop(work)
    assert len(begun) == 1
    assert [type(error) for error in work.errors.values()] == [fails]
