"""Compare two datasets by content: rows, tasks and packets, across versions and layouts.

Knows nothing of plans and executors, so that it can judge what they made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.survey import survey
from roboreel.format.feature import INDEX_DTYPES, TASK_INDEX
from roboreel.format.inventory import Inventory
from roboreel.format.model import DATA_PATH, TASKS, video_path
from roboreel.storage.tables import TableFile
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import PacketTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which two datasets differ."""

    what: str
    episode: int | None = None
    """Position of the episode in both."""
    column: str | None = None

    def __str__(self) -> str:
        place = [] if self.episode is None else [f"episode {self.episode}"]
        place += [f"'{self.column}'"] if self.column else []
        return f"{', '.join(place)}: {self.what}" if place else self.what


def differences(a: Dataset, b: Dataset) -> Iterator[Difference]:
    """What differs between two datasets, as it is found: nothing where they hold the same.

    Compared are, episode by episode in order: the number of rows, the tasks of the episode and of every
    row as text, every user column bit for bit, and for every camera the bytes of the packets of its
    frames in display order. Index columns are compared by their meaning only; columns and cameras that
    only one side has are reported once.
    """
    sides = (_Side(a), _Side(b))
    if a.total_episodes != b.total_episodes:
        yield Difference(what=f"{a.total_episodes} against {b.total_episodes} episodes")
        return
    yield from _features(*sides)
    for episode in range(a.total_episodes):
        yield from _episode(episode, *sides)


class _Side:
    """One of the two datasets, with what its files hold."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.inventory: Inventory = survey(dataset)
        self.tables = dataset.episodes[DATA_PATH].to_pylist()
        self._packets: tuple[str, PacketTable] | None = None

    @property
    def cameras(self) -> list[str]:
        return sorted(self.inventory.cameras)

    @property
    def columns(self) -> set[str]:
        names = {name for schema in self.inventory.schemas.values() for name in schema.names}
        return names - set(INDEX_DTYPES)

    def rows(self, episode: int) -> pa.Table:
        start = int(self.inventory.row_start[episode])
        with TableFile(self.dataset.root, self.tables[episode]) as file:
            return file.rows(start, start + int(self.inventory.rows[episode]))

    def packet_digest(self, episode: int, camera: str) -> str:
        """Digest of the bytes of the packets of an episode's frames, in display order."""
        name = self.dataset.episodes[video_path(camera)][episode].as_py()
        if self._packets is None or self._packets[0] != name:
            self._packets = (name, read_packet_table(self.dataset.root, name))
        table = self._packets[1]
        start = int(self.inventory.cameras[camera].start[episode])
        stop = start + int(self.inventory.rows[episode])
        digest = hashlib.sha256()
        with self.dataset.root.input(name) as file:
            for at in table.display_order[table.hidden_before :][start:stop].tolist():
                file.seek(int(table.offset[at]))
                digest.update(file.read(int(table.size[at])))
        return digest.hexdigest()


def _features(a: _Side, b: _Side) -> Iterator[Difference]:
    for kind, left, right in (
        ("column", a.columns, b.columns),
        ("camera", set(a.cameras), set(b.cameras)),
    ):
        for name in sorted(left - right):
            yield Difference(what=f"only the first has this {kind}", column=name)
        for name in sorted(right - left):
            yield Difference(what=f"only the second has this {kind}", column=name)


def _episode(episode: int, a: _Side, b: _Side) -> Iterator[Difference]:
    lengths = [int(side.inventory.rows[episode]) for side in (a, b)]
    if lengths[0] != lengths[1]:
        yield Difference(what=f"{lengths[0]} against {lengths[1]} rows", episode=episode)
        return
    texts = [side.dataset.episodes[TASKS][episode].as_py() for side in (a, b)]
    if texts[0] != texts[1]:
        yield Difference(what=f"tasks {texts[0]} against {texts[1]}", episode=episode)
    rows = (a.rows(episode), b.rows(episode))
    for name in [n for n in rows[0].column_names if n in rows[1].column_names]:
        if name not in INDEX_DTYPES and not same_values(rows[0][name], rows[1][name]):
            yield Difference(what="values differ", episode=episode, column=name)
    tasks = [_row_tasks(side, table) for side, table in zip((a, b), rows, strict=True)]
    if None not in tasks and tasks[0] != tasks[1]:
        yield Difference(what="rows stand under other tasks", episode=episode, column=TASK_INDEX)
    for camera in sorted(set(a.cameras) & set(b.cameras)):
        if a.packet_digest(episode, camera) != b.packet_digest(episode, camera):
            yield Difference(what="packets differ", episode=episode, column=camera)


def same_values(a: pa.ChunkedArray, b: pa.ChunkedArray) -> bool:
    """True where two columns hold the same bits; NaN equals the same NaN, list types may differ."""
    left, right = a.combine_chunks(), b.combine_chunks()
    if left.equals(right):
        return True
    return [_bits(v) for v in left.to_pylist()] == [_bits(v) for v in right.to_pylist()]


def _bits(value: object) -> object:
    """A value as something that compares by its bits: floats by their 64-bit pattern."""
    if isinstance(value, float):
        return np.float64(value).tobytes()
    if isinstance(value, list):
        return [_bits(item) for item in value]
    if isinstance(value, dict):
        return {key: _bits(item) for key, item in value.items()}
    return value


def _row_tasks(side: _Side, rows: pa.Table) -> list[str | None] | None:
    if TASK_INDEX not in rows.column_names:
        return None
    tasks = side.dataset.tasks
    return [tasks.get(index) for index in rows[TASK_INDEX].to_pylist()]
