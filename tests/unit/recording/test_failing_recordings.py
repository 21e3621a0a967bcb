"""What fails while an episode is recorded costs that episode, with one error, and no other."""

from __future__ import annotations

import os
import signal
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import roboreel
from roboreel.format.encoding import Encoding
from roboreel.recording.frame_writer import FrameWriter
from tests.unit.recording.frames import (
    FEATURES,
    assert_recorded,
    frame_of,
    record,
    recorder_of,
    resumed,
)


def _kept(path: Path) -> dict[str, list[str]]:
    folder = path / ".roboreel-recording/kept"
    return {one.name: sorted(f.name for f in one.iterdir()) for one in sorted(folder.iterdir())}


def test_a_camera_whose_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path, processes=True) as recorder:
        record(recorder, 0, 3)
        for number in range(3):
            recorder.add_frame(frame_of(1, number), task="t")
        (process,) = [child.pid for child in active_children()]
        assert process
        os.kill(process, signal.SIGKILL)
        with pytest.raises(roboreel.RunError, match=r"episode 1 is not saved: .*'top'.*kept"):
            recorder.save_episode()
        assert roboreel.open(path).total_episodes == 1
        record(recorder, 2, 3)
    assert_recorded(path, {0: 3, 2: 3})
    assert not roboreel.check(path).problems
    # the video is there if the process had begun it
    assert _kept(path)["refused-1"][:2] == ["reason.json", "rows.parquet"]
    rows = pq.read_table(path / ".roboreel-recording/kept/refused-1/rows.parquet")
    assert rows["note"].to_pylist() == ["1/0", "1/1", "1/2"]


def test_a_camera_that_gives_fewer_frames_than_there_are_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason: an episode whose frames would be shifted is not committed."""
    path = tmp_path / "set"
    with recorder_of(path) as recorder:
        record(recorder, 0, 2)
        recorder.add_frame(frame_of(1, 0), task="t")
        with monkeypatch.context() as patch:
            patch.setattr(FrameWriter, "send", lambda _self: None)
            recorder.add_frame(frame_of(1, 1), task="t")
        recorder.add_frame(frame_of(1, 2), task="t")
        with pytest.raises(roboreel.RunError, match="camera 'top' has 2 frames for 3 rows"):
            recorder.save_episode()
        record(recorder, 2, 2)
    assert_recorded(path, {0: 2, 2: 2})
    assert not roboreel.check(path).problems


def test_an_exception_in_the_block_keeps_the_take_and_joins_nothing(tmp_path: Path) -> None:
    path = tmp_path / "set"

    def robot() -> None:
        with recorder_of(path) as recorder:
            record(recorder, 0, 2)
            record(recorder, 1, 2)
            recorder.add_frame(frame_of(2, 0), task="t")
            raise ValueError("the arm fell off")

    with pytest.raises(ValueError, match="the arm fell off"):
        robot()
    assert _kept(path) == {"unsaved-1": ["reason.json", "rows.parquet", "top.mp4"]}
    assert len(list(path.glob("data/*/*.parquet"))) == 2
    with resumed(path) as recorder:
        assert recorder.interrupted_take is None
        record(recorder, 2, 1)
    assert_recorded(path, {0: 2, 1: 2, 2: 1})


def test_an_encoder_that_does_not_work_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "set"
    odd: dict[str, Any] = {"top": {**FEATURES["top"], "shape": (31, 47, 3)}}
    with pytest.raises(roboreel.RoboreelError, match="top"):
        recorder_of(path, features=odd, encoding=Encoding(vcodec="h264_qsv"))
    assert not path.exists()
