"""Store statistics of many episodes as table columns, as v3.0 does: `stats/{feature}/{statistic}`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import pyarrow as pa

from roboreel.format.feature import holds_numbers
from roboreel.format.values import column_values
from roboreel.stats.block import StatsBlock, StatsColumn, StatsKey, blocks_of
from roboreel.stats.feature_stats import Array, Stats, parse_array

_PREFIX = "stats/"


def stats_column(feature: str, statistic: str) -> str:
    """The column that holds a statistic of a feature."""
    return f"{_PREFIX}{feature}/{statistic}"


def stats_columns(schema: pa.Schema) -> list[str]:
    """The names of the statistics columns in a table of episodes."""
    return [f.name for f in schema if f.name.startswith(_PREFIX) and holds_numbers(f.type)]


def blocks_of_rows(table: pa.Table) -> list[StatsBlock]:
    """The statistics of the episodes in a table's rows, in as few blocks as possible."""
    columns: dict[StatsKey, StatsColumn] = {}
    inconsistent: dict[StatsKey, Sequence[Array | None]] = {}
    for name in stats_columns(table.schema):
        feature, _, statistic = name.removeprefix(_PREFIX).rpartition("/")
        column = _whole(statistic, table[name])
        if column is None:
            inconsistent[feature, statistic] = _one_by_one(statistic, table[name])
        else:
            columns[feature, statistic] = column
    block = StatsBlock(len(table), columns)
    if not inconsistent:
        return [block]
    names = [name.removeprefix(_PREFIX).rpartition("/") for name in stats_columns(table.schema)]
    rows: list[Stats] = []
    for row, known in enumerate(block.each()):
        stats: Stats = {}
        for feature, _, statistic in names:
            position = (feature, statistic)
            array = (
                inconsistent[position][row]
                if position in inconsistent
                else known.get(feature, {}).get(statistic)
            )
            if array is not None:
                stats.setdefault(feature, {})[statistic] = array
        rows.append(stats)
    return blocks_of(rows)


def _whole(statistic: str, column: pa.ChunkedArray) -> StatsColumn | None:
    """A column if all its values have one shape, as nearly always; else None."""
    present = np.asarray(column.is_valid().to_numpy())
    everywhere = bool(present.all())
    values = column_values(column if everywhere else column.drop_null())
    found = None if values is None or not len(values) else parse_array(statistic, values)
    if found is None:
        return None
    found = found.reshape(len(found), -1) if found.ndim == 1 else found
    if everywhere:
        return StatsColumn(found, present)
    spread = np.zeros((len(present), *found.shape[1:]), dtype=found.dtype)
    spread[present] = found
    return StatsColumn(spread, present)


def _one_by_one(statistic: str, column: pa.ChunkedArray) -> Sequence[Array | None]:
    """The array of each row; None for null."""
    return [
        None if value is None else parse_array(statistic, value) for value in column.to_pylist()
    ]


def with_stats(rows: pa.Table, block: StatsBlock) -> pa.Table:
    """Append columns with the episodes' statistics to a table of episodes, without empty columns."""
    fields, arrays = [*rows.schema], [*rows.columns]
    for (name, key), column in block.columns.items():
        if column.present.any():
            nested = _nested(column, pa.int64() if key == "count" else pa.float64())
            fields.append(pa.field(f"{_PREFIX}{name}/{key}", nested.type))
            arrays.append(nested)
    return pa.table(arrays, schema=pa.schema(fields, rows.schema.metadata))


def _nested(column: StatsColumn, type_: pa.DataType) -> pa.Array:
    """The arrays as nested lists, null for missing ones."""
    there = column.values if column.present.all() else column.values[column.present]
    *outer, inner = there.shape[1:]
    nested = pa.array(there.reshape(-1), type_)
    for at, width in enumerate((inner, *reversed(outer))):
        last = at == len(outer)
        count = len(nested) // width if width else prod(there.shape[: len(there.shape) - 1 - at])
        sizes = np.full(count, width, dtype=np.int64)
        mask = None
        if last:
            sizes = np.where(column.present, width, 0)
            mask = None if column.present.all() else pa.array(~column.present)
        offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32))
        nested = pa.ListArray.from_arrays(offsets, nested, mask=mask)
    return nested
