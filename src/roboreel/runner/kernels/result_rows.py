"""Make the rows of the result: index columns are rewritten, every other column stays unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.errors import StorageError
from roboreel.format.feature import (
    EPISODE_INDEX,
    FRAME_INDEX,
    INDEX,
    INDEX_DTYPES,
    TASK_INDEX,
    TIMESTAMP,
    holds_images,
    is_image,
    is_list,
)
from roboreel.format.fps import seconds_of
from roboreel.format.images import as_structs
from roboreel.plan.plan import TableProgram
from roboreel.runner.kernels.table_inputs import Batch, Members, counted
from roboreel.types import Int64

Column: TypeAlias = pa.Array | pa.ChunkedArray
COUNTED = (EPISODE_INDEX, FRAME_INDEX, INDEX, TIMESTAMP)
"""Index columns that follow from the positions of the episodes."""


def transformed(
    batch: Batch, program: TableProgram, schema: pa.Schema, decoded: Mapping[str, pa.ChunkedArray]
) -> pa.Table:
    """Convert the rows of some episodes to rows of the result.

    Args:
        batch: their rows.
        program: how to convert them.
        schema: the schema of the result, as in the program.
        decoded: images by column, episode after episode.
    """
    frame = counted(batch.members.rows)
    made = {
        **_counted_columns(batch.members, frame),
        TASK_INDEX: _tasks(batch.rows, batch.members, program),
    }
    columns: list[Column] = []
    for item in schema:
        if item.name == TIMESTAMP and _is_regular(batch, program):
            columns.append(_seconds(frame, program, item.type))
        elif item.name in made:
            columns.append(made[item.name])
        elif item.name == TIMESTAMP:
            columns.append(_recorded(batch, item.type))
        elif item.name == program.source_timestamp:
            columns.append(_plain(batch.rows, TIMESTAMP, item.type))
        elif item.name in decoded:
            columns.append(_typed(decoded[item.name], item.type))
        else:
            columns.append(_column(batch.rows, item, program))
    return pa.table(columns, schema=schema)


def with_counted(batch: Batch, program: TableProgram) -> pa.Table:
    """Rows that are copied unchanged, plus the index columns that follow from their episodes."""
    frame = counted(batch.members.rows)
    seconds = _seconds(frame, program, program.schema.field(TIMESTAMP).type)
    rows = batch.rows
    for name, column in {**_counted_columns(batch.members, frame), TIMESTAMP: seconds}.items():
        rows = rows.append_column(name, column)
    return rows


def _counted_columns(members: Members, frame: Int64) -> dict[str, pa.Array]:
    """The index columns that are counted, by name."""
    index = frame + np.repeat(members.first_index, members.rows)
    return {
        EPISODE_INDEX: pa.array(np.repeat(members.episode, members.rows)),
        FRAME_INDEX: pa.array(frame),
        INDEX: pa.array(index),
    }


def changed_columns(old: pa.Table, new: pa.Table) -> set[str]:
    """The index columns whose values or types differ from the input."""
    return {
        name
        for name in INDEX_DTYPES
        if name not in old.column_names or not _same(old[name], new[name])
    }


def refuse_named_images(rows: pa.Table, images: Sequence[str]) -> None:
    """Raise `StorageError` for images stored as paths only: the files at these paths would not be copied."""
    for name in images:
        if name in rows.column_names and any(map(_only_named, rows[name].chunks)):
            raise StorageError(
                f"column '{name}': images are stored as paths to files: store them in the"
                " table first"
            )


def _only_named(images: pa.Array) -> bool:
    """True if a chunk has an image with a path but no bytes."""
    if not pa.types.is_struct(images.type):
        return False
    named = pc.and_(pc.is_null(images.field("bytes")), pc.is_valid(images.field("path")))
    return bool(pc.any(named).as_py())


def _same(old: pa.ChunkedArray, new: pa.ChunkedArray) -> bool:
    if is_list(old.type):
        return False
    return bool(old.type.equals(new.type) and old.equals(new))


def _is_regular(batch: Batch, program: TableProgram) -> bool:
    return program.regular_timestamps or TIMESTAMP not in batch.rows.column_names


def _recorded(batch: Batch, type_: pa.DataType) -> pa.Array:
    """Recorded timestamps; if an episode begins later than the source's, counted from its first frame."""
    column = _plain(batch.rows, TIMESTAMP, type_)
    members = batch.members
    if not members.first_frame.any():
        return column
    first = pa.array(np.repeat(np.cumsum(members.rows) - members.rows, members.rows))
    zero = pa.scalar(0).cast(type_)
    later = pa.array(np.repeat(members.first_frame > 0, members.rows))
    return pc.subtract(column, pc.if_else(later, column.take(first), zero))


def _seconds(frame: Int64, program: TableProgram, type_: pa.DataType) -> pa.Array:
    return pa.array(seconds_of(frame, program.fps)).cast(type_, safe=False)


def _tasks(rows: pa.Table, members: Members, program: TableProgram) -> pa.Array:
    if TASK_INDEX not in rows.column_names:
        return pa.array(np.repeat(members.default_task, members.rows))
    column = _plain(rows, TASK_INDEX, pa.int64())
    if not any(program.task_maps[number] for number in np.unique(members.task_map).tolist()):
        return column
    old = column.to_numpy()
    new = np.empty_like(old)
    map_of_row = np.repeat(members.task_map, members.rows)
    for number in np.unique(members.task_map).tolist():
        here = map_of_row == number
        new[here] = _mapped(old[here], program.task_maps[number])
    return pa.array(new)


def _mapped(old: Int64, task_map: Mapping[int, int]) -> Int64:
    if not task_map:
        return old
    known, position = np.unique(old, return_inverse=True)
    new = np.array([task_map[task] for task in known.tolist()], dtype=np.int64)
    return np.asarray(new[position.reshape(-1)])


