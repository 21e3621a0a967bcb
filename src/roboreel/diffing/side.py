"""One of the two datasets of a comparison: common feature names, and where rows and frames are.

Positions come from documents and files, not from a survey: a comparison must find what a survey would
silently correct.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from roboreel.dataset.dataset import Dataset
from roboreel.errors import UsageError
from roboreel.format.feature import Feature
from roboreel.format.model import DATA_PATH, EPISODE, LENGTH, TASKS, video_path
from roboreel.format.v30_episodes import FROM_INDEX, TO_INDEX, episode_files, whole_numbers
from roboreel.storage.tables.tables import TableFile
from roboreel.types import Int64


@dataclass(eq=False)
class Side:
    """A dataset to be compared."""

    dataset: Dataset
    label: str
    """"the first" or "the second", for messages."""
    common_names: Mapping[str, str] = field(default_factory=dict)
    """The other side's name of each renamed feature."""
    chosen: Sequence[int] | None = None
    """Indexes of the episodes to compare, in the order of the pairs; None: all, by position."""
    positions: list[int] = field(init=False)
    """(pairs,) position of each pair's episode in this dataset."""
    rows: Int64 = field(init=False)
    """(episodes,) number of rows: from the documents, until the episode's table has been read."""
    misplaced: dict[tuple[int, str], str] = field(default_factory=dict)
    """Where rows or frames are not where the documents say, by pair and camera (`""`: rows)."""
    strays: dict[str, int] = field(default_factory=dict)
    """Number of rows that belong to no episode, by table file."""
    broken: set[int] = field(default_factory=set)
    """Pairs whose rows cannot be read on this side."""

    def __post_init__(self) -> None:
        self.rows = self.dataset.episodes[LENGTH].to_numpy().astype(np.int64)
        self._own_names = {common: own for own, common in self.common_names.items()}
        self.numbers: list[int] = self.dataset.episodes[EPISODE].to_pylist()
        self.table_paths: list[str | None] = self.dataset.episodes[DATA_PATH].to_pylist()
        self.listed_tasks: list[list[str]] = self.dataset.episodes[TASKS].to_pylist()
        self.files = frozenset(self.dataset.files)
        position = {number: at for at, number in enumerate(self.numbers)}
        chosen = self.numbers if self.chosen is None else self.chosen
        absent = [number for number in chosen if number not in position]
        if absent:
            raise UsageError(f"{self.label} dataset has no episode {absent[0]}")
        if len(set(chosen)) < len(chosen):
            raise UsageError(f"an episode of {self.label} dataset is chosen twice")
        self.positions = [position[number] for number in chosen]

    @property
    def features(self) -> dict[str, Feature]:
        """Declared features by common name, in order."""
        return {self.common_name(name): spec for name, spec in self.dataset.features.items()}

    @property
    def cameras(self) -> list[str]:
        """Common names of the cameras with at least one video file."""
        return [
            self.common_name(camera)
            for camera in self.dataset.cameras
            if self.files.intersection(self.dataset.episodes[video_path(camera)].to_pylist())
        ]

    @property
    def cameras_without_videos(self) -> list[str]:
        """Common names of declared video cameras without any file."""
        there = self.cameras
        return [n for n in map(self.common_name, self.dataset.cameras) if n not in there]

    def common_name(self, name: str) -> str:
        """The name under which a feature is compared: the first dataset's."""
        return self.common_names.get(name, name)

    def own_name(self, common: str) -> str:
        """This dataset's own name of a feature."""
        return self._own_names.get(common, common)

    def video_paths(self, camera: str) -> list[str | None]:
        """(episodes,) path of each episode's video file, None if missing; `camera` is a common name."""
        paths = self.dataset.episodes[video_path(self.own_name(camera))].to_pylist()
        return [path if path in self.files else None for path in paths]

    def wrong_row_range(self) -> str | None:
        """Describe the first v3.0 row range (in the whole dataset) that contradicts the lengths, or None."""
        if self.dataset.version.one_file_per_episode:
            return None
        parts = []
        for name in episode_files(self.dataset.files):
            with TableFile(self.dataset.root, name) as file:
                wanted = (EPISODE, FROM_INDEX, TO_INDEX)
                if any(column not in file.footer.schema.names for column in wanted):
                    return None
                parts.append(file.read(wanted).replace_schema_metadata(None))
        ranges = pa.concat_tables(parts, promote_options="permissive").sort_by(EPISODE)
        stop = np.cumsum(self.dataset.episodes[LENGTH].to_numpy())
        found = [whole_numbers(ranges[name]).to_pylist() for name in (FROM_INDEX, TO_INDEX)]
        expected = [[0, *stop[:-1].tolist()], stop.tolist()]
        for episode, (start, begin) in enumerate(zip(found[0], expected[0], strict=True)):
            if (start, found[1][episode]) != (begin, expected[1][episode]):
                return (
                    f"episode {episode} has the rows [{start}, {found[1][episode]}) according to the"
                    f" documents, [{begin}, {expected[1][episode]}) by the lengths"
                )
        return None
