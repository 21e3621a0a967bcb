"""What a survey of a dataset of `scale_fabrication.py` would find, without one."""

from collections.abc import Iterator

import numpy as np
import pyarrow.parquet as pq

from roboreel.dataset.dataset import Dataset
from roboreel.format.inventory import CameraFacts, FileFacts, Inventory, StreamFacts
from roboreel.format.model import DATA_PATH, LENGTH, ROW_START, TASKS, frame_start, video_path


def assumed_inventory(dataset: Dataset) -> Inventory:
    """What a survey of a fabricated dataset finds, without one."""
    episodes = dataset.episodes
    rows = episodes[LENGTH].to_numpy()
    tables = episodes[DATA_PATH].unique().to_pylist()
    schema = pq.read_schema(f"{dataset.url}/{tables[0]}")
    videos = {c: episodes[video_path(c)].unique().to_pylist() for c in dataset.cameras}
    paths = [*tables, *(path for each in videos.values() for path in each)]
    cameras = {
        camera: CameraFacts(
            start=episodes[frame_start(camera)].to_numpy(),
            packets=rows,
            lead=np.zeros(len(rows), dtype=np.int64),
            size_bytes=rows * 12_000,
            keyframes=np.ones_like(rows),
            stream=np.zeros(len(rows), dtype=np.int64),
        )
        for camera in dataset.cameras
    }
    known = np.ones(len(rows), dtype=np.bool_)
    return Inventory(
        files={path: FileFacts(size_bytes=len(rows), stamp=str(n)) for n, path in _numbered(paths)},
        schemas=dict.fromkeys(tables, schema),
        rows=rows,
        row_start=episodes[ROW_START].to_numpy(),
        timestamp_error_s=np.zeros(len(rows)),
        cameras=cameras,
        streams=(StreamFacts(entry=0, codec="avc1", width=640, height=480, audio=False),),
        shapes={},
        tasks=dataset.tasks,
        tasks_of_episodes=episodes[TASKS].to_pylist(),
        tasks_of_rows=[[]] * len(rows),
        first_index=np.full(len(rows), -1, dtype=np.int64),
        table_rows={},
        tidy_videos={},
        with_stats=dict.fromkeys(dataset.features, known),
        broken={},
        problems=(),
    )


def _numbered(paths: list[str]) -> Iterator[tuple[int, str]]:
    return ((10**18 + number, path) for number, path in enumerate(paths))
