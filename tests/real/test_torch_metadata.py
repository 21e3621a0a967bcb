"""What roboreel.torch says of datasets that lerobot wrote, against their own documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from roboreel.torch.v2.dataset_metadata import LeRobotDatasetMetadata as V2Metadata
from roboreel.torch.video_utils import get_video_info

V30 = [
    "by_lerobot/v3.0-lerobot-0.4.4-av1-many-files",
    "by_lerobot/v3.0-lerobot-0.4.4-deleted",
    "by_lerobot/v3.0-lerobot-0.6.1-h264",
    "by_lerobot/v3.0-lerobot-0.6.1-image",
    "by_lerobot/v3.0-lerobot-0.6.1-merged",
]
V2 = [
    "by_lerobot/v2.0-from-0.3.3-h264",
    "by_lerobot/v2.1-lerobot-0.3.3-av1",
    "by_lerobot/v2.1-lerobot-0.3.3-h264",
]
Places = Callable[[str], Path]


@pytest.mark.parametrize("name", V30)
def test_episodes_are_those_of_the_stored_table(name: str, untouched: Places) -> None:
    root = untouched(name)
    files = sorted((root / "meta/episodes").glob("*/*.parquet"))
    stored = [row for file in files for row in pq.read_table(file).to_pylist()]
    wanted = [{k: v for k, v in row.items() if not k.startswith("stats/")} for row in stored]
    episodes = LeRobotDatasetMetadata("me/it", root=root).episodes
    assert [*episodes] == sorted(wanted, key=lambda row: int(row["episode_index"]))


@pytest.mark.parametrize("name", V2)
def test_v2_episodes_and_tasks_are_those_of_the_lists(name: str, untouched: Places) -> None:
    root = untouched(name)
    episodes, tasks = (_lines(root / f"meta/{kind}.jsonl") for kind in ("episodes", "tasks"))
    for meta in (LeRobotDatasetMetadata("me/it", root=root), V2Metadata("me/it", root=root)):
        assert [meta.episodes[n]["length"] for n in range(len(episodes))] == [
            line["length"] for line in episodes
        ]
    assert V2Metadata("me/it", root=root).tasks == {t["task_index"]: t["task"] for t in tasks}


@pytest.mark.parametrize("name", [*V30, *V2])
def test_statistics_and_paths_are_those_of_the_dataset(name: str, untouched: Places) -> None:
    root = untouched(name)
    meta = LeRobotDatasetMetadata("me/it", root=root)
    for episode in range(meta.total_episodes):
        paths = [meta.get_data_file_path(episode)]
        paths += [meta.get_video_file_path(episode, key) for key in meta.video_keys]
        assert all((root / path).is_file() for path in paths)
    assert meta.stats is not None
    document = root / "meta/stats.json"
    stored = json.loads(document.read_text()) if document.is_file() else {}
    for feature, parts in stored.items():
        for key, value in parts.items():
            assert np.array_equal(meta.stats[feature][key], np.array(value)), (feature, key)


@pytest.mark.parametrize("name", [name for name in [*V30, *V2] if "image" not in name])
def test_videos_are_described_as_lerobot_did(name: str, untouched: Places) -> None:
    root = untouched(name)
    meta = LeRobotDatasetMetadata("me/it", root=root)
    for camera in meta.video_keys:
        spec = meta.features[camera]
        said = {key: v for key, v in (spec.get("info") or {}).items() if v is not None}
        found = get_video_info(root / meta.get_video_file_path(0, camera))
        assert {key: found[key] for key in said if key in found} == {
            key: value for key, value in said.items() if key in found
        }


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
