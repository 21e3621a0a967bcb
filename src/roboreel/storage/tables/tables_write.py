"""Write parquet files with whole episodes in a row group, and dictionaries for repeated values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from roboreel.storage.write_root import WriteRoot

ROW_GROUP_BYTES = 1 << 20
"""A row group is closed at the first episode that brings it to this size in memory."""
_MOST_GROUP_BYTES = (1 << 31) - (1 << 24)
"""An episode that takes more memory gets several row groups."""
_SAMPLED_VALUES = 4096
"""Number of values of a column that are sampled to see whether they repeat."""
_FEWEST_ROWS = 2
"""In a table of one row, such as the entry of a recorded episode, looking takes longer than it saves."""


def write_table(root: WriteRoot, name: str, table: pa.Table) -> None:
    """Write a small table as one parquet file."""
    dictionary = [
        leaf
        for column in table.schema
        if _repeats(table, column.name)
        for leaf in _leaf_paths(column.name, column.type)
    ]
    with root.create(name) as output:
        pq.write_table(table, output.file, compression="snappy", use_dictionary=dictionary or False)


def write_batches(
    root: WriteRoot,
    name: str,
    batches: Iterable[tuple[pa.Table, Sequence[int]]],
    *,
    schema: pa.Schema,
    plain_columns: Sequence[str] = (),
) -> int:
    """Write the rows of episodes into one parquet file; return the number of rows.

    Row groups contain whole episodes and, except for the last, at least `ROW_GROUP_BYTES`. Only an episode of
    2 GiB or more gets several row groups.

    Args:
        root: where to write.
        name: the file.
        batches: (rows of some episodes with exactly `schema`, number of rows of each episode).
        schema: the file's schema and metadata.
        plain_columns: columns with large values (images), for which a dictionary would be wasted work.
    """
    rows = 0
    batches = iter(batches)
    first = next(batches, None)
    dictionary = [
        leaf
        for column in schema
        if column.name not in plain_columns and _repeats(first and first[0], column.name)
        for leaf in _leaf_paths(column.name, column.type)
    ]
    with root.create(name) as output:
        writer = pq.ParquetWriter(
            output.file, schema, compression="snappy", use_dictionary=dictionary or False
        )
        with writer:
            pending: list[pa.Table] = []
            pending_bytes = 0
            for table, lengths in chain([] if first is None else [first], batches):
                begin = at = 0
                for length, size in zip(lengths, episode_bytes(table, lengths), strict=True):
                    at += length
                    pending_bytes += size
                    if pending_bytes >= ROW_GROUP_BYTES:
                        _write_group(writer, [*pending, table.slice(begin, at - begin)])
                        pending, pending_bytes, begin = [], 0, at
                if begin < at:
                    pending.append(table.slice(begin))
                rows += at
            if pending:
                _write_group(writer, pending)
    return rows


def _repeats(table: pa.Table | None, name: str) -> bool:
    """False for floats with few repeated values, which a dictionary makes larger."""
    if table is None or len(table) < _FEWEST_ROWS or name not in table.column_names:
        return True
    if not _holds_floats(table[name].type) or table[name].nbytes < 2 * _SAMPLED_VALUES:
        return True
    numbers = table[name].slice(0, _SAMPLED_VALUES).combine_chunks()
    while pa.types.is_fixed_size_list(numbers.type) or pa.types.is_list(numbers.type):
        numbers = numbers.flatten()
    return len(numbers) < _SAMPLED_VALUES or len(pc.unique(numbers)) * 2 < len(numbers)


def _holds_floats(type_: pa.DataType) -> bool:
    while pa.types.is_fixed_size_list(type_) or pa.types.is_list(type_):
        type_ = type_.value_type
    return bool(pa.types.is_floating(type_))


def episode_bytes(table: pa.Table, lengths: Sequence[int]) -> list[int]:
    """Bytes in memory of each of the consecutive episodes in a table."""
    widths = [_width(column) for column in table.columns]
    if None not in widths:
        row_bytes = sum(width for width in widths if width is not None)
        return [length * row_bytes for length in lengths]
    starts = accumulate(lengths, initial=0)
    return [
        table.slice(start, length).nbytes for start, length in zip(starts, lengths, strict=False)
    ]


def _width(column: pa.ChunkedArray) -> int | None:
    """Bytes per value if no value is missing and all have the same size, else None."""
    parts, type_, count = column.chunks, column.type, 1
    while pa.types.is_fixed_size_list(type_) and not any(part.null_count for part in parts):
        count *= type_.list_size
        parts, type_ = [part.flatten() for part in parts], type_.value_type
    fixed = pa.types.is_integer(type_) or pa.types.is_floating(type_)
    if not fixed or any(part.null_count for part in parts):
        return None
    return count * int(type_.bit_width) // 8


def _write_group(writer: Any, tables: Sequence[pa.Table]) -> None:
    """Write a row group, or several if Arrow's 2 GiB chunks could not hold one."""
    table = pa.concat_tables(tables)
    parts = table.nbytes // _MOST_GROUP_BYTES + 1
    writer.write_table(table, row_group_size=max(1, -(-len(table) // parts)))


def _leaf_paths(path: str, type_: pa.DataType) -> list[str]:
    if pa.types.is_struct(type_):
        inner = [type_.field(i) for i in range(type_.num_fields)]
        return [leaf for item in inner for leaf in _leaf_paths(f"{path}.{item.name}", item.type)]
    if (
        pa.types.is_list(type_)
        or pa.types.is_fixed_size_list(type_)
        or pa.types.is_large_list(type_)
    ):
        return _leaf_paths(f"{path}.list.element", type_.value_type)
    return [path]
