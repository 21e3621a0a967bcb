"""One of the two datasets of a comparison: names as the other has them, and what lies where.

Found here anew, from documents and files, and not taken from a survey: what a survey sets right in
silence is what a comparison is to find.
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
from roboreel.storage.tables import TableFile
from roboreel.types import Int64


@dataclass(eq=False)
class Side:
    """A dataset to be compared."""

    dataset: Dataset
    called: str
    """`the first` or `the second`."""
    judged_name: Mapping[str, str] = field(default_factory=dict)
    """The other side's name of a feature, where it has another."""
    chosen: Sequence[int] | None = None
    """Numbers of the episodes to compare, in the order in which they are paired; None: all, by position."""
    place: list[int] = field(init=False)
    """(pairs,) position of the episode of each pair of compared episodes."""
    rows: Int64 = field(init=False)
    """(episodes,) rows of each episode: by the documents, until its table has been seen."""
    misplaced: dict[tuple[int, str], str] = field(default_factory=dict)
    """What of an episode lies elsewhere than its documents say, by pair and camera (`""`: rows)."""
    strays: dict[str, int] = field(default_factory=dict)
    """Rows that belong to no episode, by table file."""
    broken: set[int] = field(default_factory=set)
    """Pairs of episodes whose rows cannot be read here."""

    def __post_init__(self) -> None:
        self.rows = self.dataset.episodes[LENGTH].to_numpy().astype(np.int64)
        self.own_name = {judged: own for own, judged in self.judged_name.items()}
        self.numbers: list[int] = self.dataset.episodes[EPISODE].to_pylist()
        self.table_paths: list[str | None] = self.dataset.episodes[DATA_PATH].to_pylist()
        self.listed_tasks: list[list[str]] = self.dataset.episodes[TASKS].to_pylist()
        self.files = frozenset(self.dataset.files)
        position = {number: at for at, number in enumerate(self.numbers)}
        chosen = self.numbers if self.chosen is None else self.chosen
        absent = [number for number in chosen if number not in position]
        if absent:
            raise UsageError(f"{self.called} dataset has no episode {absent[0]}")
        if len(set(chosen)) < len(chosen):
            raise UsageError(f"an episode of {self.called} dataset is chosen twice")
        self.place = [position[number] for number in chosen]

    @property
    def features(self) -> dict[str, Feature]:
        """Declared features by judged name, in order."""
        return {self.judged(name): spec for name, spec in self.dataset.features.items()}

    @property
    def cameras(self) -> list[str]:
        """Judged names of the cameras of which there is any video file."""
        return [
            self.judged(camera)
            for camera in self.dataset.cameras
            if self.files.intersection(self.dataset.episodes[video_path(camera)].to_pylist())
        ]

    @property
    def cameras_without_videos(self) -> list[str]:
        """Judged names of declared video cameras of which there is no file."""
        there = self.cameras
        return [n for n in map(self.judged, self.dataset.cameras) if n not in there]

    def judged(self, name: str) -> str:
        """The name by which a feature is compared."""
        return self.judged_name.get(name, name)

    def own(self, judged: str) -> str:
        """The name that a compared feature has here."""
        return self.own_name.get(judged, judged)

    def video_paths(self, camera: str) -> list[str | None]:
        """(episodes,) the video file of a camera, by judged name; None where it is not there."""
        paths = self.dataset.episodes[video_path(self.own(camera))].to_pylist()
        return [path if path in self.files else None for path in paths]

    def contradiction_of_ranges(self) -> str | None:
        """How the documents' ranges of rows of the whole dataset contradict their lengths, or None."""
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
                    f"episode {episode} is rows [{start}, {found[1][episode]}) of the dataset by its"
                    f" documents, [{begin}, {expected[1][episode]}) by the lengths"
                )
        return None
