"""Statistics of many episodes as columns of a table, as v3.0 stores them: `stats/{feature}/{statistic}`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.format.feature import holds_numbers
from roboreel.format.stats import Array, Stats, parse_array
from roboreel.format.values import column_values

_PREFIX = "stats/"


def stats_columns(schema: pa.Schema) -> list[str]:
    """The columns of a table of episodes that hold statistics."""
    return [f.name for f in schema if f.name.startswith(_PREFIX) and holds_numbers(f.type)]


class StatsColumns:
    """The statistics of the episodes in a table's rows; they are views of its columns."""

    def __init__(self, table: pa.Table) -> None:
        self._columns: list[tuple[str, str, Array | Sequence[Array | None]]] = []
        for name in stats_columns(table.schema):
            feature, _, statistic = name.removeprefix(_PREFIX).rpartition("/")
            self._columns.append((feature, statistic, _arrays(statistic, table[name])))

    def of(self, row: int) -> Stats:
        """The statistics of the episode in one row."""
        stats: Stats = {}
        for feature, statistic, arrays in self._columns:
            array = arrays[row]
            if array is None:
                continue
            if feature in stats:
                stats[feature][statistic] = array
            else:
                stats[feature] = {statistic: array}
        return stats


def _arrays(statistic: str, column: pa.ChunkedArray) -> Array | Sequence[Array | None]:
    """The array of each row, None where there is none."""
    values = column_values(column)
    whole = None if values is None else parse_array(statistic, values)
    if whole is not None:  # as nearly always: all rows have one shape
        return whole.reshape(len(whole), -1) if whole.ndim == 1 else whole
    return [
        None if value is None else parse_array(statistic, value) for value in column.to_pylist()
    ]


def with_stats(rows: pa.Table, stats: Sequence[Stats]) -> pa.Table:
    """The rows of a table of episodes with their statistics as further columns."""
    keys = dict.fromkeys(
        (name, key) for one in stats for name, parts in one.items() for key in parts
    )
    for name, key in keys:
        values = [one.get(name, {}).get(key) for one in stats]
        type_ = pa.int64() if key == "count" else pa.float64()
        rows = rows.append_column(f"{_PREFIX}{name}/{key}", _column(values, type_))
    return rows


def _column(values: Sequence[Array | None], type_: pa.DataType) -> pa.Array:
    """The arrays as nested lists, null where there is none."""
    arrays = [value for value in values if value is not None]
    shape = arrays[0].shape
    if len(arrays) == len(values) and all(a.shape == shape and a.size for a in arrays):
        return _nested(np.stack(arrays), type_)
    for _ in range(max(array.ndim for array in arrays)):
        type_ = pa.list_(type_)
    return pa.array([None if value is None else value.tolist() for value in values], type_)


def _nested(values: npt.NDArray[np.generic], type_: pa.DataType) -> pa.Array:
    nested = pa.array(values.reshape(-1), type_)
    for width in values.shape[:0:-1]:
        offsets = pa.array(np.arange(0, len(nested) + 1, width, dtype=np.int32))
        nested = pa.ListArray.from_arrays(offsets, nested)
    return nested
