"""Read a parquet file from beginning to end without holding complete row groups in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.storage.tables.tables import TableFile

_LARGE_ROWS = 1 << 17
"""Row groups with more rows than this are read in parts, which also takes only a third of the time."""
_PART_ROWS = 1 << 16


class Forward:
    """Reads some columns of an open file by ascending row ranges; other orders work, but are slower."""

    def __init__(self, file: TableFile, columns: Sequence[str] | None) -> None:
        self.file = file
        self.columns = None if columns is None else tuple(columns)
        many = max(file.footer.row_group_rows, default=0) > _LARGE_ROWS
        self._large = many or file.is_large(self.columns)
        self._parts: Iterator[pa.Table] | None = None
        self._held: list[pa.Table] = []
        self._begin = self._end = 0
        """The range of rows in memory."""

    def rows(self, start: int, stop: int) -> pa.Table:
        """The rows `[start, stop)`."""
        known = 0 <= start < stop <= self.file.footer.rows
        if not self._large or not known or start < self._begin:
            return self._ordered(self.file.rows(start, stop, self.columns))
        group, begin = self.file.group_of(start)
        if self._parts is None or begin > self._end:
            self._parts = self.file.batches(self.columns, rows=_PART_ROWS, first_group=group)
            self._held, self._begin, self._end = [], begin, begin
        self._drop(start)
        while self._end < stop:
            part = next(self._parts, None)
            if part is None:
                raise StorageError(
                    f"'{self.file.name}': the file ends before row {stop}, which its footer promises"
                )
            self._held.append(part)
            self._end += len(part)
            self._drop(start)
        whole = pa.concat_tables(self._held)
        return self._ordered(whole.slice(start - self._begin, stop - start))

    def _drop(self, start: int) -> None:
        """Drop held parts that end before a row."""
        while self._held and self._begin + len(self._held[0]) <= start:
            self._begin += len(self._held.pop(0))

    def _ordered(self, table: pa.Table) -> pa.Table:
        return table if self.columns is None else table.select(list(self.columns))
