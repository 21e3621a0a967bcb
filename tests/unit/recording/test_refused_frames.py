"""What a recorder refuses, and that nothing of it was taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import roboreel
from roboreel.storage.disk import faults
from tests.crash.victim import Count, fill_disk
from tests.unit.recording.frames import (
    FEATURES,
    VECTOR,
    assert_recorded,
    frame_of,
    record,
    recorder_of,
    resumed,
)


class PilImage:
    """What is used of a PIL image."""

    def __init__(self, array: Any, mode: str = "RGB") -> None:
        self.array, self.mode = array, mode

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.array


def test_frames_of_other_libraries_are_the_same_frames(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path) as recorder:
        for number in range(4):
            frame = frame_of(0, number)
            image = frame["wrist"]
            frame["wrist"] = (
                image.transpose(2, 0, 1),
                torch.from_numpy(image.transpose(2, 0, 1) / 255).float(),
                PilImage(image),
                image.astype(np.float64) / 255,
            )[number]
            frame["state"] = torch.from_numpy(frame["state"])
            frame["action"] = frame["action"].tolist() if number else frame["action"]
            frame["done"] = np.array([frame["done"]])
            recorder.add_frame(frame, task="t")
        recorder.save_episode()
        record(recorder, 1, 1)
    assert_recorded(path, {0: 4, 1: 1})
    stats = roboreel.open(path).stats()["wrist"]
    images = np.stack([frame_of(0, n)["wrist"] for n in range(4)] + [frame_of(1, 0)["wrist"]])
    np.testing.assert_allclose(stats["mean"].ravel(), images.mean((0, 1, 2)) / 255)


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"action": np.zeros(2, np.float32)},
        r"frame 1, 'action': shape is \[2\], expected float32 \[3\]",
    ),
    ({"action": np.zeros(3)}, r"frame 1, 'action': dtype is float64, expected float32 \[3\]"),
    ({"action": [1.0, 2.0, float("nan")]}, "frame 1, 'action': it has NaN"),
    ({"action": np.array([1, np.inf, 0], np.float32)}, "NaN or infinite"),
    ({"done": 1}, "'done': dtype is int64, expected bool"),
    ({"note": 3}, "'note': got int, expected a string"),
    (
        {"top": np.zeros((32, 32, 3), np.uint8)},
        r"'top': shape is \[32, 32, 3\], expected \[32, 48, 3\]",
    ),
    ({"top": np.zeros((32, 48, 3), np.int32)}, "'top': dtype is int32, expected"),
    ({"top": np.full((32, 48, 3), 1.5)}, "'top': values from 1.5 to 1.5, expected 0 to 1"),
    ({"wrist": np.full((16, 16, 3), np.nan)}, "'wrist': it has NaN"),
    ({"wrist": PilImage(np.zeros((16, 16), np.uint8), "P")}, "PIL image of mode 'P'"),
    ({"top": None}, "'top' is missing"),
    ({"extra": 1}, "frame 1: 'extra' is not a declared feature"),
    ({"index": 1}, "frame 1: 'index' is not a declared feature"),
    ({"timestamp": 7.0}, "'timestamp': 7, expected 0.1.*source_timestamps"),
    ({"task": 3}, "the task is of type int"),
]


def test_a_wrong_frame_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path) as recorder:
        recorder.add_frame(frame_of(0, 0), task="t")
        for wrong, message in WRONG:
            task = None if "task" in wrong else "t"
            with pytest.raises(roboreel.UsageError, match=message):
                recorder.add_frame({**frame_of(0, 1), **wrong}, task=task)
        lacking = frame_of(0, 1)
        del lacking["state"], lacking["note"]
        with pytest.raises(roboreel.UsageError, match=r"'state' is missing \(also missing: note\)"):
            recorder.add_frame(lacking, task="t")
        not_a_frame: Any = [1]
        with pytest.raises(roboreel.UsageError, match="frame 1: got list, expected a dict"):
            recorder.add_frame(not_a_frame, task="t")
        with pytest.raises(roboreel.UsageError, match="no column 'intervention'"):
            recorder.add_frame(frame_of(0, 1), task="t", intervention="me")
        assert recorder.frames == 1
        recorder.add_frame(frame_of(0, 1), task="t")
        recorder.save_episode()
    assert_recorded(path, {0: 2})
    assert not roboreel.check(path).problems


def test_what_cannot_be_recorded(tmp_path: Path) -> None:
    path = tmp_path / "new"
    for features, message in (
        ({"a/b": VECTOR["action"]}, "'a/b': a name cannot contain '/'"),
        ({"frame_repeated": VECTOR["action"]}, "fills this column itself"),
        ({"top": {**FEATURES["top"], "shape": (8, 8, 4)}}, "4 channels declared"),
        ({"a": {"dtype": "float32", "shape": ("x",), "names": None}}, "expected whole numbers"),
        ({"a": {"dtype": "thing", "shape": (1,), "names": None}}, "dtype is 'thing'"),
    ):
        with pytest.raises(roboreel.UsageError, match=message):
            recorder_of(path, features=features)
    for options, message in (
        ({"max_gap_s": 0}, "max_gap_s is 0"),
        ({"when_slow": "drop"}, "when_slow is 'drop'"),
        ({"encoded_cameras": ["nose"]}, "'nose' is not a camera"),
        ({"camera_info": {"nose": {}}}, "'nose' is not a declared camera"),
        ({"version": "v2.0"}, "no statistics of single episodes"),
    ):
        with pytest.raises(roboreel.UsageError, match=message):
            recorder_of(path, **options)
    assert not path.exists()
    with pytest.raises(roboreel.UsageError, match="'s3://bucket/set' is a URL"):
        roboreel.Recorder.create("s3://bucket/set", fps=10, features=VECTOR)
    with pytest.raises(roboreel.UsageError, match=r"make one with Recorder\.create"):
        resumed(path)


def test_a_second_recorder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path, features=VECTOR) as first:
        with pytest.raises(roboreel.UsageError, match="being recorded by another recorder"):
            recorder_of(path, features=VECTOR)
        first.add_frame({"action": np.zeros(3, np.float32)}, task="t")
        first.save_episode()
        with pytest.raises(roboreel.UsageError, match="being recorded"):
            resumed(path)
        with pytest.raises(roboreel.UsageError, match="there is no frame to save"):
            first.save_episode()
    with pytest.raises(roboreel.UsageError, match="finalized"):
        first.add_frame({"action": np.zeros(3, np.float32)}, task="t")
    with pytest.raises(
        roboreel.UsageError, match=r"not an empty folder: Recorder.resume adds episodes"
    ):
        recorder_of(path, features=VECTOR)
    with pytest.raises(roboreel.UsageError, match="max_gap_s needs the column"):
        resumed(path, max_gap_s=1)
    resumed(path).finalize()


def test_a_wrong_field_leaves_the_take_in_progress(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path) as recorder:
        record(recorder, 0, 1, fields={"score": 1})
        recorder.add_frame(frame_of(1, 0), task="t")
        for fields, message in (
            ({"other": 1}, r"field 'other' is unknown: the earlier episodes have others"),
            ({"score": "much"}, "'score' must be int64"),
            ({"length": 3}, "'length': the format itself uses this name"),
        ):
            with pytest.raises(roboreel.UsageError, match=message):
                recorder.save_episode(fields=fields)
        recorder.add_frame(frame_of(1, 1), task="t")
        recorder.save_episode(fields={"score": 2})
    assert_recorded(path, {0: 1, 1: 2})
    assert roboreel.open(path).episodes["score"].to_pylist() == [1, 2]


def test_a_long_gap_refuses_the_episode(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path, max_gap_s=0.1) as recorder:
        blind = {**frame_of(0, 1), "top": None}
        with pytest.raises(roboreel.UsageError, match="frame 0, 'top': there is no frame yet"):
            recorder.add_frame(blind, task="t")
        recorder.add_frame(frame_of(0, 0), task="t")
        recorder.add_frame(blind, task="t")
        with pytest.raises(roboreel.RunError, match="'top' has been without a frame for more"):
            recorder.add_frame(blind, task="t")
        with pytest.raises(roboreel.RunError, match="the episode cannot go on"):
            recorder.add_frame(frame_of(0, 2), task="t")
        with pytest.raises(roboreel.RunError, match=r"episode 0 is not saved.*kept/refused-1'"):
            recorder.save_episode()
        kept = path / ".roboreel-recording/kept/refused-1"
        assert sorted(f.name for f in kept.iterdir()) == ["reason.json", "rows.parquet", "top.mp4"]
        record(recorder, 1, 2)
        recorder.add_frame(frame_of(2, 0), task="t")
    assert_recorded(path, {1: 2})
    assert {f.name for f in kept.parent.iterdir()} == {"refused-1", "unsaved-1"}
    assert not roboreel.check(path).problems


def test_an_interrupted_add_frame_shifts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the cameras have the frame, and before its row is there."""
    path = tmp_path / "set"
    with recorder_of(path) as recorder:
        record(recorder, 0, 2)
        recorder.add_frame(frame_of(1, 0), task="t")

        def stopped(_self: Any, _value: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("roboreel.recording.row_columns.NumericColumn.add", stopped)
            with pytest.raises(KeyboardInterrupt):
                recorder.add_frame(frame_of(1, 1), task="t")
        with pytest.raises(roboreel.RunError, match="interrupted"):
            recorder.save_episode()
        record(recorder, 2, 2)
    assert_recorded(path, {0: 2, 2: 2})


def test_a_nearly_full_disk_is_refused_before_the_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set"
    with recorder_of(path, features=VECTOR, min_free_mb=10) as recorder:
        frame = {"action": np.zeros(3, np.float32)}
        with monkeypatch.context() as patch:
            patch.setattr("roboreel.storage.disk.free_bytes", lambda _folder: 9_000_000)
            with pytest.raises(roboreel.StorageError, match=r"9 MB free.*10 MB \(min_free_mb"):
                recorder.add_frame(frame, task="t")
        recorder.add_frame(frame, task="t")
        assert recorder.save_episode() == 0


def test_a_disk_that_fails_in_a_save_loses_nothing(tmp_path: Path) -> None:
    """Whatever operation fails: the episode is saved, or kept aside, and the next one is saved."""
    count = Count()
    with recorder_of(tmp_path / "count", features=VECTOR) as recorder:
        _saved(recorder)
        with faults(count):
            _saved(recorder)
    for at in np.linspace(0, len(count.seen) - 1, 9).round().astype(int).tolist():
        path = tmp_path / f"at{at}"
        with recorder_of(path, features=VECTOR) as recorder:
            _saved(recorder)
            with faults(Count(at=at, act=fill_disk)):
                try:
                    _saved(recorder)
                    saved = True
                except (roboreel.RoboreelError, OSError):
                    saved = False
            kept = list((path / ".roboreel-recording").rglob("rows.parquet"))
            assert saved or kept or recorder.episodes == 2
            assert _saved(recorder) == roboreel.open(path).total_episodes - 1
        assert not roboreel.check(path).problems, (at, count.seen[at])


def _saved(recorder: roboreel.Recorder) -> int:
    for _ in range(3):
        recorder.add_frame({"action": np.ones(3, np.float32)}, task="t")
    return recorder.save_episode()
