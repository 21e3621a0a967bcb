"""A staging folder as one open dataset, which the engine reads as any other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.errors import DatasetError, Problem
from roboreel.executors.worker_options import WorkerOptions
from roboreel.format.extras import extra_column
from roboreel.format.layout import numbered
from roboreel.format.model import (
    DATA_PATH,
    EPISODE,
    LENGTH,
    ROW_START,
    ROW_STOP,
    TASKS,
    Model,
    frame_start,
    frame_stop,
    video_path,
)
from roboreel.format.stats_columns import with_stats
from roboreel.format.v30_episodes import EPISODES_TEMPLATE
from roboreel.format.version import FormatVersion
from roboreel.sink import staged_table as staged
from roboreel.sink.given_kinds import PART_FIELD, SEGMENT_FIELD, SOURCE_FIELD
from roboreel.sink.staged_record import task_number
from roboreel.stats.block import blocks_of
from roboreel.stats.feature_stats import parse_stats
from roboreel.storage.fs import open_output
from roboreel.storage.tables.tables_write import write_table
from roboreel.storage.write_root import WriteRoot
from roboreel.types import Json
from roboreel.writing.dataset_state import new_info

_EPISODES_PER_FILE = 2048
_FILES_PER_CHUNK = 1000
_EPISODES_AT_ONCE = 256
"""Statistics that are held as Python objects at a time: about 50 kB for an episode with two cameras."""


def staged_dataset(root: WriteRoot, episodes: pa.Table, statistics: Sequence[str]) -> Dataset:
    """The dataset of staged episodes, in this order.

    Its tables have no `episode_index` and `index`, and task indexes that are not 0, 1, 2, …: what writes it
    supplies them.

    Args:
        root: the staging folder.
        episodes: rows of `staged_table` that go together; at least one.
        statistics: the files that `write_statistics` wrote.

    Raises:
        DatasetError: two tasks have one number.
    """
    first = json.loads(episodes[staged.DECLARED][0].as_py())
    info = new_info(
        fps=first["fps"],
        features=json.loads(episodes[staged.FEATURES][0].as_py()),
        version=FormatVersion.V30,
        robot_type=first["robot_type"],
    )
    videos = [json.loads(text) for text in episodes[staged.VIDEOS].to_pylist()]
    columns = _columns(episodes, videos, info.cameras)
    fields = _fields(episodes)
    table = pa.table(columns)
    for item, column in fields:
        table = table.append_column(item, column)
    model = Model(
        info=info,
        tasks=_tasks(episodes),
        episodes=table,
        extra_columns=tuple(item.name for item, _ in fields),
    )
    paths = [DATA_PATH, *(video_path(camera) for camera in info.cameras)]
    files = [name for path in paths for name in table[path].to_pylist()]
    return Dataset(root, model, tuple(sorted({*files, *statistics})))


def _columns(
    episodes: pa.Table, videos: Sequence[Mapping[str, Json]], cameras: Sequence[str]
) -> dict[str, pa.Array | pa.ChunkedArray]:
    rows = episodes[staged.ROWS].to_numpy()
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        EPISODE: pa.array(np.arange(len(rows), dtype=np.int64)),
        TASKS: episodes[staged.TASKS],
        LENGTH: pa.array(rows),
        DATA_PATH: episodes[staged.TABLE],
        ROW_START: pa.array(np.zeros_like(rows)),
        ROW_STOP: pa.array(rows),
    }
    for camera in cameras:
        start = np.array([own[camera]["start"] for own in videos], dtype=np.int64)
        columns[video_path(camera)] = pa.array([own[camera]["name"] for own in videos])
        columns[frame_start(camera)] = pa.array(start)
        columns[frame_stop(camera)] = pa.array(start + rows)
    return columns


def _fields(episodes: pa.Table) -> list[tuple[pa.Field, pa.Array]]:
    """The further columns of the table of episodes: where each comes from, and what workers gave."""
    given = [json.loads(text) for text in episodes[staged.FIELDS].to_pylist()]
    values: dict[str, list[Json]] = {
        SOURCE_FIELD: episodes[staged.SOURCE].to_pylist(),
        SEGMENT_FIELD: [str(json.loads(one)) for one in episodes[staged.SEGMENT].to_pylist()],
    }
    if any(episodes[staged.PART].to_pylist()):
        values[PART_FIELD] = episodes[staged.PART].to_pylist()
    for name in dict.fromkeys(name for own in given for name in own):
        values[name] = [own.get(name) for own in given]
    return [extra_column(name, column) for name, column in values.items()]


def _tasks(episodes: pa.Table) -> dict[int, str]:
    """Task text by the index in staged tables, in the order of first use."""
    found: dict[int, str] = {}
    texts = dict.fromkeys(text for own in episodes[staged.TASKS].to_pylist() for text in own)
    for text in texts:
        other = found.setdefault(task_number(text), text)
        if other != text:
            message = f"tasks {other!r} and {text!r} have the same number: change one of them"
            problem = Problem(rule="task.resolves", severity="error", message=message)
            raise DatasetError("the staged episodes cannot be distinguished by task", [problem])
    return found


def write_statistics(root: WriteRoot, episodes: pa.Table, *, workers: WorkerOptions) -> list[str]:
    """Write the statistics of staged episodes as tables of episodes of v3.0; returns their names.

    Args:
        root: the staging folder.
        episodes: rows of `staged_table`.
        workers: processes that may read.

    Raises:
        StorageError: a table cannot be read or written.
        RunError: a worker process died.
    """
    held = episodes.select([staged.TABLE, staged.STATS])
    starts = range(0, len(held), _EPISODES_PER_FILE)
    tasks = [
        (root.url, number, start, held.slice(start, _EPISODES_PER_FILE))
        for number, start in enumerate(starts)
    ]
    return sorted(staged.in_processes(_write_statistics, tasks, workers))


def _write_statistics(task: tuple[str, int, int, pa.Table]) -> str:
    url, number, start, held = task
    root = open_output(url)
    parts = [
        table
        for at in range(0, len(held), _EPISODES_AT_ONCE)
        for table in _statistics(root, held.slice(at, _EPISODES_AT_ONCE), start + at)
    ]
    name = numbered(EPISODES_TEMPLATE, number, _FILES_PER_CHUNK)
    write_table(root, name, pa.concat_tables(parts, promote_options="default"))
    return name


def _statistics(root: WriteRoot, held: pa.Table, start: int) -> Iterator[pa.Table]:
    """Tables with the statistics of episodes that are numbered from `start` on."""
    found = [
        staged.record_of(root, name).stats if text is None else json.loads(text)
        for name, text in zip(*(held[name].to_pylist() for name in held.column_names), strict=True)
    ]
    for block in blocks_of([parse_stats(stats) for stats in found]):
        stop = start + block.episodes
        yield with_stats(pa.table({EPISODE: pa.array(range(start, stop))}), block)
        start = stop
