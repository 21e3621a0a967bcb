"""Write tables: whole episodes of rows, index columns anew, every other column untouched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.edit.frames import taken_frames
from roboreel.edit.plan import (
    DECLARED_ROWS,
    DEFAULT_TASK,
    FIRST_INDEX,
    INPUT_ROW,
    INPUT_TABLE,
    ROWS,
    STRETCH,
    TASK_MAP,
    CopyTables,
    TableProgram,
    WriteTables,
)
from roboreel.errors import RunError, StorageError, VideoError
from roboreel.format.feature import (
    EPISODE_INDEX,
    FRAME_INDEX,
    INDEX,
    INDEX_DTYPES,
    TASK_INDEX,
    TIMESTAMP,
    is_list,
)
from roboreel.format.model import DATA_PATH, EPISODE
from roboreel.format.stats import Stats, features_stats
from roboreel.format.values import column_values
from roboreel.runner.kernels.copies import copied
from roboreel.runner.kernels.frames import decoded_pictures
from roboreel.runner.kernels.pictures import picture_column_stats
from roboreel.runner.work import OpResult, Work
from roboreel.storage.fs import Root
from roboreel.storage.tables import TableFile, read_footer, write_rows


def run_write_tables(work: Work, op: WriteTables) -> OpResult:
    """Write the op's table files and measure what the plan asks for."""
    source, staging = work.roots()
    schema, done = work.table.schema, _Done()
    rows, size = 0, 0
    with _Inputs(work, source) as inputs:
        for path, members in work.by_output(DATA_PATH):
            written = write_rows(
                staging,
                path,
                _episodes(work, members, inputs, schema, done),
                schema=schema,
                plain_columns=work.table.images,
            )
            promised = sum(work.inputs[ROWS][at].as_py() for at in members)
            found = read_footer(staging, path).rows
            if not written == found == promised:
                raise RunError(f"'{path}' holds {found} rows, promised {promised}")
            rows += written
            size += staging.stat(path).size_bytes
    return OpResult(
        number=work.number,
        rows=rows,
        files=op.files,
        size_bytes=size,
        measured=sum(bool(stats) for stats in done.stats.values()),
        stats=done.stats,
        changed=frozenset(done.changed),
    )


def run_copy_tables(work: Work, op: CopyTables) -> OpResult:
    """Copy table files as they are, and measure their index columns."""
    source, staging = work.roots()
    done, rows, size = _Done(), 0, 0
    for path, members in work.by_output(DATA_PATH):
        name = work.inputs[INPUT_TABLE][members[0]].as_py()
        size += copied(work, source, staging, name, path)
        with TableFile(staging, path) as file:
            for at in members:
                start = work.inputs[INPUT_ROW][at].as_py()
                table = file.rows(start, start + work.inputs[ROWS][at].as_py())
                done.stats[work.outputs[EPISODE][at].as_py()] = _measure(
                    table.select(list(INDEX_DTYPES)), work.table, whole=True
                )
                rows += len(table)
    return OpResult(
        number=work.number,
        rows=rows,
        files=op.files,
        size_bytes=size,
        measured=len(done.stats),
        stats=done.stats,
    )


@dataclass(slots=True)
class _Done:
    stats: dict[int, Stats] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)


class _Inputs:
    """The op's table files; one is open at a time, as its episodes come together."""

    def __init__(self, work: Work, root: Root) -> None:
        self._work, self.root = work, root
        self._open: TableFile | None = None

    def rows(self, at: int) -> pa.Table:
        """The rows of the episode at a position of the op's tables."""
        name = self._work.inputs[INPUT_TABLE][at].as_py()
        if self._open is None or self._open.name != name:
            self.close()
            self._work.check_input(self.root, name)
            self._open = TableFile(self.root, name)
        start = self._work.inputs[INPUT_ROW][at].as_py()
        rows = self._open.rows(start, start + self._work.inputs[STRETCH][at].as_py())
        return _taken(self._work, at, rows)

    def close(self) -> None:
        """Close the open file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def __enter__(self) -> _Inputs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _taken(work: Work, at: int, rows: pa.Table) -> pa.Table:
    """The rows that an episode takes of its stretch, columns by the result's names."""
    source, step = work.names_in(at), work.table.step
    kept = [name for name in rows.column_names if name not in source.removed]
    rows = rows.select(kept).rename_columns([source.renamed.get(name, name) for name in kept])
    for name, column in zip(*_columns(work.supplied.get(at)), strict=True):
        rows = rows.append_column(name, column)
    if step == 1:
        return rows
    count = work.inputs[ROWS][at].as_py()
    return rows.take(pa.array(taken_frames(count, len(rows), step)))


def _with_pictures(work: Work, root: Root, at: int, rows: pa.Table) -> pa.Table:
    """The rows of an episode with the pictures of cameras that were videos."""
    for name in work.table.decoded:
        if name in rows.column_names:
            rows = rows.drop_columns([name])
        rows = rows.append_column(name, decoded_pictures(work, root, at, name))
    return rows


def _columns(table: pa.Table | None) -> tuple[list[str], list[pa.ChunkedArray]]:
    return ([], []) if table is None else (table.column_names, table.columns)


