"""Decode chosen frames of a video file, by frame number, and single encoded pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import VideoError
from roboreel.storage.fs import Root
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import PacketTable

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) RGB."""


def decode_frames(root: Root, name: str, wanted: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """(frame number, PyAV frame) for each wanted frame, ascending.

    Decoding starts at the keyframe before the first wanted frame and stops after the last. Frames are
    told apart by their time, matched with the file's packet index.

    Args:
        root: where the file is.
        name: the file.
        wanted: frame numbers, ascending, each once.

    Raises:
        VideoError: a wanted frame is not in the file, or the file cannot be decoded.
    """
    import av  # heavy: only what must decode loads it

    if not len(wanted):
        return
    table = read_packet_table(root, name)
    if wanted[-1] >= table.frames or wanted[0] < 0:
        raise VideoError(f"'{name}': frame {wanted[-1]} of {table.frames}")
    due = list(wanted)
    try:
        with root.input(name) as file, av.open(file, "r", format="mov") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_type = "NONE"  # whole files run in parallel instead
            _seek(container, stream, table, due[0])
            for frame in container.decode(stream):
                number = _number(table, frame)
                if number in due[:1]:
                    yield due.pop(0), frame
                    if not due:
                        return
    except av.FFmpegError as error:
        raise VideoError(f"'{name}': cannot be decoded ({error})") from error
    if due:
        raise VideoError(f"'{name}': frame {due[0]} does not decode")


def rgb(frame: Any) -> Picture:
    """The picture of a PyAV frame."""
    return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def decode_picture(data: bytes) -> npt.NDArray[np.generic]:
    """An encoded picture (PNG, JPEG, TIFF): (H, W, 3) uint8, or (H, W, 1) as stored for grey ones.

    Raises:
        VideoError: it cannot be decoded.
    """
    import av

    name = _codec_of_picture(data)
    try:
        decoder: Any = av.CodecContext.create(name, "r")
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"a {name} picture cannot be decoded ({error})") from error
    if not frames:
        raise VideoError(f"a {name} picture holds nothing")
    frame = frames[0]
    if frame.format.name.startswith("gray"):
        return np.asarray(frame.to_ndarray())[..., None]
    return rgb(frame)


def _codec_of_picture(data: bytes) -> str:
    heads = {b"\x89PNG": "png", b"\xff\xd8": "mjpeg", b"II*\0": "tiff", b"MM\0*": "tiff"}
    for head, name in heads.items():
        if data.startswith(head):
            return name
    raise VideoError("a picture is neither PNG, JPEG nor TIFF")


def _seek(container: Any, stream: Any, table: PacketTable, first: int) -> None:
    if first == 0:
        return
    seconds = Fraction(int(table.shown_pts[first]) - table.time_zero, table.timescale)
    container.seek(int(seconds / stream.time_base), stream=stream, backward=True)


def _number(table: PacketTable, frame: Any) -> int:
    """The frame's number: its time is one of the packet index, which the player's clock only shifts."""
    if frame.pts is None:
        raise VideoError("a frame without a time")
    ticks = round(frame.pts * frame.time_base * table.timescale) + table.time_zero
    return int(np.searchsorted(table.shown_pts, ticks))
