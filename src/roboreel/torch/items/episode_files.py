"""Which files some episodes need, and which of them are not here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from roboreel.format.model import DATA_PATH, EPISODE, video_path
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from roboreel.types import Int64


def episode_files(
    meta: LeRobotDatasetMetadata, episodes: Sequence[int] | None, cameras: Sequence[str]
) -> list[str]:
    """Names of the tables and of the videos of some cameras, each once; also of files that are not here.

    Args:
        meta: the dataset.
        episodes: their numbers; None for all. Unknown ones have no files.
        cameras: names of cameras that are stored as video.
    """
    if meta.view is not None:  # it has no files of its own
        return []
    rows = _rows(meta, episodes)
    found = dict.fromkeys(_paths(meta, rows, DATA_PATH, ""))
    for camera in cameras:
        found.update(dict.fromkeys(_paths(meta, rows, video_path(camera), camera)))
    return list(found)


def absent_files(meta: LeRobotDatasetMetadata, names: Sequence[str]) -> list[str]:
    """Those of some files that the dataset does not have."""
    root, listed = meta.dataset.root, set(meta.dataset.files)
    return [name for name in names if name not in listed and not root.exists(name)]


def _rows(meta: LeRobotDatasetMetadata, episodes: Sequence[int] | None) -> Int64:
    numbers = meta.dataset.episodes[EPISODE].to_numpy()
    wanted = numbers if episodes is None else np.asarray(list(episodes), dtype=np.int64)
    return np.flatnonzero(np.isin(numbers, wanted)).astype(np.int64)


def _paths(meta: LeRobotDatasetMetadata, rows: Int64, column: str, camera: str) -> list[str]:
    stored = meta.dataset.episodes[column].take(rows)
    if not stored.null_count:
        paths: list[str] = stored.unique().to_pylist()
        return paths
    return [
        path or _expected(meta, row, camera)
        for row, path in zip(rows.tolist(), stored.to_pylist(), strict=True)
    ]


def _expected(meta: LeRobotDatasetMetadata, row: int, camera: str) -> str:
    found = meta.get_video_file_path(row, camera) if camera else meta.get_data_file_path(row)
    return found.as_posix()
