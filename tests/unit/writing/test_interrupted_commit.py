"""What becomes of a commit that was interrupted, by its journal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import roboreel
from roboreel.storage.disk import faults
from roboreel.writing.append import EpisodeWriter, create_dataset, open_writer
from roboreel.writing.episode_commit import RecoveredSave
from roboreel.writing.episode_input import EpisodeInput

JOURNAL = "meta/.roboreel-commit.json"
FEATURES = {"action": {"dtype": "float32", "shape": [2], "names": None}}


def _episode(number: int) -> EpisodeInput:
    column = pa.array(np.full((3, 2), number, np.float32).tolist(), pa.list_(pa.float32()))
    return EpisodeInput(rows=3, columns={"action": column}, task=f"task {number}")


def _interrupted(folder: Path, version: str, wanted: Callable[[str, str, str], bool]) -> Path:
    """A dataset of two episodes as it is at the first moment that is wanted of a third one's commit."""
    path, copy = folder / "set", folder / "copy"
    writer = create_dataset(path, fps=10, features=FEATURES, version=version)
    for number in range(2):
        writer.append(_episode(number))

    def look(when: str, name: str, where: str) -> None:
        if not copy.exists() and (path / JOURNAL).exists() and wanted(when, name, where):
            shutil.copytree(path, copy)

    with faults(look):
        writer.append(_episode(2))
    assert copy.exists()
    return copy


def _has_journal(_when: str, _name: str, _where: str) -> bool:
    return True


def _reopened(path: Path) -> tuple[EpisodeWriter, RecoveredSave | None]:
    writer = open_writer(path)
    return writer, writer.recovered


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_readers_pass_over_it_and_the_next_writer_finishes_it(tmp_path: Path, version: str) -> None:
    path = _interrupted(tmp_path, version, _has_journal)
    before = roboreel.open(path)
    assert (before.total_episodes, dict(before.tasks)) == (2, {0: "task 0", 1: "task 1"})
    (note,) = roboreel.check(path).problems
    assert (note.rule, note.severity, note.episode) == ("recording.unfinished", "note", 2)
    writer, recovered = _reopened(path)
    assert recovered == RecoveredSave(2, finished=True)
    assert writer.append(_episode(3)) == 3
    assert not roboreel.check(path).problems
    assert list(roboreel.open(path).tasks.values()) == [f"task {number}" for number in range(4)]


@pytest.mark.parametrize("lost", [1, 20, 10_000])
def test_lines_that_were_appended_in_part(tmp_path: Path, lost: int) -> None:
    """A power cut can keep some bytes of a line, or all of them but those of a later document."""
    path = _interrupted(
        tmp_path, "v2.1", lambda when, name, _: (when, name) == ("before", "append")
    )
    journal = json.loads((path / JOURNAL).read_text())
    first = journal["lines"][0]
    with (path / first["name"]).open("a") as file:
        file.write(first["text"][:-lost] or first["text"])
    assert roboreel.open(path).total_episodes == 2
    assert not [p for p in roboreel.check(path).problems if p.severity == "error"]
    _, recovered = _reopened(path)
    assert recovered == RecoveredSave(2, finished=True)
    assert not roboreel.check(path).problems
    assert roboreel.open(path).total_episodes == 3


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_a_commit_whose_files_are_gone_is_undone(tmp_path: Path, version: str) -> None:
    path = _interrupted(tmp_path, version, _has_journal)
    (table,) = path.glob("data/*/.roboreel-*")
    table.unlink()
    writer, recovered = _reopened(path)
    assert recovered == RecoveredSave(2, finished=False)
    assert writer.append(_episode(2)) == 2
    report = roboreel.check(path)
    assert report.ok
    assert roboreel.open(path).total_frames == 9
    assert not (path / JOURNAL).exists()


@pytest.mark.parametrize("version", ["v3.0", "v2.1"])
def test_a_commit_after_which_somebody_changed_info_json_is_told_and_kept(
    tmp_path: Path, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = _interrupted(tmp_path, version, _has_journal)
    info = json.loads((path / "meta/info.json").read_text())
    (path / "meta/info.json").write_text(json.dumps({**info, "robot_type": "other"}))
    journal = (path / JOURNAL).read_bytes()
    partial = sorted(path.rglob(".roboreel-*"))
    writer, recovered = _reopened(path)
    assert recovered == RecoveredSave(2, finished=False)
    assert "save of episode 2 was interrupted" in caplog.text
    assert (path / f"{JOURNAL}.unclaimed-1").read_bytes() == journal
    left = {name for name in partial if name.exists()}
    assert set(partial) - left == {path / JOURNAL}
    assert writer.append(_episode(2)) == 2
    dataset = roboreel.open(path)
    assert (dataset.total_episodes, dataset.robot_type) == (3, "other")
    assert roboreel.check(path).ok


def test_a_journal_of_the_past_counts_no_more(tmp_path: Path) -> None:
    path = _interrupted(tmp_path, "v3.0", _has_journal)
    old = (path / JOURNAL).read_bytes()
    open_writer(path).append(_episode(3))
    (path / JOURNAL).write_bytes(old)  # as if its removal had not reached the disk
    dataset = roboreel.open(path)
    assert dataset.total_episodes == 4
    assert not roboreel.check(path).problems
    writer, recovered = _reopened(path)
    assert recovered is None
    assert writer.append(_episode(4)) == 4
    (path / JOURNAL).write_text("{ torn")
    assert roboreel.open(path).total_episodes == 5
    assert open_writer(path).append(_episode(5)) == 5
    assert not roboreel.check(path).problems


def test_an_interrupted_first_commit_is_finished(tmp_path: Path) -> None:
    path, copy = tmp_path / "set", tmp_path / "copy"
    writer = create_dataset(path, fps=10, features=FEATURES)

    def look(when: str, name: str, _where: str) -> None:
        if (
            (when, name) == ("before", "replace")
            and (path / JOURNAL).exists()
            and not copy.exists()
        ):
            shutil.copytree(path, copy)

    with faults(look):
        writer.append(_episode(0))
    with pytest.raises(roboreel.DatasetError, match="not a LeRobot dataset"):
        roboreel.open(copy)
    with pytest.raises(roboreel.UsageError, match="not an empty folder"):
        create_dataset(copy, fps=10, features=FEATURES)
    again, recovered = _reopened(copy)
    assert recovered == RecoveredSave(0, finished=True)
    assert again.append(_episode(1)) == 1
    assert not roboreel.check(copy).problems
