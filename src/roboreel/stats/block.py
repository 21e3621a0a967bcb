"""Statistics of many episodes as a few arrays with one row per episode."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np

from roboreel.stats.feature_stats import Array, Stats
from roboreel.types import Bools, Int64, Json

StatsKey: TypeAlias = tuple[str, str]
"""Name of a feature and of a statistic."""


@dataclass(frozen=True, slots=True, eq=False)
class StatsColumn:
    """One statistic of one feature; arrays are aligned with the episodes of a block."""

    values: Array
    """(episodes, *shape); undefined where the statistic is missing."""
    present: Bools
    """(episodes,) True where the statistic is present."""


@dataclass(frozen=True, slots=True, eq=False)
class StatsBlock:
    """Statistics of some episodes; each statistic has one shape."""

    episodes: int
    columns: Mapping[StatsKey, StatsColumn]
    """Ordered: features and statistics of an episode keep this order."""

    def of(self, row: int) -> Stats:
        """Statistics of one episode, as views."""
        stats: Stats = {}
        for (feature, statistic), column in self.columns.items():
            if column.present[row]:
                stats.setdefault(feature, {})[statistic] = column.values[row]
        return stats

    def each(self) -> Iterator[Stats]:
        """Statistics of every episode, as views."""
        return map(self.of, range(self.episodes))

    def json_rows(self) -> Iterator[dict[str, dict[str, Json]]]:
        """Statistics of every episode, each as a JSON object of nested lists."""
        lists = [
            (key, column.values.tolist(), column.present.tolist())
            for key, column in self.columns.items()
        ]
        for row in range(self.episodes):
            found: dict[str, dict[str, Json]] = {}
            for (feature, statistic), values, present in lists:
                if present[row]:
                    found.setdefault(feature, {})[statistic] = values[row]
            yield found

    def features(self) -> dict[str, dict[str, StatsColumn]]:
        """The columns by feature and statistic."""
        found: dict[str, dict[str, StatsColumn]] = {}
        for (feature, statistic), column in self.columns.items():
            found.setdefault(feature, {})[statistic] = column
        return found

    def renamed(self, names: Mapping[str, str]) -> StatsBlock:
        """The block with renamed features; features without a new name are left out."""
        kept = {(names[f], s): column for (f, s), column in self.columns.items() if f in names}
        return StatsBlock(self.episodes, kept)

    def take(self, rows: Int64 | slice) -> StatsBlock:
        """The statistics of some episodes."""
        columns = {
            key: StatsColumn(column.values[rows], column.present[rows])
            for key, column in self.columns.items()
        }
        count = len(range(*rows.indices(self.episodes))) if isinstance(rows, slice) else len(rows)
        return StatsBlock(count, columns)

    def described(self) -> Bools:
        """(episodes,) True where an episode has statistics."""
        found = np.zeros(self.episodes, dtype=np.bool_)
        for column in self.columns.values():
            found |= column.present
        return found

    def numbers(self, wanted: Iterable[StatsKey]) -> list[bytes]:
        """(episodes,) the numbers of some statistics, one after another, as little-endian float64.

        Statistics that an episode lacks are passed over.
        """
        columns = [self.columns[key] for key in wanted if key in self.columns]
        if not columns:
            return [b""] * self.episodes
        flat = [np.asarray(one.values, "<f8").reshape(self.episodes, -1) for one in columns]
        rows = [row.tobytes() for row in np.hstack(flat)]
        whole = np.logical_and.reduce([one.present for one in columns])
        for row in np.flatnonzero(~whole).tolist():
            parts = zip(columns, flat, strict=True)
            rows[row] = b"".join(part[row].tobytes() for one, part in parts if one.present[row])
        return rows

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(column.values.nbytes + column.present.nbytes for column in self.columns.values())


def blocks_of(stats: Sequence[Stats]) -> list[StatsBlock]:
    """The statistics of episodes as few blocks; a new block starts where a shape changes."""
    blocks: list[StatsBlock] = []
    shapes: dict[StatsKey, tuple[int, ...]] = {}
    start = 0
    for at, one in enumerate(stats):
        own = {(name, key): v.shape for name, parts in one.items() for key, v in parts.items()}
        if any(shapes.get(key, shape) != shape for key, shape in own.items()):
            blocks.append(_block(stats[start:at], shapes))
            start, shapes = at, {}
        shapes.update(own)
    if start < len(stats):
        blocks.append(_block(stats[start:], shapes))
    return blocks


def block_of(stats: Stats) -> StatsBlock:
    """The statistics of one episode as a block."""
    there = np.ones(1, dtype=np.bool_)
    columns = {
        (name, key): StatsColumn(_as_stored(key, value)[None], there)
        for name, parts in stats.items()
        for key, value in parts.items()
    }
    return StatsBlock(1, columns)


def _block(stats: Sequence[Stats], shapes: Mapping[StatsKey, tuple[int, ...]]) -> StatsBlock:
    columns = {}
    for (name, key), shape in shapes.items():
        found = [one[name].get(key) if name in one else None for one in stats]
        present = np.array([value is not None for value in found], dtype=np.bool_)
        values = _empty(key, len(stats), shape)
        if present.any():
            values[present] = np.stack([value for value in found if value is not None])
        columns[name, key] = StatsColumn(values, present)
    return StatsBlock(len(stats), columns)


def joined(parts: Sequence[tuple[int, StatsBlock]], episodes: int) -> StatsBlock | None:
    """Blocks as one; what a later one says of an episode counts. None where shapes differ.

    Args:
        parts: each with the first of its episodes.
        episodes: of how many it is to be; where no block has them, nothing is known.
    """
    if len(parts) == 1 and parts[0][0] == 0 and parts[0][1].episodes == episodes:
        return parts[0][1]
    columns: dict[StatsKey, StatsColumn] = {}
    for first, block in parts:
        here = slice(first, first + block.episodes)
        for key, column in block.columns.items():
            shape = column.values.shape[1:]
            known = columns.get(key)
            if known is None:
                values = _empty(key[1], episodes, shape)
                known = StatsColumn(values, np.zeros(episodes, dtype=np.bool_))
                columns[key] = known
            elif known.values.shape[1:] != shape:
                if column.present.any():
                    return None
                continue
            known.values[here][column.present] = column.values[column.present]
            known.present[here] |= column.present
    return StatsBlock(episodes, columns)


def each(parts: Sequence[tuple[int, StatsBlock]], episodes: int) -> list[Stats]:
    """What blocks say of every one of some episodes; of a feature, what a later one says counts."""
    stats: list[Stats] = [{} for _ in range(episodes)]
    for first, block in parts:
        for at, one in enumerate(block.each(), start=first):
            stats[at] |= one
    return stats


def _as_stored(statistic: str, value: Array) -> Array:
    dtype = np.int64 if statistic == "count" else np.float64
    return cast("Array", np.array(value, dtype=dtype))


def _empty(statistic: str, episodes: int, shape: tuple[int, ...]) -> Array:
    dtype = np.int64 if statistic == "count" else np.float64
    return cast("Array", np.zeros((episodes, *shape), dtype=dtype))


def block_to_json(block: StatsBlock) -> Json:
    """A block as JSON that restores the same bits; an internal format."""
    columns: list[Json] = [
        [*key, list(c.values.shape[1:]), _text(c.values), _text(c.present)]
        for key, c in block.columns.items()
    ]
    return {"episodes": block.episodes, "columns": columns}


def _text(values: Array | Bools) -> str:
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return b64encode(np.ascontiguousarray(little).tobytes()).decode()


def parse_block(document: Mapping[str, Json]) -> StatsBlock:
    """Restore a block from the output of `block_to_json`."""
    count = cast("int", document["episodes"])
    columns = {}
    for name, key, shape, values, present in cast("list[list[str]]", document["columns"]):
        dtype = "<i8" if key == "count" else "<f8"
        numbers = np.frombuffer(b64decode(values), dtype=dtype).reshape(count, *map(int, shape))
        there = np.frombuffer(b64decode(present), dtype=np.bool_)
        columns[name, key] = StatsColumn(cast("Array", numbers), there)
    return StatsBlock(count, columns)
