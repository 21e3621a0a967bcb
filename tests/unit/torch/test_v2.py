from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.torch.v2 import LeRobotDatasetMetadata, get_episode_data_index


def test_tasks_and_episodes_are_dicts_in_every_version(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    texts = dict(roboreel.open(root).tasks)
    assert meta.tasks == texts
    assert meta.task_to_task_index == {text: index for index, text in texts.items()}
    assert meta.episodes[1] == {"episode_index": 1, "tasks": [texts[1]], "length": 7}
    assert [*meta.episodes] == [0, 1, 2]
    assert (meta.total_chunks, meta.get_episode_chunk(2)) == (1, 0)


def test_every_episode_has_statistics_in_every_version(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    assert [*meta.episodes_stats] == [0, 1, 2]
    assert meta.episodes_stats[2]["action"]["mean"].shape == (6,)
    with pytest.raises(KeyError, match="no episode 3"):
        meta.episodes_stats[3]


def test_rows_of_episodes_follow_each_other(root: Path) -> None:
    meta = LeRobotDatasetMetadata("me/it", root=root)
    whole = get_episode_data_index(meta.episodes)
    assert whole["from"].tolist() == [0, 5, 12]
    assert whole["to"].tolist() == [5, 12, 15]
    part = get_episode_data_index(meta.episodes, [2, 0])
    assert (part["from"].tolist(), part["to"].tolist()) == ([0, 3], [3, 8])


def test_a_new_dataset_is_v21_and_is_read_back(tmp_path: Path) -> None:
    features = {"action": {"dtype": "float32", "shape": (2,), "names": None}}
    meta = LeRobotDatasetMetadata.create("me/new", 10, features, root=tmp_path / "new")
    assert (meta.tasks, meta.episodes, dict(meta.episodes_stats)) == ({}, {}, {})
    parts: dict[str, Any] = {n: np.ones(2) for n in ("min", "max", "mean", "std")}
    for episode in range(2):
        meta.save_episode(episode, 4, ["push"], {"action": {**parts, "count": np.array([4])}})
    meta.add_task("pull")
    with pytest.raises(ValueError, match="already has the task 'pull'"):
        meta.add_task("pull")
    again = LeRobotDatasetMetadata("me/new", root=tmp_path / "new")
    assert again.episodes == meta.episodes
    assert (str(again._version), again.total_frames) == ("2.1", 8)
    assert again.episodes_stats[1]["action"]["count"].tolist() == [4]
    assert again.tasks == {0: "push", 1: "pull"}
