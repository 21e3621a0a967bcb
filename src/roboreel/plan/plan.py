"""A plan: what lands where, as data. The vocabulary that compiler and executors share.

An op names a range of the result's episodes. What it reads for them stands in `Plan.inputs`, what it writes
in `Plan.model.episodes`: two tables with one row per episode, so that an op stays small however many
episodes it covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, TypeAlias

import pyarrow as pa

from roboreel.errors import Problem
from roboreel.format.depth import DepthScale
from roboreel.format.inventory import FileFacts
from roboreel.format.model import Model
from roboreel.stats.sampling import SamplingProfile
from roboreel.types import Json

# columns of `Plan.inputs`
SOURCE_EPISODE, INPUT_TABLE, INPUT_ROW, ROWS = "source_episode", "table", "row_start", "rows"
FIRST_INDEX, DEFAULT_TASK, DECLARED_ROWS = "first_index", "default_task", "declared_rows"
SOURCE, ROW_RANGE, FIRST_FRAME = "source", "stretch", "first_frame"
TASK_MAP, FIRST_SUPPLIED = "task_map", "first_supplied"


def source_prefix(number: int, sources: int) -> str:
    """How names of input files of a dataset begin, where a plan reads that many."""
    return f"@{number}/" if sources > 1 else ""


def input_video(camera: str) -> str:
    """Column of `Plan.inputs`: the file that holds an episode's frames."""
    return f"{camera}/path"


def input_frame(camera: str) -> str:
    """Column of `Plan.inputs`: the first of them in that file."""
    return f"{camera}/frame_start"


def input_packets(camera: str) -> str:
    """Column of `Plan.inputs`: packets that are copied for this episode and not for one before."""
    return f"{camera}/packets"


def input_joined(camera: str) -> str:
    """Column of `Plan.inputs`: True where the frames go on from the episode before, in one run."""
    return f"{camera}/joined"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeRange:
    """The result's episodes `[start, stop)`."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteTables:
    """Writes the table files of some episodes: index columns anew, the others untouched."""

    kind: ClassVar[str] = "write_tables"
    episodes: EpisodeRange
    files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemuxVideo:
    """Writes video files of one camera by copying packets."""

    kind: ClassVar[str] = "remux_video"
    camera: str
    episodes: EpisodeRange
    files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTables:
    """Copies table files byte for byte: nothing in them changes."""

    kind: ClassVar[str] = "copy_tables"
    episodes: EpisodeRange
    files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyVideos:
    """Copies video files of one camera byte for byte: nothing in them changes."""

    kind: ClassVar[str] = "copy_videos"
    camera: str
    episodes: EpisodeRange
    files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeVideo:
    """Writes video files of one camera by encoding pictures: those of a video, decoded, or of a table."""

    kind: ClassVar[str] = "encode_video"
    camera: str
    episodes: EpisodeRange
    files: int = 1
    encoder: Mapping[str, str]
    """`codec`, `pix_fmt` (without it that of the input), and the encoder's own options."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels to scale to."""
    from_tables: bool = False
    """True where the pictures are those of a column of the tables."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureCamera:
    """Computes the statistics of one camera in some episodes, from a sample of their pictures."""

    kind: ClassVar[str] = "measure_camera"
    camera: str
    episodes: EpisodeRange
    from_tables: bool = False
    """True where the pictures are those of a column of the tables."""
    video: bool
    """True where the result has a video of it. False: images in tables."""
    profile: SamplingProfile
    """Which of their frames, pixels and channels count, and which quantiles are computed."""
    depth: DepthScale | None = None
    """Of a depth camera, what the codes of its video stand for; pictures in tables hold depths."""
    backend: str = "pyav"
    """What decodes them, where they are a video's."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFile:
    """Copies a file that is not part of the format."""

    kind: ClassVar[str] = "copy_file"
    path: str
    source: str
    """Its name in the input; where there are several datasets, that of its root first."""
    reason: str


