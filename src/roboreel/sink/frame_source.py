"""The frames of a camera as a worker has them: a video, arrays, or image files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from roboreel.errors import StorageError, UsageError, VideoError
from roboreel.format.encoding import Encoding
from roboreel.sink.row_ranges import ChosenRows
from roboreel.sink.staged_record import StagedVideo
from roboreel.storage.fs import open_root
from roboreel.storage.root import Root
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.still_images import array_of_frame, decode_image
from roboreel.types import Floats
from roboreel.writing.episode_input import (
    EncodedPackets,
    FinishedVideo,
    FramesToEncode,
    ImageArray,
    VideoInput,
    VideoToCopy,
)

ImageSource: TypeAlias = str | os.PathLike[str] | bytes | ImageArray
"""One image: the path or the bytes of an image file, or (H, W, 3) uint8 RGB."""


@dataclass(frozen=True, slots=True)
class WrittenBytes:
    """The bytes of a video, in a file that only this attempt has."""

    path: str


VideoSource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | ImageArray | Iterable[ImageSource] | VideoInput
)
"""A camera's frames: the path of a video, the bytes of one, (n, H, W, 3) uint8 RGB, images one by one, or
what `roboreel.writing` takes."""

_RATE_TOLERANCE = 0.01
_WRITTEN_AS_GIVEN = (EncodedPackets, FinishedVideo, FramesToEncode, VideoToCopy)


@dataclass(frozen=True, slots=True)
class ChosenVideo:
    """What to write as a camera's video, and what to say of it."""

    given: VideoInput
    made: str
    source: str | None = None
    first_frame: int | None = None
    source_fps: float | None = None

    def staged(self, name: str, start: int) -> StagedVideo:
        """The record of the written file."""
        return StagedVideo(
            name=name,
            start=start,
            made=self.made,
            source=self.source,
            first_frame=self.first_frame,
            source_fps=self.source_fps,
        )


