"""Read the rows of episodes, at most a row group at a time; each file is opened once for neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.diffing.compare_values import storage_array
from roboreel.diffing.side import Side
from roboreel.errors import StorageError
from roboreel.format.feature import EPISODE_INDEX, is_list
from roboreel.format.model import ROW_START
from roboreel.storage.tables.tables import TableFile
from roboreel.storage.tables.tables_forward import Forward
from roboreel.storage.tables.tables_memory import PART_BYTES
from roboreel.types import Int64


class EpisodeRows:
    """The rows of one side's episodes; request them in order."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._declared_start: list[int] = side.dataset.episodes[ROW_START].to_pylist()
        self._episodes_per_file = Counter(side.table_paths)
        self._open: tuple[TableFile, Forward] | None = None
        self._most_rows = 0
        """Rows read at once."""
        self._group_ends = np.zeros(0, dtype=np.int64)
        self._row_ranges: dict[int, tuple[int, int] | None] | None = None

    def locate(self, pair: int) -> tuple[int, int]:
        """Row range `[start, stop)` of a pair's episode in its file.

        If the documents differ, that is recorded in `Side.misplaced`.

        Raises:
            StorageError: the file is missing or unreadable, or does not hold the episode.
        """
        side, episode = self._side, self._side.positions[pair]
        path = side.table_paths[episode]
        if path is None or path not in side.files:
            raise StorageError(f"its table file '{path or 'without a name'}' is missing")
        file = self._opened(path)
        declared = self._declared_start[episode]
        length = int(side.rows[episode])
        if side.dataset.version.one_file_per_episode:
            if self._episodes_per_file[path] > 1:
                raise StorageError(
                    f"'{path}' is shared by {self._episodes_per_file[path]} episodes"
                )
            row_range = (0, file.footer.rows)
        elif self._row_ranges is None:
            row_range = (declared, declared + length)
        else:
            row_range = self._row_range(path, side.numbers[episode])
        if row_range[1] > file.footer.rows or row_range[0] == row_range[1]:
            raise StorageError(f"'{path}' has no rows of it")
        if row_range != (declared, declared + length):
            side.misplaced[pair, ""] = (
                f"its rows are [{declared}, {declared + length}) of the file by the documents,"
                f" [{row_range[0]}, {row_range[1]}) by the file"
            )
        side.rows[episode] = row_range[1] - row_range[0]
        return row_range

    def slices(self, start: int, stop: int) -> Iterator[pa.RecordBatch]:
        """Yield rows `[start, stop)` of the file located last, at most one row group at a time."""
        assert self._open is not None
        ends, at = self._group_ends, start
        while at < stop:
            group = int(np.searchsorted(ends, at, side="right"))
            end = min(int(ends[group]), stop, at + self._most_rows)
            yield from self._open[1].rows(at, end).to_batches()
            at = end

    def close(self) -> None:
        """Close the open file."""
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def _opened(self, path: str) -> TableFile:
        if self._open is not None and self._open[0].name == path:
            return self._open[0]
        self.close()
        file = TableFile(self._side.dataset.root, path)
        self._open = (file, Forward(file, None))
        self._most_rows = max(1, PART_BYTES // file.row_bytes())
        self._group_ends = np.cumsum(file.footer.row_group_rows, dtype=np.int64)
        self._row_ranges = None
        alone = self._side.dataset.version.one_file_per_episode
        if not alone and EPISODE_INDEX in file.footer.schema.names:
            column = file.read([EPISODE_INDEX])[EPISODE_INDEX].combine_chunks()
            self._row_ranges = runs_of(whole_numbers(column))
            self._note_strays(path, file.footer.rows)
        return file

    def _note_strays(self, path: str, rows: int) -> None:
        """Record the number of rows of a shared file that belong to none of its episodes."""
        side = self._side
        numbers = [n for n, p in zip(side.numbers, side.table_paths, strict=True) if p == path]
        row_ranges = [
            row_range for number in numbers if (row_range := (self._row_ranges or {}).get(number))
        ]
        strays = rows - sum(stop - start for start, stop in row_ranges)
        if strays and len(row_ranges) == len(numbers):
            side.strays[path] = strays

    def _row_range(self, path: str, number: int) -> tuple[int, int]:
        row_range = (self._row_ranges or {}).get(number)
        if row_range is None:
            raise StorageError(f"'{path}' has no consecutive rows with episode_index {number}")
        return row_range


def runs_of(written: Int64) -> dict[int, tuple[int, int] | None]:
    """Row range `[start, stop)` of each number; None if its rows are not consecutive."""
    if not len(written):
        return {}
    starts = np.flatnonzero(np.diff(written, prepend=written[0] - 1))
    stops = np.append(starts[1:], len(written))
    row_ranges: dict[int, tuple[int, int] | None] = {}
    for number, start, stop in zip(
        written[starts].tolist(), starts.tolist(), stops.tolist(), strict=True
    ):
        row_ranges[number] = None if number in row_ranges else (start, stop)
    return row_ranges


def whole_numbers(column: pa.Array) -> Int64:
    """(n,) int64 values of an index column, plain or in one-value lists; -1 if not a whole number."""
    numbers = plain_numbers(column)
    if np.issubdtype(numbers.dtype, np.integer):
        return numbers.astype(np.int64)
    whole = np.isfinite(numbers) & (np.abs(numbers) < 1 << 53) & (np.rint(numbers) == numbers)
    return np.where(whole, numbers, -1).astype(np.int64)


def plain_numbers(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    """(n,) values of an index column, plain or in one-value lists; all NaN if it isn't numeric."""
    flat = storage_array(column)
    if is_list(flat.type):
        flat = storage_array(pc.list_flatten(flat))
    numeric = pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)
    if len(flat) != len(column) or not numeric:
        return np.full(len(column), np.nan)
    return np.asarray(flat.to_numpy(zero_copy_only=False))
