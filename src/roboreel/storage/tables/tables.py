"""Read parquet files: footers, columns, row ranges."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from os import SEEK_END, fstat, stat
from os.path import samestat
from typing import IO, Any, Literal, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from roboreel.errors import StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import Root
from roboreel.storage.tables import tables_memory
from roboreel.storage.tables.tables_layout import plain_schema, plain_table
from roboreel.storage.tables.tables_memory import Sizes

Access: TypeAlias = Literal["rows", "columns"]
"""How a file will be read: whole rows, or a few small columns in the calling thread alone."""

_LFS = b"version https://git-lfs"
_READ_WHOLE_BYTES = 1 << 18
"""With "columns", local files up to this size are read at once, which is faster than seeking."""

_ROWS_FOR_THREADS = 5_000
"""For fewer rows, starting threads takes longer than reading."""
_MANY_GROUPS = 64
"""With more row groups than this, columns are prefetched, because each row group would need its own read."""

# pyarrow has no types; these are the errors that it raises for damaged files
_DAMAGED = (pa.ArrowInvalid, pa.ArrowException, OSError, ValueError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Footer:
    """Facts from a parquet file's footer."""

    rows: int
    row_group_rows: tuple[int, ...]
    schema: pa.Schema
    """The types after reading: plain ones, without dictionaries and views."""
    stored: pa.Schema
    """The types in the file."""


class _Kept(NamedTuple):
    """The rows that were read last."""

    first: int
    """Their first row group."""
    last: int
    """The row group after their last one."""
    begin: int
    """Number of their first row in the file."""
    columns: tuple[str, ...] | None
    table: pa.Table


