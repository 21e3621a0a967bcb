"""All staged episodes as one table with a row per episode, in the order of their keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import islice
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from roboreel.errors import StorageError
from roboreel.executors.worker_options import WorkerOptions
from roboreel.executors.worker_pool import worker_pool
from roboreel.sink.episode_key import EpisodeKey
from roboreel.sink.staged_record import StagedRecord, read_record
from roboreel.storage.fs import open_output
from roboreel.storage.local import LocalRoot
from roboreel.storage.remote.io_threads import at_once
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.write_root import WriteRoot
from roboreel.types import Json, JsonObject

TABLE, SOURCE, SEGMENT, PART, ROWS = "table", "source", "segment", "part", "rows"
TASKS, VIDEOS, FIELDS, PROVENANCE = "tasks", "videos", "fields", "provenance"
DECLARED, FEATURES, STATS, ERROR = "declared", "features", "stats", "error"
_NAMED, _NUMBER, _NAME = "segment_is_named", "segment_number", "segment_name"
_REPEATED = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema(
    {
        TABLE: pa.string(),
        SOURCE: pa.string(),
        _NAMED: pa.bool_(),
        _NUMBER: pa.int64(),
        _NAME: pa.string(),
        SEGMENT: pa.string(),
        PART: pa.int64(),
        ROWS: pa.int64(),
        TASKS: pa.list_(pa.string()),
        VIDEOS: pa.string(),
        FIELDS: pa.string(),
        PROVENANCE: pa.string(),
        DECLARED: _REPEATED,
        FEATURES: _REPEATED,
        STATS: pa.string(),
        ERROR: pa.string(),
    }
)
"""Segment, videos, fields, provenance, declared, features and stats are JSON. `declared` is what all episodes
of a dataset must have in common; `features` has what the videos are like, too. `stats` is null where there
are so many episodes that their statistics are better read again than held."""
_MOST_HELD_STATS = 1024
_FILES_PER_TASK = 1024
_TABLES_AT_ONCE = 256
"""On a store, where each answer takes its time."""
_FEWEST_TASKS = 4
"""With fewer, processes take longer to start than the work takes."""
_A = TypeVar("_A")
_B = TypeVar("_B")


def staged_table(root: WriteRoot, names: Sequence[str], *, workers: WorkerOptions) -> pa.Table:
    """What the records of staged episodes say, in the order of their keys: see `_SCHEMA`.

    A table that cannot be read has a row with an `error`, and comes last.

    Args:
        root: the staging folder.
        names: the table that makes each episode whole.
        workers: processes that may read.

    Raises:
        RunError: a worker process died.
    """
    starts = range(0, len(names), _FILES_PER_TASK)
    hold = len(names) <= _MOST_HELD_STATS
    tasks = [(root.url, tuple(names[at : at + _FILES_PER_TASK]), hold) for at in starts]
    parts = [_SCHEMA.empty_table(), *in_processes(_rows_of_tables, tasks, workers)]
    table = pa.concat_tables(parts).unify_dictionaries()
    keys = [(name, "ascending") for name in (SOURCE, _NAMED, _NUMBER, _NAME, PART, TABLE)]
    return table.take(pc.sort_indices(table, sort_keys=keys))


def key_of_row(table: pa.Table, row: int) -> EpisodeKey:
    """The key of an episode."""
    return EpisodeKey(table[SOURCE][row].as_py(), json.loads(table[SEGMENT][row].as_py()))


def in_processes(
    function: Callable[[_A], _B], tasks: Sequence[_A], workers: WorkerOptions
) -> Iterator[_B]:
    """The results of a function in processes, as they complete; in this one where that is as good."""
    if not workers.several or len(tasks) < _FEWEST_TASKS:
        yield from map(function, tasks)
        return
    with worker_pool(workers, most=len(tasks)) as pool:
        yield from pool.run(function, tasks)


def records_of(
    root: WriteRoot, names: Iterable[str]
) -> Iterator[tuple[str, StagedRecord | StorageError]]:
    """(table, its record, or why it cannot be read) of each name and of the further parts it names."""
    if isinstance(root, LocalRoot):
        for name in names:
            yield from _records(root, name)
        return
    left = iter(names)
    while some := list(islice(left, _TABLES_AT_ONCE)):
        for found in at_once(partial(_records, root), some):
            yield from found


def _records(root: WriteRoot, name: str) -> list[tuple[str, StagedRecord | StorageError]]:
    try:
        record = record_of(root, name)
        others = [(part, record_of(root, part)) for part in record.parts[1:]]
    except StorageError as error:
        return [(name, error)]
    return [(name, record), *others]


def record_of(root: WriteRoot, name: str) -> StagedRecord:
    """The record of one staged table.

    Raises:
        StorageError: it cannot be read.
    """
    with TableFile(root, name, "columns") as file:
        return read_record(file.footer.stored, name)


def _rows_of_tables(task: tuple[str, tuple[str, ...], bool]) -> pa.Table:
    url, names, hold_stats = task
    rows = [
        {TABLE: name, ERROR: str(record)}
        if isinstance(record, StorageError)
        else _row(name, record, hold_stats=hold_stats)
        for name, record in records_of(open_output(url), names)
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _row(name: str, record: StagedRecord, *, hold_stats: bool) -> dict[str, Json]:
    source, is_named, number, text = record.key.order
    declared = {
        "fps": record.fps,
        "robot_type": record.robot_type,
        "features": {name: _without_facts(spec) for name, spec in record.features.items()},
    }
    videos = {camera: asdict(video) for camera, video in record.videos.items()}
    return {
        TABLE: name,
        SOURCE: source,
        _NAMED: is_named,
        _NUMBER: number,
        _NAME: text,
        SEGMENT: json.dumps(record.segment),
        PART: record.part,
        ROWS: record.rows,
        TASKS: list(record.tasks),
        VIDEOS: json.dumps(videos),
        FIELDS: json.dumps(record.fields),
        PROVENANCE: json.dumps(record.provenance),
        DECLARED: json.dumps(declared),
        FEATURES: json.dumps(record.features),
        STATS: json.dumps(record.stats) if hold_stats else None,
    }


def _without_facts(spec: JsonObject) -> JsonObject:
    """A feature's declaration without what its videos happen to be like, in an order of its own."""
    return {name: spec[name] for name in sorted(spec) if name != "info"}
