"""Episodes of a made dataset, as values for the writer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import roboreel
from roboreel.dataset.dataset import Dataset
from roboreel.format.feature import INDEX_DTYPES
from roboreel.format.model import DATA_PATH, LENGTH, TASKS, frame_start, video_path
from roboreel.writing.append import EpisodeWriter, create_dataset
from roboreel.writing.episode_input import EpisodeInput, VideoToCopy


def episode_of(dataset: Dataset, number: int, **others: Any) -> EpisodeInput:
    """An episode of a dataset: columns and images as they are, videos to be copied."""
    root = Path(dataset.url)
    row = dataset.episodes.slice(number, 1).to_pylist()[0]
    rows = row[LENGTH]
    start = row["data/row_start"]
    table = pq.read_table(root / row[DATA_PATH]).slice(start, rows)
    texts = [dataset.tasks[index] for index in table["task_index"].to_pylist()]
    stills = [n for n, f in dataset.features.items() if f.dtype == "image"]
    columns = [n for n in table.column_names if n not in INDEX_DTYPES and n not in stills]
    videos = {
        camera: VideoToCopy(
            path=root / row[video_path(camera)],
            start=row[frame_start(camera)],
            stop=row[frame_start(camera)] + rows,
        )
        for camera in dataset.cameras
    }
    given: dict[str, Any] = {
        "rows": rows,
        "columns": {name: table[name] for name in columns},
        "videos": videos,
        "images": {name: [cell["bytes"] for cell in table[name].to_pylist()] for name in stills},
        "task": texts,
    }
    assert row[TASKS] == list(dict.fromkeys(texts))
    return EpisodeInput(**{**given, **others})


def specs_of(dataset: Dataset) -> Mapping[str, Any]:
    """The declared features, as one declares them for a new dataset."""
    return {
        name: {key: value for key, value in feature.spec.items() if key not in ("info", "fps")}
        for name, feature in dataset.features.items()
    }


def created_like(dataset: Dataset, path: Path) -> EpisodeWriter:
    """A new dataset with the features, version, rate and robot of another."""
    return create_dataset(
        path,
        fps=dataset.model.info.fps_value,
        features=specs_of(dataset),
        version=dataset.version,
        robot_type=dataset.robot_type,
    )


def written_again(source: Path, path: Path) -> EpisodeWriter:
    """All episodes of a dataset, written into a new one."""
    dataset = roboreel.open(source)
    writer = created_like(dataset, path)
    for number in range(dataset.total_episodes):
        assert writer.append(episode_of(dataset, number)) == number
    return writer


def as_chunks(column: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([column])
