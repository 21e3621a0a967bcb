"""Rows of one dataset of a view: columns of its table files as arrays, kept within a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.positions import declared_lengths
from roboreel.dataset.row_tasks import task_indexes_of_rows
from roboreel.edit.view_data import Source
from roboreel.errors import DatasetError, UsageError
from roboreel.format.feature import INDEX_DTYPES, TIMESTAMP, Feature
from roboreel.format.model import EPISODE
from roboreel.format.values import filled_values
from roboreel.reading.column_cache import ColumnCache
from roboreel.storage.local import LocalRoot
from roboreel.storage.memory.bounded_cache import BoundedCache
from roboreel.storage.memory.process_lock import ProcessLock
from roboreel.storage.tables.tables import TableFile
from roboreel.types import Int64

_MAPPED_BYTES = 1 << 16
"""Taken of the budget by a mapped file, whose pages the system may drop: it bounds how many are mapped."""
Chosen: TypeAlias = "Int64 | slice"
"""Positions; all of them is `slice(None)`, which costs no index array."""
Values: TypeAlias = "npt.NDArray[np.generic] | pa.ChunkedArray"
"""(rows, …) numbers, or anything else as Arrow has it."""


@dataclass(frozen=True, slots=True, eq=False)
class FileColumns:
    """Columns of one table file, by their names in the dataset."""

    values: Mapping[str, Values]
    is_mapped: bool = False
    """True if they are in a file that is mapped into memory."""

    @property
    def size_bytes(self) -> int:
        """Bytes that they take of the budget."""
        if self.is_mapped:
            return _MAPPED_BYTES
        return sum(int(column.nbytes) for column in self.values.values())


class SourceRows:
    """Rows of one dataset, by episode and frame. Threads may share it."""

    def __init__(
        self,
        source: Source,
        columns: Sequence[str],
        masks: Mapping[str, str],
        files: BoundedCache[tuple[int, str], FileColumns],
        cache: ColumnCache | None,
        number: int,
    ) -> None:
        """Prepare to read; no file is opened.

        Args:
            source: the dataset, with what the view did to its features.
            columns: names of the columns to read, as the view has them; no cameras.
            masks: column that says where a padded feature has values, by the feature's name.
            files: keeps columns of files, also of other datasets.
            cache: keeps columns on the disk; None if they fit into memory.
            number: position of the dataset in the view.
        """
        if not isinstance(source.dataset, Dataset):
            raise UsageError(
                "the datasets of this view are not open: open them with roboreel.open, then make the"
                " reader"
            )
        self.dataset = source.dataset
        self.positions = source.dataset.positions()
        self._source, self._files, self.number = source, files, number
        self._cache, self._lock = cache, ProcessLock()
        self._names = {new: old for old, new in source.renamed.items()}
        self._masked = {mask: name for name, mask in masks.items()}
        masked = [self._masked[name] for name in columns if name in self._masked]
        columns = [*dict.fromkeys([*columns, *masked])]
        self._stored = {name: self.stored_name(name) for name in columns}
        own = source.dataset.features
        self._wanted = tuple(
            self._stored[name]
            for name in columns
            if name not in source.supplied and (self._stored[name] in own or name in INDEX_DTYPES)
        )
        lengths = declared_lengths(source.dataset.model)
        self._lengths = lengths
        self._before = np.cumsum(lengths) - lengths
        self._file = np.full(len(lengths), -1, dtype=np.int64)
        self._start = np.zeros(len(lengths), dtype=np.int64)
        self._paths: list[str] = []
        self._number_of: dict[str, int] = {}
        self._supplied: dict[str, Values] = {}

    def stored_name(self, name: str) -> str:
        """The name that a feature of the view has in the dataset's files."""
        return self._names.get(name, name)

    @cached_property
    def _row_tasks(self) -> tuple[Sequence[Sequence[int]], Mapping[int, str]]:
        dataset = self.dataset
        return task_indexes_of_rows(dataset.root, dataset.model, dataset.files)

    @property
    def tasks(self) -> Mapping[int, str]:
        """Task text by index, in the dataset."""
        return self.dataset.tasks if self.dataset.model.has_task_list else self._row_tasks[1]

    @property
    def tasks_of_rows(self) -> Sequence[Sequence[int]]:
        """(episodes,) distinct task indexes of the rows of each. Reads them all."""
        return self._row_tasks[0]

    def has_images(self, camera: str) -> bool:
        """True where the frames of a camera of the view are images in the tables."""
        feature = self.dataset.features.get(self.stored_name(camera))
        return feature is not None and not feature.is_video

    def is_depth(self, camera: str) -> bool:
        """True where the frames of a camera of the view are depths."""
        feature = self.dataset.features.get(self.stored_name(camera))
        return feature is not None and feature.is_depth

    def external_video(self, camera: str, episode: int) -> tuple[str, str] | None:
        """(folder, file name) of the video that was added to an episode; None for the dataset's cameras."""
        added = self._source.external_videos.get(camera)
        if added is None:
            return None
        name = added.names[episode]
        if name is None:
            raise DatasetError(
                f"camera '{camera}' has no video for {self.described(episode)}: add one with add_video"
            )
        return added.folder, name

    def described(self, episode: int) -> str:
        """An episode by its number in the dataset, for messages."""
        return f"episode {self.dataset.episodes[EPISODE][episode].as_py()} of '{self.dataset.url}'"

    def fill(
        self,
        episodes: Int64,
        frames: Int64,
        features: Mapping[str, Feature],
        targets: Mapping[str, Any],
        at: Chosen,
    ) -> None:
        """Copy the values of some rows.

        Where a table lacks index columns, timestamps are NaN and task indexes -1.

        Args:
            episodes: (n,) episodes, by their rows in the dataset's table of episodes.
            frames: (n,) frames in these.
            features: the columns to read, by their names in the view.
            targets: for each column the array or list that takes the values.
            at: (n,) where in it each value goes.

        Raises:
            StorageError: a table file cannot be read.
            DatasetError: rows or values are not what the documents say.
        """
        stored = []
        for name, feature in features.items():
            if name in self._source.supplied:
                rows = self._before[episodes] + frames
                copy_rows(self._supplied_values(name), rows, feature, targets[name], at)
            else:
                stored.append(name)
        if not stored:
            return
        self._resolve(episodes)
        files, rows = self._file[episodes], self._start[episodes] + frames
        distinct = _distinct(files)
        for file in distinct:
            members, into = _members(files, file, at, alone=len(distinct) == 1)
            columns = self._columns(self._paths[file]).values
            for name in stored:
                found = columns.get(self._stored[name])
                if found is not None:
                    copy_rows(found, rows[members], features[name], targets[name], into)
                elif name in self._masked:
                    of = self._masked[name]
                    there = columns.get(self.stored_name(of))
                    if of in self._source.supplied:
                        there = self._supplied_values(of)
                    mark_values(there, targets[name], into)
                elif name in INDEX_DTYPES:
                    targets[name][into] = np.nan if name == TIMESTAMP else -1
                else:
                    self._require_filled(name, self._paths[file])

    def row_of(self, episode: int, frame: int) -> tuple[str, int]:
        """(table file, row in it) of a frame of an episode."""
        self._resolve(np.array([episode], dtype=np.int64))
        path = self._paths[int(self._file[episode])]
        return path, int(self._start[episode]) + frame

    def _resolve(self, episodes: Int64) -> None:
        unknown = self._file[episodes] < 0
        fresh = _distinct(episodes[unknown]) if unknown.any() else []
        self.positions.prepare(fresh)
        for episode in fresh:
            found = self.positions.rows(episode)
            rows, declared = found.stop - found.start, int(self._lengths[episode])
            if rows != declared:
                raise DatasetError(
                    f"{self.described(episode)} has {rows} rows in '{found.path}', but its documents say"
                    f" {declared}: write the dataset again with `roboreel convert`, and read the result"
                )
            self._start[episode] = found.start
            # last: for other threads, a file says that the start is known
            self._file[episode] = self._number(found.path)

    def _number(self, path: str) -> int:
        with self._lock:
            if path not in self._number_of:
                self._paths.append(path)
                self._number_of[path] = len(self._paths) - 1
        return self._number_of[path]

    def _columns(self, path: str) -> FileColumns:
        return self._files.get((self.number, path), lambda: self._read(path))

    def _read(self, path: str) -> FileColumns:
        root, mapped = self.dataset.root, None
        if self._cache is not None and isinstance(root, LocalRoot):
            mapped = self._cache.table(root, path, self._wanted, lambda: self._table(path))
        table = self._table(path) if mapped is None else mapped
        values = {name: filled_values(table[name], np.nan) for name in table.column_names}
        pa.default_memory_pool().release_unused()  # what decompressing it took, about 8 MB at least
        return FileColumns(values, is_mapped=mapped is not None)

    def _table(self, path: str) -> pa.Table:
        with TableFile(self.dataset.root, path, "columns") as file:
            return file.read([name for name in self._wanted if name in file.footer.schema.names])

    def _require_filled(self, name: str, path: str) -> None:
        if name not in self._source.filled:
            raise DatasetError(
                f"'{path}' has no column '{self._stored[name]}', but info.json declares it"
            )

    def _supplied_values(self, name: str) -> Values:
        if name not in self._supplied:
            column = self._source.supplied[name]
            chunks = [column] if isinstance(column, pa.Array) else column.chunks
            # rows that the view had left out when the column was added have no value, and are not read
            self._supplied[name] = filled_values(pa.chunked_array(chunks, column.type), 0)
        return self._supplied[name]


