"""An episode as a worker gives it, and the part of it that becomes one staged episode."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from roboreel.edit.new_column import new_column
from roboreel.errors import UsageError, listed
from roboreel.format.feature import Feature
from roboreel.sink.episode_key import EpisodeKey
from roboreel.sink.frame_source import (
    ChosenVideo,
    ImageSource,
    VideoSource,
    WrittenBytes,
    image_data,
    images,
    kept,
)
from roboreel.sink.given_kinds import (
    require_documents,
    require_mapping,
    require_stats,
    require_task,
    require_whole,
)
from roboreel.sink.row_ranges import ChosenRows, checked_frames
from roboreel.stats.feature_stats import FeatureStats
from roboreel.types import Int64, Json
from roboreel.writing.episode_input import EpisodeInput, ImageArray


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenEpisode:
    """What `EpisodeSink.write` is called with; see there."""

    key: EpisodeKey
    columns: Mapping[str, Any]
    videos: Mapping[str, VideoSource | WrittenBytes]
    images: Mapping[str, Iterable[ImageSource]]
    frames: Sequence[int] | npt.NDArray[np.integer] | None
    stride: int
    task: str | Sequence[str]
    stats: Mapping[str, FeatureStats]
    fields: Mapping[str, Json]
    provenance: Mapping[str, Json]

    def rows(self) -> int:
        """How many rows it has: what its columns say, else its tasks, its frames or its videos' arrays."""
        sized = [*self.columns.values(), *([] if isinstance(self.task, str) else [self.task])]
        sized += [] if self.frames is None else [self.frames]
        sized += [*self.images.values(), *self.videos.values()]
        counts = [len(one) for one in sized if hasattr(one, "__len__") and not _is_file(one)]
        if not counts:
            raise UsageError("its number of rows is unknown: pass a column, or frames")
        if counts[0] < 1:
            raise UsageError("it has no rows")
        return counts[0]

    def frame_numbers(self) -> Int64 | None:
        """(rows,) the frame of each row."""
        return checked_frames(self.frames, self.rows())

    def repeatable(self, put: Callable[[bytes], str]) -> GivenEpisode:
        """The same, with frames that can be read more than once.

        Args:
            put: writes the bytes of a video to a file, and returns its path.
        """
        for name, source in self.images.items():
            if _is_file(source):
                raise UsageError(f"the images of '{name}' are one file: pass one image per frame")
        videos = {
            name: source if isinstance(source, WrittenBytes) else kept(source, put)
            for name, source in self.videos.items()
        }
        return replace(self, videos=videos, images={n: list(i) for n, i in self.images.items()})

    def require_kinds(self) -> None:
        """Raise `UsageError` unless every argument is of a kind that `EpisodeSink.write` takes."""
        require_mapping("columns", self.columns)
        require_mapping("videos", self.videos)
        require_mapping("images", self.images)
        require_stats(self.stats)
        require_documents(self.fields, self.provenance)
        require_task(self.task)
        require_whole("stride", self.stride, 1)


def _is_file(value: object) -> bool:
    return isinstance(value, (str, bytes, bytearray, memoryview, os.PathLike))


def columns_of(
    columns: Mapping[str, Any], features: Mapping[str, Feature]
) -> dict[str, pa.ChunkedArray]:
    """The columns with the declared types.

    Raises:
        UsageError: values are not what the feature declares.
    """
    found = {}
    for name, values in columns.items():
        feature = features.get(name)
        if feature is None or feature.is_camera:
            known = [one.name for one in features.values() if not one.is_camera]
            raise UsageError(
                f"'{name}' is not declared as a feature with a column (declared: {listed(known)})"
            )
        if not (feature.is_numeric or feature.dtype == "string"):
            found[name] = _arrow(name, values)
            continue
        shape = None if feature.dtype == "string" else feature.shape or (1,)
        _, found[name] = new_column(name, values, feature.dtype, shape, None)
    return found


def _arrow(name: str, values: object) -> pa.ChunkedArray:
    """A column of a kind that only Arrow has, such as language."""
    if isinstance(values, pa.ChunkedArray):
        return values
    if isinstance(values, pa.Array):
        return pa.chunked_array([values])
    raise UsageError(f"'{name}': expected an Arrow column, found {type(values).__name__}")


def episode_input(
    given: GivenEpisode,
    columns: Mapping[str, pa.ChunkedArray],
    videos: Mapping[str, ChosenVideo],
    chosen: ChosenRows,
) -> EpisodeInput:
    """One range of the given rows, for the writer."""
    task = given.task if isinstance(given.task, str) else given.task[chosen.start : chosen.stop]
    return EpisodeInput(
        rows=chosen.count,
        columns={
            name: column.slice(chosen.start, chosen.count) for name, column in columns.items()
        },
        videos={name: video.given for name, video in videos.items()},
        images={name: _image_files(source, chosen) for name, source in given.images.items()},
        task=task,
        stats=given.stats,
        fields=given.fields,
    )


def _image_files(source: Iterable[ImageSource], chosen: ChosenRows) -> Iterator[ImageArray | bytes]:
    return map(image_data, images(source, chosen))
