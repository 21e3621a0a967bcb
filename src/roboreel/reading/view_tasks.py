"""The tasks of a view's items: as the dataset has them, or as the written view would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from roboreel.edit.view import View
from roboreel.errors import DatasetError
from roboreel.format.feature import TASK_INDEX
from roboreel.format.model import TASKS
from roboreel.format.parse import Problems
from roboreel.plan.merge_tasks import MergedTasks, merged_tasks
from roboreel.reading.source_rows import SourceRows
from roboreel.types import Int64


@dataclass(frozen=True, slots=True)
class SliceTasks:
    """Tasks of the slices that a view takes of one dataset."""

    tasks: Mapping[int, str]
    """Text by index, in the dataset."""
    tasks_of_rows: Sequence[Sequence[int]]
    """(slices,) distinct indexes of each slice's rows."""
    tasks_of_episodes: Sequence[Sequence[str]]
    """(slices,) texts that each lists."""


class ViewTasks:
    """Task indexes and texts of a view. What an edited view has is found out when it is first asked for."""

    def __init__(self, view: View, sources: Sequence[SourceRows]) -> None:
        self._view, self._sources = view, sources

    @cached_property
    def texts(self) -> Mapping[int, str]:
        """Text of each task by the index that items have."""
        return self._merged.strings if self._view.edited else self._sources[0].tasks

    def strings(self, indexes: Int64) -> list[str]:
        """(n,) texts of task indexes.

        Raises:
            DatasetError: an index is not in the task list.
        """
        try:
            return [self.texts[index] for index in indexes.tolist()]
        except KeyError as error:
            raise DatasetError(
                f"task_index {error} is not in the task list: run `roboreel check`"
            ) from error

    def indexes(self, episodes: Int64, stored: Int64) -> Int64:
        """(n,) task indexes of items.

        Args:
            episodes: (n,) their episodes.
            stored: (n,) the indexes in the datasets' tables; -1 where a table has no such column.
        """
        if (stored < 0).any():
            stored = np.where(stored < 0, self._default[episodes], stored)
        if not self._view.edited:
            return stored
        merged, found = self._merged, stored.copy()
        maps = merged.map_of_slice[episodes]
        for number in np.unique(maps).tolist():
            for old, new in merged.maps[number].items():
                found[(maps == number) & (stored == old)] = new
        return found

    @cached_property
    def _default(self) -> Int64:
        """(episodes,) index, in its dataset, of the first task that each lists."""
        found = np.zeros(len(self._view.slices), dtype=np.int64)
        slices = self._view.slices
        for number, source in enumerate(self._sources):
            # of equal texts the first counts, as where the view is written
            of_text = {text: index for index, text in reversed([*source.tasks.items()])}
            lists: list[list[str]] = source.dataset.episodes[TASKS].to_pylist()
            first = [of_text.get(own[0], 0) if own else 0 for own in lists]
            here = slices.source == number
            found[here] = np.asarray(first, dtype=np.int64)[slices.row[here]]
        return found

    @cached_property
    def _merged(self) -> MergedTasks:
        every = [self._of_source(number) for number in range(len(self._sources))]
        return merged_tasks(self._view, every, Problems())

    def _of_source(self, number: int) -> SliceTasks:
        source, slices = self._sources[number], self._view.slices
        here = np.flatnonzero(slices.source == number)
        by_episode, tasks = source.tasks_of_rows, source.tasks
        rows: list[Sequence[int]] = []
        texts: list[Sequence[str]] = []
        lists: list[list[str]] = source.dataset.episodes[TASKS].to_pylist()
        for at in here.tolist():
            row = int(slices.row[at])
            indexes = by_episode[row]
            listed = lists[row] or [tasks[index] for index in indexes if index in tasks]
            if len(indexes) > 1:
                left = self._left(source, at)
                gone = {tasks[index] for index in indexes if index not in left and index in tasks}
                indexes, listed = left, [text for text in listed if text not in gone]
            rows.append(indexes)
            texts.append(listed)
        return SliceTasks(tasks, rows, texts)

    def _left(self, source: SourceRows, at: int) -> list[int]:
        """The task indexes of the rows of a slice."""
        slices, count = self._view.slices, int(self._view.lengths[at])
        found = np.zeros(count, dtype=np.int64)
        episodes = np.full(count, slices.row[at], dtype=np.int64)
        frames = slices.start[at] + np.arange(count, dtype=np.int64)
        only = {TASK_INDEX: self._view.model.info.features[TASK_INDEX]}
        source.fill(episodes, frames, only, {TASK_INDEX: found}, np.arange(count))
        return sorted(set(found.tolist()))
