"""The sink that workers write episodes to: durable, idempotent, without any coordination."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.edit.write_options import require_choice
from roboreel.errors import StorageError
from roboreel.format.encoding import Encoding
from roboreel.sink.episode_key import Key, key_of
from roboreel.sink.frame_source import ImageSource, VideoSource
from roboreel.sink.given_episode import GivenEpisode
from roboreel.sink.given_kinds import require_declaration, require_encoding
from roboreel.sink.stage_episode import Declared, StagedEpisode, stage, staged_state
from roboreel.sink.staging_area import (
    attempt_of,
    claim,
    give_up,
    is_whole,
    staging_root,
    without_folders,
)
from roboreel.stats.feature_stats import FeatureStats
from roboreel.types import Json, JsonObject

Gaps: TypeAlias = Literal["encode", "split"]
ColumnValues: TypeAlias = npt.NDArray[np.generic] | pa.Array | pa.ChunkedArray | Sequence[object]


@dataclass(frozen=True, kw_only=True)
class EpisodeSink:
    """Stages episodes. Plain data: it can be pickled into any worker, and needs no closing.

    Args:
        staging: a folder that all workers share, made when it is missing; or a URL such as
            `s3://bucket/staging`.
        fps: frames per second of the dataset.
        features: `dtype`, `shape` and `names` by name, as in `info.json`; index columns are added.
        robot_type: the robot.
        gaps: what to do where the rows skip frames of a video: `encode` the frames of the rows, or `split`
            into one episode for each row range without gaps.
        encoding: how to encode frames that cannot be copied as packets.

    Raises:
        UsageError: a choice is unknown, nothing can be staged there, or a feature cannot be stored.
        DatasetError: the rate or a feature is not declared as the format has it.
    """

    staging: str | os.PathLike[str]
    fps: float
    features: Mapping[str, JsonObject] = field(repr=False)
    robot_type: str | None = None
    gaps: Gaps = "encode"
    encoding: Encoding = field(default_factory=Encoding)

    def __post_init__(self) -> None:
        require_choice("gaps", self.gaps, ("encode", "split"))
        require_declaration(self.fps, self.robot_type)
        require_encoding(self.encoding)
        staging_root(self.staging)
        staged_state(self._declared)

    @property
    def _declared(self) -> Declared:
        fps: Any = self.fps
        if isinstance(fps, float) and fps.is_integer():
            fps = int(fps)  # 30 and 30.0 are one rate
        return Declared(
            fps=fps,
            features=self.features,
            robot_type=self.robot_type,
            splits_gaps=self.gaps == "split",
            encoding=self.encoding,
        )

    def claim(self, key: Key) -> int:
        """Begin an attempt at an episode before the work for it; returns the attempt's number.

        Of several attempts, the one that was claimed last wins, if it is whole. `write` claims one by
        itself where none is given.

        Raises:
            UsageError: it is not a key.
            StorageError: the claim cannot be written.
        """
        return claim(staging_root(self.staging), key_of(key))

    def is_staged(self, key: Key) -> bool:
        """True where the episode is whole in the staging folder: a later run can skip it.

        Raises:
            UsageError: it is not a key.
        """
        return is_whole(staging_root(self.staging), key_of(key))

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
        """Stage an episode; when this returns, it is on the disk, or in the bucket.

        An earlier attempt at the same key is replaced. When this raises, earlier attempts stay, and the
        skip report of `finalize` has the error unless an attempt is whole. Only where the disk fails after
        the last rename, when folders are forced to it, the new one can be whole all the same.

        Args:
            key: (source, segment): names the episode, and gives its place among the others.
            columns: the values of each feature that is neither a camera nor an index column; (rows, …).
            videos: the frames of each camera that is stored as video.
            images: the images of each camera that is stored in the table.
            frames: (rows,) the number of each row's frame in the videos and images, rising; by default
                row k is frame k, and there are as many frames as rows.
            stride: frames from row to row where there is no gap, for instance 3 for rows at 10 fps of a
                video at 30 fps.
            task: the task of the episode, or of each row.
            stats: statistics by feature, where they are known.
            fields: further entries in the list of episodes, such as `success`.
            provenance: what else the manifest is to say of the episode, as JSON.
            attempt: the number that `claim` gave.

        Returns:
            The episode; several with `gaps="split"`.

        Raises:
            UsageError: the episode does not fit the features (names the column or camera).
            VideoError: a video cannot be read.
            StorageError: a file cannot be read or written.
        """
        given = GivenEpisode(
            key=key_of(key),
            columns=columns,
            videos=videos or {},
            images=images or {},
            frames=frames,
            stride=stride,
            task=task,
            stats=stats or {},
            fields=fields or {},
            provenance=provenance or {},
        )
        root = staging_root(self.staging)
        own = attempt_of(root, given.key, attempt)
        try:
            return stage(root, self._declared, given, own)
        except Exception as error:
            with suppress(StorageError):  # there is an error to tell of already
                reason = str(error).removeprefix(f"episode of {given.key}: ")
                give_up(root, given.key, own.number, without_folders(reason))
            raise

    def fail(self, key: Key, reason: str, *, attempt: int | None = None) -> None:
        """Record why an episode could not be made: `finalize` lists it, unless an attempt is whole.

        Raises:
            UsageError: it is not a key, or the attempt was not claimed.
            StorageError: the record cannot be written.
        """
        root, own = staging_root(self.staging), key_of(key)
        give_up(root, own, attempt_of(root, own, attempt).number, str(reason))
