"""The statistics of episodes as a dataset stores them: read where they lie, a stretch at a time."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from roboreel.format import v2, v21, v30
from roboreel.format.model import EPISODE
from roboreel.format.stats import Stats
from roboreel.format.stats_columns import StatsColumns, stats_columns
from roboreel.format.version import FormatVersion
from roboreel.storage.fs import Root
from roboreel.storage.tables import TableFile, read_table

_BLOCK_BYTES = 1 << 22
_BLOCK_ROWS = 2048
_HEAD = re.compile(rb'\s*\{\s*"episode_index"\s*:\s*(-?\d{1,18})\s*,')
"""How lines of statistics begin where a writer of this format made them."""


class StoredStats(ABC):
    """Statistics by episode. Nothing is held but where each lies, and a stretch of what was read last."""

    @abstractmethod
    def entries(self) -> Iterator[tuple[int, Stats]]:
        """(episode index, statistics) of every entry, in the order of the files."""

    @abstractmethod
    def of(self, episode: int) -> Stats:
        """The statistics of an episode, the last ones where it has several; empty where it has none."""


def open_stored_stats(root: Root, version: FormatVersion, files: Iterable[str]) -> StoredStats:
    """The stored statistics of a dataset with these files; v2.0 has none per episode."""
    names = list(files)
    if version is FormatVersion.V21 and v2.EPISODE_STATS in names:
        return _StatsLines(root, v2.EPISODE_STATS)
    return _StatsTables(root, v30.episode_files(names) if version is FormatVersion.V30 else [])


class _StatsLines(StoredStats):
    """A line per episode, as JSON."""

    def __init__(self, root: Root, name: str) -> None:
        self._root, self._name = root, name
        self._places: dict[int, tuple[int, int, int]] | None = None
        """By episode: offset, size and number of its line."""
        self._block, self._begin = b"", 0

    def entries(self) -> Iterator[tuple[int, Stats]]:
        for number, (_, line) in enumerate(self._lines(), start=1):
            found = v21.parse_episode_stats(line, number) if line.strip() else None
            if found is not None:
                yield found

    def of(self, episode: int) -> Stats:
        if self._places is None:
            self._places = self._by_head() or self._by_content()
        place = self._places.get(episode)
        if place is None:
            return {}
        found = v21.parse_episode_stats(self._read(*place[:2]), place[2])
        if found is not None and found[0] == episode:
            return found[1]
        self._places = self._by_content()  # the line's head was not all that it says
        return self.of(episode) if episode in self._places else {}

    def _by_head(self) -> dict[int, tuple[int, int, int]] | None:
        """Places by the first bytes of each line; None where these do not tell."""
        places: dict[int, tuple[int, int, int]] = {}
        for number, (offset, line) in enumerate(self._lines(), start=1):
            head = _HEAD.match(line)
            if head is None or int(head[1]) in places:
                if line.strip():
                    return None
                continue
            places[int(head[1])] = (offset, len(line), number)
        return places

    def _by_content(self) -> dict[int, tuple[int, int, int]]:
        """Places by what each line says when it is parsed whole."""
        places: dict[int, tuple[int, int, int]] = {}
        for number, (offset, line) in enumerate(self._lines(), start=1):
            found = v21.parse_episode_stats(line, number) if line.strip() else None
            if found is not None:
                places[found[0]] = (offset, len(line), number)
        return places

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """(offset, line) of every line, as `bytes.splitlines` cuts them."""
        offset, rest = 0, b""
        with self._root.input(self._name) as file:
            while block := file.read(_BLOCK_BYTES):
                whole, newline, rest_of_block = (rest + block).rpartition(b"\n")
                for line in (whole + newline).splitlines(keepends=True):
                    yield offset, line
                    offset += len(line)
                rest = rest_of_block
        for line in rest.splitlines(keepends=True):
            yield offset, line
            offset += len(line)

    def _read(self, offset: int, size: int) -> bytes:
        begin = offset - self._begin
        if begin < 0 or begin + size > len(self._block):
            with self._root.input(self._name) as file:
                file.seek(offset)
                self._block, self._begin = file.read(max(size, _BLOCK_BYTES)), offset
            begin = 0
        return self._block[begin : begin + size]


class _StatsTables(StoredStats):
    """Columns of the tables of episodes."""

    def __init__(self, root: Root, names: list[str]) -> None:
        self._root, self._names = root, names
        self._places: dict[int, tuple[str, int]] | None = None
        """By episode: file and row."""
        self._block: StatsColumns | None = None
        self._block_name, self._block_rows = "", range(0)

    def entries(self) -> Iterator[tuple[int, Stats]]:
        for name in self._names:
            with TableFile(self._root, name) as file:
                for rows in _stretches(file.footer.row_group_rows):
                    table = file.rows(rows.start, rows.stop)
                    stats = StatsColumns(table)
                    for row, episode in enumerate(table[EPISODE].to_pylist()):
                        yield int(episode), stats.of(row)

    def of(self, episode: int) -> Stats:
        if self._places is None:
            self._places = {
                int(number): (name, row)
                for name in self._names
                for row, number in enumerate(
                    read_table(self._root, name, columns=[EPISODE])[EPISODE].to_pylist()
                )
            }
        if episode not in self._places:
            return {}
        name, row = self._places[episode]
        return self._stats_at(name, row)

    def _stats_at(self, name: str, row: int) -> Stats:
        if self._block is None or name != self._block_name or row not in self._block_rows:
            with TableFile(self._root, name) as file:
                stretches = list(_stretches(file.footer.row_group_rows))
                at = bisect_right([rows.start for rows in stretches], row) - 1
                rows = stretches[at]
                columns = stats_columns(file.footer.schema)
                table = file.rows(rows.start, rows.stop).select(columns)
            self._block = StatsColumns(table)
            self._block_name, self._block_rows = name, rows
        return self._block.of(row - self._block_rows.start)


def _stretches(row_group_rows: tuple[int, ...]) -> Iterator[range]:
    """The rows of a file in stretches of whole row groups, each but the last of some thousand rows."""
    start = 0
    for stop in accumulate(row_group_rows):
        if stop - start >= _BLOCK_ROWS:
            yield range(start, stop)
            start = stop
    if start < sum(row_group_rows):
        yield range(start, sum(row_group_rows))
