"""Memory needed to read a parquet file, estimated from its footer, and tables larger than one Arrow chunk.

Leaves are assigned to columns by position, not by path: `a.b` may be a column of that name, or the field `b`
of a column `a`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.types import Int64

MOST_BYTES = 2 << 30
"""Limit for the memory that one read may take beyond the file's size on disk. By the format, a few kilobytes
can say "this number, 2³¹ times"."""
LARGE_BYTES = 1 << 29
"""Row groups with a larger column are read in parts. An Arrow chunk holds less than 2 GiB."""
PART_BYTES = 1 << 26
"""Size of the parts in which a row group is read, at least one row each."""
CHUNK_BYTES = 1 << 30
"""Tables up to this size may have a chunk per column."""
_TAKE_BYTES = 1 << 28
"""Larger tables are handled in parts of about this size, at least one row each."""
_WIDTH = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 8}
_SAMPLED_GROUPS = 16
"""Number of row groups that are sampled to estimate the size of a row."""


class Sizes:
    """Sizes in memory of a file's row groups."""

    def __init__(
        self, name: str, metadata: Any, *, schema: pa.Schema, row_group_rows: Sequence[int]
    ) -> None:
        self._name, self._metadata, self._schema = name, metadata, schema
        self._rows = row_group_rows
        owners: list[str | None] = [f.name for f in schema for _ in range(leaf_count(f.type))]
        known = len(owners) == metadata.num_columns
        self._owners = owners if known else [None] * metadata.num_columns
        """The column of each leaf. None if unknown: such a leaf counts as one that is read."""

    def row_bytes(self, columns: Sequence[str] | None = None) -> int:
        """Approximate bytes in memory of a row, in all or some columns; at least one."""
        groups, rows, taken = self._metadata.num_row_groups, 0, 0
        leaves = self._leaves(columns)
        sampled = min(_SAMPLED_GROUPS, groups)
        for at in (number * groups // sampled for number in range(sampled)):
            group = self._metadata.row_group(at)
            for chunk in map(group.column, leaves):
                numbers = chunk.num_values * _WIDTH.get(chunk.physical_type, 4)
                taken += max(chunk.total_uncompressed_size, numbers)
            rows += group.num_rows
        return max(1, int(taken // max(1, rows)))

    def are_large(self, groups: Iterable[int], columns: Sequence[str] | None) -> bool:
        """True if a column of some row groups is too large to be read at once."""
        facts = [self._metadata.row_group(group) for group in groups]
        if sum(group.total_byte_size for group in facts) <= LARGE_BYTES:
            return False
        return any(
            sum(group.column(leaf).total_uncompressed_size for group in facts) > LARGE_BYTES
            for leaf in self._leaves(columns)
        )

    def refuse_bomb(self, groups: Iterable[int], columns: Sequence[str] | None) -> None:
        """Raise `StorageError` if a read would take absurdly more memory than the file has bytes."""
        known = list(groups)
        if self._at_most(known, columns) <= MOST_BYTES:
            return
        taken = self._taken(known, columns)
        if taken > MOST_BYTES:
            raise StorageError(
                f"'{self._name}': reading it would take {taken >> 20} MiB or more at once:"
                " write it with smaller row groups"
            )

    def _leaves(self, columns: Sequence[str] | None) -> list[int]:
        """Positions of the leaves of some columns, or of all."""
        if columns is None:
            return list(range(len(self._owners)))
        wanted = {None, *columns}
        return [at for at, owner in enumerate(self._owners) if owner in wanted]

    def _at_most(self, groups: Sequence[int], columns: Sequence[str] | None) -> int:
        """An upper bound of the memory to read some row groups; fast: it examines only list columns."""
        names = self._schema.names if columns is None else columns
        wanted = frozenset(names)
        nested = {f.name for f in self._schema if f.name in wanted and pa.types.is_nested(f.type)}
        taken = 8 * (len(wanted) - len(nested)) * sum(self._rows[number] for number in groups)
        leaves = self._leaves([*nested]) if groups and nested else []
        for number in groups:
            facts = self._metadata.row_group(number)
            taken += facts.total_byte_size + 8 * sum(facts.column(at).num_values for at in leaves)
        return int(taken)

    def _taken(self, groups: Iterable[int], columns: Sequence[str] | None) -> int:
        """A lower bound of the memory to read some row groups, beyond their size on disk."""
        leaves, taken = self._leaves(columns), 0
        for group in groups:
            facts = self._metadata.row_group(group)
            for chunk in map(facts.column, leaves):
                width = _WIDTH.get(chunk.physical_type, 4)
                taken += max(chunk.num_values, facts.num_rows) * width
                inflated = chunk.total_uncompressed_size - 8 * chunk.total_compressed_size
                taken += max(inflated, 0)
        return taken


def leaf_count(type_: pa.DataType) -> int:
    """Number of parquet leaf columns that store an Arrow type."""
    if isinstance(type_, pa.BaseExtensionType):
        return leaf_count(type_.storage_type)
    if pa.types.is_nested(type_):
        return sum(map(leaf_count, inner_types(type_)))
    return 1


def inner_types(type_: pa.DataType) -> Iterator[pa.DataType]:
    """The field types of a struct, the item type of a list, or the key and item types of a map."""
    if pa.types.is_map(type_):
        yield from (type_.key_type, type_.item_type)
    elif pa.types.is_struct(type_) or pa.types.is_union(type_):
        yield from (type_.field(at).type for at in range(type_.num_fields))
    else:
        yield type_.value_type


def as_one(table: pa.Table) -> pa.Table:
    """Combine the chunks of each column; a large table is returned unchanged."""
    return table.combine_chunks() if table.nbytes <= CHUNK_BYTES else table


def take_ascending(table: pa.Table, rows: Int64) -> pa.Table:
    """Take rows by ascending numbers, which may repeat; a large result has several chunks."""
    most = max(table.nbytes, table.nbytes * len(rows) // max(1, len(table)))
    if most <= CHUNK_BYTES:
        return table.take(pa.array(rows))
    each = max(1, _TAKE_BYTES * len(table) // most)
    cuts = np.searchsorted(rows, np.arange(0, len(table) + each, each))
    parts = [
        table.slice(number * each, each).take(pa.array(rows[first:last] - number * each))
        for number, (first, last) in enumerate(pairwise(cuts.tolist()))
    ]
    return pa.concat_tables(parts)
