"""Metadata with the interface of lerobot 0.3.3, over datasets of every version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from roboreel.format.model import EPISODE, LENGTH, TASKS
from roboreel.format.version import FormatVersion
from roboreel.stats.feature_stats import Array
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata as CurrentMetadata
from roboreel.torch.errors import ArgumentError
from roboreel.torch.metadata.task_list import tasks_of_frame
from roboreel.torch.v2.episode_stats import EpisodeStats
from roboreel.types import Json


class LeRobotDatasetMetadata(CurrentMetadata):
    """What `meta/` says of a dataset: tasks, episodes and statistics as plain dicts."""

    _created_version: ClassVar[FormatVersion] = FormatVersion.V21
    _episode_dicts: dict[int, dict[str, Json]] | None = None
    _episodes_stats: EpisodeStats | None = None

    @property
    def tasks(self) -> dict[int, str]:
        """Task text by task index."""
        frame = super().tasks
        return {} if frame is None else tasks_of_frame(frame)

    @tasks.setter
    def tasks(self, value: Any) -> None:
        self._tasks = value

    @property
    def task_to_task_index(self) -> dict[str, int]:
        """Task index by task text."""
        return {text: index for index, text in self.tasks.items()}

    @property
    def episodes(self) -> dict[int, dict[str, Json]]:
        """`episode_index`, `tasks` and `length` of every episode, by its number."""
        if self._episode_dicts is None:
            rows = self.dataset.episodes.select([EPISODE, TASKS, LENGTH]) if self._has_any else None
            found = [] if rows is None else rows.to_pylist()
            self._episode_dicts = {row[EPISODE]: row for row in found}
        return self._episode_dicts

    @episodes.setter
    def episodes(self, value: Any) -> None:
        self._episode_dicts = value

    @property
    def episodes_stats(self) -> Mapping[int, dict[str, dict[str, Array]]]:
        """The statistics of every episode, by its number."""
        if self._episodes_stats is None and self._has_any:
            self._episodes_stats = EpisodeStats(self.dataset)
        return self._episodes_stats or {}

    @property
    def _has_any(self) -> bool:
        return self.total_episodes > 0

    @property
    def total_chunks(self) -> int:
        """Number of chunk folders that the episodes need."""
        return -(-self.total_episodes // self.chunks_size)

    def get_episode_chunk(self, ep_index: int) -> int:
        """The chunk that an episode is in."""
        return ep_index // self.chunks_size

    def add_task(self, task: str) -> None:
        """Add a task that the dataset does not have.

        Raises:
            ArgumentError: it has it.
        """
        if task in self.task_to_task_index:
            raise ArgumentError(f"the dataset already has the task '{task}'")
        self.save_episode_tasks([task])

    def save_episode(
        self,
        episode_index: int,
        episode_length: int,
        episode_tasks: Sequence[str],
        episode_stats: Mapping[str, Mapping[str, Any]],
        episode_metadata: Mapping[str, Json] | None = None,
    ) -> None:
        """Add an episode to the documents, and tasks that are new; see the current class."""
        self.save_episode_tasks(list(dict.fromkeys(episode_tasks)))
        super().save_episode(
            episode_index, episode_length, episode_tasks, episode_stats, episode_metadata or {}
        )

    def _forget(self) -> None:
        super()._forget()
        self._episode_dicts = self._episodes_stats = None

    def __getstate__(self) -> dict[str, Any]:
        large = ("_episode_dicts", "_episodes_stats")
        return {name: value for name, value in super().__getstate__().items() if name not in large}

    def _known_tasks(self) -> dict[int, str]:
        return self.tasks
