"""Read the values of table columns as arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format.feature import is_list


def column_values(column: pa.ChunkedArray) -> npt.NDArray[np.generic] | None:
    """(n, …) values of a numeric column of plain values or nested lists of equal length.

    None if lengths differ or values are missing: such a column has no statistics.
    """
    flat, shape = column.combine_chunks(), [len(column)]
    while is_list(flat.type):
        inner = pc.list_flatten(flat)
        if flat.null_count or len(flat) == 0 or len(inner) % len(flat):
            return None
        if not pa.types.is_fixed_size_list(flat.type):
            lengths = pc.min_max(pc.list_value_length(flat)).as_py()
            if lengths["min"] != lengths["max"]:
                return None
        shape.append(len(inner) // len(flat))
        flat = inner
    if flat.null_count or 0 in shape:
        return None
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(shape)


def filled_values(
    column: pa.ChunkedArray, fill: float
) -> npt.NDArray[np.generic] | pa.ChunkedArray:
    """(n, …) values of a numeric column, `fill` in rows without a value.

    The column itself if it is not numeric, lengths differ, or its dtype cannot hold `fill`.
    """
    values = column_values(column)
    if values is not None:
        return values
    valid = np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
    there = column_values(column.filter(pa.array(valid)))
    if there is None or there.dtype.kind not in "biuf" or valid.all():
        return column
    if there.dtype.kind != "f" and np.isnan(fill):
        return column
    filled = np.full((len(column), *there.shape[1:]), fill, dtype=there.dtype)
    filled[valid] = there
    return filled


def lacks_values(column: pa.ChunkedArray) -> bool:
    """True if a value of a column, or one inside its lists, is null."""
    flat = column.combine_chunks()
    while is_list(flat.type):
        if flat.null_count:
            return True
        flat = pc.list_flatten(flat)
    return bool(flat.null_count)
