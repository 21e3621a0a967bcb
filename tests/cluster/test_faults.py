"""Workers, nodes and drivers that die: nothing is lost, nothing doubled, the bytes are those of a serial run.

Run by `pytest -m slow tests/cluster`, where the extra `ray` is installed.
"""

from __future__ import annotations

import importlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.errors import RunError
from roboreel.progress.event import ProgressEvent
from roboreel.runner.commit import write_documents
from roboreel.runner.ledger import Ledger
from roboreel.testing import Camera, make_dataset
from tests.cluster.jobs import (
    LATE_OP,
    LateAttempt,
    late_attempt,
    mortal_attempt,
    poisoned_attempt,
)
from tests.oracle import tree_digest

ray: Any = pytest.importorskip("ray", reason="the extra ray is not installed")
pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"), pytest.mark.slow]

EPISODES = 40
MANY_FILES: Any = {"data_file_mb": 0.0001, "video_file_mb": 0.0001}
"""Each episode gets files, and so ops, of its own."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "source"
    cameras = {"observation.images.top": Camera()}
    return make_dataset(path, version="v2.1", episodes=(5,) * EPISODES, cameras=cameras)


@pytest.fixture(scope="module")
def wanted(source: Path) -> dict[str, str]:
    out = source.parent / "serial"
    roboreel.convert(source, to="v3.0", out=out, **MANY_FILES)
    return tree_digest(out)


@pytest.fixture
def nodes() -> Iterator[Any]:
    """Two nodes beside a head without CPUs, with a raylet each."""
    utils: Any = importlib.import_module("ray.cluster_utils")
    cluster = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def once(act: Callable[[], object], *, done: int) -> Callable[[ProgressEvent], None]:
    """Acts once, when so many files or frames are written."""
    left = [act]

    def listen(event: ProgressEvent) -> None:
        if left and event.done >= done and event.phase.startswith(("copying", "writing")):
            left.pop()()

    return listen


def test_a_node_that_is_killed_costs_nothing(
    source: Path, wanted: dict[str, str], nodes: Any, tmp_path: Path
) -> None:
    victim = next(iter(nodes.worker_nodes))
    killed: list[object] = []

    def kill() -> None:
        nodes.remove_node(victim, allow_graceful=False)
        killed.append(victim)

    report = roboreel.convert(
        source,
        to="v3.0",
        out=tmp_path / "out",
        executor="ray",
        progress=once(kill, done=5),
        **MANY_FILES,
    )
    assert killed
    assert report.episodes == EPISODES
    assert tree_digest(tmp_path / "out") == wanted


@pytest.mark.usefixtures("cluster")
def test_every_tenth_op_killed_costs_nothing(
    source: Path, wanted: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roboreel.runner.run.attempt", mortal_attempt)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out", executor="ray", **MANY_FILES)
    assert len(list(tmp_path.glob("died-*"))) >= EPISODES // 10
    assert tree_digest(tmp_path / "out") == wanted


@pytest.mark.usefixtures("cluster")
def test_an_op_that_always_kills_its_worker_is_named_and_not_tried_for_ever(
    source: Path, wanted: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("roboreel.runner.run.attempt", poisoned_attempt)
        with pytest.raises(RunError, match="died 3 times") as failed:
            roboreel.convert(source, to="v3.0", out=tmp_path / "out", executor="ray", **MANY_FILES)
    assert str(failed.value).count("died 3 times") == 1
    # once more if its first worker, which had others too, died before it could tell
    assert (tmp_path / "tried").read_text().split().count("5") in (3, 4)
    report = roboreel.convert(
        source, to="v3.0", out=tmp_path / "out", leftovers="resume", **MANY_FILES
    )
    assert report.resumed  # all but that op was done
    assert tree_digest(tmp_path / "out") == wanted


RELEASED = ("when another attempt was taken", "when documents are written", "when all is done")
STOPS = ("create", "replace")
"""Operations of the disk before which an attempt stops: its file is made, and gets its name."""


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("stops_before", STOPS)
@pytest.mark.parametrize("released", RELEASED)
def test_an_attempt_that_goes_on_after_its_worker_was_lost_changes_nothing(
    released: str,
    stops_before: str,
    source: Path,
    wanted: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late, outcomes = LateAttempt(tmp_path / "late"), list[str]()
    real_record = Ledger.record

    def record(self: Ledger, result: Any) -> None:
        real_record(self, result)
        if result.number == LATE_OP and released == RELEASED[0]:
            outcomes.append(late.finish())

    def documents(*given: Any) -> Any:
        if released == RELEASED[1]:
            outcomes.append(late.finish())
        return write_documents(*given)

    monkeypatch.setattr(
        "roboreel.runner.run.attempt", partial(late_attempt, stops_before=stops_before)
    )
    monkeypatch.setattr(Ledger, "record", record)
    monkeypatch.setattr("roboreel.runner.run.write_documents", documents)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out", executor="ray", **MANY_FILES)
    if released == RELEASED[2]:
        outcomes.append(late.finish())
    (outcome,) = outcomes
    assert outcome.startswith("OpResult(" if released == RELEASED[0] else "JobFailure("), outcome
    assert tree_digest(tmp_path / "out") == wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["late", "out"]


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("stops_before", STOPS)
def test_an_attempt_that_timed_out_does_not_get_into_a_later_run(
    stops_before: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later run has other options, so that the late file would be another one."""
    out, late, outcomes = tmp_path / "out", LateAttempt(tmp_path / "late"), list[str]()
    with monkeypatch.context() as patch:
        patch.setattr(
            "roboreel.runner.run.attempt",
            partial(late_attempt, stops_before=stops_before, hangs=True),
        )
        with pytest.raises(RunError, match="did not finish within 12 s"):
            roboreel.convert(
                source, to="v3.0", out=out, executor="ray", timeout_factor=0.1, **MANY_FILES
            )

    def documents(*given: Any) -> Any:
        outcomes.append(late.finish())
        return write_documents(*given)

    others = roboreel.open(source).delete([0]).with_target("v3.0", **MANY_FILES)
    with monkeypatch.context() as patch:
        patch.setattr("roboreel.runner.run.write_documents", documents)
        roboreel.write(others, out=out, leftovers="clean", executor="ray")
    assert outcomes[0].startswith("JobFailure("), outcomes
    roboreel.write(others, out=tmp_path / "serial")
    assert tree_digest(out) == tree_digest(tmp_path / "serial")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["late", "out", "serial"]


DRIVER = """
import os, signal, sys
import roboreel
from roboreel.storage.staging import staging

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

owner, name = {where}
setattr(owner, name, die)
roboreel.convert(
    sys.argv[1], to="v3.0", out=sys.argv[2], executor="ray", ray_address=sys.argv[3],
    data_file_mb=0.0001, video_file_mb=0.0001,
)
"""
MOMENTS = {
    "before the documents": "__import__('roboreel.runner.run', fromlist=['run']), 'write_documents'",
    "before the result gets its name": "staging.Staging, 'publish'",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_driver_that_is_killed_at_the_commit_is_resumed(
    moment: str, source: Path, wanted: dict[str, str], cluster: Any, tmp_path: Path
) -> None:
    address = cluster.get_runtime_context().gcs_address
    script = DRIVER.format(where=MOMENTS[moment])
    words = [sys.executable, "-c", script, str(source), str(tmp_path / "out"), address]
    killed = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "out").exists()
    report = roboreel.convert(
        source,
        to="v3.0",
        out=tmp_path / "out",
        executor="ray",
        leftovers="resume",
        **MANY_FILES,
    )
    assert report.resumed
    assert tree_digest(tmp_path / "out") == wanted
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
