"""Every operation as tasks of a real Ray cluster: the bytes of a serial run, and what faults cost.

Run by `pytest -m slow tests/cluster`, where the extra `ray` is installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import RunError, UsageError
from roboreel.executors import ray_executor
from roboreel.executors.jobs import JobFailure
from roboreel.executors.ray_executor import RayExecutor
from roboreel.testing import make_dataset
from tests.cluster.jobs import Sum, add_one, die_on_seven, die_once, hang_on_three
from tests.oracle import tree_digest

ray: Any = pytest.importorskip("ray", reason="the extra ray is not installed")
# Ray itself leaves files and sockets to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.usefixtures("cluster"),
    pytest.mark.slow,
]


TOP = "observation.images.top"
EDITS: dict[str, Callable[[Path, Path, dict[str, Any]], object]] = {
    "convert": lambda source, out, how: roboreel.convert(source, to="v3.0", out=out, **how),
    "back": lambda source, out, how: roboreel.convert(source, to="v2.0", out=out, **how),
    "delete": lambda source, out, how: roboreel.write(
        roboreel.open(source).delete([1]), out=out, **how
    ),
    "trim": lambda source, out, how: roboreel.write(
        roboreel.open(source).trim({0: (1, 4)}).with_target(allow_reencode=True), out=out, **how
    ),
    "encode": lambda source, out, how: roboreel.write(
        roboreel.open(source).encode({TOP: roboreel.Encoding(vcodec="h264", crf=30)}),
        out=out,
        **how,
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_the_bytes_are_those_of_a_serial_run(tmp_path: Path, edit: str) -> None:
    source = make_dataset(tmp_path / "source", version="v2.1", episodes=(6, 5, 7))
    run = EDITS[edit]
    run(source, tmp_path / "serial", {"executor": "serial"})
    run(source, tmp_path / "ray", {"executor": "ray"})
    assert tree_digest(tmp_path / "ray") == tree_digest(tmp_path / "serial")


def test_paths_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dataset(tmp_path / "source", version="v2.1", episodes=(6, 5))
    monkeypatch.chdir(tmp_path)
    roboreel.convert("source", to="v3.0", out="serial")
    roboreel.convert("source", to="v3.0", out="ray", executor="ray")
    assert tree_digest(tmp_path / "ray") == tree_digest(tmp_path / "serial")


def test_progress_is_told(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "source", version="v2.1", episodes=(6, 5))
    events: list[Any] = []
    roboreel.convert(
        source, to="v3.0", out=tmp_path / "out", executor="ray", progress=events.append
    )
    assert events


def test_all_jobs_give_their_outcomes() -> None:
    outcomes = RayExecutor(2).run(map(Sum, range(100)), add_one)
    assert set(outcomes) == {(n, n + 1) for n in range(100)}


def test_short_runs_do_not_wait_for_an_actor_of_their_own(cluster: Any) -> None:
    """It is started once for a connection, and takes a second or two."""
    executor = RayExecutor(2)
    list(executor.run(map(Sum, range(2)), add_one))
    held = dict(ray_executor._ACTORS)
    begun = time.monotonic()
    for _ in range(10):
        assert len(list(executor.run(map(Sum, range(2)), add_one))) == 2
    assert time.monotonic() - begun < 5
    assert held == ray_executor._ACTORS


def test_the_next_connection_has_an_actor_of_its_own() -> None:
    list(RayExecutor(2).run(map(Sum, range(2)), add_one))
    ray.shutdown()
    ray.init(num_cpus=2, log_to_driver=False, logging_level="ERROR")
    test_a_job_that_hangs_is_stopped()


def test_a_job_that_kills_its_worker_is_given_up_and_costs_no_other() -> None:
    outcomes = list(RayExecutor(2).run(map(Sum, range(20)), die_on_seven))
    failures = [one for one in outcomes if isinstance(one, JobFailure)]
    assert [failure.number for failure in failures] == [7]
    assert "died 3 times" in failures[0].message
    assert {one[0] for one in outcomes if isinstance(one, tuple)} == {*range(20)} - {7}


def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path) -> None:
    jobs = [Sum(number, marker=str(tmp_path / "died")) for number in range(10)]
    outcomes = list(RayExecutor(2).run(jobs, die_once))
    assert (tmp_path / "died").exists()
    assert set(outcomes) == {(n, n + 1) for n in range(10)}


def test_a_job_that_hangs_is_stopped() -> None:
    jobs = [Sum(number, timeout_s=3.0) for number in range(6)]
    begun = time.monotonic()
    outcomes = list(RayExecutor(2).run(jobs, hang_on_three))
    assert time.monotonic() - begun < 120
    failures = [one for one in outcomes if isinstance(one, JobFailure)]
    assert [failure.number for failure in failures] == [3]
    assert "did not finish within 3 s" in failures[0].message
    assert {one[0] for one in outcomes if isinstance(one, tuple)} == {0, 1, 2, 4, 5}


def test_closing_cancels_what_runs() -> None:
    outcomes = RayExecutor(1).run([Sum(0), Sum(3, timeout_s=3000.0)], hang_on_three)
    next(outcomes)
    outcomes.close()


def test_a_driver_that_dies_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_dataset(tmp_path / "source", version="v2.1", episodes=(6, 5))
    roboreel.convert(source, to="v3.0", out=tmp_path / "serial")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("roboreel.runner.run.write_documents", stop)
        with pytest.raises(KeyboardInterrupt):
            roboreel.convert(source, to="v3.0", out=tmp_path / "ray", executor="ray")
    report = roboreel.convert(
        source, to="v3.0", out=tmp_path / "ray", executor="ray", leftovers="resume"
    )
    assert report.resumed
    assert tree_digest(tmp_path / "ray") == tree_digest(tmp_path / "serial")


def test_an_address_needs_ray(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ray_address needs executor"):
        roboreel.convert(tmp_path, to="v3.0", out=tmp_path / "x", ray_address="auto")


def test_a_cluster_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    ray.shutdown()
    source = make_dataset(tmp_path / "source", version="v2.1", episodes=(6,))
    try:
        with pytest.raises(RunError, match=r"cannot connect to the Ray cluster at .127\.0\.0\.1:1"):
            roboreel.convert(
                source,
                to="v3.0",
                out=tmp_path / "out",
                executor="ray",
                ray_address="127.0.0.1:1",
            )
    finally:
        ray.init(num_cpus=2, log_to_driver=False, logging_level="ERROR")
    assert not (tmp_path / "out").exists()
