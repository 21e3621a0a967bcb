"""What a reader gives, and how much it may use."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from roboreel.errors import UsageError, listed
from roboreel.format.feature import Feature

_MIB = 1 << 20
_MOST_SIDE = 1 << 14
_BACKENDS = ("pyav", "torchcodec")


class ReadKeywords(TypedDict, total=False):
    """The fields of `ReadOptions` as keyword arguments."""

    cameras: Sequence[str] | None
    columns: Sequence[str] | None
    offsets: Mapping[str, Sequence[int]] | None
    size: tuple[int, int] | None
    memory_mb: float
    threads: int | None
    frame_cache: str | os.PathLike[str] | None
    frame_cache_mb: float | None
    strict_timestamps: bool
    tolerance_s: float
    video_backend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a reader gives, and how much it may use."""

    cameras: Sequence[str] | None = None
    """Cameras to decode; None: all."""
    columns: Sequence[str] | None = None
    """Other features to read, and `task` for the text of the task; None: all."""
    offsets: Mapping[str, Sequence[int]] | None = None
    """Frames around the item, by feature: `{"action": [0, 1, 2]}` gives this action and the next two."""
    size: tuple[int, int] | None = None
    """(height, width) to which RGB frames are scaled while they are converted; None: as they are stored."""
    memory_mb: float = 256
    """MiB that packet tables, columns and images of the tables may take in this process. Arrays of frames
    that were dropped are kept for the next ones, up to as much again."""
    threads: int | None = None
    """Threads that decode; None: one for each processor that this process may use."""
    frame_cache: str | os.PathLike[str] | None = None
    """Folder that keeps decoded frames, for all processes and later runs; None: frames are always decoded."""
    frame_cache_mb: float | None = None
    """MiB that this folder may take; None: as long as its disk has 1 GiB left."""
    strict_timestamps: bool = False
    """Raise where a frame's time in the file is not that of its row."""
    tolerance_s: float = field(default=1e-4)
    """Seconds by which they may differ."""
    video_backend: str = "pyav"
    """The library that decodes videos: `pyav` or `torchcodec`. Depths are always decoded by `pyav`."""
    made_ns: int = field(default_factory=time.time_ns, init=False, repr=False, compare=False)
    """When these options were made, in nanoseconds; copies in other processes have the same."""

    def __post_init__(self) -> None:
        if self.size is not None:
            _require_size(self.size)
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"threads is {self.threads}, expected 1 or more")
        if self.video_backend not in _BACKENDS:
            raise UsageError(
                f"video_backend is '{self.video_backend}', expected {listed(_BACKENDS)}"
            )
        if self.video_backend != "pyav" and (self.size is not None or self.frame_cache is not None):
            raise UsageError(
                f"video_backend='{self.video_backend}' takes neither size nor frame_cache"
            )
        if not self.memory_mb > 0:
            raise UsageError(f"memory_mb is {self.memory_mb}, expected a positive number")
        if self.frame_cache_mb is not None and not self.frame_cache_mb > 0:
            raise UsageError(f"frame_cache_mb is {self.frame_cache_mb}, expected a positive number")

    @property
    def memory_bytes(self) -> int:
        """Bytes that may be kept."""
        return int(self.memory_mb * _MIB)

    @property
    def thread_count(self) -> int:
        """Threads that decode."""
        if self.threads is not None:
            return self.threads
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class ChosenFeatures:
    """The features that a reader gives, checked against those of the view."""

    cameras: tuple[str, ...]
    columns: tuple[str, ...]
    with_task: bool
    offsets: Mapping[str, tuple[int, ...]]


TASK = "task"
"""Key of the text of an item's task."""


def chosen_features(options: ReadOptions, features: Mapping[str, Feature]) -> ChosenFeatures:
    """What the options choose of some features.

    Raises:
        UsageError: a name is unknown, or an offset is not a whole number.
    """
    cameras = [name for name, feature in features.items() if feature.is_camera]
    columns = [name for name in features if name not in cameras]
    wanted_columns = [*columns, TASK] if options.columns is None else list(options.columns)
    wanted_cameras = cameras if options.cameras is None else list(options.cameras)
    _require_known("camera", wanted_cameras, cameras)
    _require_known("column", wanted_columns, [*columns, TASK])
    offsets = {name: tuple(values) for name, values in (options.offsets or {}).items()}
    _require_known("feature", offsets, [*wanted_cameras, *(set(wanted_columns) - {TASK})])
    for name, values in offsets.items():
        if not values or any(not hasattr(value, "__index__") for value in values):
            raise UsageError(
                f"offsets of '{name}' are {list(values)}, expected whole numbers of frames, at least one"
            )
    return ChosenFeatures(
        cameras=tuple(wanted_cameras),
        columns=tuple(name for name in wanted_columns if name != TASK),
        with_task=TASK in wanted_columns,
        offsets=offsets,
    )


def _require_known(
    what: str, names: Sequence[str] | Mapping[str, object], known: Sequence[str]
) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"no {what} {listed(unknown)}: there are {listed(sorted(known))}")


def _require_size(size: Sequence[object]) -> None:
    sides = [side for side in size if isinstance(side, int) and 0 < side <= _MOST_SIDE]
    if len(size) != 2 or len(sides) != 2:
        raise UsageError(f"size is {size}, expected (height, width) in pixels")
