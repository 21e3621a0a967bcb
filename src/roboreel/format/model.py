"""The model of a dataset's documents, shared by all versions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from roboreel.errors import Problem
from roboreel.format.feature import Feature
from roboreel.format.version import FormatVersion
from roboreel.types import Json, JsonObject

INFO = "meta/info.json"
_DOCUMENTS = {
    INFO,
    "meta/stats.json",
    "meta/tasks.jsonl",
    "meta/episodes.jsonl",
    "meta/episodes_stats.jsonl",
    "meta/tasks.parquet",
}
"""Documents of any version: those of another version than the dataset's are not copied."""
_EPISODE_TABLE = re.compile(r"meta/episodes/chunk-\d+/file-\d+\.parquet")
SUBTASK_TABLE = "meta/subtasks.parquet"
LEFT_OUT_FIELDS = frozenset({"task.fields", "episode.fields"})
"""Rules about fields of documents that no version can store."""
EPISODE, LENGTH, TASKS = "episode_index", "length", "tasks"
DATA_PATH, ROW_START, ROW_STOP = "data/path", "data/row_start", "data/row_stop"


def video_path(camera: str) -> str:
    """Column of `Model.episodes` with the path of a camera's file; null if it is missing."""
    return f"videos/{camera}/path"


def frame_start(camera: str) -> str:
    """Column of `Model.episodes` with the first frame of an episode in its camera's file."""
    return f"videos/{camera}/frame_start"


def frame_stop(camera: str) -> str:
    """Column of `Model.episodes` with the frame after an episode's last one in its camera's file."""
    return f"videos/{camera}/frame_stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """The parsed `meta/info.json`. Unknown keys are kept in `extra`."""

    version: FormatVersion
    fps: Fraction
    fps_value: int | float
    """The frame rate as the document writes it."""
    robot_type: str | None
    features: Mapping[str, Feature]
    """Declared features in their order, by name."""
    chunks_size: int
    """Episodes (v2.x) or files (v3.0) per chunk folder."""
    data_path: str
    video_path: str | None
    data_file_mb: int | float | None = None
    """Soft limit of a table file in MiB; only v3.0 has it."""
    video_file_mb: int | float | None = None
    splits: Json = None
    totals: Mapping[str, Json] = field(default_factory=dict)
    """The `total_*` entries as found; roboreel counts what is there instead."""
    extra: JsonObject = field(default_factory=dict)
    """Keys that are not part of the format, kept and written back."""

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the features stored as video files."""
        return tuple(name for name, feature in self.features.items() if feature.is_video)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A dataset's documents, of any version, in one form."""

    info: Info
    tasks: Mapping[int, str]
    """Task text by task index, ascending."""
    episodes: pa.Table = field(repr=False)
    """One row per episode, ascending: `episode_index`, `tasks`, `length`, `data/path`, `data/row_start`,
    `data/row_stop`, for each camera `videos/{camera}/path`, `/frame_start`, `/frame_stop`, then the
    dataset's own extra columns. Ranges are half-open and count from 0 inside the named file."""
    has_task_list: bool = True
    """False if `tasks` was collected from what the episodes list."""
    extra_columns: tuple[str, ...] = ()
    """Columns of `episodes` that are not part of the format."""
    extra_files: tuple[str, ...] = ()
    """Files outside the format that are copied with the dataset."""
    other_files: tuple[str, ...] = ()
    """Files that belong to no episode and no document; they are not copied."""
    hidden_files: tuple[str, ...] = ()
    """Files with a name or folder that begins with a dot; they are not copied."""
    problems: tuple[Problem, ...] = ()

    @property
    def missing_cameras(self) -> frozenset[str]:
        """Names of the cameras without any video."""
        found = (p.column for p in self.problems if p.rule == "video.missing")
        return frozenset(name for name in found if name is not None)


class Totals(NamedTuple):
    """The totals that `info.json` states."""

    episodes: int
    frames: int
    tasks: int


def totals_of(model: Model) -> Totals:
    """The totals counted in a model."""
    lengths = model.episodes[LENGTH]
    return Totals(len(lengths), pc.sum(lengths).as_py() or 0, len(model.tasks))


def with_features(
    model: Model, features: Mapping[str, Feature], renamed: Mapping[str, str] | None = None
) -> Model:
    """The model with other features; columns of removed cameras are dropped.

    Args:
        model: the model.
        features: the new features.
        renamed: new names of features by old ones; the columns of their videos are renamed too.
    """
    names = renamed or {}
    columns: dict[str, str | None] = {}
    for old in model.info.cameras:
        new = names.get(old, old)
        for position in (video_path, frame_start, frame_stop):
            columns[position(old)] = position(new) if new in features else None
    kept = [name for name in model.episodes.column_names if columns.get(name, name) is not None]
    table = model.episodes.select(kept).rename_columns([columns.get(n) or n for n in kept])
    return replace(model, info=replace(model.info, features=features), episodes=table)


def is_layout(name: str) -> bool:
    """True for names of episode columns that hold positions or statistics."""
    ours = ("stats/", "videos/", "data/", "meta/episodes/")
    return name.startswith(ours) or name in ("dataset_from_index", "dataset_to_index")


def split_files(names: tuple[str, ...], used: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Sort the files that no document names into fields of `Model`.

    Files below `meta/` and visible ones at the top are copied with the dataset, the others are not.
    """
    rest = [name for name in names if name not in used]
    hidden = tuple(name for name in rest if name.startswith(".") or "/." in name)
    visible = [name for name in rest if name not in frozenset(hidden)] if hidden else rest
    return {
        "extra_files": tuple(name for name in visible if _travels(name)),
        "other_files": tuple(name for name in visible if not _travels(name)),
        "hidden_files": hidden,
    }


def is_client_note(name: str) -> bool:
    """True for files in which a Hub client records its downloads."""
    return name.startswith(".cache/huggingface/")


def is_written_document(name: str) -> bool:
    """True for names of the documents that are written for any version."""
    return name in _DOCUMENTS or _EPISODE_TABLE.fullmatch(name) is not None


def _travels(name: str) -> bool:
    parts = name.split("/")
    if name in _DOCUMENTS or name.startswith("meta/episodes/"):
        return False
    return parts[0] == "meta" or len(parts) == 1