def _column(rows: pa.Table, item: pa.Field, program: TableProgram) -> Column:
    """A column that is not an index column: the input's, or its substitute if the input has none."""
    if item.name in rows.column_names:
        column = rows[item.name]
        if item.name in program.masks or item.name in program.masks.values():
            column = _padded(column, _width(item, program))
        return _typed(column, item.type)
    masked = {mask: name for name, mask in program.masks.items()}
    if item.name in masked:
        return _mask(rows, masked[item.name], item, program)
    if item.name in program.filled:
        return _zeros(len(rows), item, program)
    return pa.nulls(len(rows), item.type)


def _zeros(count: int, item: pa.Field, program: TableProgram) -> pa.Array:
    """An empty value for each row: zeros in the column's shape, an empty string, or null for images."""
    inner = item.type
    while is_list(inner):
        inner = inner.value_type
    if pa.types.is_struct(inner):
        return pa.nulls(count, item.type)
    shape = _shape(item, program) if is_list(item.type) else ()
    nothing = "" if pa.types.is_string(inner) or pa.types.is_large_string(inner) else 0
    values = pa.repeat(pa.scalar(nothing).cast(inner), count * prod(shape))
    return _nested(values, item.type, shape)


def _mask(rows: pa.Table, of: str, item: pa.Field, program: TableProgram) -> pa.Array:
    """A mask that is True where the input has values of a column."""
    shape = _shape(item, program) if is_list(item.type) else ()
    there = np.zeros((len(rows), *shape), dtype=np.bool_)
    if of in rows.column_names:
        column = rows[of].combine_chunks()
        valid = np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
        if len(shape) == 1 and is_list(column.type):
            lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
            there |= np.arange(shape[0]) < np.asarray(lengths)[:, None]
        else:
            there[valid] = True
    return _nested(pa.array(there.reshape(-1)), item.type, shape)


def _padded(column: pa.ChunkedArray, width: int | None) -> pa.ChunkedArray:
    """A column of vectors, padded with zeros to a length."""
    if width is None or not is_list(column.type) or is_list(column.type.value_type):
        return column
    array = column.combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    lengths = np.asarray(lengths, dtype=np.int64)
    if bool((lengths == width).all()) or bool((lengths > width).any()):
        return column
    values = pc.list_flatten(array)
    zero = pa.scalar(0).cast(values.type)
    # positions beyond the end of a list take this zero
    both = pa.concat_arrays([values, pa.repeat(zero, 1)])
    within = np.arange(width)
    first = np.cumsum(lengths) - lengths
    position = np.where(within < lengths[:, None], first[:, None] + within, len(values))
    taken = both.take(pa.array(position.reshape(-1)))
    return pa.chunked_array([pa.FixedSizeListArray.from_arrays(taken, width)])


def _width(item: pa.Field, program: TableProgram) -> int | None:
    """The length of the vectors in a column; None if it does not contain vectors."""
    shape = _shape(item, program) if is_list(item.type) else ()
    return shape[0] if len(shape) == 1 else None


def _shape(item: pa.Field, program: TableProgram) -> tuple[int, ...]:
    """Lengths of the lists in a column."""
    sizes, inner = [], item.type
    while pa.types.is_fixed_size_list(inner):
        sizes.append(int(inner.list_size))
        inner = inner.value_type
    if not is_list(inner):
        return tuple(sizes)
    named = {mask: name for name, mask in program.masks.items()}
    shape = program.shapes.get(item.name) or program.shapes.get(named.get(item.name, ""))
    if shape is None:
        raise StorageError(f"column '{item.name}': its lists have unknown lengths")
    return shape


def _nested(values: pa.Array, type_: pa.DataType, shape: Sequence[int]) -> pa.Array:
    """Wrap values in lists of these lengths."""
    types = [type_]
    for _ in shape[1:]:
        types.append(types[-1].value_type)
    for size, of in zip(reversed(shape), reversed(types), strict=False):
        values = _listed(values, size, of)
    return values


def _listed(values: pa.Array, size: int, type_: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_list(type_):
        return pa.FixedSizeListArray.from_arrays(values, type=type_)
    large = pa.types.is_large_list(type_)
    offsets = np.arange(len(values) // size + 1, dtype=np.int64 if large else np.int32) * size
    kind = pa.LargeListArray if large else pa.ListArray
    return kind.from_arrays(pa.array(offsets), values, type=type_)


def _plain(rows: pa.Table, name: str, type_: pa.DataType) -> pa.Array:
    """A column of numbers, unwrapped from lists of one; nulls if the column is missing."""
    if name not in rows.column_names:
        return pa.nulls(len(rows), type_)
    column = rows[name].combine_chunks()
    if is_list(column.type):
        column = pc.list_flatten(column)
    return column.cast(type_)


def _typed(column: pa.ChunkedArray, type_: pa.DataType) -> Column:
    if column.type.equals(type_):
        return column
    if is_image(type_) and not pa.types.is_struct(column.type) and holds_images(column.type):
        return as_structs(column, type_)
    if is_list(column.type) != is_list(type_):
        return _rewrapped(column.combine_chunks(), type_)
    try:
        return column.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise StorageError(
            f"a column of type {column.type} cannot be converted to {type_}: {error}"
        ) from error


def _rewrapped(column: pa.Array, type_: pa.DataType) -> pa.Array:
    """Unwrap lists of one to plain values, or wrap plain values in lists of one."""
    if is_list(type_):
        return _listed(column, 1, type_)
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if not set(lengths) <= {1, None}:
        raise StorageError("a column of shape (1,) has lists that are not of length one")
    return pc.list_element(column, 0)
