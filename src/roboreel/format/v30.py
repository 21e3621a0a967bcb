"""Format v3.0: many episodes per table and video file, documents as parquet tables."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format import v21
from roboreel.format.feature import is_list
from roboreel.format.layout import FileFinder
from roboreel.format.model import (
    DATA_PATH,
    EPISODE,
    INFO,
    LENGTH,
    TASKS,
    Info,
    Model,
    is_layout,
    split_files,
    video_path,
)
from roboreel.format.parse import (
    Problems,
    check_totals,
    parse_tasks,
    report_no_tasks,
    usable_splits,
    with_missing_tasks,
)
from roboreel.format.v30_episodes import (
    CHUNK_INDEX,
    EPISODES_FOLDER,
    FILE_INDEX,
    FROM_INDEX,
    TO_INDEX,
    episode_files,
    is_number,
    require_columns,
    stray_episode_files,
)
from roboreel.format.v30_positions import locate_frames, locate_rows
from roboreel.types import Json

TASK_TABLE, GLOBAL_STATS = "meta/tasks.parquet", "meta/stats.json"
DATA_TEMPLATE = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_TEMPLATE = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
DEFAULT_DATA_FILE_MB, DEFAULT_VIDEO_FILE_MB = 100, 200
feature_spec = v21.feature_spec


def parse(
    info: Info,
    task_table: pa.Table | None,
    episodes: pa.Table,
    files: tuple[str, ...],
    problems: Problems,
) -> Model:
    """Build the model of a v3.0 dataset.

    Args:
        info: the parsed `info.json`.
        task_table: `meta/tasks.parquet`.
        episodes: the rows of all `meta/episodes` files, without statistics.
        files: names of all files of the dataset.
        problems: collects warnings and errors.
    """
    _report_strays(files, problems)
    episodes = _in_order(require_columns(info, episodes, problems), problems)
    numbers = episodes[EPISODE].to_pylist()
    strings = _tasks_of_episodes(episodes, problems)
    listed = parse_task_table(task_table, problems)
    unlisted = problems if listed else Problems()  # without a list, its absence is the only report
    tasks = with_missing_tasks(listed, zip(numbers, strings, strict=True), unlisted)
    columns = {
        EPISODE: pa.array(numbers, pa.int64()),
        TASKS: pa.array(strings, pa.list_(pa.string())),
    }
    finder = FileFinder(files)
    columns |= locate_rows(info, episodes, DATA_TEMPLATE, finder, problems)
    columns |= locate_frames(info, episodes, VIDEO_TEMPLATE, finder, problems)
    extra = tuple(n for n in episodes.column_names if n not in columns and not is_layout(n))
    _note_left_out(info, episodes, problems)
    table = pa.table(columns)
    for name in extra:
        table = table.append_column(episodes.schema.field(name), episodes[name])
    counted = {
        "total_episodes": len(table),
        "total_frames": pc.sum(table[LENGTH]).as_py() or 0,
        "total_tasks": len(tasks),
    }
    check_totals(info, counted, problems)
    usable_splits(info.splits, len(table), problems)
    problems.raise_errors("the dataset's documents cannot be read")
    return Model(
        info=info,
        tasks=tasks,
        episodes=table,
        has_task_list=bool(listed),
        extra_columns=extra,
        problems=tuple(problems.found),
        **split_files(files, _used(info, table, files)),
    )


def _note_left_out(info: Info, episodes: pa.Table, problems: Problems) -> None:
    """Report columns with names of positions that belong neither to the format nor to a declared camera."""
    cells = (CHUNK_INDEX, FILE_INDEX)
    known = {
        FROM_INDEX,
        TO_INDEX,
        *(f"{of}/{n}" for of in ("data", "meta/episodes") for n in cells),
    }
    segment = (*cells, "from_timestamp", "to_timestamp")
    known |= {f"videos/{camera}/{n}" for camera in info.cameras for n in segment}
    for name in episodes.column_names:
        if is_layout(name) and name not in known:
            message = (
                "the column is named like a camera's file positions, but no such camera is declared"
            )
            problems.add(
                "episode.fields",
                message,
                path=EPISODES_FOLDER,
                column=name,
                severity="note",
                action="left out when the dataset is written",
            )


def _report_strays(files: Iterable[str], problems: Problems) -> None:
    """Report tables below `meta/episodes` that are not part of the table of episodes."""
    for name in stray_episode_files(files):
        message = (
            f"readers ignore this table: they look for episodes one folder below {EPISODES_FOLDER}"
        )
        action = "it is ignored, and left out when the dataset is written"
        problems.add("file.unused", message, path=name, action=action)


def _in_order(episodes: pa.Table, problems: Problems) -> pa.Table:
    ordered = episodes.take(pc.sort_indices(episodes, [(EPISODE, "ascending")]))
    numbers = ordered[EPISODE].to_numpy()
    for number in numbers[1:][numbers[1:] == numbers[:-1]].tolist():
        problems.error(
            "episode.unique", "the episode is listed twice", path=EPISODES_FOLDER, episode=number
        )
    if len(numbers) and numbers[-1] != len(numbers) - 1:
        message = f"the episode numbers have gaps: expected 0 to {len(numbers) - 1}"
        action = "episodes are renumbered when the dataset is written"
        problems.add("episode.contiguous", message, path=EPISODES_FOLDER, action=action)
    return ordered


def _tasks_of_episodes(episodes: pa.Table, problems: Problems) -> list[list[str]]:
    if TASKS in episodes.column_names and _holds_strings(episodes[TASKS].type):
        if _are_whole(episodes[TASKS]):
            known: list[list[str]] = episodes[TASKS].to_pylist()
            return known
        return [_strings(value) for value in episodes[TASKS].to_pylist()]
    message = "the table of episodes has no column 'tasks' with strings"
    problems.add(
        "episode.columns",
        message,
        path=EPISODES_FOLDER,
        action="the episodes are read as having no tasks",
    )
    return [[] for _ in range(len(episodes))]


def _holds_strings(type_: pa.DataType) -> bool:
    inner = type_.value_type if is_list(type_) else type_
    inner = inner.value_type if pa.types.is_dictionary(inner) else inner
    return bool(
        pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_null(inner)
    )


def _are_whole(column: pa.ChunkedArray) -> bool:
    """True for the usual lists of strings without nulls."""
    if column.type not in (pa.list_(pa.string()), pa.large_list(pa.string())):
        return False
    return not column.null_count and not any(part.flatten().null_count for part in column.chunks)


def _strings(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def parse_task_table(table: pa.Table | None, problems: Problems) -> dict[int, str]:
    """Task text by task index, from `meta/tasks.parquet`; empty where it is missing."""
    if not table:
        report_no_tasks(TASK_TABLE, "is missing" if table is None else "is empty", problems)
        return {}
    strings = [f.name for f in table.schema if _holds_strings(f.type) and not is_list(f.type)]
    names = [name for name in ("task", "__index_level_0__", *strings) if name in strings]
    whole = [f.name for f in table.schema if is_number(f.type)]
    if not names or "task_index" not in whole:
        message = f"the task table needs the columns 'task_index' and 'task', but has {table.column_names}"
        problems.error("task.entry", message, path=TASK_TABLE)
        return {}
    others = [name for name in table.column_names if name not in ("task_index", names[0])]
    if others:
        message = f"tasks have more than an index and a text: {', '.join(others)}"
        problems.add(
            "task.fields", message, path=TASK_TABLE, action="left out when the dataset is written"
        )
    entries = table.select(["task_index", names[0]]).rename_columns(["task_index", "task"])
    rows = enumerate(entries.to_pylist())
    return parse_tasks(((f"{TASK_TABLE}, row {n}", row) for n, row in rows), problems)


def _used(info: Info, table: pa.Table, files: Iterable[str]) -> frozenset[str]:
    columns = [DATA_PATH, *(video_path(camera) for camera in info.cameras)]
    paths = {path for column in columns for path in pc.unique(table[column]).to_pylist()}
    ours = set(episode_files(files))
    documents = {INFO, TASK_TABLE, GLOBAL_STATS}
    return frozenset({path for path in paths if path is not None} | documents | ours)
