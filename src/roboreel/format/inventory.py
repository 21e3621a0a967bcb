"""Facts about a dataset's files, as a survey finds them: what the compiler decides from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from roboreel.errors import Problem
from roboreel.types import Bools, Floats, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """Size and stamp of an input file: an op checks them before it reads."""

    size_bytes: int
    stamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """A kind of video stream: two files share a kind where a decoder needs the same for both."""

    entry: int
    """Number of the stream's sample entry and sets: equal where packets may follow each other."""
    codec: str
    """The sample entry's four characters, e.g. `avc1`."""
    width: int
    height: int
    audio: bool
    apart: bool = False
    """True where the stream does not begin with a reset: its packets can only begin a file."""
    first: bool = False
    """True where the stream makes a decoder drop what waits to be shown: its packets must begin a file."""
    sets: str = ""
    """Names the parameter sets inside the stream that are not the sample entry's: streams of one entry may
    follow each other where these are equal. Empty where there are none."""
    other_tracks: tuple[str, ...] = ()
    identity: bytes = field(default=b"", repr=False)
    """The display matrix, and what a decoder needs of the sample entry: may be compared across datasets."""


@dataclass(frozen=True, kw_only=True)
class CameraFacts:
    """The frames of every episode in one camera's files; arrays are aligned with the episodes."""

    start: Int64 = field(repr=False)
    """(episodes,) first frame in its file, by the file's packets."""
    packets: Int64 = field(repr=False)
    """(episodes,) packets that decode the episode: its frames and those they hang on."""
    lead: Int64 = field(repr=False)
    """(episodes,) of these, shown before the episode: more than 0 where it starts inside a GOP."""
    size_bytes: Int64 = field(repr=False)
    """(episodes,) bytes of these packets."""
    keyframes: Int64 = field(repr=False)
    """(episodes,) keyframes among these packets."""
    stream: Int64 = field(repr=False)
    """(episodes,) position of the stream's kind in `Inventory.streams`; -1 where there is no file."""


@dataclass(frozen=True, kw_only=True)
class ExternalVideoFacts:
    """A camera whose files are outside of the dataset, one per episode, in a folder of their own."""

    camera: CameraFacts
    files: Mapping[str, FileFacts] = field(repr=False)
    tidy_videos: Mapping[str, int] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What the files of one dataset hold; arrays are aligned with `Model.episodes`, or with pieces of it."""

    files: Mapping[str, FileFacts] = field(repr=False)
    schemas: Mapping[str, pa.Schema] = field(repr=False)
    """Schema by table file, as its rows are read."""
    relaid: frozenset[str] = field(default=frozenset(), repr=False)
    """Table files whose columns are stored in another layout than they are read in: copies keep that."""
    rows: Int64 = field(repr=False)
    """(episodes,) rows of each episode, by its table."""
    row_start: Int64 = field(repr=False)
    """(episodes,) first row in its file, by the table's own `episode_index`."""
    timestamp_error_s: Floats = field(repr=False)
    """(episodes,) largest distance of a timestamp from k / fps; 0 where there is no such column."""
    cameras: Mapping[str, CameraFacts]
    """Video cameras of which at least one file is there."""
    streams: tuple[StreamFacts, ...]
    shapes: Mapping[str, tuple[int, ...]]
    """Lengths of the nested lists in undeclared columns, by column."""
    tasks: Mapping[int, str]
    """Task text by index, ascending: the task list, or what the rows say where there is none."""
    tasks_of_episodes: Sequence[Sequence[str]] = field(repr=False)
    """(episodes,) texts of each episode's tasks."""
    tasks_of_rows: Sequence[Sequence[int]] = field(repr=False)
    """(episodes,) the task indexes that each episode's rows have; empty where they have no such column."""
    first_index: Int64 = field(repr=False)
    """(episodes,) `index` of an episode's first row where all its index columns are just as they would be
    written under its number; -1 where they are not."""
    table_rows: Mapping[str, int] = field(repr=False)
    """Rows by table file."""
    tidy_videos: Mapping[str, int] = field(repr=False)
    """Packets by video file, of those that are just as they would be written: all frames shown, at exact
    times, and no other track."""
    with_stats: Mapping[str, Bools] = field(repr=False)
    """By feature, (episodes,) True where the dataset has statistics of that episode."""
    stats_dims: Mapping[str, int] = field(default_factory=dict, repr=False)
    """By feature, the dimensions of those statistics; the fewest where they differ."""
    impossible_std: Mapping[str, Bools] = field(default_factory=dict, repr=False)
    """By camera, (episodes,) True where its other statistics rule the stored std out; only cameras where an
    episode has such a one."""
    overcounted: Mapping[str, Bools] = field(default_factory=dict, repr=False)
    """By camera, (episodes,) True where the stored `count` is larger than the rows; only where any is."""
    pooled_std: Mapping[str, Sequence[float]] = field(default_factory=dict, repr=False)
    """By camera, the std per channel to merge episodes with whose own is impossible, so that the std of all
    of them is the one in `stats.json`; only where that one is possible."""
    external_videos: Mapping[str, ExternalVideoFacts] = field(default_factory=dict, repr=False)
    """Cameras whose files are outside of the dataset."""
    broken: Mapping[int, tuple[Problem, ...]]
    """Why an episode cannot be written, by its row in `Model.episodes`."""
    problems: tuple[Problem, ...]
    """What is odd in the files, and how it is taken."""
