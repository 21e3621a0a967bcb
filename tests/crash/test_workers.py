"""Workers that die, hang or fail: their op is named, the rest is done, resume tries only what failed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import roboreel
from roboreel.dataset.open import dataset_below
from roboreel.executors.jobs import JobFailure, Outcomes
from roboreel.executors.make_executor import SerialExecutor
from roboreel.executors.process_executor import ProcessExecutor
from roboreel.plan.plan import MeasureCamera, Plan, WriteTables
from roboreel.runner.run import run_plan
from roboreel.runner.run_options import RunOptions
from roboreel.runner.work import OpResult, Work, work_of
from roboreel.runner.worker import attempt
from roboreel.testing import Camera, make_dataset
from tests.oracle import tree_digest

Outcome: TypeAlias = OpResult | JobFailure

IMPATIENT = 0.02
"""Of two minutes: under three seconds."""


def dies(work: Work) -> Outcome:
    """The second op takes its process with it."""
    if work.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return attempt(work)


def hangs(work: Work) -> Outcome:
    """The second op never ends."""
    if work.number == 1:
        time.sleep(3600)
    return attempt(work)


def fails(work: Work) -> Outcome:
    """The second and the third op fail."""
    if work.number in (1, 2):
        return JobFailure(number=work.number, message=f"op {work.number} fails")
    return attempt(work)


def is_defective(work: Work) -> Outcome:
    """Every op meets a defect of ours."""
    raise AttributeError(f"no such thing as op {work.number}")


class Sabotaged:
    """An executor whose ops go another way."""

    def __init__(
        self, inner: ProcessExecutor | SerialExecutor, way: Callable[[Work], Outcome]
    ) -> None:
        self.inner, self.way = inner, way

    def run(
        self, jobs: Iterable[Any], _function: Callable[[Any], Any], _moved: object = None
    ) -> Outcomes[Any]:
        """What becomes of the works on the other way."""
        return self.inner.run(jobs, self.way)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    cameras = {"top": Camera(height=32), "wrist": Camera(height=32)}
    source = make_dataset(tmp_path / "set", version="v2.1", episodes=(5, 1, 4), cameras=cameras)
    plan = roboreel.plan_convert(
        source, to="v3.0", out=tmp_path / "out", data_file_mb=0.002, video_file_mb=0.002
    )
    assert len(plan.ops) > 4
    return plan


def _run(plan: Plan, executor: Sabotaged) -> None:
    run_plan(
        plan,
        executor,
        RunOptions(),
        unchanged=lambda: None,
        stored_stats=lambda _number, _episodes: [],
        global_stats={},
        verify=dataset_below,
    )


@pytest.mark.usefixtures("spawned")
@pytest.mark.parametrize(
    ("way", "timeout_factor", "reason"),
    [
        (dies, 1.0, "its worker process was ended by SIGKILL, as happens when memory runs out"),
        (hangs, IMPATIENT, "it did not finish within 2 s, so its worker process was stopped"),
    ],
)
def test_a_lost_worker_costs_its_op(
    plan: Plan, tmp_path: Path, way: Callable[[Work], Outcome], timeout_factor: float, reason: str
) -> None:
    executor = Sabotaged(ProcessExecutor(2, timeout_factor=timeout_factor), way)
    others = len(plan.ops) - 1
    with pytest.raises(roboreel.RunError, match=reason) as raised:
        _run(plan, executor)
    assert f"{others} of {len(plan.ops)} steps are done and kept" in str(raised.value)
    assert not (tmp_path / "out").exists()
    report = roboreel.run(plan, leftovers="resume")
    assert report.resumed == others
    again = roboreel.convert(
        plan.source, to="v3.0", out=tmp_path / "again", data_file_mb=0.002, video_file_mb=0.002
    )
    assert again.resumed == 0
    assert tree_digest(tmp_path / "out") == tree_digest(tmp_path / "again")


@pytest.mark.parametrize("inner", [SerialExecutor(), ProcessExecutor(2)], ids=["serial", "process"])
def test_all_failures_are_told(plan: Plan, inner: ProcessExecutor | SerialExecutor) -> None:
    with pytest.raises(roboreel.RunError, match="2 steps failed") as raised:
        _run(plan, Sabotaged(inner, fails))
    assert "  - op 1 fails\n  - op 2 fails\n" in str(raised.value)
    assert f"{len(plan.ops) - 2} of {len(plan.ops)} steps are done" in str(raised.value)


def test_a_defect_in_a_worker_is_shown_whole(plan: Plan) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*no such thing as op 0"):
        _run(plan, Sabotaged(ProcessExecutor(1), is_defective))


def test_the_allowance_grows_with_the_work(plan: Plan) -> None:
    (first, *_) = work_of(plan, "")
    assert isinstance(first.op, WriteTables)
    assert first.timeout_s == pytest.approx(120 + first.size_bytes / 1e6)
    assert first.size_bytes > 0


def test_statistics_are_allowed_time_by_their_frames(tmp_path: Path) -> None:
    cameras = {"top": Camera(height=32), "wrist": Camera(height=32)}
    source = make_dataset(tmp_path / "a", version="v2.0", episodes=(50, 5), cameras=cameras)
    plan = roboreel.plan_convert(source, to="v2.1", out=tmp_path / "out")
    works = [work for work in work_of(plan, "") if isinstance(work.op, MeasureCamera)]
    assert [len(work.op.episodes) for work in works] == [1, 1, 1, 1]  # type: ignore[union-attr]
    for work, frames in zip(works, (50, 5, 50, 5), strict=True):
        (name,) = work.files
        size = (source / name).stat().st_size
        assert work.timeout_s == pytest.approx(30 + size / 1e6 + frames / 5)


def test_no_worker_outlives_a_run(plan: Plan) -> None:
    executor = ProcessExecutor(2)
    outcomes = executor.run(work_of(plan, plan.out or ""), hangs)
    next(outcomes)
    outcomes.close()
    assert multiprocessing.active_children() == []


def _convert(source: Path, out: Path) -> int:
    return roboreel.convert(source, to="v2.1", out=out).measured


def test_a_process_that_may_have_none_of_its_own_does_the_work_itself(tmp_path: Path) -> None:
    cameras = {"top": Camera(height=32)}
    source = make_dataset(tmp_path / "a", version="v2.0", episodes=(3, 2), cameras=cameras)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_convert, (source, tmp_path / "out")) == 2
