"""Columns of one table file: the numbers in index columns, and the list lengths of undeclared columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format.feature import is_list
from roboreel.storage.tables.tables import TableFile
from roboreel.types import Floats, Int64

_SIGNED = frozenset([pa.int8(), pa.int16(), pa.int32(), pa.int64()])
_PLAIN = frozenset([pa.int64(), pa.float32()])
_ROWS_AT_ONCE = 1 << 16
"""Most rows read at once."""
_EXACT = 1 << 53
"""Whole numbers below this are exact in float64; nothing in a dataset is as large."""


class IndexColumn:
    """A column of numbers, plain or in one-value lists."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column
        self._listed, self.type, self.holds_numbers = _value_type(column.type)

    @property
    def is_plain(self) -> bool:
        """True for int64 and float32 values that are not in lists."""
        return not self._listed and self.type in _PLAIN

    @property
    def is_complete(self) -> bool:
        """True if there are no nulls."""
        return not self._column.null_count

    @cached_property
    def raw(self) -> npt.NDArray[np.generic]:
        """(rows,) the numbers of a plain, complete column, in its own type."""
        return np.asarray(self._column.to_numpy())

    def numbers(self, start: int, stop: int) -> Floats:
        """(stop - start,) float64: rows `[start, stop)`; NaN for null."""
        if self._listed:  # lists may have any length: flattened, rows would shift
            return _numbers(self._column.slice(start, stop - start))
        return self._numbers[start:stop]

    def whole_numbers(self, start: int, stop: int) -> Int64:
        """(stop - start,) int64: rows `[start, stop)`; -1 for null and beyond 2^53."""
        if self._listed:
            return _whole(self.numbers(start, stop))
        return self._whole_numbers[start:stop]

    @cached_property
    def _numbers(self) -> Floats:
        return _numbers(self._column)

    @cached_property
    def _whole_numbers(self) -> Int64:
        if self.type in _SIGNED and not self._column.null_count:
            numbers = self._column.to_numpy().astype(np.int64, copy=False)
            if not len(numbers) or (numbers.max() < _EXACT and numbers.min() > -_EXACT):
                return np.asarray(numbers)
        return _whole(self._numbers)


@lru_cache(maxsize=256)
def _value_type(type_: pa.DataType) -> tuple[bool, pa.DataType, bool]:
    """(whether values are lists, the type inside, whether it is numeric); cached, as files share types."""
    listed = is_list(type_)
    inner = type_.value_type if listed else type_
    return listed, inner, bool(pa.types.is_integer(inner) or pa.types.is_floating(inner))


def distinct(numbers: Int64) -> list[int]:
    """Distinct values, ascending."""
    if len(numbers) and bool((numbers == numbers[0]).all()):  # the usual case needs no sort
        return [int(numbers[0])]
    return [int(number) for number in np.unique(numbers)]


def _numbers(column: pa.ChunkedArray) -> Floats:
    flat = pc.list_flatten(column) if is_list(column.type) else column
    if flat.null_count:
        flat = flat.cast(pa.float64(), safe=False)  # nanoseconds since 1970 need not be exact here
    return np.asarray(flat.to_numpy(zero_copy_only=False)).astype(np.float64, copy=False)


def _whole(numbers: Floats) -> Int64:
    return np.where(np.abs(numbers) < _EXACT, numbers, -1).astype(np.int64)


class _Lengths(NamedTuple):
    """The lengths of lists at one nesting level; None if there are no lists."""

    shortest: int | None
    longest: int | None
    missing: bool
    """True if a list is null."""

    @property
    def length(self) -> int:
        """The common length; if lengths differ the longest, at least 2, so that it isn't read as scalar."""
        same = self.shortest == self.longest and not self.missing
        return max(self.longest or 0, 1 if same else 2)

    def merged(self, other: _Lengths) -> _Lengths:
        """The lengths of both sets of lists."""
        shortest = [length for length in (self.shortest, other.shortest) if length is not None]
        longest = [length for length in (self.longest, other.longest) if length is not None]
        missing = self.missing or other.missing
        return _Lengths(min(shortest, default=None), max(longest, default=None), missing)


def undeclared_shapes(file: TableFile, declared: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The shape of each undeclared list column: the list length at each nesting level.

    Raises:
        StorageError: the file cannot be read.
    """
    schema = file.footer.schema
    types = {f.name: f.type for f in schema if f.name not in declared and is_list(f.type)}
    found = {name: list(_levels(pa.array([], type_))) for name, type_ in types.items()}
    if not found:
        return {}
    for table in file.batches([*types], rows=_ROWS_AT_ONCE):
        for name, known in found.items():
            for chunk in table[name].chunks:
                levels = zip(known, _levels(chunk), strict=True)
                known[:] = [lengths.merged(more) for lengths, more in levels]
    return {name: tuple(lengths.length for lengths in known) for name, known in found.items()}


def _levels(column: pa.Array) -> Iterator[_Lengths]:
    """The list lengths at each nesting level, outermost first."""
    while is_list(column.type):
        bounds = pc.min_max(pc.list_value_length(column)).as_py()
        yield _Lengths(bounds["min"], bounds["max"], column.null_count > 0)
        column = pc.list_flatten(column)
