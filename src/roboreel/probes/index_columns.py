"""The numbers in an index column of a table file, by row ranges."""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.format.feature import is_list
from roboreel.types import Floats, Int64

_SIGNED = frozenset([pa.int8(), pa.int16(), pa.int32(), pa.int64()])
_PLAIN = frozenset([pa.int64(), pa.float32()])
_EXACT = 1 << 53
"""Beyond this, whole numbers are no longer exact in float64, and nothing in a dataset is as large."""


class IndexColumn:
    """A column of numbers, also where each is wrapped in a list of one."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._column = column
        self._listed, self.type, self.holds_numbers = _form(column.type)

    @property
    def is_plain(self) -> bool:
        """True for 64-bit whole numbers and 32-bit floats that are not in lists."""
        return not self._listed and self.type in _PLAIN

    @property
    def is_whole(self) -> bool:
        """True where no row lacks its number."""
        return not self._column.null_count

    @cached_property
    def raw(self) -> npt.NDArray[np.generic]:
        """(rows,) the numbers of a plain, whole column, in its own type."""
        return np.asarray(self._column.to_numpy())

    def numbers(self, start: int, stop: int) -> Floats:
        """(stop - start,) the rows `[start, stop)` as float64; NaN where null."""
        if self._listed:  # lists need not be of one: flattened, rows would shift
            return _numbers(self._column.slice(start, stop - start))
        return self._numbers[start:stop]

    def whole_numbers(self, start: int, stop: int) -> Int64:
        """(stop - start,) the rows `[start, stop)`; -1 where null or beyond 2^53."""
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
def _form(type_: pa.DataType) -> tuple[bool, pa.DataType, bool]:
    """Whether values are lists, the type inside, and whether it is a number's; files share types."""
    listed = is_list(type_)
    inner = type_.value_type if listed else type_
    return listed, inner, bool(pa.types.is_integer(inner) or pa.types.is_floating(inner))


def distinct(numbers: Int64) -> list[int]:
    """The distinct values, ascending."""
    if len(numbers) and bool((numbers == numbers[0]).all()):  # as nearly always: no need to sort
        return [int(numbers[0])]
    return [int(number) for number in np.unique(numbers)]


def _numbers(column: pa.ChunkedArray) -> Floats:
    flat = pc.list_flatten(column) if is_list(column.type) else column
    if flat.null_count:
        flat = flat.cast(pa.float64(), safe=False)  # nanoseconds since 1970 need not be exact here
    return np.asarray(flat.to_numpy(zero_copy_only=False)).astype(np.float64, copy=False)


def _whole(numbers: Floats) -> Int64:
    return np.where(np.abs(numbers) < _EXACT, numbers, -1).astype(np.int64)
