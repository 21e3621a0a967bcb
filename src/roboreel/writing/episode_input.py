"""One episode to write, as a value: rows, cameras, statistics and tasks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.format.encoding import Encoding
from roboreel.stats.feature_stats import FeatureStats
from roboreel.storage.video.packets import SampleEntry
from roboreel.types import Json

ImageArray: TypeAlias = npt.NDArray[np.generic]
"""(H, W, 3) uint8 RGB; of grey and depth cameras (H, W, 1) or (H, W) uint8 or uint16."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedPackets:
    """A camera's frames as an encoder gave them: written as they are, at exact times."""

    entry: SampleEntry
    """How to decode them."""
    packets: Sequence[bytes] = field(repr=False)
    """One per frame, in decode order, as an MP4 file has them."""
    keyframes: Sequence[bool] = field(repr=False)
    """(n,) True where decoding can start; the first must be one."""
    display: Sequence[int] | None = field(default=None, repr=False)
    """(n,) the place of each in display order; None where frames are shown as they are decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoToCopy:
    """A camera's frames in an MP4 file: the packets are copied at exact times, the file stays as it is."""

    path: str | os.PathLike[str]
    start: int = 0
    """The first frame to copy."""
    stop: int | None = None
    """The frame after the last one; None copies to the end of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedVideo:
    """An MP4 file made for this episode, on the same disk: the commit renames it into the dataset.

    It must hold one track, with exactly the frames of the episode, at exact times.
    """

    path: str | os.PathLike[str]
    facts: Mapping[str, Json] = field(default_factory=dict, repr=False)
    """What `info.json` is to say of its encoder, or of a depth camera's scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesToEncode:
    """A camera's frames as arrays, to be encoded."""

    frames: Iterable[ImageArray] = field(repr=False)
    """(H, W, 3) uint8 RGB each; taken once."""
    encoding: Encoding = field(default_factory=Encoding)


VideoInput: TypeAlias = EncodedPackets | VideoToCopy | FinishedVideo | FramesToEncode


@dataclass(frozen=True, slots=True, kw_only=True)
class EpisodeInput:
    """One episode. Index columns are not part of it: the writer makes them."""

    rows: int
    """Frames of the episode, at least 1."""
    columns: Mapping[str, pa.Array | pa.ChunkedArray] = field(default_factory=dict, repr=False)
    """The values of every feature that is neither a camera nor an index column."""
    videos: Mapping[str, VideoInput] = field(default_factory=dict, repr=False)
    """The frames of every camera stored as video."""
    images: Mapping[str, Iterable[ImageArray | bytes]] = field(default_factory=dict, repr=False)
    """The images of every camera stored in the table: arrays, which become PNG, or encoded files."""
    task: str | Sequence[str] = ""
    """The task of the episode, or of each row."""
    stats: Mapping[str, FeatureStats] = field(default_factory=dict, repr=False)
    """Statistics by feature, where they are known; the others are computed."""
    unmeasured: frozenset[str] = frozenset()
    """Cameras stored as video that get no statistics: none are given, and decoding would take too long."""
    fields: Mapping[str, Json | pa.Scalar] = field(default_factory=dict, repr=False)
    """Further entries in the list of episodes, such as `success`. All episodes have the same ones. An Arrow
    scalar gives the type of the column, also where it is null."""

    @property
    def row_tasks(self) -> list[str]:
        """(rows,) the task of each row, where there are as many as rows."""
        return [self.task] * self.rows if isinstance(self.task, str) else list(self.task)
