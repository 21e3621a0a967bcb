from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.torch import LeRobotDatasetMetadata
from roboreel.torch.metadata import metadata_writing as writing

FEATURES = {"action": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]}}
VIDEO = {"cam": {"dtype": "video", "shape": (64, 96, 3), "names": ["height", "width", "channels"]}}


def _stats(value: float, count: int) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    both = np.array([value, 2 * value])
    parts = {"min": both, "max": both, "mean": both, "std": np.zeros(2)}
    return {"action": {**parts, "count": np.array([count])}}


@pytest.fixture
def new(tmp_path: Path) -> LeRobotDatasetMetadata:
    return LeRobotDatasetMetadata.create("me/new", 10, FEATURES, root=tmp_path / "new")


@pytest.fixture(params=["v2.1", "v3.0"])
def copied(request: pytest.FixtureRequest, made: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[request.param], tmp_path / "copied"))


def test_a_new_dataset_has_the_index_columns_and_no_episodes(new: LeRobotDatasetMetadata) -> None:
    document = json.loads((new.root / "meta/info.json").read_text())
    assert [*document["features"]][:2] == ["action", "timestamp"]
    assert document["total_episodes"] == 0
    assert new.tasks is new.episodes is new.stats is None
    assert (new.revision, new.latest_episode) == (None, None)


def test_create_refuses_what_is_wrong_and_leaves_nothing(tmp_path: Path) -> None:
    create, root = LeRobotDatasetMetadata.create, tmp_path / "new"
    with pytest.raises(ValueError, match="use_videos"):
        create("me/new", 10, VIDEO, root=root, use_videos=False)
    with pytest.raises(ValueError, match="a/b"):
        create("me/new", 10, {"a/b": FEATURES["action"]}, root=root)
    with pytest.raises(ValueError, match="fps must be positive, got 0"):
        create("me/new", 0, FEATURES, root=root)
    assert not root.exists()


def test_create_refuses_a_folder_that_exists(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="exists"):
        LeRobotDatasetMetadata.create("me/new", 10, FEATURES, root=tmp_path)


def test_create_changes_no_declaration_of_the_caller(tmp_path: Path) -> None:
    mine = {"action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]}}
    meta = LeRobotDatasetMetadata.create("me/new", 10, mine, root=tmp_path / "new")
    meta.features["action"]["names"].append("z")
    assert mine == {"action": {"dtype": "float32", "shape": [2], "names": ["x", "y"]}}


def test_every_saved_episode_is_on_the_disk_at_once(new: LeRobotDatasetMetadata) -> None:
    for episode in range(3):
        new.save_episode_tasks(["push"])
        new.save_episode(episode, 4 + episode, ["push"], _stats(episode, 4 + episode), {})
        found = roboreel.open(new.root)
        assert found.total_episodes == episode + 1
        assert not found.problems
    assert new.episodes["length"] == [4, 5, 6]
    assert new.episodes[2]["dataset_from_index"] == 9
    assert new.latest_episode is not None
    assert new.latest_episode["dataset_to_index"] == [15]
    assert new.info.splits == {"train": "0:3"}


def test_statistics_are_merged_with_every_episode(new: LeRobotDatasetMetadata) -> None:
    new.save_episode_tasks(["push"])
    new.save_episode(0, 1, ["push"], _stats(1, 1), {})
    new.save_episode(1, 3, ["push"], _stats(5, 3), {})
    for stats in (new.stats, LeRobotDatasetMetadata("me/new", root=new.root).stats):
        assert stats is not None
        assert stats["action"]["mean"].tolist() == [4.0, 8.0]
        assert stats["action"]["count"].tolist() == [4]


def test_an_episode_goes_on_from_those_that_are_there(copied: Path) -> None:
    before = LeRobotDatasetMetadata("me/it", root=copied)
    action = {"action": dict(before.stats["action"])} if before.stats else {}
    before.save_episode_tasks(["a new one", before.tasks.iloc[0].name])
    before.save_episode(3, 4, ["a new one"], action, {"success": True})
    after = LeRobotDatasetMetadata("me/it", root=copied)
    assert after.episodes["dataset_to_index"] == [5, 12, 15, 19]
    assert after.episodes[3]["tasks"] == ["a new one"]
    assert after.episodes[3]["success"] is True
    assert after.tasks.iloc[3].name == "a new one"
    assert (after.total_episodes, after.total_frames, after.total_tasks) == (4, 19, 4)
    assert dict(roboreel.open(copied).episode_stats())[3]["action"]["mean"].shape == (6,)


def test_a_failed_commit_changes_nothing(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=copied)

    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(writing, "commit", fail)
    with pytest.raises(OSError, match="full"):
        meta.save_episode(3, 4, ["x"], {}, {})
    assert (meta.total_episodes, meta.total_frames) == (3, 15)
    assert LeRobotDatasetMetadata("me/it", root=copied).total_episodes == 3


def test_v20_is_refused_with_what_to_do(made: dict[str, Path]) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=made["v2.0"])
    with pytest.raises(roboreel.UsageError, match="convert it to a later version"):
        meta.save_episode(3, 4, ["x"], {}, {})


