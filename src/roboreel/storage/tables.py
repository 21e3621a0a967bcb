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
from roboreel.storage.fs import LocalRoot, Root

_MOST_BYTES = 2 << 30
"""What one read may take in memory beyond what stands on disk. A few kilobytes can say "this number, 2³¹
times", by the format."""
_WIDTH = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 8}
Access: TypeAlias = Literal["rows", "columns"]
"""How a file will be read: whole rows, or a few small columns of it in this thread alone."""

_LFS = b"version https://git-lfs"
_READ_WHOLE_BYTES = 1 << 18
"""For a few columns, a local file up to this size is read at once: cheaper than seeking about in it."""

_ROWS_FOR_THREADS = 5_000
"""For fewer rows, starting threads takes longer than reading."""
_MANY_GROUPS = 64
"""Of more row groups, a column is read ahead: each would be a read of its own."""
_SAMPLED_GROUPS = 16
"""Row groups by which the size of a row is judged."""

# pyarrow ships no types; these are the errors it raises for files that are not what they should be
_DAMAGED = (pa.ArrowInvalid, pa.ArrowException, OSError, ValueError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Footer:
    """What a parquet file's footer says."""

    rows: int
    row_group_rows: tuple[int, ...]
    schema: pa.Schema


class _Kept(NamedTuple):
    """Rows that were read last."""

    first: int
    """The first of their row groups."""
    last: int
    """The row group after theirs."""
    begin: int
    """The first of them in the file."""
    columns: tuple[str, ...] | None
    table: pa.Table


class TableFile:
    """An open parquet file, read by row ranges. The last row groups read are kept for the next range."""

    def __init__(self, root: Root, name: str, access: Access = "rows") -> None:
        self.name = name
        self._threads = access == "rows"
        root, own = root.place_of(name)
        self._local = isinstance(root, LocalRoot)
        self._handle = root.input(own)
        try:
            self._input = _arrow_input(root, own, self._handle, access)
            ahead = self._threads or not isinstance(root, LocalRoot)
            self._file: Any = pq.ParquetFile(self._input, pre_buffer=ahead)
            if not ahead and self._file.metadata.num_row_groups > _MANY_GROUPS:
                known = self._file.metadata
                self._file = pq.ParquetFile(self._input, metadata=known, pre_buffer=True)
            self.footer = _footer(self._file)
            _refuse_twins(self.footer.schema.names)
            _refuse_nonsense(self.footer)
            self._begins = [0, *accumulate(self.footer.row_group_rows)]
        except _DAMAGED as error:
            reason = _why_unreadable(self._handle, error)
            self._handle.close()
            raise StorageError(f"'{name}': {reason}") from error
        self._kept: _Kept | None = None

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The whole file, or some of its columns."""
        self._refuse_bomb(range(len(self.footer.row_group_rows)), columns)
        with self._explained():
            names = list(columns) if columns is not None else None
            table = self._file.read(columns=names, use_threads=self._threads)
            table.validate(full=True)  # texts in UTF-8, too
            return table

    def row_bytes(self, columns: Sequence[str] | None = None) -> int:
        """Bytes of a row in memory, all columns or some, about; at least one."""
        facts, rows, taken = self._file.metadata, 0, 0
        wanted = frozenset(self.footer.schema.names if columns is None else columns)
        for at in range(min(_SAMPLED_GROUPS, facts.num_row_groups)):
            group = facts.row_group(at)
            for chunk in map(group.column, range(group.num_columns)):
                if chunk.path_in_schema.partition(".")[0] in wanted:
                    numbers = chunk.num_values * _WIDTH.get(chunk.physical_type, 4)
                    taken += max(chunk.total_uncompressed_size, numbers)
            rows += group.num_rows
        return max(1, int(taken // max(1, rows)))

    def rows(self, start: int, stop: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows `[start, stop)`, all columns or some."""
        if not 0 <= start <= stop <= self.footer.rows:
            raise StorageError(
                f"'{self.name}': rows [{start}, {stop}) of a file of {self.footer.rows}"
            )
        names = None if columns is None else tuple(columns)
        first, last, begin = self._groups(start, stop)
        kept = self._kept
        if kept is None or kept.columns != names or not kept.first <= first < kept.last:
            kept = _Kept(first, last, begin, names, self._read_groups(first, last, names))
        elif last > kept.last:  # what follows on what was read last
            known = kept.table.slice(begin - kept.begin)
            more = self._read_groups(kept.last, last, names)
            kept = _Kept(first, last, begin, names, pa.concat_tables([known, more]))
        self._kept = kept
        return kept.table.slice(start - kept.begin, stop - start)

    def _read_groups(self, first: int, last: int, columns: Sequence[str] | None) -> pa.Table:
        self._refuse_bomb(range(first, last), columns)
        counts = self.footer.row_group_rows[first:last]
        many = sum(counts) >= _ROWS_FOR_THREADS
        groups, names = list(range(first, last)), None if columns is None else list(columns)
        with self._explained():
            return self._file.read_row_groups(groups, columns=names, use_threads=many)

    def cells(self, column: str, start: int, stop: int, *, rows: int) -> Iterator[pa.Array]:
        """The values of one column in the rows `[start, stop)`, at most `rows` of them at a time."""
        first, last, at = self._groups(start, stop)
        for number in range(first, last):
            with self._explained():
                read = self._file.iter_batches(rows, row_groups=[number], columns=[column])
                for batch in read:
                    begin, end = max(start - at, 0), min(stop - at, len(batch))
                    at += len(batch)
                    if begin < end:
                        yield batch.column(0).slice(begin, end - begin)

    def batches(
        self, columns: Sequence[str] | None, *, rows: int, first_group: int = 0
    ) -> Iterator[pa.Table]:
        """Some columns of the file from a row group on, or all, at most `rows` rows at a time."""
        names = None if columns is None else list(columns)
        with self._explained():
            file = self._file
            if self._local:  # its bytes need not be held
                known = self._file.metadata
                file = pq.ParquetFile(self._input, metadata=known, buffer_size=_READ_WHOLE_BYTES)
            for group in range(first_group, len(self.footer.row_group_rows)):
                left = self.footer.row_group_rows[group]
                for batch in file.iter_batches(rows, row_groups=[group], columns=names):
                    left -= len(batch)
                    table = pa.Table.from_batches([batch])
                    yield table if names is None else table.select(names)
                if left:  # else the rows after it would be taken for others
                    raise ValueError(
                        f"row group {group} has {-left} rows more than its footer says"
                    )

    def group_of(self, row: int) -> tuple[int, int]:
        """The row group that holds a row, and the first of its rows."""
        group, _, begin = self._groups(row, row + 1)
        return group, begin

    def close(self) -> None:
        """Close the file."""
        self._kept = None
        self._file.close()
        self._input.close()
        self._handle.close()

    def _groups(self, start: int, stop: int) -> tuple[int, int, int]:
        """The row groups that hold `[start, stop)`, and the first row of the first of them."""
        begins = self._begins
        first = max(0, bisect_right(begins, start, 0, len(begins) - 1) - 1)
        last = bisect_left(begins, stop, first + 1)
        return first, min(last, len(self.footer.row_group_rows)), begins[first]

    def _refuse_bomb(self, groups: Iterable[int], columns: Sequence[str] | None) -> None:
        """Raise `StorageError` where what is to be read takes absurdly more memory than bytes on disk."""
        known = list(groups)
        names = self.footer.schema.names if columns is None else columns
        if self._at_most(known, names) <= _MOST_BYTES:
            return
        taken = self._taken(known, frozenset(names))
        if taken > _MOST_BYTES:
            raise StorageError(
                f"'{self.name}': reading it would take {taken >> 20} MiB or more at once:"
                " write it with smaller row groups"
            )

    def _at_most(self, groups: Sequence[int], columns: Sequence[str]) -> int:
        """More than reading some row groups takes; told by a look at the columns of lists alone."""
        schema, metadata = self.footer.schema, self._file.metadata
        wanted = frozenset(columns)
        nested = frozenset(
            f.name for f in schema if f.name in wanted and pa.types.is_nested(f.type)
        )
        taken = 8 * (len(wanted) - len(nested)) * sum(self.footer.row_group_rows[g] for g in groups)
        at = [
            number
            for number in range(metadata.num_columns if groups and nested else 0)
            if metadata.schema.column(number).path.partition(".")[0] in nested
        ]
        for number in groups:
            facts = metadata.row_group(number)
            taken += facts.total_byte_size + 8 * sum(facts.column(c).num_values for c in at)
        return int(taken)

    def _taken(self, groups: Iterable[int], columns: frozenset[str]) -> int:
        """What reading some row groups takes at least, beyond what stands on disk."""
        taken = 0
        for group in groups:
            facts = self._file.metadata.row_group(group)
            for at in range(facts.num_columns):
                chunk = facts.column(at)
                if chunk.path_in_schema.partition(".")[0] in columns:
                    width = _WIDTH.get(chunk.physical_type, 4)
                    taken += max(chunk.num_values, facts.num_rows) * width
                    inflated = chunk.total_uncompressed_size - 8 * chunk.total_compressed_size
                    taken += max(inflated, 0)
        return taken

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


def stretches(row_group_rows: Sequence[int], *, least: int) -> Iterator[range]:
    """The rows of a file in stretches of whole row groups, each but the last of `least` rows at least."""
    start = 0
    for stop in accumulate(row_group_rows):
        if stop - start >= least:
            yield range(start, stop)
            start = stop
    if start < sum(row_group_rows):
        yield range(start, sum(row_group_rows))


def read_table(root: Root, name: str, *, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole parquet file, or those of `columns` that it has.

    Raises:
        StorageError: it cannot be read.
    """
    with TableFile(root, name) as file:
        if columns is None:
            return file.read()
        return file.read([name for name in columns if name in file.footer.schema.names])


def read_footer(root: Root, name: str) -> Footer:
    """Rows, row groups and schema of a parquet file, without its rows."""
    with TableFile(root, name) as file:
        return file.footer


def _refuse_twins(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"two columns are named '{name}'")
        seen.add(name)


def _refuse_nonsense(footer: Footer) -> None:
    counts = footer.row_group_rows
    if min(counts, default=0) < 0 or sum(counts) != footer.rows:
        raise ValueError(f"its footer gives {footer.rows} rows, and others by row groups")


def _footer(file: Any) -> Footer:
    groups = (file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups))
    return Footer(file.metadata.num_rows, tuple(groups), file.schema_arrow)


def _arrow_input(root: Root, name: str, handle: IO[bytes], access: Access) -> Any:
    if isinstance(root, LocalRoot):
        if access == "columns" and handle.seek(0, SEEK_END) <= _READ_WHOLE_BYTES:
            handle.seek(0)
            return pa.BufferReader(handle.read())
        file = pa.OSFile(str(root.path / name))
        # what stands there now: the file's own descriptor is out of reach in older releases of pyarrow
        if samestat(stat(root.path / name), fstat(handle.fileno())):
            return file
        raise ValueError("another file by now than a moment ago")
    return handle


def _why_unreadable(handle: IO[bytes], error: BaseException) -> str:
    handle.seek(0)
    head = handle.read(len(_LFS))
    if not head:
        return "the file is empty"
    if head == _LFS:
        return "a git-LFS pointer, not the table: run 'git lfs pull'"
    return f"not a readable parquet file ({error})"
