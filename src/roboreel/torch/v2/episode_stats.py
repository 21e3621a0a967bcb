"""The statistics of every episode, read when they are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from roboreel.dataset.dataset import Dataset
from roboreel.errors import UnknownNameError, counted
from roboreel.format.model import EPISODE
from roboreel.stats.feature_stats import Array

StatsDict = dict[str, dict[str, Array]]


class EpisodeStats(Mapping[int, StatsDict]):
    """Statistics by episode. v2.0 has none, so they are the statistics of the whole dataset, as in 0.3.3."""

    def __init__(self, dataset: Dataset) -> None:
        """Look at a dataset; nothing is read yet."""
        self._numbers: list[int] = dataset.episodes[EPISODE].to_pylist()
        self._position = {number: at for at, number in enumerate(self._numbers)}
        self._stored = dataset.stored_stats() if dataset.version.has_episode_stats else None
        self._whole = None if self._stored is not None else dict(dataset.stats())
        self._known: dict[int, StatsDict] = {}

    def __getitem__(self, episode: int) -> StatsDict:
        if episode not in self._position:
            raise UnknownNameError(f"the dataset has no episode {episode}")
        if self._stored is None:
            return self._whole or {}
        if episode not in self._known:
            self._known[episode] = dict(self._stored.of(episode))
        return self._known[episode]

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __repr__(self) -> str:
        return f"<statistics of {counted(len(self), 'episode')}, by number>"