class TableFile:
    """An open parquet file, read by row ranges. The last row groups read are kept for the next range."""

    def __init__(self, root: Root, name: str, access: Access = "rows") -> None:
        self.name = name
        self._threads = access == "rows"
        root, own = root.root_of(name)
        self._local = isinstance(root, LocalRoot)
        self._handle = root.input(own)
        try:
            self._input = _arrow_input(root, own, self._handle, access)
            prefetch = self._threads or not isinstance(root, LocalRoot)
            self._file: Any = pq.ParquetFile(self._input, pre_buffer=prefetch)
            if not prefetch and self._file.metadata.num_row_groups > _MANY_GROUPS:
                known = self._file.metadata
                self._file = pq.ParquetFile(self._input, metadata=known, pre_buffer=True)
            self.footer = _footer(self._file)
            _refuse_twins(self.footer.schema.names)
            _refuse_nonsense(self.footer)
            self._sizes = Sizes(
                name,
                self._file.metadata,
                schema=self.footer.stored,
                row_group_rows=self.footer.row_group_rows,
            )
            self._begins = [0, *accumulate(self.footer.row_group_rows)]
        except _DAMAGED as error:
            reason = _why_unreadable(self._handle, error)
            self._handle.close()
            raise StorageError(f"'{name}': {reason}") from error
        self._kept: _Kept | None = None

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole file, or some of its columns."""
        groups = range(len(self.footer.row_group_rows))
        self._sizes.refuse_bomb(groups, columns)
        with self._explained():
            names = list(columns) if columns is not None else None
            if self._sizes.are_large(groups, names):
                table = pa.concat_tables(self._parts(self._file, groups, names, self.footer.rows))
            else:
                table = self._plain(
                    self._file.read(columns=names, use_threads=self._threads), names
                )
            table.validate(full=True)  # this also checks that strings are UTF-8
            return table

    def row_bytes(self, columns: Sequence[str] | None = None) -> int:
        """Approximate bytes in memory of a row, in all or some columns; at least one."""
        return self._sizes.row_bytes(columns)

    def is_large(self, columns: Sequence[str] | None = None) -> bool:
        """True if a row group takes so much memory that it must be read in parts."""
        groups = range(len(self.footer.row_group_rows))
        return any(self._sizes.are_large([group], columns) for group in groups)

    def rows(self, start: int, stop: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows `[start, stop)`, in all or some columns."""
        if not 0 <= start <= stop <= self.footer.rows:
            raise StorageError(
                f"'{self.name}': rows [{start}, {stop}) of a file of {self.footer.rows}"
            )
        names = None if columns is None else tuple(columns)
        first, last, begin = self._groups(start, stop)
        kept = self._kept
        if kept is None or kept.columns != names or not kept.first <= first < kept.last:
            kept = _Kept(first, last, begin, names, self._read_groups(first, last, names))
        elif last > kept.last:  # continues the rows that were read last
            known = kept.table.slice(begin - kept.begin)
            more = self._read_groups(kept.last, last, names)
            kept = _Kept(first, last, begin, names, pa.concat_tables([known, more]))
        self._kept = kept
        return kept.table.slice(start - kept.begin, stop - start)

    def _read_groups(self, first: int, last: int, columns: Sequence[str] | None) -> pa.Table:
        self._sizes.refuse_bomb(range(first, last), columns)
        counts = self.footer.row_group_rows[first:last]
        many = sum(counts) >= _ROWS_FOR_THREADS
        groups, names = list(range(first, last)), None if columns is None else list(columns)
        with self._explained():
            if not self._sizes.are_large(groups, names):
                try:
                    read = self._file.read_row_groups(groups, columns=names, use_threads=many)
                    return self._plain(read, names)
                except pa.ArrowNotImplementedError:  # too large for a chunk: few values, repeated
                    pass
            return pa.concat_tables(self._parts(self._file, groups, names, sum(counts)))

    def cells(self, column: str, start: int, stop: int, *, rows: int) -> Iterator[pa.Array]:
        """The values of one column in the rows `[start, stop)`, in parts of at most `rows` rows."""
        first, last, at = self._groups(start, stop)
        with self._explained():
            for part in self._parts(self._file, range(first, last), [column], rows):
                begin, end = max(start - at, 0), min(stop - at, len(part))
                at += len(part)
                if begin < end:
                    yield from part[column].slice(begin, end - begin).chunks

    def batches(
        self, columns: Sequence[str] | None, *, rows: int, first_group: int = 0
    ) -> Iterator[pa.Table]:
        """All or some columns of the file from a row group on, in parts of at most `rows` rows."""
        names = None if columns is None else list(columns)
        with self._explained():
            file = self._file
            if self._local:  # a local file need not be kept in memory
                known = self._file.metadata
                file = pq.ParquetFile(self._input, metadata=known, buffer_size=_READ_WHOLE_BYTES)
            groups = range(first_group, len(self.footer.row_group_rows))
            for part in self._parts(file, groups, names, rows):
                yield part if names is None else part.select(names)

    def _parts(
        self, file: Any, groups: Iterable[int], columns: list[str] | None, rows: int
    ) -> Iterator[pa.Table]:
        """Row groups in parts of at most `rows` rows, fewer if rows take much memory."""
        most = min(rows, max(1, tables_memory.PART_BYTES // self._sizes.row_bytes(columns)))
        for group in groups:
            done, count = 0, self.footer.row_group_rows[group]
            while done < count:
                try:
                    for part in self._parts_of(file, group, columns, most, done):
                        done += len(part)
                        yield part
                    break
                except pa.ArrowNotImplementedError:  # too large for a chunk: few values, repeated
                    if most == 1:
                        raise
                    most = max(1, most // 2)

    def _parts_of(
        self, file: Any, group: int, columns: list[str] | None, rows: int, done: int
    ) -> Iterator[pa.Table]:
        """A row group without its first `done` rows, in parts of `rows` rows."""
        at, count = 0, self.footer.row_group_rows[group]
        for batch in file.iter_batches(rows, row_groups=[group], columns=columns):
            begin = max(done - at, 0)
            at += len(batch)
            if begin < len(batch):
                yield self._plain(pa.Table.from_batches([batch.slice(begin)]), columns)
        if at != count:  # otherwise later rows would get wrong row numbers
            raise ValueError(f"row group {group} has {at - count} rows more than its footer says")

    def _plain(self, table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
        """Convert to the plain layout, and drop columns whose names only start like a requested one."""
        wanted = frozenset(columns or ())
        if columns is not None and not wanted.issuperset(table.column_names):
            table = table.select([name for name in table.column_names if name in wanted])
        if self.footer.schema is not self.footer.stored:
            table = plain_table(table, self.footer.schema)
        return table

    def group_of(self, row: int) -> tuple[int, int]:
        """(number of the row group that contains a row, number of that group's first row)."""
        group, _, begin = self._groups(row, row + 1)
        return group, begin

    def close(self) -> None:
        """Close the file."""
        self._kept = None
        self._file.close()
        self._input.close()
        self._handle.close()

    def _groups(self, start: int, stop: int) -> tuple[int, int, int]:
        """(first, stop) of the row groups that contain `[start, stop)`, and the first row of the first."""
        begins = self._begins
        first = max(0, bisect_right(begins, start, 0, len(begins) - 1) - 1)
        last = bisect_left(begins, stop, first + 1)
        return first, min(last, len(self.footer.row_group_rows)), begins[first]

    def _explained(self) -> _Explained:
        return _Explained(self.name)

    def __enter__(self) -> TableFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Explained:
    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, _DAMAGED):
            raise StorageError(f"'{self._name}': damaged parquet file ({error})") from error


def row_ranges(row_group_rows: Sequence[int], *, least: int) -> Iterator[range]:
    """Row ranges of complete row groups, with at least `least` rows in each but the last."""
    start = 0
    for stop in accumulate(row_group_rows):
        if stop - start >= least:
            yield range(start, stop)
            start = stop
    if start < sum(row_group_rows):
        yield range(start, sum(row_group_rows))


def read_table(root: Root, name: str, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a complete parquet file, or the columns in `columns` that it has.

    Raises:
        StorageError: the file cannot be read.
    """
    with TableFile(root, name) as file:
        if columns is None:
            return file.read()
        return file.read([name for name in columns if name in file.footer.schema.names])


def read_footer(root: Root, name: str) -> Footer:
    """Rows, row groups and schema of a parquet file, without its rows."""
    with TableFile(root, name) as file:
        return file.footer


def uncompressed_bytes(root: Root, name: str) -> int:
    """What the columns of a table file take without compression, as its footer says."""
    with root.input(name) as file:
        try:
            footer = pq.ParquetFile(file).metadata
        except _DAMAGED as error:
            raise StorageError(f"'{name}' in '{root.url}': {error}") from error
    groups = (footer.row_group(at) for at in range(footer.num_row_groups))
    return sum(group.total_byte_size for group in groups)


def _refuse_twins(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two columns are named '{name}'")
        seen.add(name)


def _refuse_nonsense(footer: Footer) -> None:
    counts = footer.row_group_rows
    if min(counts, default=0) < 0 or sum(counts) != footer.rows:
        raise ValueError(
            f"its footer gives {footer.rows} rows, but its row groups have a different number"
        )


def _footer(file: Any) -> Footer:
    groups = (file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))
    stored = file.schema_arrow
    return Footer(file.metadata.num_rows, tuple(groups), plain_schema(stored), stored)


def _arrow_input(root: Root, name: str, handle: IO[bytes], access: Access) -> Any:
    if isinstance(root, LocalRoot):
        if access == "columns" and handle.seek(0, SEEK_END) <= _READ_WHOLE_BYTES:
            handle.seek(0)
            return pa.BufferReader(handle.read())
        file = pa.OSFile(str(root.path / name))
        # compare with the path: older pyarrow releases give no access to the file's own descriptor
        if samestat(stat(root.path / name), fstat(handle.fileno())):
            return file
        raise ValueError("the file was replaced while it was read")
    return handle


def _why_unreadable(handle: IO[bytes], error: BaseException) -> str:
    handle.seek(0)
    head = handle.read(len(_LFS))
    if not head:
        return "the file is empty"
    if head == _LFS:
        return "this is a git-LFS pointer, not the table: run 'git lfs pull'"
    return f"not a readable parquet file ({error})"
