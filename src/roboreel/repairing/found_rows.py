"""Find the episodes in table files by what the rows say, whatever the documents say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from roboreel.errors import StorageError
from roboreel.format.feature import EPISODE_INDEX, FRAME_INDEX, TASK_INDEX
from roboreel.probes.table_columns import IndexColumn, distinct
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import read_table
from roboreel.types import Int64


class FoundEpisode(NamedTuple):
    """A run of rows with one `episode_index`."""

    number: int
    path: str
    rows: int
    tasks: tuple[int, ...]
    """Distinct values of `task_index`."""
    counts: bool
    """True if `frame_index` is 0, 1, 2, …: no row is missing before the last one."""


def found_episodes(root: Root, paths: Iterable[str]) -> list[FoundEpisode]:
    """The runs of rows in these tables, in order; nothing for a table that cannot be read."""
    found: list[FoundEpisode] = []
    for path in paths:
        try:
            table = read_table(root, path, columns=[EPISODE_INDEX, FRAME_INDEX, TASK_INDEX])
        except StorageError:
            continue
        if EPISODE_INDEX in table.column_names and len(table):
            columns = {name: IndexColumn(table[name]) for name in table.column_names}
            found += _runs(path, columns, len(table))
    return found


def named_episodes(numbers: Sequence[int]) -> str:
    """`episode 3`, or `4 episodes (3 to 6)`: for a message."""
    if len(numbers) == 1:
        return f"episode {numbers[0]}"
    return f"{len(numbers)} episodes ({numbers[0]} to {numbers[-1]})"


def _runs(path: str, columns: dict[str, IndexColumn], rows: int) -> list[FoundEpisode]:
    written = columns[EPISODE_INDEX].whole_numbers(0, rows)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(written)) + 1])
    stops = np.append(starts[1:], rows)
    return [
        FoundEpisode(
            number=int(written[start]),
            path=path,
            rows=stop - start,
            tasks=_tasks(columns, start, stop),
            counts=_counts(columns, start, stop),
        )
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    ]


def _tasks(columns: dict[str, IndexColumn], start: int, stop: int) -> tuple[int, ...]:
    if TASK_INDEX not in columns:
        return ()
    return tuple(distinct(columns[TASK_INDEX].whole_numbers(start, stop)))


def _counts(columns: dict[str, IndexColumn], start: int, stop: int) -> bool:
    if FRAME_INDEX not in columns:
        return True
    frames: Int64 = columns[FRAME_INDEX].whole_numbers(start, stop)
    return bool(np.array_equal(frames, np.arange(stop - start)))
