"""The dataset handle."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import pyarrow as pa
import pyarrow.compute as pc

from roboreel.dataset.episode_uids import episode_uids
from roboreel.dataset.positions import Positions
from roboreel.dataset.row_tasks import tasks_of_rows
from roboreel.dataset.rows import read_rows
from roboreel.dataset.stored_stats import StoredStats, open_stored_stats
from roboreel.dataset.view_save import save_view
from roboreel.dataset.view_source import (
    DOCUMENTS,
    FRAMES,
    PATH,
    REFERENCE,
    UIDS,
    relative_path,
    stamps_document,
)
from roboreel.edit.dataset_facts import facts_of
from roboreel.edit.view import Verbs, View, whole_view
from roboreel.edit.view_data import ViewData
from roboreel.errors import Problem, UnknownNameError, UsageError, listed
from roboreel.format import v30
from roboreel.format.feature import Feature, Features
from roboreel.format.model import LENGTH, Model
from roboreel.format.parse import parse_json
from roboreel.format.version import FormatVersion
from roboreel.stats.feature_stats import Stats, parse_stats
from roboreel.stats.merge import StatsMerger
from roboreel.storage.root import FileStat, Root
from roboreel.summary.summary import Summarized, Summary, by_rule, warned
from roboreel.types import JsonObject

_HIDDEN = {
    "root",
    "model",
    "files",
    "documents",
    "known_uids",
    "reference",
    "opened_by",
    "described",
}
_HIDDEN |= {
    "save_view",
    "positions",
    "stored_stats",
    "tasks_of_rows",
    "rows",
    "whole_stats",
    "as_view",
}
_HIDDEN |= {"written_as", "has_global_stats", "follow_links"}
"""Names that roboreel uses itself: left out of tab completion."""


@dataclass(frozen=True, slots=True, repr=False)
class Dataset(Summarized, Verbs):
    """An opened dataset: its documents are read, `episodes` says where rows and frames are. Immutable."""

    root: Root = field(repr=False)
    model: Model = field(repr=False)
    files: tuple[str, ...] = field(repr=False)
    """Names of all files below the root."""
    documents: Mapping[str, FileStat] = field(default_factory=dict, repr=False)
    """Size and stamp of each document, taken before it was read."""
    known_uids: tuple[str, ...] | None = field(default=None, repr=False)
    """(episodes,) uids, where a view file says them."""
    reference: str | None = field(default=None, repr=False)
    """The reference on the Hub by which it was fetched; view files name it in place of the path."""

    opened_by: Callable[[Root], Dataset] | None = field(default=None, repr=False, compare=False)
    """What opened it, and opens it again."""

    def refresh(self) -> Dataset:
        """The dataset as it is now, such as with the episodes that were recorded since it was opened.

        This one stays as it is.

        Raises:
            StorageError, DatasetError: as `open`.
        """
        if self.opened_by is None:
            raise UsageError(f"'{self.url}' cannot be opened again")
        return replace(self.opened_by(self.root), reference=self.reference)

    @property
    def url(self) -> str:
        """Path or URL of the dataset."""
        return self.root.url

    @property
    def name(self) -> str:
        """Name of the dataset's folder, without the path to it."""
        path = self.url if "://" in self.url else os.path.abspath(self.url)
        return os.path.basename(path.replace("\\", "/").rstrip("/")) or "dataset"

    @property
    def follow_links(self) -> bool:
        """True if links that lead out of the dataset are followed."""
        return self.root.follow_links

    def as_view(self) -> View:
        """A view of the complete dataset, to edit it."""
        return whole_view(self)

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
        """`robot_type` in `info.json`."""
        return self.model.info.robot_type

    @property
    def features(self) -> Mapping[str, Feature]:
        """Declared features by name, in order."""
        return Features(self.model.info.features)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the features stored as video files."""
        return self.model.info.cameras

    @property
    def camera_keys(self) -> tuple[str, ...]:
        """Names of the cameras, stored as video files or as images in tables."""
        return tuple(name for name, feature in self.features.items() if feature.is_camera)

    @property
    def missing_cameras(self) -> frozenset[str]:
        """Names of the cameras without any video file."""
        return self.model.missing_cameras

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
        """Problems of the documents, and how roboreel handles them."""
        return self.model.problems

    @property
    def total_episodes(self) -> int:
        """Number of episodes."""
        return len(self.model.episodes)

    @property
    def total_frames(self) -> int:
        """Number of frames of all episodes, from the documents."""
        return int(pc.sum(self.model.episodes[LENGTH]).as_py() or 0)

    @property
    def num_episodes(self) -> int:
        """Number of episodes: `total_episodes`."""
        return self.total_episodes

    @property
    def num_frames(self) -> int:
        """Number of frames of all episodes: `total_frames`."""
        return self.total_frames

    @property
    def has_global_stats(self) -> bool:
        """True if stored statistics of the whole dataset are used; v2.1 readers merge the episodes'."""
        return self.version.has_global_stats and v30.GLOBAL_STATS in self.files

    def stats(self) -> Stats:
        """Statistics of the whole dataset: stored, or else merged from the episodes' statistics."""
        stored = self.whole_stats() if self.version.has_global_stats else None
        if stored is not None:
            return stored
        merger = StatsMerger()
        for _, block in self.stored_stats().in_blocks():
            merger.add_in_order(block)
        return merger.result()

    def whole_stats(self) -> Stats | None:
        """The content of `meta/stats.json`; None if the file does not exist.

        v2.1 does not define the file, but some trainers need it and some datasets have it.
        """
        name = v30.GLOBAL_STATS
        if name not in self.files:
            return None
        document = parse_json(self.root.read(name), name)
        return parse_stats(document) if isinstance(document, Mapping) else {}

    def episode_stats(self) -> Iterator[tuple[int, Stats]]:
        """(episode index, stored statistics); nothing for v2.0, which has none per episode."""
        return self.stored_stats().entries()

    def stored_stats(self) -> StoredStats:
        """The stored statistics of episodes, read on demand."""
        return open_stored_stats(self.root, self.version, self.files)

    def rows(
        self,
        row_ranges: Iterable[tuple[int, int, int]],
        columns: Sequence[str] | None = None,
    ) -> Iterator[pa.Table]:
        """Read the rows of episode slices, one table per slice; see `read_rows`."""
        return read_rows(self.root, self.positions(), row_ranges, columns)

    def episode_table(self, episode: int, columns: Sequence[str] | None = None) -> pa.Table:
        """Read the rows of one episode as an Arrow table, with the columns and types of its file.

        Args:
            episode: its number, as in `episodes`.
            columns: names of the columns; by default all but images, which are large.

        Raises:
            UsageError: there is no such episode or column.
            StorageError: its file is missing or cannot be read.
        """
        view = self.as_view()
        row = int(view.positions([episode])[0])
        if columns is not None and (unknown := [n for n in columns if n not in self.features]):
            raise UnknownNameError(
                f"no column {listed(unknown)}: the dataset has {listed([*self.features])}"
            )
        images = {name for name, one in self.features.items() if one.dtype == "image"}
        table = next(self.rows([(row, 0, int(view.lengths[row]))], columns))
        return (
            table
            if columns is not None
            else table.drop_columns([name for name in table.column_names if name in images])
        )

    def positions(self) -> Positions:
        """Where the rows and frames of episodes are in the files; resolved when they are asked for."""
        return Positions(self.root, self.model, self.files)

    def tasks_of_rows(self) -> list[list[str]]:
        """(episodes,) task texts of each episode's rows; reads the tables, see `row_tasks.py`."""
        return tasks_of_rows(self.root, self.model, self.files)

    def uids(self) -> list[str]:
        """(episodes,) the uid of each episode; reads the statistics where uids are not stored."""
        if self.known_uids is not None:
            return list(self.known_uids)
        return episode_uids(self.root, self.model, self.stored_stats())

    def described(self, folder: str) -> JsonObject:
        """What a view file in a folder says of the dataset: where it is, its documents' stamps, its uids."""
        where = {PATH: relative_path(self.url, folder)}
        if self.reference is not None:
            where = {REFERENCE: self.reference}
        return {
            **where,
            DOCUMENTS: stamps_document(self.root, self.documents),
            UIDS: self.uids(),
            FRAMES: self.episodes[LENGTH].to_pylist(),
        }

    def save_view(self, view: ViewData, path: str | os.PathLike[str]) -> None:
        """Write a view of the dataset as a view file; see `Verbs.save`."""
        save_view(view, path)

    def size_bytes(self) -> int:
        """Total size of all files, in bytes."""
        return sum(self.root.stat(name).size_bytes for name in self.files)

    def __len__(self) -> int:
        return self.total_frames

    def __bool__(self) -> bool:
        return True

    def __dir__(self) -> list[str]:
        return [name for name in object.__dir__(self) if name not in _HIDDEN]

    def __str__(self) -> str:
        return (
            f"{self.version} dataset '{self.url}': {self.total_episodes} episodes,"
            f" {self.total_frames} frames at {float(self.fps):g} fps"
        )

    def _summary(self) -> Summary:
        facts = facts_of(
            episodes=self.total_episodes,
            frames=self.total_frames,
            fps=self.fps,
            robot_type=self.robot_type,
            features=self.features,
            tasks=self.tasks.values(),
            missing=self.missing_cameras,
        )
        problems = by_rule(self.problems)
        return Summary(
            f"Dataset '{self.name}' ({self.version})",
            [("path", self.url), *facts, ("problems", problems)],
            warned(self.problems),
        )
