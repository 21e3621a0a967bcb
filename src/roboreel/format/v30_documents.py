"""Write the documents of v3.0: tables of tasks and episodes, statistics, `info.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format.fps import seconds_at
from roboreel.format.layout import numbered
from roboreel.format.model import (
    DATA_PATH,
    EPISODE,
    INFO,
    LENGTH,
    TASKS,
    Info,
    Model,
    Totals,
    frame_start,
    frame_stop,
    totals_of,
    video_path,
)
from roboreel.format.stats_columns import with_stats
from roboreel.format.v30 import (
    DATA_TEMPLATE,
    DEFAULT_DATA_FILE_MB,
    DEFAULT_VIDEO_FILE_MB,
    GLOBAL_STATS,
    TASK_TABLE,
    VIDEO_TEMPLATE,
)
from roboreel.format.v30_episodes import (
    CHUNK_INDEX,
    EPISODES_TEMPLATE,
    FILE_INDEX,
    FROM_INDEX,
    TO_INDEX,
)
from roboreel.format.version import FormatVersion
from roboreel.stats.block import StatsBlock
from roboreel.stats.feature_stats import Stats, stats_to_json
from roboreel.types import Int64

_EPISODE_FILE_BYTES = 100 << 20
_EPISODE_BYTES, _ARRAY_BYTES = 256, 64
"""Approximate bytes of an episode, and of each of its statistics, besides the numbers."""


def documents(
    model: Model,
    episode_stats: Iterable[StatsBlock],
    merged_stats: Callable[[], Stats],
    *,
    splits: Mapping[str, str],
) -> Iterator[tuple[str, bytes | pa.Table]]:
    """Yield (name, bytes or table) of every document, `info.json` last.

    Args:
        model: the dataset.
        episode_stats: statistics of the episodes in order, in blocks; iterated once.
        merged_stats: returns the statistics of all episodes; called after the last episode's were read.
        splits: named ranges of episodes.
    """
    yield TASK_TABLE, task_table(model.tasks)
    yield from _episode_tables(model, episode_stats)
    yield GLOBAL_STATS, json.dumps(stats_to_json(merged_stats()), indent=4).encode()
    yield INFO, info_document(model.info, totals_of(model), splits)


def task_table(tasks: Mapping[int, str]) -> pa.Table:
    """`tasks.parquet`, in which pandas readers find the text as the index, named `task`."""
    columns = [
        {
            "name": name,
            "field_name": name,
            "pandas_type": kind,
            "numpy_type": numpy,
            "metadata": None,
        }
        for name, kind, numpy in (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    ]
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": columns}
    table = pa.table(
        {
            "task_index": pa.array(list(tasks), pa.int64()),
            "task": pa.array(tasks.values(), pa.string()),
        }
    )
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


def episode_table(
    model: Model, stats: StatsBlock, number: int, *, first_row: int
) -> tuple[str, pa.Table]:
    """(name, table) of the `number`-th file of the table of episodes, with these episodes.

    Args:
        model: the dataset's `info`, and only the episodes of this file.
        stats: their statistics.
        number: number of the file among the files of this table.
        first_row: number of rows in the dataset before them.
    """
    return _episode_file([with_stats(_located(model, first_row), stats)], number, model)


def _episode_tables(model: Model, stats: Iterable[StatsBlock]) -> Iterator[tuple[str, pa.Table]]:
    located = _located(model)
    parts: list[pa.Table] = []
    filled, start, number = 0, 0, 0
    for block in stats:
        sizes = np.cumsum(_document_bytes(block))
        at = 0
        while at < block.episodes:
            before = int(sizes[at - 1]) if at else 0
            full = int(np.searchsorted(sizes, _EPISODE_FILE_BYTES - filled + before))
            stop = min(full + 1, block.episodes)
            rows = located.slice(start, stop - at)
            parts.append(with_stats(rows, block.take(slice(at, stop))))
            filled += int(sizes[stop - 1]) - before
            start, at = start + stop - at, stop
            if full < block.episodes:
                yield _episode_file(parts, number, model)
                parts, number, filled = [], number + 1, 0
    if parts:
        yield _episode_file(parts, number, model)


def _document_bytes(block: StatsBlock) -> Int64:
    """(episodes,) approximate bytes of each episode's statistics."""
    taken = np.full(block.episodes, _EPISODE_BYTES, dtype=np.int64)
    for column in block.columns.values():
        taken += column.present * (column.values[:1].nbytes + _ARRAY_BYTES)
    return taken


