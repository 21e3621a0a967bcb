"""Items of `LeRobotDataset` of real datasets, against tables and videos read by themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from roboreel.torch import LeRobotDataset

DATASETS = [
    "by_lerobot/v2.0-from-0.3.3-h264",
    "by_lerobot/v2.1-lerobot-0.3.3-av1",
    "by_lerobot/v3.0-lerobot-0.4.4-merged",
    "by_lerobot/v3.0-lerobot-0.6.1-av1-many-files",
    "by_lerobot/v3.0-lerobot-0.6.1-deleted",
]


def decoded(path: Path) -> list[np.ndarray[Any, Any]]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


@pytest.mark.parametrize("name", DATASETS)
def test_items_have_the_values_and_frames_of_their_rows(
    name: str, untouched: Callable[[str], Path]
) -> None:
    root = untouched(name)
    dataset = LeRobotDataset("me/it", root, return_uint8=True)
    rows = [
        row for f in sorted(root.glob("data/*/*.parquet")) for row in pq.read_table(f).to_pylist()
    ]
    rows = sorted(rows, key=lambda row: int(row["index"]))
    assert len(dataset) == len(rows)
    videos: dict[Path, list[np.ndarray[Any, Any]]] = {}
    for at in np.random.default_rng(0).permutation(len(rows))[:24].tolist():
        item, row = dataset[at], rows[at]
        assert torch.equal(item["action"], torch.tensor(row["action"]))
        assert int(item["index"]) == row["index"]
        episode = dataset.meta.episodes[row["episode_index"]]
        for camera in dataset.meta.video_keys:
            path = root / dataset.meta.get_video_file_path(row["episode_index"], camera)
            if path not in videos:
                videos[path] = decoded(path)
            begin = round(episode[f"videos/{camera}/from_timestamp"] * dataset.fps)
            expected = videos[path][begin + row["frame_index"]]
            assert np.array_equal(item[camera].movedim(0, -1).numpy(), expected)
