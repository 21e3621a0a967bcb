"""Read the rows of episodes, a row group at a time, each file opened once where its episodes are in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from roboreel.diffing.compare_values import stored
from roboreel.diffing.side import Side
from roboreel.errors import StorageError
from roboreel.format.feature import EPISODE_INDEX, is_list
from roboreel.format.model import ROW_START
from roboreel.storage.tables import TableFile
from roboreel.storage.tables_forward import Forward
from roboreel.storage.tables_memory import PART_BYTES
from roboreel.types import Int64


class EpisodeRows:
    """The rows of one side's episodes, asked for in their order."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._declared_start: list[int] = side.dataset.episodes[ROW_START].to_pylist()
        self._users = _counted(side.table_paths)
        self._open: tuple[TableFile, Forward] | None = None
        self._most_rows = 0
        """Rows that are read together."""
        self._group_ends = np.zeros(0, dtype=np.int64)
        self._runs: dict[int, tuple[int, int] | None] | None = None

    def locate(self, pair: int) -> tuple[int, int]:
        """The rows `[start, stop)` of a pair's episode, by its file; notes where documents differ.

        Raises:
            StorageError: the file is missing or unreadable, or does not hold the episode.
        """
        side, episode = self._side, self._side.place[pair]
        path = side.table_paths[episode]
        if path is None or path not in side.files:
            raise StorageError(f"its table file '{path or 'of no name'}' is not there")
        file = self._opened(path)
        declared = self._declared_start[episode]
        length = int(side.rows[episode])
        if side.dataset.version.one_file_per_episode:
            if self._users[path] > 1:
                raise StorageError(f"'{path}' is the file of {self._users[path]} episodes")
            place = (0, file.footer.rows)
        elif self._runs is None:
            place = (declared, declared + length)
        else:
            place = self._run(path, side.numbers[episode])
        if place[1] > file.footer.rows or place[0] == place[1]:
            raise StorageError(f"'{path}' holds no rows of it")
        if place != (declared, declared + length):
            side.misplaced[pair, ""] = (
                f"its rows are [{declared}, {declared + length}) of the file by the documents,"
                f" [{place[0]}, {place[1]}) by the file"
            )
        side.rows[episode] = place[1] - place[0]
        return place

    def slices(self, start: int, stop: int) -> Iterator[pa.RecordBatch]:
        """The rows `[start, stop)` of the file located last, in pieces of one row group or less."""
        assert self._open is not None
        ends, at = self._group_ends, start
        while at < stop:
            group = int(np.searchsorted(ends, at, side="right"))
            end = min(int(ends[group]), stop, at + self._most_rows)
            yield from self._open[1].rows(at, end).to_batches()
            at = end

    def close(self) -> None:
        """Close the file that is open."""
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
        self._runs = None
        alone = self._side.dataset.version.one_file_per_episode
        if not alone and EPISODE_INDEX in file.footer.schema.names:
            column = file.read([EPISODE_INDEX])[EPISODE_INDEX].combine_chunks()
            self._runs = runs_of(whole_numbers(column))
            self._note_strays(path, file.footer.rows)
        return file

    def _note_strays(self, path: str, rows: int) -> None:
        """Note rows of a shared file that belong to none of its episodes."""
        side = self._side
        numbers = [n for n, p in zip(side.numbers, side.table_paths, strict=True) if p == path]
        places = [place for number in numbers if (place := (self._runs or {}).get(number))]
        strays = rows - sum(stop - start for start, stop in places)
        if strays and len(places) == len(numbers):
            side.strays[path] = strays

    def _run(self, path: str, number: int) -> tuple[int, int]:
        place = (self._runs or {}).get(number)
        if place is None:
            raise StorageError(
                f"'{path}' holds no unbroken run of rows with episode_index {number}"
            )
        return place


def runs_of(written: Int64) -> dict[int, tuple[int, int] | None]:
    """Where each number stands, `[start, stop)`; None where it stands in several places."""
    if not len(written):
        return {}
    starts = np.flatnonzero(np.diff(written, prepend=written[0] - 1))
    stops = np.append(starts[1:], len(written))
    places: dict[int, tuple[int, int] | None] = {}
    for number, start, stop in zip(
        written[starts].tolist(), starts.tolist(), stops.tolist(), strict=True
    ):
        places[number] = None if number in places else (start, stop)
    return places


def whole_numbers(column: pa.Array) -> Int64:
    """(n,) whole numbers of an index column, also in lists of one; -1 for what is no such number."""
    numbers = plain_numbers(column)
    if np.issubdtype(numbers.dtype, np.integer):
        return numbers.astype(np.int64)
    whole = np.isfinite(numbers) & (np.abs(numbers) < 1 << 53) & (np.rint(numbers) == numbers)
    return np.where(whole, numbers, -1).astype(np.int64)


def plain_numbers(column: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    """(n,) the numbers of an index column, also in lists of one; NaN for what is no number."""
    flat = stored(column)
    if is_list(flat.type):
        flat = stored(pc.list_flatten(flat))
    numeric = pa.types.is_integer(flat.type) or pa.types.is_floating(flat.type)
    if len(flat) != len(column) or not numeric:
        return np.full(len(column), np.nan)
    return np.asarray(flat.to_numpy(zero_copy_only=False))


def _counted(paths: list[str | None]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for path in paths:
        if path is not None:
            counts[path] = counts.get(path, 0) + 1
    return counts
