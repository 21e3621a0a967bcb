"""The documents that one more episode changes, and the order in which everything is committed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from roboreel.errors import UsageError
from roboreel.format import v2, v20, v30, v30_documents
from roboreel.format.extras import extra_column, extra_values
from roboreel.format.model import (
    DATA_PATH,
    EPISODE,
    LENGTH,
    TASKS,
    Model,
    frame_start,
    frame_stop,
    is_layout,
    video_path,
)
from roboreel.stats.block import StatsBlock
from roboreel.stats.feature_stats import stats_to_json
from roboreel.types import Json
from roboreel.writing.dataset_state import EPISODE_LIST, DatasetState


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEpisode:
    """An episode whose files are written."""

    rows: int
    tasks: list[str]
    """In the order of their first use."""
    new_tasks: list[str]
    """Those that no earlier episode has."""
    data: str
    """Its table."""
    videos: Mapping[str, tuple[str, int]]
    """By camera: the file, and the episode's first frame in it."""
    stats: StatsBlock
    """One row."""
    fields: pa.Table
    """One row: the further columns of the list of episodes."""

    @property
    def video_files(self) -> list[str]:
        """Its videos."""
        return [path for path, _ in self.videos.values()]

    @property
    def files(self) -> list[str]:
        """Its videos and its table."""
        return [*self.video_files, self.data]


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What a commit does to documents; `info.json` comes last, by itself."""

    episode: int
    """The number of the new episode."""
    tasks_before: int
    """How many the task list has without it."""
    whole: Mapping[str, bytes | pa.Table]
    """Documents that are new or replaced, by name."""
    lines: Mapping[str, bytes]
    """Documents that are appended to, by name, in order: after the files, before the statistics."""
    info: bytes
    order: Sequence[str]
    """The names of all files but `info.json`, in the order in which they get them."""
    unique: Sequence[str]
    """Names that the episode's own files are to get: a file that has one already is in the way."""


def field_columns(
    state: DatasetState, fields: Mapping[str, Json | pa.Scalar], number: int
) -> pa.Table:
    """A row with the further columns of the list of episodes.

    Raises:
        UsageError: the dataset's other episodes have other columns, or of other types; or the format uses a
            name itself.
    """
    known = state.fields
    _require_names(fields, number)
    for name in fields:
        if is_layout(name) or name in (EPISODE, TASKS, LENGTH):
            raise UsageError(f"episode {number}: field '{name}': the format itself uses this name")
    unknown = sorted(fields.keys() - known.keys()) if state.totals.episodes else []
    if unknown:
        raise UsageError(
            f"episode {number}: field '{unknown[0]}' is unknown: the earlier episodes have others"
            f" ({', '.join(known) or 'none'})"
        )
    items, columns = [], []
    for name in {**known, **fields}:
        value = fields.get(name)
        if value is None and name in known:
            items.append(known[name])
            columns.append(pa.nulls(1, known[name].type))
            continue
        item, column = _field_column(name, value)
        items.append(known.get(name, item))
        columns.append(_as_type(column, items[-1], number))
    return pa.table(columns, schema=pa.schema(items))


def _require_names(fields: object, number: int) -> None:
    """Raise `UsageError` unless fields are a mapping by text."""
    if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
        raise UsageError(f"episode {number}: fields: expected a dict with strings as keys")


def _field_column(name: str, value: Json | pa.Scalar) -> tuple[pa.Field, pa.Array]:
    if isinstance(value, pa.Scalar):
        return pa.field(name, value.type), pa.array([value.as_py()], value.type)
    try:
        return extra_column(name, [value])
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"field '{name}': {value!r:.60} is not a JSON value ({error})") from error


