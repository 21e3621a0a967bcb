"""What v2.0 and v2.1 share: one table and one video file per episode, documents as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from roboreel.format.extras import extra_column
from roboreel.format.layout import FileFinder, WantedFile, fill_each
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
    Totals,
    frame_start,
    frame_stop,
    is_layout,
    split_files,
    video_path,
)
from roboreel.format.parse import (
    Problems,
    check_totals,
    parse_lines,
    parse_tasks,
    report_no_tasks,
    usable_splits,
    whole_number,
    with_missing_tasks,
)
from roboreel.types import Json

EPISODES, TASK_LIST = "meta/episodes.jsonl", "meta/tasks.jsonl"
EPISODE_STATS, GLOBAL_STATS = "meta/episodes_stats.jsonl", "meta/stats.json"
DATA_TEMPLATE = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
VIDEO_TEMPLATE = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
DOCUMENTS = (INFO, EPISODES, TASK_LIST)
"""Documents read on opening. Statistics are read on demand."""
_BLOCK_BYTES = 1 << 20


def paths_of_episodes(
    template: str, episodes: Sequence[int], chunks_size: int, camera: str = ""
) -> list[str]:
    """The paths of episodes' files.

    Raises:
        DatasetError: the template cannot be filled.
    """
    if not episodes:  # a template that is not needed may be invalid
        return []
    named = {"video_key": camera} if camera else {}
    return fill_each(
        template,
        [
            {"episode_chunk": episode // chunks_size, "episode_index": episode, **named}
            for episode in episodes
        ],
    )


def expected_path(info: Info, episode: int, camera: str = "") -> str:
    """The path of an episode's table or camera video from the path template."""
    template = (info.video_path or VIDEO_TEMPLATE) if camera else info.data_path
    return paths_of_episodes(template, [episode], info.chunks_size, camera)[0]


