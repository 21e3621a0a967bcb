"""Episodes recorded frame by frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.storage.video.still_images import decode_image
from tests.unit.recording.frames import (
    FEATURES,
    VECTOR,
    assert_recorded,
    frame_of,
    record,
    recorded,
    recorder_of,
    resumed,
)

VERSIONS = ("v3.0", "v2.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_saved_episodes_are_a_dataset(tmp_path: Path, version: str) -> None:
    path = tmp_path / "set"
    lengths = {0: 5, 1: 1, 2: 3}
    with recorder_of(path, version=version, robot_type="so101") as recorder:
        for episode, frames in lengths.items():
            assert record(recorder, episode, frames, success=episode != 1) == episode
            beside = roboreel.open(path)
            assert beside.total_episodes == episode + 1
            assert not beside.problems
    with resumed(path) as again:
        assert record(again, 3, 2) == 3
    dataset = beside.refresh()
    assert (beside.total_episodes, dataset.total_episodes, dataset.robot_type) == (3, 4, "so101")
    assert not roboreel.check(path, decode=True).problems
    assert_recorded(path, {**lengths, 3: 2})
    wrist = decode_image(recorded(path)[6]["wrist"]["bytes"])
    np.testing.assert_array_equal(wrist, frame_of(2, 0)["wrist"])
    assert dataset.episodes["success"].to_pylist() == [True, False, True, None]
    assert dataset.episodes["recording/top/frames_encoded"].to_pylist() == [5, 1, 3, 2]
    assert not (path / ".roboreel-recording").exists()


def test_statistics_are_of_the_images_as_given(tmp_path: Path) -> None:
    with recorder_of(tmp_path / "set") as recorder:
        record(recorder, 0, 7)
        record(recorder, 1, 4)
    stats = roboreel.open(tmp_path / "set").stats()
    lengths = ((0, 7), (1, 4))
    for name in ("top", "wrist"):
        images = np.stack([frame_of(e, n)[name] for e, frames in lengths for n in range(frames)])
        np.testing.assert_allclose(stats[name]["mean"].ravel(), images.mean((0, 1, 2)) / 255)
        np.testing.assert_allclose(stats[name]["std"].ravel(), images.std((0, 1, 2)) / 255)
        assert stats[name]["count"].tolist() == [11]


def test_compaction_joins_files_and_changes_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "set"
    recorder = recorder_of(path)
    for episode in range(3):
        record(recorder, episode, 3)
    recorder.finalize("never")
    files = len(list(path.rglob("*.parquet")))
    before = roboreel.open(path).episodes
    resumed(path).finalize("always")
    assert len(list(path.rglob("*.parquet"))) < files
    assert not roboreel.check(path).problems
    assert_recorded(path, dict.fromkeys(range(3), 3))
    after = roboreel.open(path).episodes
    for name in [n for n in before.column_names if n.startswith("recording/")]:
        assert after[name].to_pylist() == before[name].to_pylist()


def test_few_new_episodes_do_not_copy_all_others(tmp_path: Path) -> None:
    path = tmp_path / "set"

    def session(first: int, count: int, **how: Any) -> int:
        with resumed(path) if first else recorder_of(path) as recorder:
            for episode in range(first, first + count):
                record(recorder, episode, 2)
            recorder.finalize(**how)
        return len([*path.glob("data/*/*.parquet")])

    assert session(0, 8) == 1
    assert session(8, 1) == 2
    assert session(9, 1) == 1  # a quarter more than were joined
    assert session(10, 1) == 2
    assert session(11, 1, compact="always") == 1
    assert_recorded(path, dict.fromkeys(range(12), 2))
    assert not roboreel.check(path).problems


def test_a_failed_compaction_leaves_the_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set"
    recorder = recorder_of(path, features=VECTOR)
    for _ in range(2):
        recorder.add_frame({"action": np.zeros(3, np.float32)}, task="t")
        recorder.save_episode()
    monkeypatch.setattr("roboreel.storage.disk.free_bytes", lambda _folder: 100)
    recorder.finalize()
    assert "files are not joined" not in caplog.text  # it is no failure
    with pytest.raises(roboreel.UsageError, match="are free"):
        resumed(path).finalize("always")
    monkeypatch.undo()

    def fail(*_arguments: Any, **_keywords: Any) -> None:
        raise roboreel.RunError("no")

    monkeypatch.setattr("roboreel.recording.compaction.convert", fail)
    resumed(path).finalize()
    assert "the recording is unchanged: no" in caplog.text
    assert not roboreel.check(path).problems


def test_the_ledger_counts_gaps_and_discarded_takes(tmp_path: Path) -> None:
    path = tmp_path / "set"
    with recorder_of(path, max_gap_s=0.2) as recorder:
        for _ in range(2):
            recorder.add_frame(frame_of(9, 0), task="t")
            recorder.discard_episode()
        recorder.discard_episode()  # nothing to discard: not counted
        frames = [frame_of(0, number) for number in range(6)]
        frames[2]["top"] = frames[3]["top"] = None
        del frames[5]["wrist"]
        for frame in frames:
            recorder.add_frame(frame, task="t")
        recorder.save_episode()
        record(recorder, 1, 2)
    episodes = roboreel.open(path).episodes
    assert episodes["recording/discarded_takes"].to_pylist() == [2, 0]
    assert episodes["recording/longest_gap_s"].to_pylist() == [0.2, 0.0]
    assert episodes["recording/top/frames_repeated"].to_pylist() == [2, 0]
    repeated = np.array([row["frame_repeated"] for row in recorded(path)[:6]])
    assert np.argwhere(repeated).tolist() == [[2, 0], [3, 0], [5, 1]]
    rows = recorded(path)
    assert rows[5]["wrist"]["bytes"] == rows[4]["wrist"]["bytes"]
    assert not roboreel.check(path).problems


def test_who_intervened_and_when(tmp_path: Path) -> None:
    path = tmp_path / "set"
    options: dict[str, Any] = {
        "features": {**VECTOR, "top": FEATURES["top"]},
        "interventions": True,
        "source_timestamps": True,
        "camera_info": {"top": {"intrinsics": [[1.0, 0.0], [0.0, 1.0]], "serial": "a1"}},
    }
    with recorder_of(path, **options) as recorder:
        for number, who in enumerate((None, "anna", None)):
            frame = {name: frame_of(0, number)[name] for name in ("action", "top")}
            given = {**frame, "timestamp": 100.5 + number, "task": "from the frame"}
            kept = dict(given)
            recorder.add_frame(given, intervention=who)
            assert given.keys() == kept.keys()
        recorder.save_episode(fields={"operator": "bob", "score": 0.5})
    rows = recorded(path)
    assert [row["intervention"] for row in rows] == ["", "anna", ""]
    assert [row["source_timestamp"] for row in rows] == [100.5, 101.5, 102.5]
    np.testing.assert_allclose([row["timestamp"] for row in rows], [0, 0.1, 0.2], rtol=1e-6)
    dataset = roboreel.open(path)
    assert dataset.tasks == {0: "from the frame"}
    assert dataset.episodes["operator"].to_pylist() == ["bob"]
    info = json.loads((path / "meta/info.json").read_text())["features"]["top"]["info"]
    assert info["camera"] == {"intrinsics": [[1.0, 0.0], [0.0, 1.0]], "serial": "a1"}
    assert info["video.codec"] == "h264"


def test_language_and_depth(tmp_path: Path) -> None:
    language = {"dtype": "language", "shape": [1], "names": None}
    depth: dict[str, Any] = {"shape": [32, 48, 1], "names": None, "info": {"is_depth_map": True}}
    features = {
        "language_persistent": language,
        "language_events": language,
        "near": {**depth, "dtype": "video"},
        "far": {**depth, "dtype": "image"},
    }
    path = tmp_path / "set"
    plan = {"role": "user", "content": "go", "style": "plan", "timestamp": 0.0}
    with recorder_of(path, features=features, encoding=None) as recorder:
        for number in range(3):
            millimetres = np.full((32, 48), 1000 + number, np.uint16)
            frame = {
                "language_persistent": [plan],
                "language_events": [{"role": "robot", "tool_calls": [{"name": "say"}]}],
                "near": millimetres,
                "far": millimetres[..., None],
            }
            recorder.add_frame(frame, task="t")
        with pytest.raises(
            roboreel.UsageError, match=r"frame 3, 'language_events', entry 0.*'role'"
        ):
            recorder.add_frame({**frame, "language_events": [{}]}, task="t")
        recorder.save_episode()
    rows = recorded(path)
    assert rows[1]["language_persistent"][0]["content"] == "go"
    assert [json.loads(c) for c in rows[1]["language_events"][0]["tool_calls"]] == [{"name": "say"}]
    assert decode_image(rows[2]["far"]["bytes"])[0, 0, 0] == 1002
    dataset = roboreel.open(path)
    assert not roboreel.check(path, decode=True).problems
    assert dataset.stats()["near"]["mean"].ravel().tolist() == [1001.0]
    assert dataset.features["near"].video_facts["video.depth_max"] == 10.0
