"""A plan: what is read and written, as data. The compiler makes it, and executors run it.

An op names a range of the result's episodes. `Plan.inputs` has what it reads for them, `Plan.model.episodes`
what it writes: two tables with one row per episode, so an op stays small however many episodes it covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from roboreel.errors import Problem, counted
from roboreel.format.depth import DepthScale
from roboreel.format.inventory import FileFacts
from roboreel.format.model import LENGTH, Model
from roboreel.plan.trimmed_episode import TrimmedEpisode
from roboreel.stats.sampling import SamplingProfile
from roboreel.summary.summary import Summarized, Summary, by_rule, named, warned
from roboreel.summary.words import human_bytes
from roboreel.types import Json

UNCHANGED = "unchanged, copied byte for byte"
PACKETS_COPIED = "packets copied, not re-encoded"
"""Reasons of ops that several modules make."""

# columns of `Plan.inputs`
SOURCE_EPISODE, INPUT_TABLE, INPUT_ROW, ROWS = "source_episode", "table", "row_start", "rows"
FIRST_INDEX, DEFAULT_TASK, DECLARED_ROWS = "first_index", "default_task", "declared_rows"
SOURCE, ROW_RANGE, FIRST_FRAME = "source", "stretch", "first_frame"
TASK_MAP, FIRST_SUPPLIED = "task_map", "first_supplied"


def source_prefix(number: int, sources: int) -> str:
    """The prefix of the input files of dataset `number`; empty if a plan reads only one."""
    return f"@{number}/" if sources > 1 else ""


def input_video(camera: str) -> str:
    """Column of `Plan.inputs`: the file with an episode's frames."""
    return f"{camera}/path"


def input_frame(camera: str) -> str:
    """Column of `Plan.inputs`: the episode's first frame in that file."""
    return f"{camera}/frame_start"


def input_packets(camera: str) -> str:
    """Column of `Plan.inputs`: packets copied for this episode that are not copied for an earlier one."""
    return f"{camera}/packets"


def input_joined(camera: str) -> str:
    """Column of `Plan.inputs`: True where the frames directly follow those of the previous episode."""
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
    """Writes the table files of some episodes: new index columns, the others untouched."""

    kind: ClassVar[str] = "write_tables"
    words: ClassVar[str] = "writing tables"
    episodes: EpisodeRange
    files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemuxVideo:
    """Writes video files of one camera by copying packets."""

    kind: ClassVar[str] = "remux_video"
    words: ClassVar[str] = "copying video packets"
    camera: str
    episodes: EpisodeRange
    files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyTables:
    """Copies table files byte for byte: nothing in them changes."""

    kind: ClassVar[str] = "copy_tables"
    words: ClassVar[str] = "copying tables"
    episodes: EpisodeRange
    files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyVideos:
    """Copies video files of one camera byte for byte: nothing in them changes."""

    kind: ClassVar[str] = "copy_videos"
    words: ClassVar[str] = "copying videos"
    camera: str
    episodes: EpisodeRange
    files: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeVideo:
    """Writes video files of one camera by encoding decoded frames of a video, or images of a table."""

    kind: ClassVar[str] = "encode_video"
    words: ClassVar[str] = "encoding video"
    camera: str
    episodes: EpisodeRange
    files: int = 1
    encoder: Mapping[str, str]
    """`codec`, `pix_fmt` (default: the input's), and the encoder's own options."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels to scale to."""
    from_tables: bool = False
    """True: encode the images in a column of the tables."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureCamera:
    """Computes the statistics of one camera in some episodes, from all or a sample of their frames."""

    kind: ClassVar[str] = "measure_camera"
    words: ClassVar[str] = "computing statistics"
    camera: str
    episodes: EpisodeRange
    from_tables: bool = False
    """True: measure the images in a column of the tables."""
    video: bool
    """True: the result has the camera as video. False: as images in tables."""
    profile: SamplingProfile
    """Which frames, pixels and channels are measured, and which quantiles are computed."""
    depth: DepthScale | None = None
    """The scale of a depth video's codes; images in tables hold depths."""
    backend: str = "pyav"
    """The video decoder."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFile:
    """Copies a file that is not part of the format."""

    kind: ClassVar[str] = "copy_file"
    words: ClassVar[str] = "copying the file"
    path: str
    source: str
    """The file's name in the input, with `source_prefix` of its dataset."""
    reason: str