def parse(
    info: Info, documents: Mapping[str, bytes], files: tuple[str, ...], problems: Problems
) -> Model:
    """Build the model of a v2.x dataset.

    Args:
        info: the parsed `info.json`.
        documents: the existing JSON Lines documents, by name.
        files: names of all files of the dataset.
        problems: collects warnings and errors.
    """
    if EPISODES not in documents:
        problems.error("document.missing", "the list of episodes is missing", path=EPISODES)
    problems.raise_errors("the dataset is incomplete")
    rows = _episodes(documents[EPISODES], problems)
    stated = whole_number(info.totals.get("total_episodes")) or 0
    if not documents[EPISODES].strip() and stated > 0:
        message = f"the list of episodes is empty, but info.json declares {stated}"
        problems.error("document.readable", message, path=EPISODES)
    listed = parse_task_list(documents.get(TASK_LIST), problems)
    unlisted = problems if listed else Problems()  # without a list, its absence is the only report
    tasks = with_missing_tasks(listed, ((r[EPISODE], r[TASKS]) for r in rows), unlisted)
    problems.raise_errors("the dataset's documents cannot be read")
    table = _locate(info, rows, files, problems)
    counted = {
        "total_episodes": len(rows),
        "total_frames": sum(row[LENGTH] for row in rows),
        "total_tasks": len(tasks),
    }
    videos = [table[video_path(camera)] for camera in info.cameras]
    counted["total_videos"] = sum(len(paths) - paths.null_count for paths in videos)
    counted["total_chunks"] = -(-len(rows) // info.chunks_size)
    check_totals(info, counted, problems)
    usable_splits(info.splits, len(rows), problems)
    extra_names = frozenset(_extra_names(rows, Problems()))
    names = tuple(name for name in table.column_names if name in extra_names)
    return Model(
        info=info,
        tasks=tasks,
        episodes=table,
        has_task_list=bool(listed),
        extra_columns=names,
        problems=tuple(problems.found),
        **split_files(files, _used(info, table)),
    )


def _episodes(document: bytes, problems: Problems) -> list[dict[str, Json]]:
    rows: dict[int, dict[str, Json]] = {}
    for number, entry in parse_lines(document, EPISODES):
        position = f"{EPISODES}, line {number}"
        index, length = whole_number(entry.get(EPISODE)), whole_number(entry.get(LENGTH))
        if index is None or index < 0 or length is None or length <= 0:
            message = "an episode needs an 'episode_index' of 0 or more and a 'length' above 0"
            problems.error("episode.entry", message, path=position)
            continue
        row = {**entry, EPISODE: index, LENGTH: length, TASKS: _task_strings(entry)}
        if rows.get(index, row) != row:
            message = "the episode is listed twice, with different content"
            problems.error("episode.unique", message, path=position, episode=index)
        rows[index] = row
    ordered = [rows[index] for index in sorted(rows)]
    gaps = [row[EPISODE] for position, row in enumerate(ordered) if row[EPISODE] != position]
    if gaps:
        problems.add(
            "episode.contiguous",
            f"the episode numbers have gaps: expected 0 to {len(ordered) - 1}, the first other one is"
            f" {gaps[0]}",
            path=EPISODES,
            action="episodes are renumbered when the dataset is written",
        )
    return ordered


def _task_strings(entry: Mapping[str, Json]) -> list[str]:
    found = entry.get(TASKS, entry.get("task"))  # some writers use `task` with one string
    strings = [found] if isinstance(found, str) else found
    return [text for text in strings if isinstance(text, str)] if isinstance(strings, list) else []


def parse_task_list(document: bytes | None, problems: Problems) -> dict[int, str]:
    """Task text by task index, from `tasks.jsonl`; empty where it is missing."""
    if document is None or not document.strip():
        report_no_tasks(TASK_LIST, "is missing" if document is None else "is empty", problems)
        return {}
    lines = parse_lines(document, TASK_LIST)
    return parse_tasks(((f"{TASK_LIST}, line {n}", entry) for n, entry in lines), problems)


def _locate(
    info: Info, rows: list[dict[str, Json]], files: tuple[str, ...], problems: Problems
) -> pa.Table:
    finder = FileFinder(files)
    episodes = [row[EPISODE] for row in rows]
    lengths = pa.array([row[LENGTH] for row in rows], pa.int64())
    zeros = pa.array([0] * len(rows), pa.int64())
    usual = (DATA_TEMPLATE, VIDEO_TEMPLATE)
    paths = _paths(info, info.data_path, usual[0], episodes, "", finder, problems)
    columns: dict[str, pa.Array] = {
        EPISODE: pa.array(episodes, pa.int64()),
        TASKS: pa.array([row[TASKS] for row in rows], pa.list_(pa.string())),
        LENGTH: lengths,
        DATA_PATH: paths,
        ROW_START: zeros,
        ROW_STOP: lengths,
    }
    for camera in info.cameras:
        template = info.video_path or usual[1]
        found = _paths(info, template, usual[1], episodes, camera, finder, problems)
        columns[video_path(camera)] = found
        columns[frame_start(camera)] = zeros
        columns[frame_stop(camera)] = lengths
    fields = [pa.field(name, column.type) for name, column in columns.items()]
    arrays = list(columns.values())
    for name in _extra_names(rows, problems):
        item, column = extra_column(name, [row.get(name) for row in rows])
        fields.append(item)
        arrays.append(column)
    return pa.table(arrays, schema=pa.schema(fields))


def _paths(
    info: Info,
    template: str,
    usual: str,
    episodes: list[int],
    camera: str,
    finder: FileFinder,
    problems: Problems,
) -> pa.Array:
    paths = paths_of_episodes(template, episodes, info.chunks_size, camera)
    if finder.has_all(paths):
        return pa.array(paths, pa.string())
    positions = paths_of_episodes(usual, episodes, info.chunks_size, camera)
    wanted = [WantedFile(*both, None) for both in zip(paths, positions, strict=True)]
    return pa.array(finder.find(template, wanted, camera, problems), pa.string())


def _extra_names(rows: list[dict[str, Json]], problems: Problems) -> list[str]:
    known = {EPISODE, TASKS, LENGTH, "task"}
    names = list(dict.fromkeys(name for row in rows for name in row if name not in known))
    for name in [name for name in names if is_layout(name)]:
        message = (
            "an extra field of the episodes has a name that v3.0 reserves for file positions and"
            " statistics"
        )
        problems.add(
            "episode.fields",
            message,
            path=EPISODES,
            column=name,
            action="left out when the dataset is written",
        )
    return [name for name in names if not is_layout(name)]


def _used(info: Info, table: pa.Table) -> frozenset[str]:
    columns = [DATA_PATH, *(video_path(camera) for camera in info.cameras)]
    paths = {path for column in columns for path in table[column].to_pylist()}
    documents = {*DOCUMENTS, EPISODE_STATS, GLOBAL_STATS}
    return frozenset({path for path in paths if path is not None} | documents)


def info_document(
    info: Info, *, version: str, splits: Mapping[str, str], totals: Totals
) -> dict[str, Json]:
    """`info.json` of a v2.x dataset, keys in lerobot's order."""
    cameras = len(info.cameras)
    return {
        "codebase_version": version,
        "robot_type": info.robot_type,
        "total_episodes": totals.episodes,
        "total_frames": totals.frames,
        "total_tasks": totals.tasks,
        "total_videos": totals.episodes * cameras,
        "total_chunks": -(-totals.episodes // info.chunks_size),
        "chunks_size": info.chunks_size,
        "fps": info.fps_value,
        "splits": dict(splits),
        "data_path": DATA_TEMPLATE,
        "video_path": VIDEO_TEMPLATE if cameras else None,
        "features": {name: dict(feature.spec) for name, feature in info.features.items()},
        **_size_settings(info),
        **info.extra,
    }


def _size_settings(info: Info) -> dict[str, int | float]:
    """v3.0's file size settings, kept for a conversion back; v2.x readers ignore them."""
    settings = {
        "data_files_size_in_mb": info.data_file_mb,
        "video_files_size_in_mb": info.video_file_mb,
    }
    return {key: value for key, value in settings.items() if value is not None}


def json_lines(entries: Iterable[Mapping[str, Json]]) -> Iterator[bytes]:
    """Yield a JSON Lines document in blocks of about 1 MiB."""
    # dates and other types that v3.0 tables can hold become text
    encoder = json.JSONEncoder(ensure_ascii=False, default=str)
    span = bytearray()
    for entry in entries:
        span += encoder.encode(entry).encode() + b"\n"
        if len(span) >= _BLOCK_BYTES:
            yield bytes(span)
            span.clear()
    yield bytes(span)


def task_lines(tasks: Mapping[int, str]) -> Iterator[bytes]:
    """`tasks.jsonl`."""
    return json_lines({"task_index": index, "task": text} for index, text in tasks.items())


def episode_entry(
    episode: int, tasks: list[str], length: int, extra: Mapping[str, Json]
) -> dict[str, Json]:
    """One line of `episodes.jsonl`."""
    known = {EPISODE: episode, TASKS: tasks, LENGTH: length}
    return {**known, **{name: value for name, value in extra.items() if value is not None}}
