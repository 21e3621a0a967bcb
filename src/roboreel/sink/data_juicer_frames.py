"""Choose the frames of an episode: those of the source video, or the images that were extracted from it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import RoboreelError, listed
from roboreel.format.encoding import Encoding
from roboreel.sink.data_juicer_rows import UnusableEpisodeError
from roboreel.sink.data_juicer_values import BYTES, is_missing
from roboreel.sink.frame_source import VideoSource
from roboreel.storage.fs import open_root
from roboreel.storage.local import trusted_bytes
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.index import packet_table_of, read_packet_table
from roboreel.storage.video.packets import PacketTable
from roboreel.storage.video.still_images import array_of_frame, decode_image
from roboreel.types import Bools, Int64
from roboreel.writing.episode_input import FramesToEncode, ImageArray

_PATHS = (str, os.PathLike)


class UnreadableFrameError(Exception):
    """An image of the episode's cannot be decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFrames:
    """The frames of an episode's camera."""

    keep: Bools
    """(rows,) True where the row's frame is there: the other rows have to go, too."""
    size: tuple[int, int]
    """(width, height) in pixels of the episode's video."""
    numbers: Int64 | None
    """The frame of each kept row in the source video; None for images."""
    _given: str | bytes | Iterator[ImageArray]

    def source(self, encoding: Encoding) -> VideoSource:
        """What to hand to the sink, once: a source video, or the images of the kept rows.

        Args:
            encoding: how images are encoded; they are scaled to `size`.
        """
        if isinstance(self._given, (str, bytes)):
            return self._given
        return FramesToEncode(frames=self._given, encoding=replace(encoding, size=self.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRules:
    """Which frames an export prefers."""

    prefer_video: bool
    """True where a source video that matches is better than extracted images."""
    ids_count_source: bool = False
    """True where ids count the frames of the source video, not extracted frames."""
    size: tuple[int, int] | None = None
    """(width, height) in pixels that all videos are to have; None keeps their own."""


def choose_frames(
    ids: Int64, images: Sequence[Any], video: Any, rules: FrameRules
) -> ChosenFrames | None:
    """The frames of the rows of an episode; None where the sample has neither images nor a video.

    Ids count extracted frames. So the source video is used only where it has as many frames as were
    extracted (without a list of those: as the ids say); else frame k of it is not the one of row k.

    Args:
        ids: (rows,) the extracted frame of each row.
        images: the extracted frames: paths, bytes, arrays, or nothing for a missing one.
        video: the path or the bytes of the source video, if there is one.
        rules: which to prefer.

    Raises:
        UnusableEpisodeError: no frame can be read, or the video does not match and there are no images.
    """
    usable = len(images) > 0 and not rules.ids_count_source
    if usable and not rules.prefer_video and (found := _images(ids, images, rules.size)):
        return found
    table, reason = _opened(video)
    extracted = len(images) or int(ids[-1]) + 1
    matches = table is not None and (rules.ids_count_source or table.frames == extracted)
    if usable and not matches and (found := _images(ids, images, rules.size)):
        return found
    if table is not None and matches:
        return _of_video(ids, video, table, rules.size)
    if usable:
        raise UnusableEpisodeError(f"none of its {len(ids)} frames can be read")
    if is_missing(video):
        return None
    raise UnusableEpisodeError(reason or _mismatch(table, extracted))


def readable_images(ids: Int64, images: Sequence[Any]) -> list[Any]:
    """The images, with None for those of the rows that do not decode."""
    wanted = {int(number) for number in ids if _is_there(images, number)}
    bad = {number for number in wanted if _decoded(images, number) is None}
    return [None if number in bad else image for number, image in enumerate(images)]


def _opened(video: Any) -> tuple[PacketTable | None, str]:
    """The packet table of a source video, or why there is none."""
    if is_missing(video):
        return None, ""
    try:
        if isinstance(video, _PATHS):
            folder, name = os.path.split(os.path.abspath(video))
            return read_packet_table(open_root(folder, follow_links=True), name), ""
        if not isinstance(video, BYTES):
            return None, f"its source video is a {type(video).__name__}, expected a path or bytes"
        return packet_table_of(io.BytesIO(video), "the source video"), ""
    except RoboreelError as error:
        return None, f"its source video cannot be read ({error})"


def _mismatch(table: PacketTable | None, extracted: int) -> str:
    frames = 0 if table is None else table.frames
    return (
        f"its source video has {frames} frames, its ids count {extracted} extracted ones, and the sample"
        " lists none of those: keep the list in the sample, or pass frame_ids='source' where ids count"
        " the frames of the video"
    )


def _of_video(
    ids: Int64, video: Any, table: PacketTable, wanted: tuple[int, int] | None
) -> ChosenFrames:
    keep = ids < table.frames
    if not keep.any():
        raise UnusableEpisodeError(
            f"its source video has {table.frames} frames, but its first id is {ids[0]}"
        )
    source = os.fspath(video) if isinstance(video, _PATHS) else bytes(video)
    size = (table.entry.width, table.entry.height)
    if wanted is not None and wanted != size:
        if isinstance(source, bytes):
            raise UnusableEpisodeError(
                "its source video is given as bytes, which are not scaled: pass a path, or images"
            )
        given = _decoded_video(source, ids[keep])
        return ChosenFrames(keep=keep, size=wanted, numbers=None, _given=given)
    return ChosenFrames(keep=keep, size=size, numbers=ids[keep], _given=source)


def _decoded_video(path: str, numbers: Int64) -> Iterator[ImageArray]:
    folder, name = os.path.split(os.path.abspath(path))
    for _, frame in decode_frames(open_root(folder, follow_links=True), name, numbers.tolist()):
        yield array_of_frame(frame)


def _images(
    ids: Int64, images: Sequence[Any], wanted: tuple[int, int] | None
) -> ChosenFrames | None:
    """The images of the rows; None where all are missing."""
    keep = np.array([_is_there(images, number) for number in ids], dtype=np.bool_)
    for number in ids[keep]:
        first = _decoded(images, number)
        if first is not None:
            break
        keep[np.searchsorted(ids, number)] = False
    else:
        return None
    height, width = (side - side % 2 for side in first.shape[:2])
    given = _in_turn(ids[keep], images)
    return ChosenFrames(keep=keep, size=wanted or (width, height), numbers=None, _given=given)


def _in_turn(ids: Int64, images: Sequence[Any]) -> Iterator[npt.NDArray[np.uint8]]:
    for number in ids:
        image = _decoded(images, number)
        if image is None:
            raise UnreadableFrameError(f"frame {number}")
        yield image


def _is_there(images: Sequence[Any], number: int) -> bool:
    if number >= len(images) or is_missing(images[number]):
        return False
    image = images[number]
    return not isinstance(image, _PATHS) or os.path.isfile(image)


def _decoded(images: Sequence[Any], number: int) -> npt.NDArray[np.uint8] | None:
    """(H, W, 3) uint8 RGB; None for an image that does not decode."""
    image = images[number]
    try:
        if isinstance(image, _PATHS):
            image = trusted_bytes(image)
        if not isinstance(image, (np.ndarray, *BYTES)):
            return None
        pixels = image if isinstance(image, np.ndarray) else decode_image(bytes(image))
    except (RoboreelError, OSError, ValueError):
        return None
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or min(pixels.shape[:2]) < 16 or pixels.dtype not in (np.uint8, np.uint16):
        return None
    if pixels.dtype == np.uint16:
        pixels = pixels.astype(np.uint16) >> 8
    rgb = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    return np.ascontiguousarray(rgb, dtype=np.uint8)


def named(ids: Int64) -> str:
    """Frame numbers for a message."""
    return listed([int(number) for number in ids])