def _episodes(
    work: Work, members: list[int], inputs: _Inputs, schema: pa.Schema, done: _Done
) -> Iterator[pa.Table]:
    for at in members:
        rows = _with_pictures(work, inputs.root, at, inputs.rows(at))
        episode = work.outputs[EPISODE][at].as_py()
        first, task = work.inputs[FIRST_INDEX][at].as_py(), work.inputs[DEFAULT_TASK][at].as_py()
        _require_pictures(rows, work.table.images)
        tasks = work.table.task_maps[work.inputs[TASK_MAP][at].as_py()]
        table = _transformed(rows, work.table, schema, episode, first, task, tasks)
        done.changed |= {
            name
            for name in INDEX_DTYPES
            if name not in rows.column_names or not _same(rows[name], table[name])
        }
        whole = work.inputs[ROWS][at].as_py() == work.inputs[DECLARED_ROWS][at].as_py()
        done.stats[episode] = _measure(table, work.table, whole=whole)
        yield table


def _require_pictures(rows: pa.Table, images: Sequence[str]) -> None:
    """Refuse pictures that are only named: the files they name would stay behind."""
    for name in images:
        if name in rows.column_names:
            column = rows[name].combine_chunks()
            named = pc.and_(pc.is_null(column.field("bytes")), pc.is_valid(column.field("path")))
            if pc.any(named).as_py():
                raise StorageError(
                    f"column '{name}': pictures are stored as paths to files, not in the table:"
                    " embed them first"
                )


def _same(old: pa.ChunkedArray, new: pa.ChunkedArray) -> bool:
    if is_list(old.type):
        return False
    return bool(old.type.equals(new.type) and old.equals(new))


def _transformed(
    rows: pa.Table,
    program: TableProgram,
    schema: pa.Schema,
    episode: int,
    first: int,
    default_task: int,
    task_map: Mapping[int, int],
) -> pa.Table:
    """The rows of an episode as the result has them."""
    count = len(rows)
    columns = []
    for item in schema:
        if item.name == EPISODE_INDEX:
            column = pa.array(np.full(count, episode, dtype=np.int64))
        elif item.name == FRAME_INDEX:
            column = pa.array(np.arange(count, dtype=np.int64))
        elif item.name == INDEX:
            column = pa.array(np.arange(first, first + count, dtype=np.int64))
        elif item.name == TASK_INDEX:
            column = _tasks(rows, task_map, default_task)
        elif item.name == TIMESTAMP and (
            program.regular_timestamps or TIMESTAMP not in rows.column_names
        ):
            column = _regular(count, program, item.type)
        elif item.name == program.source_timestamp or item.name == TIMESTAMP:
            column = _plain(rows, TIMESTAMP, item.type)
        elif item.name not in rows.column_names:
            column = pa.nulls(count, item.type)
        else:
            column = _typed(rows[item.name], item.type)
        columns.append(column)
    return pa.table(columns, schema=schema)


def _regular(count: int, program: TableProgram, type_: pa.DataType) -> pa.Array:
    seconds = np.arange(count) * program.fps.denominator / program.fps.numerator
    return pa.array(seconds).cast(type_, safe=False)


def _tasks(rows: pa.Table, task_map: Mapping[int, int], default: int) -> pa.Array:
    if TASK_INDEX not in rows.column_names:
        return pa.array(np.full(len(rows), default, dtype=np.int64))
    column = _plain(rows, TASK_INDEX, pa.int64())
    if not task_map:
        return column
    old = column.to_numpy()
    known, place = np.unique(old, return_inverse=True)
    new = np.array([task_map[task] for task in known.tolist()], dtype=np.int64)
    return pa.array(new[place.reshape(-1)])


def _plain(rows: pa.Table, name: str, type_: pa.DataType) -> pa.Array:
    """A column of numbers, also where each is wrapped in a list of one; nulls where there is none."""
    if name not in rows.column_names:
        return pa.nulls(len(rows), type_)
    column = rows[name].combine_chunks()
    if is_list(column.type):
        column = pc.list_flatten(column)
    return column.cast(type_)


def _typed(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    if column.type.equals(type_):
        return column
    if is_list(column.type) != is_list(type_):
        return _rewrapped(column.combine_chunks(), type_)
    try:
        return column.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise StorageError(f"a column of {column.type} does not become {type_}: {error}") from error


def _rewrapped(column: pa.Array, type_: pa.DataType) -> pa.Array:
    """Lists of one as plain values, or plain values as lists of one."""
    if is_list(type_):
        if pa.types.is_fixed_size_list(type_):
            return pa.FixedSizeListArray.from_arrays(column, type=type_)
        offsets = pa.array(np.arange(len(column) + 1, dtype=np.int32))
        return pa.ListArray.from_arrays(offsets, column, type=type_)
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if not set(lengths) <= {1, None}:
        raise StorageError("a column of shape (1,) holds lists of other lengths than one")
    return pc.list_element(column, 0)


def _measure(table: pa.Table, program: TableProgram, *, whole: bool) -> Stats:
    """Statistics of what has none; of an episode that is a part of the source's, of everything."""
    wanted = program.measured if whole else program.measurable
    numbers = [name for name in wanted if name not in program.images]
    values = {name: column_values(table[name]) for name in numbers}
    usable = {name: found for name, found in values.items() if found is not None}
    stats = features_stats(usable, quantiles=program.quantiles)
    for name in [name for name in wanted if name in program.images]:
        try:
            measured = picture_column_stats(table[name])
        except VideoError as error:
            raise StorageError(f"column '{name}': {error}") from error
        if measured is not None:
            stats[name] = measured
    return stats