Op: TypeAlias = (
    WriteTables | CopyTables | RemuxVideo | CopyVideos | EncodeVideo | MeasureCamera | CopyFile
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProgram:
    """How the rows of an episode become rows of the result; the same for all episodes."""

    schema_ipc: bytes = field(repr=False)
    """Columns of the result in order, with metadata, in Arrow's IPC form: pickled schemas lose the names
    of list items, and tables written in another process would differ in their bytes."""
    fps: Fraction
    regular_timestamps: bool
    """True: `timestamp` becomes k / fps. False: it is copied where there is one."""
    source_timestamp: str | None
    """Column that takes the timestamps as they were."""
    step: Fraction
    """Row *k* of the result is row `round_half_down(k * step)` of the input's stretch; 1 takes every row."""
    task_maps: tuple[Mapping[int, int], ...]
    """New task index by old one; empty where they stay. An episode's is at its `TASK_MAP`."""
    measured: tuple[str, ...]
    """Columns of which statistics are computed while the rows are in memory."""
    measurable: tuple[str, ...]
    """Columns of which they can be: all are measured in episodes that are a part of the source's, or none."""
    per_last_axis: tuple[str, ...]
    """Of these, matrices that are measured per column of their last axis, as the stored statistics are."""
    filled: tuple[str, ...]
    """Columns that are zeros where the input does not have them."""
    masks: Mapping[str, str]
    """By column, another that is True where the input has values."""
    shapes: Mapping[str, tuple[int, ...]]
    """Lengths of the lists in these columns, by column."""
    decoded: tuple[str, ...]
    """Columns whose pictures are those of a camera's video, decoded."""
    images: tuple[str, ...]
    """Columns that hold encoded pictures."""
    depths: tuple[str, ...]
    """Of these, those whose pictures are of depths."""
    profile: SamplingProfile
    """How measured columns are described; without quantiles where the version has none."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the result in order, with metadata."""
        return pa.ipc.read_schema(pa.py_buffer(self.schema_ipc))


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeProgram:
    """How actions are described relative to the state in which a chunk of them begins."""

    chunk: int
    """Frames of a chunk."""
    relative: tuple[bool, ...]
    """By component: False for those that stay as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsProgram:
    """How the result's statistics come about."""

    features: tuple[str, ...]
    """Features that have statistics, in order; others are dropped with their feature."""
    recomputed: tuple[str, ...] = ()
    """Features of which the stored ones are not taken; over all episodes, the quantiles of those that are
    numbers are of all rows."""
    relative: RelativeProgram | None = None
    """How the action is described over all episodes, where that is asked for."""
    pooled_std: tuple[Mapping[str, Sequence[float]], ...] = ()
    """By number of a source and camera, the std per channel with which episodes are merged whose own is
    impossible; () where there are none."""
    write_global: bool
    """True where the result has a document with the statistics of the whole dataset."""
    reconcile_global: bool = False
    """True where the result has all rows of one dataset, whose stored statistics of all of them hold."""
    compare_global: bool
    """True where the source's global statistics are to be compared with the computed ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSource:
    """A dataset that a plan reads."""

    url: str
    follow_links: bool = False
    """True where links out of it were followed, and are to be."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """New name of a column or camera by the one that it has there."""
    is_dataset: bool = True
    """False for a folder of videos that are added."""
    removed: tuple[str, ...] = ()
    """Columns and cameras that are left out, by their names there."""
    filled: tuple[str, ...] = ()
    """Columns that it does not have or has shorter: its own statistics of them are of no use."""
    supplied: tuple[str, ...] = ()
    """Columns that none of its files has: they stand in `Plan.supplied`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimmedEpisode:
    """An episode that loses frames at an end; frames are counted from 0, before any resampling."""

    source: str | None = None
    """Path of its dataset, where a plan reads several."""
    episode: int
    """Its number in that dataset."""
    frames: int
    """Frames that it has there."""
    start: int
    """First frame that is kept."""
    stop: int
    """The frame after the last that is kept."""

    def to_json(self) -> dict[str, Json]:
        """The episode as a JSON object; `keeps` is half-open."""
        where = {} if self.source is None else {"source": self.source}
        return {
            **where,
            "episode": self.episode,
            "frames": self.frames,
            "keeps": [self.start, self.stop],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Json]) -> TrimmedEpisode:
        """The episode that `to_json` gave."""
        others = {name: value for name, value in document.items() if name != "keeps"}
        return cls(**others, start=document["keeps"][0], stop=document["keeps"][1])

    def __str__(self) -> str:
        where = "" if self.source is None else f" of '{self.source}'"
        kept = f"{self.frames} → {self.stop - self.start}"
        return f"episode {self.episode}{where}: {kept}, keeps {self.start}:{self.stop}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do, all decided. The same plan is printed by a dry run and executed by a run."""

    sources: tuple[PlanSource, ...]
    """Where there are several, names of input files begin with `source_prefix` of their number."""
    out: str | None = None
    """Where the result is to appear."""
    edits: bool = False
    """True where the same plan, made of the result, would change it again."""
    in_place: bool = False
    """True where the source stands there, and is to make room."""
    model: Model = field(repr=False)
    """The result's documents, as they will be."""
    inputs: pa.Table = field(repr=False)
    """One row per episode of the result: where its rows and packets are read."""
    files: Mapping[str, FileFacts] = field(repr=False)
    """Size and stamp of each input file; an op checks them before it reads."""
    ops: tuple[Op, ...] = field(repr=False)
    table: TableProgram = field(repr=False)
    stats: StatsProgram = field(repr=False)
    supplied: pa.Table | None = field(default=None, repr=False)
    """(rows of the result's inputs, …) columns that no file has: row *k* of an episode's stretch of the
    input, at `FIRST_SUPPLIED` + *k*."""
    splits: Mapping[str, str]
    input_bytes: int
    """Bytes that the ops read of tables and packets."""
    problems: tuple[Problem, ...] = ()
    """What is odd in the source, and how it is taken."""
    losses: tuple[str, ...] = ()
    """What the target cannot hold."""
    trimmed: tuple[TrimmedEpisode, ...] = ()
    """Episodes that lose frames at an end, in the order of the result."""
    skipped: tuple[Problem, ...] = ()
    """Why episodes are left out, where that was asked for."""
    refused: str = ""
    """Not empty where there will be no result: the episodes of `skipped` may not be left out. What the ops
    measure of the others is kept, for a run after these were mended."""

    @property
    def decodes(self) -> bool:
        """True where an op decodes pictures: what a damaged file does to a decoder, nobody knows."""
        pictures = {*self.table.decoded, *(self.table.images if self.table.measured else ())}
        return bool(pictures) or any(isinstance(op, EncodeVideo | MeasureCamera) for op in self.ops)

    @property
    def source(self) -> str:
        """Where its datasets lie, in a line."""
        return " + ".join(source.url for source in self.datasets)

    @property
    def datasets(self) -> tuple[PlanSource, ...]:
        """The datasets that it reads: they come before folders of videos."""
        return tuple(source for source in self.sources if source.is_dataset)
