"""Facts about a dataset's files, found by a survey: the basis of the compiler's decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from roboreel.errors import Problem
from roboreel.types import Bools, Floats, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """Size and stamp of an input file, which an op checks before it reads the file."""

    size_bytes: int
    stamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """A kind of video stream: two files share a kind if a decoder needs the same setup for both."""

    entry: int
    """Number of the stream's sample entry and sets: equal if packets may follow each other."""
    codec: str
    """The sample entry's four characters, e.g. `avc1`."""
    width: int
    height: int
    audio: bool
    apart: bool = False
    """True if the stream does not begin with a reset, so its packets can only begin a file."""
    first: bool = False
    """True if the stream makes a decoder drop frames that wait to be shown, so its packets must begin a
    file."""
    sets: str = ""
    """Name of the parameter sets inside the stream that differ from the sample entry's: streams of one entry
    may follow each other if these are equal. Empty if there are none."""
    other_tracks: tuple[str, ...] = ()
    identity: bytes = field(default=b"", repr=False)
    """The display matrix and the part of the sample entry that a decoder needs; comparable across
    datasets."""


@dataclass(frozen=True, kw_only=True)
class CameraFacts:
    """The frames of every episode in one camera's files; arrays are aligned with the episodes."""

    start: Int64 = field(repr=False)
    """(episodes,) first frame in its file, according to the file's packets."""
    packets: Int64 = field(repr=False)
    """(episodes,) packets that decode the episode: its frames and those they depend on."""
    lead: Int64 = field(repr=False)
    """(episodes,) packets shown before the episode; more than 0 if it starts inside a GOP."""
    size_bytes: Int64 = field(repr=False)
    """(episodes,) bytes of these packets."""
    keyframes: Int64 = field(repr=False)
    """(episodes,) keyframes among these packets."""
    stream: Int64 = field(repr=False)
    """(episodes,) position of the stream's kind in `Inventory.streams`; -1 if there is no file."""


@dataclass(frozen=True, kw_only=True)
class ExternalVideoFacts:
    """A camera whose files are outside the dataset, one per episode, in a separate folder."""

    camera: CameraFacts
    files: Mapping[str, FileFacts] = field(repr=False)
    tidy_videos: Mapping[str, int] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """Contents of a dataset's files; arrays are aligned with `Model.episodes`, or with episode slices."""

    files: Mapping[str, FileFacts] = field(repr=False)
    schemas: Mapping[str, pa.Schema] = field(repr=False)
    """Schema by table file, as read."""
    relaid: frozenset[str] = field(default=frozenset(), repr=False)
    """Table files whose columns are stored in another layout than they are read in; copies keep the
    layout."""
    rows: Int64 = field(repr=False)
    """(episodes,) rows of each episode, according to its table."""
    row_start: Int64 = field(repr=False)
    """(episodes,) first row in its file, according to the table's own `episode_index`."""
    timestamp_error_s: Floats = field(repr=False)
    """(episodes,) largest distance of a timestamp from k / fps in seconds; 0 if there is no such column."""
    cameras: Mapping[str, CameraFacts]
    """Video cameras with at least one existing file."""
    streams: tuple[StreamFacts, ...]
    shapes: Mapping[str, tuple[int, ...]]
    """Lengths of the nested lists in undeclared columns, by column."""
    tasks: Mapping[int, str]
    """Task text by index, ascending: the task list, or what the rows say if there is none."""
    tasks_of_episodes: Sequence[Sequence[str]] = field(repr=False)
    """(episodes,) texts of each episode's tasks."""
    tasks_of_rows: Sequence[Sequence[int]] = field(repr=False)
    """(episodes,) task indexes in each episode's rows; empty if they have no such column."""
    first_index: Int64 = field(repr=False)
    """(episodes,) `index` of an episode's first row if all its index columns are exactly as roboreel would
    write them under its number; else -1."""
    table_rows: Mapping[str, int] = field(repr=False)
    """Number of rows by table file."""
    tidy_videos: Mapping[str, int] = field(repr=False)
    """Number of packets by video file, for files exactly as roboreel would write them: all frames shown, at
    exact times, and no other track."""
    with_stats: Mapping[str, Bools] = field(repr=False)
    """(episodes,) True if the dataset has statistics of the feature for that episode; by feature."""
    stats_dims: Mapping[str, int] = field(default_factory=dict, repr=False)
    """Number of dimensions of these statistics, by feature; the smallest if they differ."""
    impossible_std: Mapping[str, Bools] = field(default_factory=dict, repr=False)
    """(episodes,) True if the other statistics rule out the stored std; by camera, only cameras with such an
    episode."""
    overcounted: Mapping[str, Bools] = field(default_factory=dict, repr=False)
    """(episodes,) True if the stored `count` is larger than the rows; by camera, only cameras with such an
    episode."""
    pooled_std: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False)
    """The std per channel, by camera, to merge for episodes with an impossible std, so that the merged std
    equals the one in `stats.json`; only if that one is possible."""
    external_videos: Mapping[str, ExternalVideoFacts] = field(default_factory=dict, repr=False)
    """Cameras whose files are outside the dataset."""
    broken: Mapping[int, tuple[Problem, ...]]
    """Why an episode cannot be written, by its row in `Model.episodes`."""
    problems: tuple[Problem, ...]
    """Warnings about the files, and how roboreel reads them."""
