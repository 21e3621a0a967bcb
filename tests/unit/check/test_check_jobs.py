"""A report does not depend on which jobs are done first, and names the files of jobs that are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.executors.jobs import JobFailure
from roboreel.testing import make_dataset
from tests.unit.check.breaks import CAMERAS, LENGTHS, filmed


class Backwards:
    """Does the last job first; loses those of which the description has a word."""

    def __init__(self, lost: str = "no job") -> None:
        self.lost = lost

    def run(self, jobs: Iterable[Any], function: Callable[[Any], Any], moved: Any = None) -> Any:
        for job in reversed(list(jobs)):
            if self.lost in job.described:
                yield JobFailure(number=job.number, message=f"{job.described}: it hung")
            else:
                yield function(job)


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset whose problems are in several files, each of which is a job of its own."""
    monkeypatch.setattr("roboreel.checking.check_jobs._FILES", 1)
    path = make_dataset(tmp_path / "a", version="v2.1", episodes=LENGTHS, cameras=CAMERAS)
    for episode in (0, 2):
        filmed(episode, lambda _: 4)(path)
    return path


def test_the_order_of_the_jobs_counts_not_that_of_the_outcomes(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = roboreel.check(damaged, decode=True)
    assert len({problem.episode for problem in wanted.problems}) > 1
    monkeypatch.setattr("roboreel.checking.check.make_executor", lambda *_, **__: Backwards())
    assert roboreel.check(damaged, decode=True) == wanted


def test_a_file_whose_decoding_hangs_is_a_problem_and_costs_no_other(
    damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = Backwards("decoding 'videos/chunk-000/observation.images.top/episode_000001")
    monkeypatch.setattr("roboreel.checking.check.make_executor", lambda *_, **__: executor)
    report = roboreel.check(damaged, decode=True)
    (lost,) = (one for one in report.problems if one.rule == "video.decodes")
    assert "it hung" in lost.message
    assert str(lost.path).endswith("episode_000001.mp4")
    assert {one.episode for one in report.problems if one.rule == "video.black"} == {0, 2}
