"""The dataset handle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import pyarrow as pa

from roboreel.errors import Problem
from roboreel.format import v2, v21, v30
from roboreel.format.feature import Feature, holds_numbers
from roboreel.format.model import EPISODE, Model
from roboreel.format.parse import parse_json
from roboreel.format.stats import Stats, merge_stats, parse_stats
from roboreel.format.version import FormatVersion
from roboreel.storage.fs import Root
from roboreel.storage.tables import TableFile


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset's documents, read; its rows and frames lie where `episodes` says. Immutable."""

    root: Root = field(repr=False)
    model: Model = field(repr=False)
    files: tuple[str, ...] = field(repr=False)
    """Names of all files below the root."""

    @property
    def url(self) -> str:
        """Where the dataset lies."""
        return self.root.url

    @property
    def version(self) -> FormatVersion:
        """Format version on disk."""
        return self.model.info.version

    @property
    def fps(self) -> Fraction:
        """Frames per second, exactly."""
        return self.model.info.fps

    @property
    def robot_type(self) -> str | None:
        """The robot, as its owner named it."""
        return self.model.info.robot_type

    @property
    def features(self) -> Mapping[str, Feature]:
        """Declared features by name, in order."""
        return self.model.info.features

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the features stored as video files."""
        return self.model.info.cameras

    @property
    def tasks(self) -> Mapping[int, str]:
        """Task text by task index."""
        return self.model.tasks

    @property
    def episodes(self) -> pa.Table:
        """One row per episode: see `Model.episodes`."""
        return self.model.episodes

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is odd in the documents, and how it was taken."""
        return self.model.problems

    @property
    def total_episodes(self) -> int:
        """Number of episodes."""
        return len(self.model.episodes)

    @property
    def total_frames(self) -> int:
        """Number of frames of all episodes, by the documents."""
        return sum(self.model.episodes["length"].to_pylist())

    def stats(self) -> Stats:
        """Statistics of the whole dataset: the stored ones, else merged from the episodes'."""
        name = v30.GLOBAL_STATS
        if self.version is not FormatVersion.V21 and name in self.files:
            document = parse_json(self.root.read(name), name)
            return parse_stats(document) if isinstance(document, Mapping) else {}
        return merge_stats(stats for _, stats in self.episode_stats())

    def episode_stats(self) -> Iterator[tuple[int, Stats]]:
        """(episode index, statistics) as stored; nothing for v2.0, which has none per episode."""
        if self.version is FormatVersion.V21 and v2.EPISODE_STATS in self.files:
            yield from v21.parse_episode_stats(self.root.read(v2.EPISODE_STATS))
        elif self.version is FormatVersion.V30:
            for name in episode_files(self.files):
                yield from self._stats_in(name)

    def _stats_in(self, name: str) -> Iterator[tuple[int, Stats]]:
        with TableFile(self.root, name) as file:
            schema = file.footer.schema
            names = [
                f.name for f in schema if f.name.startswith("stats/") and holds_numbers(f.type)
            ]
            begin = 0
            for rows in file.footer.row_group_rows:
                table = file.rows(begin, begin + rows).select([EPISODE, *names])
                begin += rows
                for row in table.to_pylist():
                    yield int(row[EPISODE]), v30.stats_of_row(row)

    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(self.root.stat(name).size_bytes for name in self.files)

    def __str__(self) -> str:
        return (
            f"{self.version} dataset '{self.url}': {self.total_episodes} episodes,"
            f" {self.total_frames} frames at {float(self.fps):g} fps"
        )


def episode_files(files: tuple[str, ...]) -> list[str]:
    """The files of a v3.0 episodes table, in order."""
    return [n for n in files if n.startswith(v30.EPISODES_FOLDER) and n.endswith(".parquet")]