def _distinct(values: Int64) -> list[int]:
    """The values that are there, ascending; quick in the usual case, where all are the same."""
    first = values[:1]
    found: list[int] = (first if (values == first).all() else np.unique(values)).tolist()
    return found


def _members(files: Int64, file: int, at: Chosen, *, alone: bool) -> tuple[Chosen, Chosen]:
    """(which rows are in a file, where their values go)."""
    if alone:
        return slice(None), at
    members = np.flatnonzero(files == file)
    return members, members if isinstance(at, slice) else at[members]


def copy_rows(values: Values, rows: Int64, feature: Feature, target: Any, at: Chosen) -> None:
    """Copy values of some rows; numbers that are shorter than the feature leave zeros."""
    if isinstance(target, list):
        taken = values[rows] if isinstance(values, np.ndarray) else values.take(pa.array(rows))
        python = taken.tolist() if isinstance(taken, np.ndarray) else taken.to_pylist()
        if isinstance(at, slice):
            target[at] = python
            return
        for position, value in zip(at.tolist(), python, strict=True):
            target[position] = value
        return
    if not isinstance(values, np.ndarray):
        raise DatasetError(
            f"column '{feature.name}': info.json declares {feature.dtype}, but the table has {values.type}"
            " or missing values"
        )
    own, wide = values.shape[1:], target.shape[1:]
    if own == wide:
        target[at] = values[rows]
    elif values[:1].size == int(np.prod(wide, dtype=np.int64)):
        target[at] = values[rows].reshape(len(rows), *wide)
    elif len(own) == len(wide) and all(a <= b for a, b in zip(own, wide, strict=True)):
        target[(at, *(slice(0, size) for size in own))] = values[rows]
    else:
        raise DatasetError(
            f"column '{feature.name}': info.json declares shape {feature.shape}, but the table has shape"
            f" {own}"
        )


def mark_values(values: Values | None, target: Any, at: Chosen) -> None:
    """Set a mask where a padded feature has values: nowhere if its column is not there."""
    if isinstance(values, np.ndarray):
        own = values.shape[1:] if values.ndim == target.ndim else target.shape[1:]
        target[(at, *(slice(0, size) for size in own))] = True
    elif values is not None:
        target[at] = True
