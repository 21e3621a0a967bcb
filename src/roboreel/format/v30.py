"""Format v3.0: many episodes per table and video file, documents as parquet tables."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format import v21
from roboreel.format.feature import is_list
from roboreel.format.json_types import Json
from roboreel.format.layout import fill
from roboreel.format.model import (
    DATA_PATH,
    EPISODE,
    INFO,
    LENGTH,
    ROW_START,
    ROW_STOP,
    TASKS,
    Info,
    Model,
    frame_start,
    frame_stop,
    is_layout,
    split_files,
    video_path,
)
from roboreel.format.parse import (
    Problems,
    check_totals,
    parse_tasks,
    usable_splits,
    with_missing_tasks,
)

TASK_TABLE, GLOBAL_STATS = "meta/tasks.parquet", "meta/stats.json"
EPISODES_TEMPLATE = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES_FOLDER = "meta/episodes/"
DATA_TEMPLATE = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_TEMPLATE = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
DEFAULT_DATA_FILE_MB, DEFAULT_VIDEO_FILE_MB = 100, 200
FROM_INDEX, TO_INDEX = "dataset_from_index", "dataset_to_index"
CHUNK_INDEX, FILE_INDEX = "chunk_index", "file_index"
_LARGEST = 1 << 31
"""No dataset has as many episodes, files or frames of an episode; sums of them stay far from 64 bits."""

feature_spec = v21.feature_spec


def parse(
    info: Info,
    task_table: pa.Table | None,
    episodes: pa.Table,
    files: tuple[str, ...],
    problems: Problems,
) -> Model:
    """The model of a v3.0 dataset.

    Args:
        info: the parsed `info.json`.
        task_table: `meta/tasks.parquet`.
        episodes: the rows of all `meta/episodes` files, without statistics.
        files: names of all files of the dataset.
        problems: collects what is odd.
    """
    _require(info, episodes, problems)
    episodes = _in_order(episodes, problems)
    numbers = episodes[EPISODE].to_pylist()
    texts = _tasks_of_episodes(episodes, problems)
    tasks = _tasks(task_table, problems)
    tasks = with_missing_tasks(tasks, zip(numbers, texts, strict=True), problems)
    columns = {
        EPISODE: pa.array(numbers, pa.int64()),
        TASKS: pa.array(texts, pa.list_(pa.string())),
    }
    columns |= _rows(info, episodes)
    for camera in info.cameras:
        columns |= _frames(info, episodes, camera, columns[LENGTH], problems)
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
        has_task_list=task_table is not None,
        extra_columns=extra,
        problems=tuple(problems.found),
        **split_files(files, _used(info, table, files)),
    )


def _note_left_out(info: Info, episodes: pa.Table, problems: Problems) -> None:
    """Report columns with names of places that are neither the format's nor a declared camera's."""
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
            message = "a column with a name that the format uses for places, of no declared camera"
            problems.add(
                "episode.fields",
                message,
                path=EPISODES_FOLDER,
                column=name,
                severity="note",
                action="left out",
            )


def _require(info: Info, episodes: pa.Table, problems: Problems) -> None:
    """Refuse tables of episodes whose numbers are no numbers."""
    places = [f"data/{CHUNK_INDEX}", f"data/{FILE_INDEX}"]
    for name in (EPISODE, LENGTH, *places):
        if name not in episodes.column_names:
            problems.error("episode.columns", f"column '{name}' is missing", path=EPISODES_FOLDER)
        elif episodes[name].null_count:
            message = f"column '{name}' lacks values"
            problems.error("episode.columns", message, path=EPISODES_FOLDER)
    cameras = [f"videos/{camera}/" for camera in info.cameras]
    whole = [
        EPISODE,
        LENGTH,
        *places,
        FROM_INDEX,
        *(p + n for p in cameras for n in (CHUNK_INDEX, FILE_INDEX)),
    ]
    for name in [name for name in whole if name in episodes.column_names]:
        _require_whole(episodes[name], name, problems)
    for name in [f"{prefix}from_timestamp" for prefix in cameras]:
        if name in episodes.column_names and not _is_number(episodes[name].type):
            message = f"column '{name}' must hold seconds, found {episodes[name].type}"
            problems.error("episode.columns", message, path=EPISODES_FOLDER)
    problems.raise_errors("the table of episodes cannot be read")


def _require_whole(column: pa.ChunkedArray, name: str, problems: Problems) -> None:
    lowest = int(name == LENGTH)
    if pa.types.is_null(column.type):
        return
    if not pa.types.is_integer(column.type):
        message = f"column '{name}' must hold whole numbers, found {column.type}"
    elif len(column) > column.null_count and (
        pc.min(column).as_py() < lowest or pc.max(column).as_py() >= _LARGEST
    ):
        message = f"column '{name}' holds numbers below {lowest} or beyond {_LARGEST}"
    else:
        return
    problems.error("episode.columns", message, path=EPISODES_FOLDER)


def _is_number(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_null(type_)
    )


def _in_order(episodes: pa.Table, problems: Problems) -> pa.Table:
    ordered = episodes.take(pc.sort_indices(episodes, [(EPISODE, "ascending")]))
    numbers = ordered[EPISODE].to_numpy()
    for number in numbers[1:][numbers[1:] == numbers[:-1]].tolist():
        problems.error("episode.unique", "listed twice", path=EPISODES_FOLDER, episode=number)
    if len(numbers) and numbers[-1] != len(numbers) - 1:
        message = f"episode numbers are not 0…{len(numbers) - 1}"
        action = "numbered anew on writing"
        problems.add("episode.contiguous", message, path=EPISODES_FOLDER, action=action)
    return ordered


def _tasks_of_episodes(episodes: pa.Table, problems: Problems) -> list[list[str]]:
    if TASKS in episodes.column_names and _holds_texts(episodes[TASKS].type):
        if _are_whole(episodes[TASKS]):
            known: list[list[str]] = episodes[TASKS].to_pylist()
            return known
        return [_texts(value) for value in episodes[TASKS].to_pylist()]
    message = "the table of episodes has no 'tasks' column of texts"
    problems.add(
        "episode.columns", message, path=EPISODES_FOLDER, action="taken as no tasks listed"
    )
    return [[] for _ in range(len(episodes))]


def _holds_texts(type_: pa.DataType) -> bool:
    inner = type_.value_type if is_list(type_) else type_
    inner = inner.value_type if pa.types.is_dictionary(inner) else inner
    return bool(
        pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_null(inner)
    )


def _are_whole(column: pa.ChunkedArray) -> bool:
    """True for lists of texts, as they should be, of which none is null."""
    if column.type not in (pa.list_(pa.string()), pa.large_list(pa.string())):
        return False
    return not column.null_count and not any(part.flatten().null_count for part in column.chunks)


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _tasks(table: pa.Table | None, problems: Problems) -> dict[int, str]:
    if table is None:
        action = "made from the episodes' tasks"
        problems.add(
            "document.missing", "the task list is not there", path=TASK_TABLE, action=action
        )
        return {}
    texts = [f.name for f in table.schema if _holds_texts(f.type) and not is_list(f.type)]
    names = [name for name in ("task", "__index_level_0__", *texts) if name in texts]
    whole = [f.name for f in table.schema if _is_number(f.type)]
    if not names or "task_index" not in whole:
        message = f"needs the columns 'task_index' and 'task', has {table.column_names}"
        problems.error("task.entry", message, path=TASK_TABLE)
        return {}
    others = [name for name in table.column_names if name not in ("task_index", names[0])]
    if others:
        message = f"tasks have more than an index and a text: {', '.join(others)}"
        problems.add("task.fields", message, path=TASK_TABLE, action="left out")
    entries = table.select(["task_index", names[0]]).rename_columns(["task_index", "task"])
    rows = enumerate(entries.to_pylist())
    return parse_tasks(((f"{TASK_TABLE}, row {n}", row) for n, row in rows), problems)


def _rows(info: Info, episodes: pa.Table) -> dict[str, pa.Array | pa.ChunkedArray]:
    lengths = episodes[LENGTH].to_numpy().astype(np.int64)
    file_key = _file_keys(episodes, "data/")
    if FROM_INDEX in episodes.column_names and not episodes[FROM_INDEX].null_count:
        start = episodes[FROM_INDEX].to_numpy().astype(np.int64)
    else:
        start = np.cumsum(lengths) - lengths
    keys, place = np.unique(file_key, return_inverse=True)
    first_of_file = np.full(len(keys), np.iinfo(np.int64).max)
    np.minimum.at(first_of_file, place.reshape(-1), start)
    base = first_of_file[place.reshape(-1)]
    return {
        LENGTH: pa.array(lengths),
        DATA_PATH: _paths(info.data_path, episodes, "data/"),
        ROW_START: pa.array(start - base),
        ROW_STOP: pa.array(start - base + lengths),
    }


def _frames(
    info: Info, episodes: pa.Table, camera: str, lengths: pa.Array, problems: Problems
) -> dict[str, pa.Array]:
    prefix = f"videos/{camera}/"
    wanted = (f"{prefix}{CHUNK_INDEX}", f"{prefix}{FILE_INDEX}", f"{prefix}from_timestamp")
    absent = [name for name in wanted if name not in episodes.column_names]
    if absent:
        message = f"the table of episodes lacks {', '.join(absent)}"
        problems.add("episode.columns", message, path=EPISODES_FOLDER, column=camera)
        nothing = pa.nulls(len(episodes), pa.int64())
        paths = pa.nulls(len(episodes), pa.string())
        return {
            video_path(camera): paths,
            frame_start(camera): nothing,
            frame_stop(camera): nothing,
        }
    seconds = pc.fill_null(episodes[wanted[2]].cast(pa.float64(), safe=False), np.nan).to_numpy()
    sound = np.isfinite(seconds) & (seconds >= 0) & (seconds < 1e9)
    start = np.rint(np.where(sound, seconds, 0) * float(info.fps)).astype(np.int64)
    stop = start + lengths.to_numpy()
    _compare_ends(info, episodes, camera, seconds, lengths.to_numpy(), problems)
    paths = _paths(info.video_path or VIDEO_TEMPLATE, episodes, prefix, camera)
    known = pa.array(sound)
    return {
        video_path(camera): pc.if_else(known, paths, None),
        frame_start(camera): pa.array(start),
        frame_stop(camera): pa.array(stop),
    }


def _compare_ends(
    info: Info,
    episodes: pa.Table,
    camera: str,
    begin: np.ndarray[tuple[int], np.dtype[np.float64]],
    lengths: np.ndarray[tuple[int], np.dtype[np.int64]],
    problems: Problems,
) -> None:
    """Report episodes whose time span in the video is not that of their length."""
    name = f"videos/{camera}/to_timestamp"
    if name not in episodes.column_names or not _is_number(episodes[name].type):
        return
    end = pc.fill_null(episodes[name].cast(pa.float64(), safe=False), np.nan).to_numpy()
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(np.abs((end - begin) * float(info.fps) - lengths) > 1)
    if len(wrong):
        first = int(wrong[0])
        message = (
            f"{len(wrong)} episodes have another duration in the video than frames: the first"
            f" {end[first] - begin[first]:.4g} s for {lengths[first]} frames"
        )
        episode = int(episodes[EPISODE][first].as_py())
        action = "its length and first frame are taken"
        problems.add("video.duration", message, episode=episode, column=camera, action=action)


def _file_keys(episodes: pa.Table, prefix: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    chunk, file = (
        pc.fill_null(episodes[prefix + name].cast(pa.int64()), -1).to_numpy()
        for name in (CHUNK_INDEX, FILE_INDEX)
    )
    return np.asarray(chunk << 32 | file, dtype=np.int64)


def _paths(template: str, episodes: pa.Table, prefix: str, camera: str = "") -> pa.Array:
    keys, place = np.unique(_file_keys(episodes, prefix), return_inverse=True)
    paths = [
        fill(template, video_key=camera, chunk_index=key >> 32, file_index=key & 0xFFFFFFFF)
        if key >= 0
        else None
        for key in keys.tolist()
    ]
    return pa.array(paths, pa.string()).take(pa.array(place.reshape(-1)))


def episode_files(files: Iterable[str]) -> list[str]:
    """The files of the table of episodes, in order."""
    return [n for n in files if n.startswith(EPISODES_FOLDER) and n.endswith(".parquet")]


def _used(info: Info, table: pa.Table, files: Iterable[str]) -> frozenset[str]:
    columns = [DATA_PATH, *(video_path(camera) for camera in info.cameras)]
    paths = {path for column in columns for path in pc.unique(table[column]).to_pylist()}
    ours = {name for name in files if name.startswith(EPISODES_FOLDER)}
    documents = {INFO, TASK_TABLE, GLOBAL_STATS}
    return frozenset({path for path in paths if path is not None} | documents | ours)
