"""What a reader gives, and how much it may use."""

from __future__ import annotations

import math
import operator
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, TypedDict

from roboreel.errors import UnknownNameError, UsageError, listed
from roboreel.format.feature import Feature

_MIB = 1 << 20
_MOST_SIDE = 1 << 14
_MOST_OFFSET = 1 << 31
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
    """MiB that packet tables, columns and images of the tables may take in this process, and packets of
    remote videos that nothing waits for. Arrays of frames that were dropped are kept for the next ones, up to
    as much again."""
    threads: int | None = None
    """Threads that decode; None: one for each processor that this process may use."""
    frame_cache: str | os.PathLike[str] | None = None
    """Folder that keeps decoded frames, for all processes and later runs; None: frames are always decoded."""
    frame_cache_mb: float | None = None
    """MiB that this folder may take; None: as long as its disk has 1 GiB left."""
    strict_timestamps: bool = False
    """Raise if a frame's time in the file differs from the time of its row."""
    tolerance_s: float = field(default=1e-4)
    """Largest allowed difference between them, in seconds."""
    video_backend: str = "pyav"
    """The library that decodes videos: `pyav` or `torchcodec`. Depths are always decoded by `pyav`."""
    made_ns: int = field(default_factory=time.time_ns, init=False, repr=False, compare=False)
    """When these options were made, in nanoseconds; copies in other processes have the same."""

    def __post_init__(self) -> None:
        if self.size is not None:
            _require_size(self.size)
        for name in ("cameras", "columns"):
            _require_names(name, getattr(self, name))
        if self.offsets is not None and not isinstance(self.offsets, Mapping):
            raise UsageError(
                f"offsets is {self.offsets!r}, expected a dict of lists, with feature names as keys"
            )
        if self.threads is not None and not (_is_whole(self.threads) and self.threads >= 1):
            raise UsageError(f"threads is {self.threads!r}, expected an integer of 1 or more")
        if self.video_backend not in _BACKENDS:
            raise UsageError(
                f"video_backend is '{self.video_backend}', expected {listed(_BACKENDS)}"
            )
        if self.video_backend != "pyav" and (self.size is not None or self.frame_cache is not None):
            raise UsageError(
                f"video_backend='{self.video_backend}' cannot be combined with size or frame_cache: leave"
                " them out, or use 'pyav'"
            )
        _require_positive("memory_mb", self.memory_mb)
        if self.frame_cache_mb is not None:
            _require_positive("frame_cache_mb", self.frame_cache_mb)
        if not _is_number(self.tolerance_s) or not self.tolerance_s >= 0:
            raise UsageError(
                f"tolerance_s is {self.tolerance_s!r}, expected a number of seconds, 0 or more"
            )
        if not isinstance(self.frame_cache, str | os.PathLike | None):
            raise UsageError(f"frame_cache is {self.frame_cache!r}, expected the path of a folder")

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
    offsets = {name: _offsets(name, values) for name, values in (options.offsets or {}).items()}
    _require_known("feature", offsets, [*wanted_cameras, *(set(wanted_columns) - {TASK})])
    return ChosenFeatures(
        cameras=tuple(wanted_cameras),
        columns=tuple(name for name in wanted_columns if name != TASK),
        with_task=TASK in wanted_columns,
        offsets=offsets,
    )


def _offsets(name: str, values: object) -> tuple[int, ...]:
    found = list(values) if isinstance(values, Iterable) else []
    if not found or not all(_is_whole(one) and abs(one) <= _MOST_OFFSET for one in found):
        shown = found or values
        raise UsageError(
            f"offsets of '{name}' are {shown!r}, expected a list of at least one integer (frames)"
        )
    return tuple(operator.index(one) for one in found)


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _require_names(what: str, names: object) -> None:
    if isinstance(names, str) or not isinstance(names, Iterable | None):
        raise UsageError(f"{what} is {names!r}, expected a list of names")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _require_positive(what: str, value: Any) -> None:
    if not _is_number(value) or not 0 < value < math.inf:
        raise UsageError(f"{what} is {value!r}, expected a positive number")


def _require_known(
    what: str, names: Sequence[str] | Mapping[str, object], known: Sequence[str]
) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownNameError(
            f"unknown {what} {listed(unknown)}: expected one of {listed(sorted(known))}"
        )


def _require_size(size: object) -> None:
    sides = [*size] if isinstance(size, Sequence) else []
    if len(sides) != 2 or not all(_is_whole(side) and 0 < side <= _MOST_SIDE for side in sides):
        raise UsageError(
            f"size is {size!r}, expected (height, width) in pixels, each from 1 to {_MOST_SIDE}"
        )
