"""A column that no file has yet: its declaration and its values, from what a user gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.errors import UsageError, counted
from roboreel.format.feature import Feature, dtype_of, holds_numbers
from roboreel.format.values import column_values, lacks_values
from roboreel.types import Json

_ARROW_NAMES = {"float16": "halffloat", "float32": "float", "float64": "double"}


def new_column(
    name: str, values: Any, dtype: str | None, shape: Sequence[int] | None, names: Json
) -> tuple[Feature, pa.ChunkedArray]:
    """The declaration and the column of a new feature.

    Args:
        name: its name.
        values: (rows, …) an array or something that becomes one, or an Arrow column.
        dtype: its dtype; by default that of the values.
        shape: its shape; by default that of the values.
        names: names of its dimensions: a list with one for each, or for each value of a vector; or such a
            list by the name of a group.

    Raises:
        UsageError: the values are no numbers, booleans or texts, or do not fit what is declared.
    """
    flat, found = _flat(name, values)
    kind = dtype_of(flat.type) if dtype is None else dtype
    wanted = found if shape is None else _shape(name, shape)
    if wanted != found:
        raise UsageError(f"'{name}': the values have shape {list(found)}, not {list(wanted)}")
    declared = _names(name, names, wanted)
    spec = {"dtype": kind, "shape": list(wanted), "names": declared}
    feature = Feature(name=name, dtype=kind, shape=wanted, spec=spec)
    if not feature.is_numeric and kind != "string":
        raise UsageError(
            f"'{name}': '{kind}' is not a supported dtype: expected a number type, bool or string"
        )
    if feature.is_numeric == pa.types.is_string(flat.type):
        raise UsageError(f"'{name}': the values are {dtype_of(flat.type)}, not {kind}")
    if kind == "string" and wanted != (1,):
        raise UsageError(f"'{name}': expected one string for each row, not {list(wanted)}")
    return feature, _nested(_cast(name, flat, feature), wanted)


def _flat(name: str, values: Any) -> tuple[pa.Array, tuple[int, ...]]:
    """All values in a row, and the shape of those of one row."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            if column.null_count:
                raise UsageError(f"'{name}': {counted(column.null_count, 'row')} without a value")
            return column.cast(pa.string()).combine_chunks(), (1,)
        values = _of_arrow(name, column)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise UsageError(f"'{name}': the values have different shapes: {error}") from error
    wide = array.dtype.kind != "U" and array.dtype.itemsize > 8
    if array.ndim == 0 or array.dtype.kind not in "biufU" or wide:
        raise UsageError(
            f"'{name}': expected an array with a number, boolean or string for each row,"
            f" got {_described(array)}"
        )
    shape = tuple(array.shape[1:]) or (1,)
    if 0 in shape:
        raise UsageError(f"'{name}': values of shape {list(shape)} are empty")
    if array.dtype.kind == "U":
        return pa.array(array.reshape(-1).tolist(), pa.string()), shape
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return pa.array(native.reshape(-1)), shape


def _described(array: np.ndarray[Any, Any]) -> str:
    return "a single value" if array.ndim == 0 else f"values of type {array.dtype}"


def _of_arrow(name: str, column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    if not holds_numbers(column.type):
        raise UsageError(
            f"'{name}': unsupported type {column.type}: expected numbers, booleans or strings"
        )
    found = column_values(column)
    if found is None:
        why = "values are missing" if lacks_values(column) else "rows have different lengths"
        raise UsageError(f"'{name}': {why}")
    return found


def _shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    try:
        return tuple(int(size) for size in shape) or (1,)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"'{name}': {shape!r} is not a shape: expected positive whole numbers"
        ) from error


def _names(name: str, names: object, shape: tuple[int, ...]) -> Json:
    """The names as a document has them, where they fit the shape."""
    if names is None:
        return None
    if isinstance(names, Mapping):
        return {str(group): _names(name, listed, shape) for group, listed in names.items()}
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise UsageError(f"'{name}': {names!r} is not a list of names")
    listed = list(names)
    if not all(isinstance(one, str) and one for one in listed) or len(set(listed)) < len(listed):
        raise UsageError(f"'{name}': names must be different strings, got {listed}")
    if len(listed) not in {shape[0], len(shape) if len(shape) > 1 else shape[0]}:
        raise UsageError(f"'{name}': {len(listed)} names for shape {list(shape)}")
    return listed


def _cast(name: str, flat: pa.Array, feature: Feature) -> pa.Array:
    if not feature.is_numeric or dtype_of(flat.type) == feature.dtype:
        return flat
    wanted = pa.type_for_alias(_ARROW_NAMES.get(feature.dtype, feature.dtype))
    try:
        cast = flat.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UsageError(f"'{name}': the values are not all {feature.dtype}: {error}") from error
    if _loses_more_than_precision(flat, cast):
        raise UsageError(f"'{name}': the values are not all {feature.dtype}: some are out of range")
    return cast


def _loses_more_than_precision(flat: pa.Array, cast: pa.Array) -> bool:
    """True where numbers became booleans that are neither 0 nor 1, or infinite: Arrow lets both pass."""
    before, after = (part.to_numpy(zero_copy_only=False) for part in (flat, cast))
    if after.dtype.kind == "b":
        return bool((before != after).any())
    return bool((np.isfinite(before) & ~np.isfinite(after)).any())


def _nested(flat: pa.Array, shape: tuple[int, ...]) -> pa.ChunkedArray:
    """Plain values, for vectors lists of fixed length, for more lists of lists: as `datasets` has them."""
    if shape == (1,):
        return pa.chunked_array([flat])
    if len(shape) == 1:
        return pa.chunked_array([pa.FixedSizeListArray.from_arrays(flat, shape[0])])
    column = flat
    for size in reversed(shape):
        starts = pa.array(np.arange(0, len(column) + 1, size, dtype=np.int32))
        column = pa.ListArray.from_arrays(starts, column)
    return pa.chunked_array([column])
