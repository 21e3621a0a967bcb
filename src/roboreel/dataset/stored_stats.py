"""Read the stored statistics of episodes on demand, a range of episodes at a time."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from roboreel.errors import DatasetError, StorageError
from roboreel.format import v2, v21
from roboreel.format.model import EPISODE
from roboreel.format.stats_columns import blocks_of_rows, stats_column, stats_columns
from roboreel.format.v30_episodes import episode_files, whole_numbers
from roboreel.format.version import FormatVersion
from roboreel.stats.block import StatsBlock, StatsKey, blocks_of
from roboreel.stats.feature_stats import Stats
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile, row_ranges
from roboreel.types import Int64

_BLOCK_BYTES = 1 << 22
_BLOCK_ROWS = 2048
_KEPT_BYTES = 64 << 20
"""Memory for row ranges that were read; at least one is kept."""
_HEAD = re.compile(rb'\s*\{\s*"episode_index"\s*:\s*(-?\d{1,18})\s*,')
"""The usual beginning of a line of episode statistics."""


class StoredStats(ABC):
    """Statistics by episode; holds only their positions and the ranges read last."""

    @abstractmethod
    def entries(self) -> Iterator[tuple[int, Stats]]:
        """(episode index, statistics) of every entry, in the order of the files."""

    @abstractmethod
    def of(self, episode: int) -> Stats:
        """The statistics of an episode: the last entry if there are several, empty if there is none."""

    def in_blocks(
        self, wanted: Collection[StatsKey] | None = None
    ) -> Iterator[tuple[list[int], StatsBlock]]:
        """All entries in blocks: (episode indexes, their statistics).

        Args:
            wanted: which statistics are needed; others may be missing. None: all.
        """
        waiting: list[tuple[int, Stats]] = []
        try:
            for entry in self.entries():
                waiting.append(entry)
                if len(waiting) == _BLOCK_ROWS:
                    yield from _in_blocks(waiting)
                    waiting = []
        except (DatasetError, StorageError):
            yield from _in_blocks(waiting)
            raise
        yield from _in_blocks(waiting)

    def values(self, wanted: Sequence[StatsKey]) -> Iterator[tuple[int, bytes]]:
        """(episode index, the numbers of some statistics one after another) of every entry.

        The numbers are float64, little-endian. Statistics that an entry lacks are passed over.
        """
        for episodes, block in self.in_blocks(wanted):
            yield from zip(episodes, block.numbers(wanted), strict=True)

    def blocks(self, episodes: Int64) -> list[StatsBlock]:
        """The statistics of some episodes, in their order."""
        return blocks_of([self.of(episode) for episode in episodes.tolist()])


def _in_blocks(entries: Sequence[tuple[int, Stats]]) -> Iterator[tuple[list[int], StatsBlock]]:
    start = 0
    for block in blocks_of([stats for _, stats in entries]):
        yield [episode for episode, _ in entries[start : start + block.episodes]], block
        start += block.episodes


def open_stored_stats(root: Root, version: FormatVersion, files: Iterable[str]) -> StoredStats:
    """The stored statistics of a dataset's episodes; v2.0 has none."""
    names = list(files)
    if version is FormatVersion.V21 and v2.EPISODE_STATS in names:
        return _StatsLines(root, v2.EPISODE_STATS)
    return _StatsTables(root, episode_files(names) if version is FormatVersion.V30 else [])


