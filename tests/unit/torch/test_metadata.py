from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import roboreel
from roboreel.torch import LeRobotDatasetMetadata

CAMERA = "observation.images.top"


def test_facts_are_the_same_in_every_version(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    assert (meta.total_episodes, meta.total_frames, meta.total_tasks) == (3, 15, 3)
    assert meta.fps == 10
    assert meta.video_keys == [CAMERA, "observation.images.wrist"]
    assert meta.image_keys == ["observation.images.still"]
    assert meta.camera_keys == [*meta.video_keys, *meta.image_keys]
    assert meta.depth_keys == []
    assert meta.shapes["observation.pose"] == (3, 4)
    assert meta.features["action"]["shape"] == (6,)
    assert not meta.has_language_columns
    assert meta.url_root == "hf://datasets/me/it"
    assert meta.get_chunk_settings()["chunks_size"] == meta.chunks_size == 1000
    assert str(meta._version) in ("2.0", "2.1", "3.0")
    assert "Total episodes: '3'" in repr(meta)


def test_episodes_have_the_columns_of_v30_in_every_version(
    root: Path, made: dict[str, Path]
) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    wanted = set(LeRobotDatasetMetadata("me/it", root=made["v3.0"]).episodes.column_names)
    own = {"meta/episodes/chunk_index", "meta/episodes/file_index"}
    assert set(meta.episodes.column_names) | own == wanted
    assert meta.episodes["length"] == [5, 7, 3]
    assert meta.episodes[1]["dataset_from_index"] == 5
    assert meta.episodes[-1]["dataset_to_index"] == 15


def test_seconds_of_an_episode_span_its_length(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    for row in meta.episodes:
        begin, end = (row[f"videos/{CAMERA}/{name}_timestamp"] for name in ("from", "to"))
        assert end - begin == pytest.approx(row["length"] / 10)


def test_paths_lead_to_files(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    for episode in range(3):
        assert (root / meta.get_data_file_path(episode)).is_file()
        assert (root / meta.get_video_file_path(episode, CAMERA)).is_file()


def test_paths_are_known_where_files_are_not_here(root: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    (alone / "meta").mkdir(parents=True)
    for file in (root / "meta").rglob("*.*"):
        copy = alone / file.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    whole, meta = (LeRobotDatasetMetadata("me/it", root=path) for path in (root, alone))
    for episode in range(3):
        assert meta.get_data_file_path(episode) == whole.get_data_file_path(episode)
        paths = [m.get_video_file_path(episode, CAMERA) for m in (meta, whole)]
        assert paths[0] == paths[1]


def test_an_episode_or_camera_that_is_not_there_is_named(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    with pytest.raises(IndexError, match="episode 3 is out of range: total_episodes is 3"):
        meta.get_data_file_path(3)
    with pytest.raises(KeyError, match=CAMERA):
        meta.get_video_file_path(0, "front")


def test_tasks_are_found_by_position_and_by_text(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    texts = list(roboreel.open(root).tasks.values())
    assert [meta.tasks.iloc[at].name for at in range(3)] == texts
    assert meta.tasks.loc[texts[2]].task_index == 2
    assert meta.get_task_index(texts[1]) == 1
    assert meta.get_task_index("something else") is None


def test_stats_are_arrays_of_the_whole_dataset(root: Path) -> None:
    stats = LeRobotDatasetMetadata("me/it", root=root).stats
    assert stats is not None
    assert stats["action"]["mean"].shape == (6,)
    assert stats[CAMERA]["max"].shape == (3, 1, 1)
    assert isinstance(stats["action"]["std"], np.ndarray)


def test_filter_gives_ascending_episodes_among_the_candidates(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    assert meta.filter_episodes(lambda row: row["length"] > 4) == [0, 1]
    assert meta.filter_episodes(lambda row: row["length"] > 4, candidates=[2, 1]) == [1]


def test_info_is_a_mapping_with_attributes(root: Path) -> None:
    info = LeRobotDatasetMetadata("me/it", root=root).info
    assert info.fps == info["fps"] == info.get("fps") == dict(info)["fps"]
    assert "total_frames" in info
    assert "weather" not in info
    assert info.get("weather", "dry") == "dry"
    assert isinstance(info.to_dict()["features"]["action"]["shape"], list)
    with pytest.raises(KeyError):
        info["weather"]


def test_info_of_v21_keeps_its_own_totals(made: dict[str, Path]) -> None:
    info = LeRobotDatasetMetadata("me/it", root=made["v2.1"]).info
    assert info["total_videos"] == 6
    assert type(info).from_dict(info.to_dict()) == info


def test_metadata_pickles(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    small = len(pickle.dumps(meta))
    assert len(meta.episodes) == 3
    assert len(pickle.dumps(meta)) == small
    again = pickle.loads(pickle.dumps(meta))
    assert again.episodes["length"] == meta.episodes["length"]
    assert again.tasks.iloc[1].name == meta.tasks.iloc[1].name


def test_depth_statistics_are_rescaled_from_their_recorded_unit(
    made: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=made["v3.0"])
    still = "observation.images.still"
    meta.features[still]["info"] = {"is_depth_map": True, "depth_unit": "m"}
    meta.features[CAMERA]["info"] = {"is_depth_map": True}
    assert meta.stats is not None
    before, count = meta.stats[still]["mean"].copy(), meta.stats[still]["count"]
    meta.rescale_depth_stats("mm")
    assert np.array_equal(meta.stats[still]["mean"], before * 1000)
    assert np.array_equal(meta.stats[still]["count"], count)
    assert CAMERA in caplog.text


def test_reading_metadata_loads_neither_torch_nor_pandas(made: dict[str, Path]) -> None:
    code = (
        "import sys; from roboreel.torch import LeRobotDatasetMetadata as M;"
        f"m = M('me/it', root={str(made['v3.0'])!r}); m.stats, m.get_data_file_path(0);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'datasets')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
