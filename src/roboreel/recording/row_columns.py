"""The rows of the episode in progress, column by column, in arrays that grow."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.format.feature import Feature, arrow_type
from roboreel.format.table_schema import column_type
from roboreel.format.values import nested_column
from roboreel.recording.language_entries import language_column

_FIRST_ROWS = 256


class RowColumn(Protocol):
    """A column of the episode in progress."""

    def add(self, value: Any) -> None:
        """Append a checked value; it is copied."""

    def column(self) -> pa.Array:
        """All values as the table stores them."""

    def clear(self) -> None:
        """Forget all values."""


def row_column(feature: Feature) -> RowColumn:
    """An empty column for a feature that is neither a camera nor an index column."""
    return NumericColumn(feature) if feature.is_numeric else ObjectColumn(column_type(feature))


class NumericColumn:
    """Values of one shape and dtype, in one array that doubles when it is full."""

    def __init__(self, feature: Feature) -> None:
        self._feature = feature
        shape = (_FIRST_ROWS, *(feature.shape or (1,)))
        self._values: npt.NDArray[np.generic] = np.empty(shape, dtype=feature.dtype)
        self._rows = 0

    def add(self, value: npt.NDArray[np.generic]) -> None:
        """Append a value of the feature's shape."""
        if self._rows == len(self._values):
            self._values = np.concatenate([self._values, np.empty_like(self._values)])
        self._values[self._rows] = value
        self._rows += 1

    def column(self) -> pa.Array:
        """All values, as plain values or nested lists."""
        return nested_column(self._values[: self._rows], arrow_type(self._feature))

    def clear(self) -> None:
        """Forget all values; the memory is kept for the next episode."""
        self._rows = 0


class ObjectColumn:
    """Strings and language entries."""

    def __init__(self, type_: pa.DataType) -> None:
        self.type = type_
        self._values: list[Any] = []

    def add(self, value: Any) -> None:
        """Append a string, or checked entries."""
        self._values.append(value)

    def column(self) -> pa.Array:
        """All values in an array of the column's type."""
        if pa.types.is_string(self.type):
            return pa.array(self._values, self.type)
        return language_column(self._values, self.type)

    def clear(self) -> None:
        """Forget all values."""
        self._values = []