def kept(source: VideoSource, put: Callable[[bytes], str]) -> VideoSource | WrittenBytes:
    """A source that can be read more than once: bytes of a video become a file, iterators become lists."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return WrittenBytes(put(bytes(source)))
    if isinstance(source, (str, os.PathLike, np.ndarray, Sequence, *_WRITTEN_AS_GIVEN)):
        return source
    if isinstance(source, Iterable):
        return list(source)
    raise UsageError(f"expected a video (path or bytes), or images, found {type(source).__name__}")


def chosen_video(
    source: VideoSource | WrittenBytes, chosen: ChosenRows, encoding: Encoding, fps: float
) -> ChosenVideo:
    """The frames of a row range, as packets where that is possible.

    Args:
        source: all frames.
        chosen: which of them.
        encoding: how to encode those that cannot be copied.
        fps: frames per second of the dataset.

    Raises:
        UsageError: frames of the rows cannot be taken from the source.
        VideoError: a video cannot be read.
    """
    if isinstance(source, _WRITTEN_AS_GIVEN):
        return ChosenVideo(_cut(source, chosen), "given")
    if isinstance(source, (str, os.PathLike)):
        return _of_file(os.fspath(source), chosen, encoding, fps)
    if isinstance(source, WrittenBytes):
        return _of_bytes(source.path, chosen, encoding, fps)
    if isinstance(source, (bytes, bytearray)):
        raise UsageError("the bytes of a video must be in a file by now: see `kept`")
    frames = map(image_array, images(source, chosen))
    return ChosenVideo(FramesToEncode(frames=frames, encoding=encoding), "encoded")


def images(source: Iterable[ImageSource], chosen: ChosenRows) -> Iterator[ImageSource]:
    """The images of a row range, in order.

    Raises:
        UsageError: there is no such image.
    """
    listed = source if isinstance(source, (Sequence, np.ndarray)) else list(source)
    if chosen.frames is None:
        _require_count(len(listed), chosen)
        wanted = range(chosen.start, chosen.stop)
    else:
        wanted = chosen.frames.tolist()
        if wanted[0] < 0 or wanted[-1] >= len(listed):
            raise UsageError(f"frames {wanted[0]}…{wanted[-1]} of {len(listed)} images")
    for number in wanted:
        if listed[number] is None or (isinstance(listed[number], str) and not listed[number]):
            raise UsageError(f"image {number} is missing")
        yield listed[number]


def image_array(image: ImageSource) -> ImageArray:
    """The pixels of an image."""
    data = image_data(image)
    return decode_image(data) if isinstance(data, bytes) else data


def image_data(image: ImageSource) -> ImageArray | bytes:
    """An image as an array, or as the bytes of its file."""
    if isinstance(image, (str, os.PathLike)):
        folder, name = _located(os.fspath(image))
        return folder.read(name)
    return image


def _require_count(count: int, chosen: ChosenRows) -> None:
    """Where no frame numbers say which row has which frame, there must be one for each."""
    if count != chosen.stop:
        raise UsageError(f"{count} frames for {chosen.stop} rows: pass the frame of each row")


def _cut(given: VideoInput, chosen: ChosenRows) -> VideoInput:
    if chosen.frames is None:
        return given
    first, last = int(chosen.frames[0]), int(chosen.frames[-1])
    if isinstance(given, VideoToCopy) and chosen.is_contiguous:
        return VideoToCopy(path=given.path, start=given.start + first, stop=given.start + last + 1)
    raise UsageError(
        f"frames cannot be chosen from {type(given).__name__}: pass a path, arrays or images"
    )


def _of_file(path: str, chosen: ChosenRows, encoding: Encoding, fps: float) -> ChosenVideo:
    folder, name = _located(path)
    table = read_packet_table(folder, name)
    if chosen.frames is None:
        _require_count(table.frames, chosen)
        frames = np.arange(chosen.start, chosen.stop)
    else:
        frames = chosen.frames
    first, last = int(frames[0]), int(frames[-1])
    if first < 0 or last >= table.frames:
        raise UsageError(f"frames {first}…{last} of '{path}', which has {table.frames}")
    rate = _rate_unless(fps, table.frame_seconds)
    if chosen.is_contiguous:
        copy = VideoToCopy(path=path, start=first, stop=last + 1)
        return ChosenVideo(copy, "copied", name, first, rate)
    decoded = _decoded(folder, name, frames.tolist())
    frames_to_encode = FramesToEncode(frames=decoded, encoding=encoding)
    return ChosenVideo(frames_to_encode, "encoded", name, first, rate)


def _of_bytes(path: str, chosen: ChosenRows, encoding: Encoding, fps: float) -> ChosenVideo:
    """As `_of_file`; the name of the file, which the sink chose, says nothing to the caller."""
    try:
        return replace(_of_file(path, chosen, encoding, fps), source=None)
    except (UsageError, VideoError) as error:
        text = str(error).replace(f"'{path}'", "the video given as bytes")
        name = os.path.basename(path)
        raise type(error)(text.replace(f"'{name}'", "the video given as bytes")) from error


def _rate_unless(fps: float, seconds: Floats) -> float | None:
    """The mean rate of a video, where it differs from that of the dataset by more than 1 %."""
    span = float(seconds[-1] - seconds[0])
    rate = (len(seconds) - 1) / span if span > 0 else fps
    return None if abs(rate / fps - 1) <= _RATE_TOLERANCE else round(rate, 3)


def _decoded(folder: Root, name: str, wanted: Sequence[int]) -> Iterator[ImageArray]:
    for _, frame in decode_frames(folder, name, wanted):
        yield array_of_frame(frame)


def _located(path: str) -> tuple[Root, str]:
    """The folder of a file of the user's, and its name there."""
    folder, name = os.path.split(os.path.abspath(path))
    try:
        return open_root(folder, follow_links=True), name
    except StorageError as error:
        raise StorageError(f"'{path}' cannot be read: {error}") from error
