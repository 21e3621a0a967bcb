"""The Ray Data source of `read_dataset`. It imports ray, so it is imported when it is used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import ray
from ray.data.block import BlockAccessor, BlockMetadata
from ray.data.datasource import Datasource, ReadTask

from roboreel.ray.reading_blocks import item_bytes, items_per_block, read_blocks, task_episodes
from roboreel.reading.read_options import ReadKeywords
from roboreel.reading.reader import Reader


class EpisodeDatasource(Datasource):  # type: ignore[misc]  # ray is not installed where types are checked
    """Reads the items of a reader: a task has some episodes that follow one another."""

    def __init__(self, reader: Reader, options: ReadKeywords, folders: Sequence[str]) -> None:
        """Args: the reader; its options; the folders that every node must see."""
        super().__init__()
        self._folders = tuple(folders)
        self._reader, self._item_bytes = reader, item_bytes(reader, options)
        self._reference: Any = None

    def get_name(self) -> str:
        """The name of its tasks."""
        return "RoboreelEpisodes"

    def estimate_inmemory_data_size(self) -> int:
        """Approximate bytes of all items."""
        return len(self._reader) * self._item_bytes

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, *_: Any, **__: Any
    ) -> list[ReadTask]:
        """A task for each group of episodes, in their order."""
        if self._reference is None:
            self._reference = ray.put(self._reader)
        bounds = self._reader.bounds.tolist()
        groups = task_episodes(self._reader.lengths, parallelism)
        return [
            self._task(bounds[group.start : group.stop + 1], per_task_row_limit) for group in groups
        ]

    def _task(self, bounds: Sequence[int], most_rows: int | None) -> ReadTask:
        rows = bounds[-1] - bounds[0]
        known = BlockMetadata(
            num_rows=rows, size_bytes=rows * self._item_bytes, input_files=None, exec_stats=None
        )
        most = items_per_block(self._item_bytes)
        read = partial(_arrow_blocks, self._reference, self._folders, bounds, most)
        return ReadTask(read, known, per_task_row_limit=most_rows)


def _arrow_blocks(
    reference: Any, folders: Sequence[str], bounds: Sequence[int], most: int
) -> Iterator[Any]:
    for batch in read_blocks(reference, folders, bounds, most):
        yield BlockAccessor.batch_to_block(batch)
