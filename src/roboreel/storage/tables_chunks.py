"""Tables with columns that one chunk cannot hold: Arrow addresses less than 2 GiB in one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

CHUNK_BYTES = 1 << 30
"""Tables up to this size may have a chunk per column."""
_PART_BYTES = 1 << 28
"""A larger one is handled in parts of about this size, at least a row each."""


def as_one(table: pa.Table) -> pa.Table:
    """The table with a chunk per column; a large one as it is."""
    return table.combine_chunks() if table.nbytes <= CHUNK_BYTES else table


def take_ascending(table: pa.Table, rows: npt.NDArray[np.int64]) -> pa.Table:
    """The rows with some numbers, which ascend and may repeat; a large result in several chunks."""
    most = max(table.nbytes, table.nbytes * len(rows) // max(1, len(table)))
    if most <= CHUNK_BYTES:
        return table.take(pa.array(rows))
    each = max(1, _PART_BYTES * len(table) // most)
    cuts = np.searchsorted(rows, np.arange(0, len(table) + each, each))
    parts = [
        table.slice(number * each, each).take(pa.array(rows[first:last] - number * each))
        for number, (first, last) in enumerate(pairwise(cuts.tolist()))
    ]
    return pa.concat_tables(parts)
