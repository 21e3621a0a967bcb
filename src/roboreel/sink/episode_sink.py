"""The sink that workers write episodes to: durable, idempotent, without any coordination."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.format.encoding import Encoding
from roboreel.sink.episode_key import EpisodeKey, Key
from roboreel.sink.frame_source import ImageSource, VideoSource
from roboreel.stats.feature_stats import FeatureStats
from roboreel.types import Json, JsonObject

Gaps: TypeAlias = Literal["encode", "split"]
ColumnValues: TypeAlias = npt.NDArray[np.generic] | pa.Array | pa.ChunkedArray | Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedEpisode:
    """An episode in the staging folder."""

    key: EpisodeKey
    part: int
    """0; with `gaps="split"` the number of its stretch."""
    attempt: int
    rows: int
    start: int
    """Its first row in what was given."""
    table: str
    """Path of its table."""
    videos: Mapping[str, str]
    """Path of each camera's video."""


@dataclass(frozen=True, kw_only=True)
class EpisodeSink:
    """Stages episodes. Plain data: it can be pickled into any worker, and needs no closing."""

    staging: str | os.PathLike[str]
    fps: float
    features: Mapping[str, JsonObject] = field(repr=False)
    """`dtype`, `shape` and `names` by name, as in `info.json`; index columns are added."""
    robot_type: str | None = None
    gaps: Gaps = "encode"
    """Where the rows skip frames of a video: `encode` the others again, or `split` into one episode per
    stretch without gaps."""
    encoding: Encoding = field(default_factory=Encoding)

    def claim(self, key: Key) -> int:
        """Begin an attempt at an episode, before the work for it; returns its number.

        Of several attempts, the one that was claimed last wins, if it is whole. `write` claims one by
        itself where none is given.
        """
        raise NotImplementedError

    def is_staged(self, key: Key) -> bool:
        """True where the episode is whole in the staging folder."""
        raise NotImplementedError

    def write(
        self,
        key: Key,
        columns: Mapping[str, ColumnValues],
        *,
        videos: Mapping[str, VideoSource] | None = None,
        images: Mapping[str, Iterable[ImageSource]] | None = None,
        frames: Sequence[int] | npt.NDArray[np.integer] | None = None,
        stride: int = 1,
        task: str | Sequence[str] = "",
        stats: Mapping[str, FeatureStats] | None = None,
        fields: Mapping[str, Json] | None = None,
        provenance: Mapping[str, Json] | None = None,
        attempt: int | None = None,
    ) -> tuple[StagedEpisode, ...]:
        """Stage an episode; when this returns, it is on the disk.

        Args:
            key: (source, segment): names the episode, and gives its place among the others.
            columns: the values of each feature that is neither a camera nor an index column; (rows, …).
            videos: the frames of each camera that is stored as video.
            images: the images of each camera that is stored in the table.
            frames: (rows,) the number of each row's frame in the videos and images, ascending; by default
                row k is frame k, and there are as many frames as rows.
            stride: frames from row to row where there is no gap, for instance 3 for rows at 10 fps of a
                video at 30 fps.
            task: the task of the episode, or of each row.
            stats: statistics by feature, where they are known.
            fields: further entries in the list of episodes, such as `success`.
            provenance: what else the manifest is to say of the episode.
            attempt: the number that `claim` gave.

        Returns:
            The episode; several with `gaps="split"`.
        """
        raise NotImplementedError

    def fail(self, key: Key, reason: str, *, attempt: int | None = None) -> None:
        """Record that an episode could not be made, for the skip report of `finalize`."""
        raise NotImplementedError
