"""Decode chosen frames of a video file, by frame number, and single encoded pictures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import VideoError
from roboreel.storage.root import Root
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.decoder import (
    LIMITS,
    decoder_of,
    numbered_packets,
    padded_packet,
)
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import Int64, PacketTable, entry_point, run_of_frames
from roboreel.storage.video.tiff import float_tiff

Frame = npt.NDArray[np.uint8]
"""(height, width, 3) RGB."""


def decode_frames(root: Root, name: str, wanted: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """(frame number, PyAV frame) for each wanted frame, ascending.

    Only the packets that the wanted frames hang on are read and decoded. They are those of the packet
    index, so that a frame's number is that of the packet, whatever the container's clock says.

    Args:
        root: where the file is.
        name: the file.
        wanted: frame numbers, ascending, each once.

    Raises:
        VideoError: a wanted frame is not in the file, or the file cannot be decoded.
    """
    import av  # heavy: only what must decode loads it

    table = read_packet_table(root, name)
    if len(wanted) and not 0 <= wanted[0] <= wanted[-1] < table.frames:
        raise VideoError(f"'{name}': frames {wanted[0]}…{wanted[-1]} of {table.frames}")
    try:
        with root.input(name) as file, ExitStack() as stack:
            points, decoder = AccessPoints(file, table), None
            for positions, frames in _row_ranges(table, wanted, points.resets):
                if decoder is None or points.changes_sets:
                    # a decoder keeps the parameter sets that earlier packets brought
                    stack.close()
                    decoder = stack.enter_context(decoder_of(file, table, name))
                yield from _decoded(decoder, file, table, positions, frames, name)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"'{name}': cannot be decoded ({error})") from error


def _row_ranges(
    table: PacketTable, wanted: Sequence[int], resets: Callable[[int], bool]
) -> Iterator[tuple[Int64, list[int]]]:
    """(decode positions, wanted frames) of stretches that are decoded in one go, without a gap."""
    last, frames = 0, list[int]()
    for number in wanted:
        goes_on = bool(frames) and number == frames[-1] + 1
        if frames and not goes_on:
            goes_on = entry_point(table, number, resets=resets) <= last + 1
        if frames and not goes_on:
            yield run_of_frames(table, frames[0], frames[-1] + 1, resets=resets).positions, frames
            frames = []
        last = int(table.packets_of_frames(number, number + 1)[0])
        frames.append(number)
    if frames:
        yield run_of_frames(table, frames[0], frames[-1] + 1, resets=resets).positions, frames


def _decoded(
    decoder: Any,
    file: IO[bytes],
    table: PacketTable,
    positions: Int64,
    frames: Sequence[int],
    name: str,
) -> Iterator[tuple[int, Any]]:
    due, wanted = deque(frames), set(frames)
    for packet in chain(numbered_packets(file, table, positions.tolist()), (None,)):
        for frame in decoder.decode(packet):
            if frame.pts not in wanted:
                continue
            wanted.discard(frame.pts)
            if frame.pts != due.popleft():
                raise VideoError(
                    f"'{name}': frames decode in another order than the file says:"
                    " it lacks the display times of its B-frames, or is damaged"
                )
            yield frame.pts, frame
    decoder.flush_buffers()
    if due:
        raise VideoError(f"'{name}': frame {due[0]} does not decode")


def rgb(frame: Any) -> Frame:
    """The picture of a PyAV frame."""
    return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def decode_image(data: bytes) -> npt.NDArray[np.generic]:
    """An encoded picture (PNG, JPEG, TIFF): (H, W, 3) uint8, or (H, W, 1) as stored for grey ones.

    Raises:
        VideoError: it cannot be decoded.
    """
    return array_of_frame(decoded_image(data))


def array_of_frame(frame: Any) -> npt.NDArray[np.generic]:
    """The picture of a PyAV frame: (H, W, 3) uint8, or (H, W, 1) as stored for grey ones; arrays stay."""
    if isinstance(frame, np.ndarray):
        return frame
    if frame.format.name.startswith("gray"):
        return np.asarray(frame.to_ndarray())[..., None]
    return rgb(frame)


def decoded_image(data: bytes) -> Any:
    """The PyAV frame of an encoded picture (PNG, JPEG, TIFF); an array (H, W, 1) of one of floating point.

    Raises:
        VideoError: it cannot be decoded.
    """
    import av

    name = _codec_of_image(data)
    if name == "tiff" and (numbers := float_tiff(data)) is not None:
        return numbers
    try:
        decoder: Any = av.CodecContext.create(name, "r")
        decoder.options = LIMITS
        frames = [*decoder.decode(padded_packet(data)), *decoder.decode(None)]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"a {name} picture cannot be decoded ({error})") from error
    if not frames:
        raise VideoError(f"a {name} picture holds nothing")
    return frames[0]


def _codec_of_image(data: bytes) -> str:
    heads = {b"\x89PNG": "png", b"\xff\xd8": "mjpeg", b"II*\0": "tiff", b"MM\0*": "tiff"}
    for head, name in heads.items():
        if data.startswith(head):
            return name
    raise VideoError("a picture is neither PNG, JPEG nor TIFF")
