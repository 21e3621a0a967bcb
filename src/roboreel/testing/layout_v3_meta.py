"""The tables under meta/ of v3.0: episodes with their statistics, and tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from roboreel.testing.content import Content, Episode
from roboreel.testing.made_stats import (
    PixelCounts,
    Stats,
    as_json,
    pixel_stats_with_quantiles,
    row_stats_with_quantiles,
)

Locations = Sequence[tuple[int, int, Episode]]
"""Per episode: chunk index, file index, and the first episode of that file."""


def tasks_table(tasks: Sequence[str]) -> pa.Table:
    """Return tasks.parquet: a data frame whose index is the task string."""
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": list(tasks)})
    return table.replace_schema_metadata({"pandas": json.dumps(_PANDAS)})


def episodes_table(content: Content, *, data: Locations, video: Locations) -> pa.Table:
    """Return the episodes, one row each, in the recorder's order of columns."""
    columns = _extent_columns(content, data)
    for name in content.videos:
        columns |= _video_columns(content, name, video)
    columns |= _stats_columns([_episode_stats(content, each) for each in content.episodes])
    for name in ("meta/episodes/chunk_index", "meta/episodes/file_index"):
        columns[name] = _integers([0] * len(content.episodes))
    return pa.table(columns)


def dataset_stats(content: Content) -> dict[str, dict[str, object]]:
    """Return stats.json: exact over all frames, quantiles included."""
    stats: dict[str, Stats] = {}
    for feature in content.features:
        if feature.is_camera:
            pixels = (episode.pixels[feature.name] for episode in content.episodes)
            stats[feature.name] = pixel_stats_with_quantiles(sum(pixels, PixelCounts()))
        elif feature.has_stats:
            rows = [episode.columns[feature.name] for episode in content.episodes]
            stats[feature.name] = row_stats_with_quantiles(np.concatenate(rows))
    return as_json(stats)


def _extent_columns(content: Content, data: Locations) -> dict[str, pa.Array]:
    episodes = content.episodes
    return {
        "episode_index": _integers([each.index for each in episodes]),
        "tasks": pa.array([list(each.tasks) for each in episodes], pa.list_(pa.string())),
        "length": _integers([each.frames for each in episodes]),
        "data/chunk_index": _integers([chunk for chunk, _, _ in data]),
        "data/file_index": _integers([file for _, file, _ in data]),
        "dataset_from_index": _integers([each.start for each in episodes]),
        "dataset_to_index": _integers([each.stop for each in episodes]),
    }


def _video_columns(content: Content, name: str, video: Locations) -> dict[str, pa.Array]:
    """Return where each episode is in its video file, in seconds from the file's start."""
    begin, end = [], []
    for episode, (_, _, first) in zip(content.episodes, video, strict=True):
        begin.append(float((episode.start - first.start) / content.exact_fps))
        end.append(float((episode.stop - first.start) / content.exact_fps))
    return {
        f"videos/{name}/chunk_index": _integers([chunk for chunk, _, _ in video]),
        f"videos/{name}/file_index": _integers([file for _, file, _ in video]),
        f"videos/{name}/from_timestamp": pa.array(begin, pa.float64()),
        f"videos/{name}/to_timestamp": pa.array(end, pa.float64()),
    }


def _episode_stats(content: Content, episode: Episode) -> dict[str, Stats]:
    return {
        feature.name: pixel_stats_with_quantiles(episode.pixels[feature.name])
        if feature.is_camera
        else row_stats_with_quantiles(episode.columns[feature.name])
        for feature in content.features
        if feature.has_stats
    }


def _stats_columns(stats: Sequence[dict[str, Stats]]) -> dict[str, pa.Array]:
    return {
        f"stats/{feature}/{key}": pa.array([each[feature][key].tolist() for each in stats])
        for feature, entry in stats[0].items()
        for key in entry
    }


def _integers(values: Sequence[int]) -> pa.Array:
    return pa.array(values, pa.int64())


_TEXT = {"pandas_type": "unicode", "numpy_type": "object"}
_PANDAS = {
    "index_columns": ["task"],
    "column_indexes": [
        {"name": None, "field_name": None, **_TEXT, "metadata": {"encoding": "UTF-8"}}
    ],
    "columns": [
        {
            "name": "task_index",
            "field_name": "task_index",
            "pandas_type": "int64",
            "numpy_type": "int64",
            "metadata": None,
        },
        {"name": "task", "field_name": "task", **_TEXT, "metadata": None},
    ],
    "attributes": {},
    "creator": {"library": "pyarrow", "version": pa.__version__},
    "pandas_version": "2.3.3",
}