def test_tasks_that_come_twice_are_refused(new: LeRobotDatasetMetadata) -> None:
    with pytest.raises(ValueError, match="must not have duplicates"):
        new.save_episode_tasks(["push", "push"])


def test_known_tasks_keep_their_index(new: LeRobotDatasetMetadata) -> None:
    new.save_episode_tasks(["push"])
    new.save_episode_tasks(["pull", "push"])
    assert (new.get_task_index("push"), new.get_task_index("pull")) == (0, 1)


def test_chunk_settings_are_written_and_bad_ones_change_nothing(
    new: LeRobotDatasetMetadata,
) -> None:
    new.update_chunk_settings(chunks_size=7, video_files_size_in_mb=3)
    with pytest.raises(ValueError, match="data_files_size_in_mb must be positive"):
        new.update_chunk_settings(chunks_size=9, data_files_size_in_mb=0)
    document = json.loads((new.root / "meta/info.json").read_text())
    assert (document["chunks_size"], document["video_files_size_in_mb"]) == (7, 3)
    assert new.get_chunk_settings()["chunks_size"] == 7


def test_files_of_episodes_go_on_in_the_next_chunk(new: LeRobotDatasetMetadata) -> None:
    new.update_chunk_settings(chunks_size=2)
    new.save_episode_tasks(["push"])
    for episode in range(3):
        new.save_episode(episode, 4, ["push"], _stats(1, 4), {})
    assert (new.root / "meta/episodes/chunk-001/file-000.parquet").is_file()
    assert new.episodes["meta/episodes/chunk_index"] == [0, 0, 1]


def test_tools_are_kept_in_info_and_are_copies(new: LeRobotDatasetMetadata) -> None:
    assert new.tools[0]["function"]["name"] == "say"
    new.tools = [{"type": "function", "function": {"name": "wave"}}]
    assert json.loads((new.root / "meta/info.json").read_text())["tools"] == new.tools
    new.tools = None
    assert "tools" not in json.loads((new.root / "meta/info.json").read_text())


def test_video_info_is_taken_from_the_first_file(copied: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=copied)
    camera = meta.video_keys[0]
    meta.features[camera]["info"] = {"is_depth_map": True, "video.codec": "old"}
    meta.update_video_info(camera, preserve_keys=["is_depth_map"])
    facts = meta.features[camera]["info"]
    assert (facts["video.height"], facts["video.width"], facts["video.fps"]) == (128, 160, 10)
    assert facts["is_depth_map"] is True
    assert facts["video.codec"] == "h264"
    with pytest.raises(ValueError, match="'front' is not a video camera"):
        meta.update_video_info("front")


def test_finalize_can_be_called_twice(new: LeRobotDatasetMetadata) -> None:
    new.finalize()
    new.finalize()
    new._flush_metadata_buffer()
    new._close_writer()
