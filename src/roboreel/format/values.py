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


def nested_column(values: npt.NDArray[np.generic], type_: pa.DataType) -> pa.Array:
    """(n, …) values as a column of a type with as many nested lists, or of plain values."""
    if not is_list(type_):
        return pa.array(values.reshape(len(values)), type_)
    values = values if values.ndim > 1 else values[:, None]
    width = values.shape[1]
    inner = nested_column(values.reshape(len(values) * width, *values.shape[2:]), type_.value_type)
    if pa.types.is_fixed_size_list(type_):
        return pa.FixedSizeListArray.from_arrays(inner, type=type_)
    offsets = np.arange(len(values) + 1, dtype=np.int64) * width
    if pa.types.is_large_list(type_):
        return pa.LargeListArray.from_arrays(pa.array(offsets), inner).cast(type_)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner).cast(type_)


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