def _as_type(column: pa.Array, wanted: pa.Field, number: int) -> pa.Array:
    try:
        return pa.nulls(1, wanted.type) if column.null_count else column.cast(wanted.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(
            f"episode {number}: field '{wanted.name}' must be {wanted.type}, as in the earlier episodes"
        ) from error


def documents_of(state: DatasetState, episode: NewEpisode) -> Documents:
    """The documents of a dataset after one more episode.

    Args:
        state: the dataset with the episode.
        episode: what it consists of.
    """
    if state.one_file_per_episode:
        return _lines(state, episode)
    return _tables(state, episode)


def _tables(state: DatasetState, episode: NewEpisode) -> Documents:
    whole: dict[str, bytes | pa.Table] = {}
    first = state.totals.episodes == 1
    if first or episode.new_tasks:
        tasks = {index: text for text, index in state.tasks.items()}
        whole[v30.TASK_TABLE] = v30_documents.task_table(tasks)
    model = Model(
        info=state.info,
        tasks={},
        episodes=_episode_row(state, episode),
        extra_columns=tuple(state.fields),
    )
    before = state.totals.frames - episode.rows
    number = state.files[EPISODE_LIST]
    name, table = v30_documents.episode_table(model, episode.stats, number, first_row=before)
    whole[v30.GLOBAL_STATS] = _whole_stats(state)
    whole[name] = table
    # lerobot reads all tables below data/: a row there whose episode is not listed yet would be an error
    order = [*episode.video_files, *(n for n in whole if n != v30.GLOBAL_STATS), episode.data]
    info = v30_documents.info_document(state.info, state.totals, state.splits)
    return Documents(
        **_numbers(state, episode),
        whole=whole,
        lines={},
        info=info,
        order=[*order, v30.GLOBAL_STATS],
        unique=episode.files,
    )


def _episode_row(state: DatasetState, episode: NewEpisode) -> pa.Table:
    """The episode's row of `Model.episodes`."""
    columns = {
        EPISODE: pa.array([state.totals.episodes - 1], pa.int64()),
        TASKS: pa.array([episode.tasks], pa.list_(pa.string())),
        LENGTH: pa.array([episode.rows], pa.int64()),
        DATA_PATH: pa.array([episode.data], pa.string()),
    }
    for camera, (path, start) in episode.videos.items():
        columns[video_path(camera)] = pa.array([path], pa.string())
        columns[frame_start(camera)] = pa.array([start], pa.int64())
        columns[frame_stop(camera)] = pa.array([start + episode.rows], pa.int64())
    table = pa.table(columns)
    for item, column in zip(episode.fields.schema, episode.fields.columns, strict=True):
        table = table.append_column(item, column)
    return table


def _lines(state: DatasetState, episode: NewEpisode) -> Documents:
    number, table = state.totals.episodes - 1, episode.fields
    tasks = {state.tasks[text]: text for text in episode.new_tasks}
    (stats,) = episode.stats.json_rows()
    fields = {item.name: extra_values(item, table[item.name])[0] for item in table.schema}
    entry = v2.episode_entry(number, episode.tasks, episode.rows, fields)
    lines = {
        v2.TASK_LIST: b"".join(v2.task_lines(tasks)),
        v2.EPISODE_STATS: b"".join(v2.json_lines([{EPISODE: number, "stats": stats}])),
        v2.EPISODES: b"".join(v2.json_lines([entry])),
    }
    whole = {v2.GLOBAL_STATS: _whole_stats(state)} if state.keeps_whole_stats else {}
    info = v20.info_document(state.info, state.info.version, state.totals, state.splits)
    first = state.totals.episodes == 1
    whole = {**lines, **whole} if first else whole
    kept = {} if first else {name: data for name, data in lines.items() if data}
    order = [*episode.files, *whole]  # other readers look for the files of episodes that are listed
    return Documents(
        **_numbers(state, episode),
        whole=whole,
        lines=kept,
        info=info,
        order=order,
        unique=episode.files,
    )


def _numbers(state: DatasetState, episode: NewEpisode) -> dict[str, int]:
    tasks = len(state.tasks) - len(episode.new_tasks)
    return {"episode": state.totals.episodes - 1, "tasks_before": tasks}


def _whole_stats(state: DatasetState) -> bytes:
    found = state.stats.result()
    document = v20.stats_document(found) if state.one_file_per_episode else stats_to_json(found)
    return json.dumps(document).encode()  # for people to read it would take ten times as long
