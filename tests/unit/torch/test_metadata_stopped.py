"""Saving an episode, stopped before or after any document changes: all are valid, and saving goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import roboreel
from roboreel.storage.disk import faults
from roboreel.testing import Version, make_dataset
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata


class _Stopped(BaseException):
    pass


class _StopAt:
    """Stops where a document changes, and from then on: what would clean up does not run either."""

    def __init__(self, at: int | None) -> None:
        self.at, self.count = at, 0

    def __call__(self, when: str, name: str, path: str) -> None:
        self.count += name in ("replace", "append")
        if self.at is not None and self.count > self.at:
            raise _Stopped(name)


def _save(root: Path, number: int) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    assert meta.stats is not None
    stats = {"action": dict(meta.stats["action"])}
    meta.save_episode_tasks([f"task {number}"])
    meta.save_episode(number, 4, [f"task {number}"], stats, {})


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_stopped_save_leaves_whole_documents(version: Version, tmp_path: Path) -> None:
    begun = make_dataset(tmp_path / "begun", version=version, episodes=(2, 3), cameras={})
    shutil.copytree(begun, tmp_path / "counted")
    count = _StopAt(None)
    with faults(count):
        _save(tmp_path / "counted", 2)
    assert count.count >= 8
    for at in range(0, count.count, 2):  # before each; after it is before the next
        root = Path(shutil.copytree(begun, tmp_path / f"at-{at}"))
        with faults(_StopAt(at)), pytest.raises(_Stopped):
            _save(root, 2)
        found = roboreel.open(root)
        assert {problem.rule for problem in found.problems} <= {"info.totals"}, at
        there = found.total_episodes
        assert there in (2, 3)
        assert found.episodes["length"].to_pylist()[:2] == [2, 3]
        _save(root, there)
        again = LeRobotDatasetMetadata("me/it", root=root)
        assert again.total_episodes == there + 1
        assert again.episodes[there]["tasks"] == [f"task {there}"]
        assert not again.dataset.problems
