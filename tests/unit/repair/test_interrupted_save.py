"""A save of our recorder that was interrupted is finished by a repair, wherever it stopped."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import roboreel
from roboreel.dataset.commit_journal import JOURNAL
from roboreel.storage.disk import faults
from roboreel.testing import Camera, Version, make_dataset
from roboreel.writing.append import open_writer
from roboreel.writing.recording_folder import RecordingFolder
from tests.crash.victim import Count, moments
from tests.oracle import tree_digest
from tests.unit.writing.episodes import created_like, episode_of


class _Stopped(BaseException):
    """What no handler of errors takes for a failing disk."""


def _stop() -> None:
    raise _Stopped


def _append(source: Path, path: Path, number: int) -> None:
    open_writer(path).append(episode_of(roboreel.open(source), number))


@pytest.mark.sample(1)
@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_an_interrupted_save_is_finished(tmp_path: Path, version: Version) -> None:
    cameras = {"top": Camera(height=32)}
    source = make_dataset(tmp_path / "source", version=version, episodes=(3, 1, 2), cameras=cameras)
    begun, path, out = tmp_path / "begun", tmp_path / "set", tmp_path / "out"
    writer = created_like(roboreel.open(source), begun)
    for number in (0, 1):
        writer.append(episode_of(roboreel.open(source), number))
    shutil.copytree(begun, tmp_path / "counted")
    stops = moments(lambda: _append(source, tmp_path / "counted", 2))
    last = [at for at in stops if stops[at][1] in ("replace", "append")]
    finished = 0
    late = last[len(last) // 2 :]  # the files are whole, and get their names
    for at in np.array(late)[np.linspace(0, len(late) - 1, 4).round().astype(int)].tolist():
        for folder in (path, out):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(begun, path)
        with pytest.raises(_Stopped), faults(Count(at=at, act=_stop)):
            _append(source, path, 2)
        waits = (path / JOURNAL).is_file()
        before = tree_digest(path)
        report = roboreel.repair(path, out=out)
        assert tree_digest(path) == before
        repaired = out if report.out else path
        count = roboreel.open(repaired).total_episodes
        assert count == 3 if waits else count in (2, 3)
        assert not roboreel.check(repaired).problems
        pairs = [(number, number) for number in range(count)]
        assert roboreel.diff(source, repaired, episodes=pairs).same
        finished += "recording.unfinished" in {step.rule for step in report.repaired}
    assert finished > 1


def test_a_dataset_that_is_being_recorded_is_not_replaced(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=(3,))
    folder = RecordingFolder(root)
    with pytest.raises(roboreel.UsageError, match="is being recorded"):
        roboreel.repair(root, in_place=True)
    folder.release()
    assert roboreel.repair(root, in_place=True).ok