class _StatsLines(StoredStats):
    """v2.1: one JSON line per episode."""

    def __init__(self, root: Root, name: str) -> None:
        self._root, self._name = root, name
        self._positions: dict[int, tuple[int, int, int]] | None = None
        """By episode: byte offset, size and number of its line."""
        self._block, self._begin = b"", 0

    def entries(self) -> Iterator[tuple[int, Stats]]:
        for number, (_, line) in enumerate(self._lines(), start=1):
            found = v21.parse_episode_stats(line, number) if line.strip() else None
            if found is not None:
                yield found

    def values(self, wanted: Sequence[StatsKey]) -> Iterator[tuple[int, bytes]]:
        for number, (_, line) in enumerate(self._lines(), start=1):
            found = v21.parse_episode_numbers(line, number, wanted) if line.strip() else None
            if found is not None:
                yield found

    def of(self, episode: int) -> Stats:
        if self._positions is None:
            self._positions = self._by_head() or self._by_content()
        position = self._positions.get(episode)
        if position is None:
            return {}
        found = v21.parse_episode_stats(self._read(*position[:2]), position[2])
        if found is not None and found[0] == episode:
            return found[1]
        self._positions = self._by_content()  # the rest of the line contradicted its beginning
        return self.of(episode) if episode in self._positions else {}

    def _by_head(self) -> dict[int, tuple[int, int, int]] | None:
        """Positions from the beginning of each line; None if one is unusual."""
        positions: dict[int, tuple[int, int, int]] = {}
        for number, (offset, line) in enumerate(self._lines(), start=1):
            head = _HEAD.match(line)
            if head is None or int(head[1]) in positions:
                if line.strip():
                    return None
                continue
            positions[int(head[1])] = (offset, len(line), number)
        return positions

    def _by_content(self) -> dict[int, tuple[int, int, int]]:
        """Positions from parsing each line completely."""
        positions: dict[int, tuple[int, int, int]] = {}
        for number, (offset, line) in enumerate(self._lines(), start=1):
            found = v21.parse_episode_stats(line, number) if line.strip() else None
            if found is not None:
                positions[found[0]] = (offset, len(line), number)
        return positions

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """(byte offset, line) of every line, split as by `bytes.splitlines`."""
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
    """v3.0: columns of the episodes table."""

    def __init__(self, root: Root, names: list[str]) -> None:
        self._root, self._names = root, names
        self._known: _Positions | None = None
        self._blocks: OrderedDict[tuple[int, int], list[StatsBlock]] = OrderedDict()
        """Row ranges that were read last, by file number and first row."""

    def entries(self) -> Iterator[tuple[int, Stats]]:
        for episodes, block in self.in_blocks():
            yield from zip(episodes, block.each(), strict=True)

    def in_blocks(
        self, wanted: Collection[StatsKey] | None = None
    ) -> Iterator[tuple[list[int], StatsBlock]]:
        for name in self._names:
            with TableFile(self._root, name) as file:
                columns = None if wanted is None else _columns_of(file.footer.schema, wanted)
                for rows in row_ranges(file.footer.row_group_rows, least=_BLOCK_ROWS):
                    table = file.rows(rows.start, rows.stop, columns)
                    episodes, start = whole_numbers(table[EPISODE]).to_pylist(), 0
                    for block in blocks_of_rows(table):
                        yield episodes[start : start + block.episodes], block
                        start += block.episodes

    def of(self, episode: int) -> Stats:
        for block in self.blocks(np.array([episode], dtype=np.int64)):
            return block.of(0)
        return {}

    def blocks(self, episodes: Int64) -> list[StatsBlock]:
        positions = self._positions()
        at = positions.of(episodes)
        ends = [*(np.flatnonzero(np.diff(positions.row_range[at])) + 1).tolist(), len(at)]
        found: list[StatsBlock] = []
        start = 0
        for end in ends:
            found += self._blocks_at(positions, at[start:end])
            start = end
        return found

    def _blocks_at(self, positions: _Positions, at: Int64) -> list[StatsBlock]:
        """The statistics at positions in one row range."""
        number = int(positions.row_range[at[0]])
        if number < 0:
            return [StatsBlock(len(at), {})]
        file, rows = positions.row_ranges[number]
        blocks = self._read(file, rows)
        wanted = positions.row[at] - rows.start
        if len(blocks) == 1:
            whole = len(wanted) == len(rows) and bool((np.diff(wanted) == 1).all())
            return blocks if whole else [blocks[0].take(wanted)]
        each = [one for block in blocks for one in block.each()]
        return blocks_of([each[row] for row in wanted.tolist()])

    def _read(self, number: int, rows: range) -> list[StatsBlock]:
        key = (number, rows.start)
        if key not in self._blocks:
            with TableFile(self._root, self._names[number]) as file:
                columns = stats_columns(file.footer.schema)
                table = file.rows(rows.start, rows.stop, columns)
            self._blocks[key] = blocks_of_rows(table)
            held = sum(block.nbytes for blocks in self._blocks.values() for block in blocks)
            while len(self._blocks) > 1 and held > _KEPT_BYTES:
                _, dropped = self._blocks.popitem(last=False)
                held -= sum(block.nbytes for block in dropped)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _positions(self) -> _Positions:
        if self._known is None:
            numbers, parts = [np.zeros(0, dtype=np.int64)], []
            for at, name in enumerate(self._names):
                with TableFile(self._root, name, "columns") as file:
                    numbers.append(whole_numbers(file.read([EPISODE])[EPISODE]).to_numpy())
                    rows_of_groups = file.footer.row_group_rows
                parts += [(at, rows) for rows in row_ranges(rows_of_groups, least=_BLOCK_ROWS)]
            self._known = _Positions.of_row_ranges(np.concatenate(numbers), parts)
        return self._known


def _columns_of(schema: pa.Schema, wanted: Collection[StatsKey]) -> list[str]:
    """The columns of a table of episodes that hold some statistics, and the episodes' numbers."""
    known = set(stats_columns(schema))
    named = (stats_column(feature, statistic) for feature, statistic in wanted)
    return [EPISODE, *(name for name in named if name in known)]


@dataclass(frozen=True, slots=True, eq=False)
class _Positions:
    """Where each episode's statistics are stored; index -1 is the entry for missing episodes."""

    episode: Int64
    """(n,) episode indexes, ascending."""
    row_range: Int64
    """(n + 1,) index in `row_ranges`; -1 for none."""
    row: Int64
    """(n + 1,) row in the file."""
    row_ranges: list[tuple[int, range]]
    """(file number, rows of the file)."""

    @classmethod
    def of_row_ranges(cls, episodes: Int64, row_ranges: list[tuple[int, range]]) -> _Positions:
        """Index the episodes of consecutive row ranges; `episodes` has one index per row."""
        order = np.argsort(episodes, kind="stable")
        counts = [len(rows) for _, rows in row_ranges]
        row = np.concatenate([np.zeros(0, dtype=np.int64), *(np.array(r) for _, r in row_ranges)])
        row_range = np.repeat(np.arange(len(row_ranges)), counts)
        return cls(
            episodes[order], np.append(row_range[order], -1), np.append(row[order], 0), row_ranges
        )

    def of(self, episodes: Int64) -> Int64:
        """(m,) positions of episodes in these arrays; the last one of duplicates, -1 if missing."""
        if not len(self.episode):
            return np.full(len(episodes), -1, dtype=np.int64)
        at = np.searchsorted(self.episode, episodes, side="right") - 1
        return np.where(self.episode[np.maximum(at, 0)] == episodes, at, -1)