Op: TypeAlias = (
    WriteTables | CopyTables | RemuxVideo | CopyVideos | EncodeVideo | MeasureCamera | CopyFile
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProgram:
    """How input rows of an episode become rows of the result; the same for all episodes."""

    schema_ipc: bytes = field(repr=False)
    """Columns of the result in order, with metadata, in Arrow's IPC form: pickled schemas lose the names
    of list items, and tables written in another process would differ in their bytes."""
    fps: Fraction
    regular_timestamps: bool
    """True: `timestamp` becomes k / fps. False: it is copied if it exists."""
    source_timestamp: str | None
    """Column that keeps the recorded timestamps."""
    steps: tuple[Fraction, ...]
    """(sources,) row *k* of an episode is its input row `round_half_down(k * step)`; 1 uses every row."""
    task_maps: tuple[Mapping[int, int], ...]
    """New task index by old one; empty if none changes. `TASK_MAP` has the position of an episode's map."""
    measured: tuple[str, ...]
    """Columns whose statistics are computed while the rows are in memory."""
    measurable: tuple[str, ...]
    """Columns that can be measured: an episode that is only part of its source's has all of them measured."""
    per_last_axis: tuple[str, ...]
    """Matrix columns that are measured per column of their last axis, as their stored statistics are."""
    filled: tuple[str, ...]
    """Columns that are filled with zeros where the input does not have them."""
    masks: Mapping[str, str]
    """By column, the column that is True where the input has values."""
    shapes: Mapping[str, tuple[int, ...]]
    """Lengths of the lists in filled and masked columns."""
    decoded: tuple[str, ...]
    """Columns of images that are decoded from a camera's video."""
    images: tuple[str, ...]
    """Columns of encoded images."""
    depths: tuple[str, ...]
    """Depth cameras."""
    profile: SamplingProfile
    """How measured columns are described; it has no quantiles if the version cannot store them."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the result in order, with metadata."""
        return pa.ipc.read_schema(pa.py_buffer(self.schema_ipc))


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeProgram:
    """Statistics of actions relative to the state at the beginning of their chunk."""

    chunk: int
    """Frames per chunk."""
    relative: tuple[bool, ...]
    """By component: False if it stays absolute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsProgram:
    """How the result's statistics are made."""

    features: tuple[str, ...]
    """Features with statistics, in order."""
    recomputed: tuple[str, ...] = ()
    """Features whose stored statistics are ignored; numeric ones get exact quantiles of all rows."""
    relative: RelativeProgram | None = None
    """How the action's statistics of the whole dataset become relative, if the user asked for it."""
    pooled_std: tuple[Mapping[str, Sequence[float]], ...] = ()
    """(sources,) by camera, the std per channel to use in a merge for episodes with an impossible one; () if
    there are none."""
    write_global: bool
    """True if the result has a document with the statistics of the whole dataset."""
    reconcile_global: bool = False
    """True if the result has all rows of one dataset, so that its stored global statistics still apply."""
    compare_global: bool
    """True: compare the source's global statistics with the computed ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSource:
    """A dataset that a plan reads."""

    url: str
    follow_links: bool = False
    """True: follow links that lead out of the dataset."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """New name of a column or camera by its name in the dataset."""
    is_dataset: bool = True
    """False for a folder of videos that are added."""
    removed: tuple[str, ...] = ()
    """Columns and cameras that are left out, by their names in the dataset."""
    filled: tuple[str, ...] = ()
    """Columns that the dataset lacks or has shorter; its own statistics of them are not used."""
    supplied: tuple[str, ...] = ()
    """Columns that none of its files has: their values are in `Plan.supplied`."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(Summarized):
    """What a run does, decided in full. A dry run prints the plan that a run executes."""

    sources: tuple[PlanSource, ...]
    """If there are several, names of input files begin with `source_prefix` of their number."""
    out: str | None = None
    """Path of the result."""
    edits: bool = False
    """True if running the same command on the result would change it again."""
    in_place: bool = False
    """True: the result replaces the source at `out`."""
    model: Model = field(repr=False)
    """The result's documents."""
    inputs: pa.Table = field(repr=False)
    """One row per episode of the result: the files and positions of its input rows and packets."""
    files: Mapping[str, FileFacts] = field(repr=False)
    """Size and stamp of each input file; an op checks them before it reads."""
    ops: tuple[Op, ...] = field(repr=False)
    op_sizes: tuple[int | None, ...] = field(repr=False)
    """(ops,) bytes of the tables, packets or file that each op reads; None for statistics and images."""
    table: TableProgram = field(repr=False)
    stats: StatsProgram = field(repr=False)
    supplied: pa.Table | None = field(default=None, repr=False)
    """Columns that no file has: row *k* of an episode's input rows is row `FIRST_SUPPLIED` + *k*."""
    splits: Mapping[str, str]
    input_bytes: int
    """Bytes of tables and packets that the ops read."""
    problems: tuple[Problem, ...] = ()
    """Warnings about the source, and how the result deals with them."""
    losses: tuple[str, ...] = ()
    """Lines for what the result does not have of the source."""
    trimmed: tuple[TrimmedEpisode, ...] = ()
    """Episodes that lose frames at an end, in the order of the result."""
    skipped: tuple[Problem, ...] = ()
    """Why broken episodes are left out."""
    refused: str = ""
    """Not empty if there will be no result, because the episodes of `skipped` may not be left out. The other
    cameras are still measured, for a run after these episodes were repaired."""

    @property
    def decodes(self) -> bool:
        """True if an op decodes images or video, in which case a damaged file may crash a decoder."""
        images = {*self.table.decoded, *(self.table.images if self.table.measured else ())}
        return bool(images) or any(isinstance(op, EncodeVideo | MeasureCamera) for op in self.ops)

    @property
    def source(self) -> str:
        """The URLs of the datasets, in one line."""
        return " + ".join(source.url for source in self.datasets)

    @property
    def datasets(self) -> tuple[PlanSource, ...]:
        """The datasets that the plan reads, without folders of videos."""
        return tuple(source for source in self.sources if source.is_dataset)

    def to_json(self) -> dict[str, Json]:
        """The plan as a JSON object, as `--dry-run --json` prints it; `docs/python.md` lists its keys."""
        return {
            "source": self.source,
            "out": self.out,
            "version": self.model.info.version.value,
            "episodes": len(self.model.episodes),
            "input_bytes": self.input_bytes,
            "ops": [_op_to_json(op) for op in self.ops],
            "problems": [problem.to_json() for problem in self.problems],
            "losses": list(self.losses),
            "trimmed": [one.to_json() for one in self.trimmed],
            "skipped": [problem.to_json() for problem in self.skipped],
            "refused": self.refused or None,
        }

    def _summary(self) -> Summary:
        info, frames = self.model.info, int(pc.sum(self.model.episodes[LENGTH]).as_py() or 0)
        return Summary(
            f"Plan of '{self.out}' ({info.version}) from '{self.source}'",
            [
                (
                    "result",
                    f"{counted(len(self.model.episodes), 'episode')}, {counted(frames, 'frame')}",
                ),
                ("files", self._files()),
                ("read", f"about {human_bytes(self.input_bytes)} of tables and videos"),
                ("encoded", self._frames_of(EncodeVideo) or "nothing"),
                ("measured", self._frames_of(MeasureCamera)),
                (
                    "reasons",
                    named(dict.fromkeys(op.reason for op in self.ops), shown=3, between="; "),
                ),
                ("warnings", by_rule(one for one in self.problems if one.severity != "note")),
                ("not carried", named(self.losses, between="; ")),
                ("left out", self.refused or by_rule(self.skipped)),
            ],
            warned(self.problems),
        )

    def _files(self) -> str:
        """How many files are written, by kind."""
        parts = {
            "table": (WriteTables, CopyTables),
            "video": (RemuxVideo, CopyVideos, EncodeVideo),
        }
        found = [
            counted(sum(op.files for op in self.ops if isinstance(op, kinds)), noun)
            for noun, kinds in parts.items()
        ]
        others = sum(isinstance(op, CopyFile) for op in self.ops)
        return ", ".join([*found, *([counted(others, "other file")] if others else [])])

    def _frames_of(self, kind: type[EncodeVideo | MeasureCamera]) -> str:
        """How many frames are decoded for one kind of op, and of which cameras."""
        ops = [op for op in self.ops if isinstance(op, kind)]
        rows = self.inputs[ROWS]
        frames = sum(
            pc.sum(rows.slice(op.episodes.start, len(op.episodes))).as_py() or 0 for op in ops
        )
        if not ops:
            return ""
        cameras = named(dict.fromkeys(op.camera for op in ops))
        sampled = "up to " if kind is MeasureCamera else ""
        return f"{sampled}{counted(frames, 'frame')} of {cameras}"


def _op_to_json(op: Op) -> dict[str, Json]:
    episodes = getattr(op, "episodes", None)
    return {
        "op": op.kind,
        "camera": getattr(op, "camera", None),
        "path": getattr(op, "path", None),
        "episodes": None if episodes is None else [episodes.start, episodes.stop],
        "reason": op.reason,
    }
