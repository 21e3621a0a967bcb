"""Sorted numbers of episodes, from which bounds and quantiles are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.types import Floats, Int64

_Numbers = npt.NDArray[Any]  # Any: of whatever type the table has
_LOOKED_AT = 16
_MOST_ROWS, _MOST_NUMBERS = 1 << 17, 1 << 19


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """Columns of numbers, those of each episode in ascending order, NaN last."""

    columns: _Numbers
    """(width, n) in a type that sorts in the same order."""
    starts: Int64
    """(episodes,) where each begins."""
    lengths: Int64
    """(episodes,) number of rows of each, more than 0."""

    def interpolated(self, shares: Sequence[float]) -> Floats:
        """(shares, episodes, width) numpy's linear quantiles, to the bit; NaN where there is one."""
        rank = np.asarray(shares, dtype=np.float64)[:, None] * (self.lengths - 1)
        floor = np.floor(rank)
        part = (rank - floor)[:, :, None]
        below = floor.astype(np.int64)
        above = np.minimum(below + 1, self.lengths - 1)
        rows = np.concatenate([below, above, self.lengths[None] - 1]) + self.starts
        found = self._at(rows)
        low, high, last = found[: len(shares)], found[len(shares) : -1], found[-1]
        with np.errstate(invalid="ignore", over="ignore"):  # of infinity comes NaN, as numpy has it
            gap = high - low
            between = np.where(part >= 0.5, high - gap * (1 - part), low + gap * part)
        return np.where(np.isnan(last), np.nan, between)

    def ranked(self, shares: Sequence[float]) -> Floats:
        """(shares, episodes, width) the numbers at the ranks ⌈share·n⌉; NaN counts as the largest."""
        wanted = np.asarray(shares, dtype=np.float64)[:, None] * self.lengths
        rank = np.maximum(np.ceil(wanted).astype(np.int64) - 1, 0)
        return self._at(self.starts + rank)

    def _at(self, rows: Int64) -> Floats:
        """(*rows, width) the numbers in these rows."""
        found = np.take(self.columns, rows, axis=1)
        with np.errstate(invalid="ignore"):  # signalling NaNs become quiet ones
            return np.moveaxis(found, 0, -1).astype(np.float64, order="C")


def ordered(columns: _Numbers, starts: Int64, lengths: Int64) -> Ordered:
    """Sort the numbers of each episode.

    They are sorted in their own type, which is far cheaper for float32, and gives the same: making float64 of
    numbers keeps their order. Columns that already ascend, such as index columns, are left as they are.

    Args:
        columns: (width, n) numbers, episode after episode; may be sorted in place.
        starts: (episodes,) where each begins.
        lengths: (episodes,) rows of each, more than 0; n together.
    """
    if not _ascends(columns, starts, lengths):
        columns = np.ascontiguousarray(columns)
        if len(lengths) and bool((lengths == lengths[0]).all()):
            columns.reshape(len(columns), len(lengths), int(lengths[0])).sort(axis=2)
        else:
            for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
                columns[:, start : start + length].sort(axis=1)
    return Ordered(columns, starts, lengths)


def _ascends(columns: _Numbers, starts: Int64, lengths: Int64) -> bool:
    """True where each episode's numbers are in order; NaN is in order with no other number."""
    head = columns[:, : min(_LOOKED_AT, int(lengths[0]))]
    if not bool((head[:, 1:] >= head[:, :-1]).all()):
        return False
    rises = columns[:, 1:] >= columns[:, :-1]
    rises[:, starts[1:] - 1] = True  # from one episode to the next
    return bool(rises.all())


def as_columns(values: npt.NDArray[np.generic]) -> _Numbers:
    """(width, n) of (n, …) numbers, copied, in a type that numpy sorts well and in the same order."""
    flat = values.reshape(len(values), -1).T
    if flat.dtype.kind == "b":
        return np.array(flat.view(np.uint8), order="C")
    if flat.dtype == np.float16:
        return np.array(flat, dtype=np.float32, order="C")
    known = flat.dtype.kind in "iu" or flat.dtype in (np.float32, np.float64)
    return np.array(flat, dtype=None if known else np.float64, order="C")


def rows_at_once(values: npt.NDArray[np.generic]) -> int:
    """How many rows of (n, …) numbers are described in one go: few enough to stay near the processor."""
    return min(_MOST_ROWS, max(1, _MOST_NUMBERS * len(values) // max(1, values.size)))


def portions(lengths: Int64, *, rows: int) -> Iterator[tuple[slice, slice]]:
    """Episodes in portions of about so many rows, at least one: which episodes, and which rows."""
    stops = np.cumsum(lengths)
    first, begin = 0, 0
    while first < len(lengths):
        last = max(first + 1, int(np.searchsorted(stops, begin + rows, side="right")))
        end = int(stops[last - 1])
        yield slice(first, last), slice(begin, end)
        first, begin = last, end
