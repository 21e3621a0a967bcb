"""Decode the frames of a dataset into a cache, before they are needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from roboreel.edit.view import Verbs
from roboreel.reading.reader import reader

_TOGETHER = 64
"""Frames of each camera that are decoded together."""


@dataclass(frozen=True, slots=True)
class BuiltCache:
    """What became of the frames of a dataset."""

    frames: int
    """Frames of all cameras."""
    cached: int
    """Those that the cache has now."""
    decoded: int
    """Those that it did not have before."""


def build_cache(
    source: Verbs,
    folder: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    cameras: Sequence[str] | None = None,
    limit_mb: float | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> BuiltCache:
    """Decode all frames into a frame cache. What it has already is not decoded again.

    Args:
        source: an open dataset or a view.
        folder: the cache; made if missing.
        size: (height, width) to which RGB frames are scaled; None: as they are stored.
        cameras: only these; None: all.
        limit_mb: MiB that the folder may take.
        progress: called with the number of frames that are done and of all frames.

    Raises:
        UsageError: a camera is unknown, or the folder cannot be used.
        StorageError: a video cannot be read, or decoded.
    """
    read = reader(
        source,
        columns=(),
        cameras=cameras,
        size=size,
        frame_cache=folder,
        frame_cache_mb=limit_mb,
    )
    total, done = len(read) * len(read.cameras), 0
    for start in range(0, len(read), _TOGETHER):
        done += len(read.cameras) * len(range(start, min(start + _TOGETHER, len(read))))
        read[start : start + _TOGETHER]
        progress(done, total)
    copied, stored = read.cache_counts
    return BuiltCache(total, copied + stored, stored)