def _episode_file(blocks: Sequence[pa.Table], number: int, model: Model) -> tuple[str, pa.Table]:
    chunk, file = divmod(number, model.info.chunks_size)
    rows = pa.concat_tables(blocks, promote_options="default")
    for name, value in ((CHUNK_INDEX, chunk), (FILE_INDEX, file)):
        column = pa.array(np.full(len(rows), value, dtype=np.int64))
        rows = rows.append_column(f"meta/episodes/{name}", column)
    return numbered(EPISODES_TEMPLATE, number, model.info.chunks_size), rows.combine_chunks()


def _located(model: Model, first_row: int = 0) -> pa.Table:
    """The episodes table as v3.0 stores it, without statistics and the columns for its own position."""
    source = model.episodes
    lengths = source[LENGTH].to_numpy()
    stop = np.cumsum(lengths) + first_row
    chunks, files = file_numbers(source[DATA_PATH])
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        EPISODE: source[EPISODE],
        TASKS: source[TASKS],
        LENGTH: source[LENGTH],
        f"data/{CHUNK_INDEX}": chunks,
        f"data/{FILE_INDEX}": files,
        FROM_INDEX: pa.array(stop - lengths, pa.int64()),
        TO_INDEX: pa.array(stop, pa.int64()),
    }
    for camera in model.info.cameras:
        chunks, files = file_numbers(source[video_path(camera)])
        columns[f"videos/{camera}/{CHUNK_INDEX}"] = chunks
        columns[f"videos/{camera}/{FILE_INDEX}"] = files
        for name, frames in (
            ("from_timestamp", source[frame_start(camera)]),
            ("to_timestamp", source[frame_stop(camera)]),
        ):
            seconds = [seconds_at(frame, model.info.fps) for frame in frames.to_pylist()]
            columns[f"videos/{camera}/{name}"] = pa.array(seconds, pa.float64())
    table = pa.table(columns)
    for name in model.extra_columns:
        table = table.append_column(source.schema.field(name), source[name])
    return table


def file_numbers(paths: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """(chunk, file) numbers in paths made from this module's templates."""
    found = pc.extract_regex(
        paths, r"chunk-(?P<chunk>\d+)/file-(?P<file>\d+)\.\w+$"
    ).combine_chunks()
    return found.field("chunk").cast(pa.int64()), found.field("file").cast(pa.int64())


def info_document(info: Info, totals: Totals, splits: Mapping[str, str]) -> bytes:
    """`info.json` with these totals, keys in lerobot's order."""
    document = {
        "codebase_version": FormatVersion.V30.value,
        "fps": info.fps_value,
        "features": {name: dict(feature.spec) for name, feature in info.features.items()},
        "total_episodes": totals.episodes,
        "total_frames": totals.frames,
        "total_tasks": totals.tasks,
        "chunks_size": info.chunks_size,
        "data_files_size_in_mb": info.data_file_mb or DEFAULT_DATA_FILE_MB,
        "video_files_size_in_mb": info.video_file_mb or DEFAULT_VIDEO_FILE_MB,
        "data_path": DATA_TEMPLATE,
        "video_path": VIDEO_TEMPLATE if info.cameras else None,
        "robot_type": info.robot_type,
        "splits": dict(splits),
        **info.extra,
    }
    return json.dumps(document, indent=4, ensure_ascii=False).encode()
