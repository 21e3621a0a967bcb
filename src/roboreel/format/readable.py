"""What lerobot can read from a column: numbers, strings and images, and nothing else."""

from __future__ import annotations

import pyarrow as pa

from roboreel.format.feature import INDEX_DTYPES, Feature, holds_images, holds_numbers, is_list

LANGUAGE = "language"
"""The dtype of columns that lerobot reads with separate code."""
_MOST_AXES = 5


def why_unreadable(feature: Feature, type_: pa.DataType) -> str | None:
    """Say why lerobot cannot read a row with this column; None if it can.

    Args:
        feature: its declaration, or the one it would get.
        type_: the column's type in the plain layout.
    """
    if feature.name in INDEX_DTYPES or feature.dtype == LANGUAGE or pa.types.is_null(type_):
        return None
    if feature.dtype == "image":
        known = holds_images(type_) or _is_string(type_) or is_list(type_)
        return None if known else _reads_only(type_)
    if holds_numbers(type_):
        axes = len(feature.shape)
        return (
            f"lerobot reads up to {_MOST_AXES} dimensions, this has {axes}"
            if axes > _MOST_AXES
            else None
        )
    return None if _is_string(type_) else _reads_only(type_)


def _reads_only(type_: pa.DataType) -> str:
    what = "lists of strings" if is_list(type_) and _is_string(_innermost(type_)) else str(type_)
    return f"lerobot reads numbers, strings and images, but not {what}"


def _innermost(type_: pa.DataType) -> pa.DataType:
    while is_list(type_):
        type_ = type_.value_type
    return type_


def _is_string(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))
