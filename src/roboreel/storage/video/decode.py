"""Decode frames of video files: chosen frames by number, or all frames as a player does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from roboreel.errors import VideoError
from roboreel.storage.root import Root
from roboreel.storage.video.decoder import Decoder, keep_decoder, take_decoder
from roboreel.storage.video.indexed_video import IndexedVideo, indexed_video
from roboreel.storage.video.packets import Int64, PacketTable, entry_points, run_of_frames


def decode_frames(root: Root, name: str, wanted: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """(frame number, PyAV frame) for each wanted frame of a file: see `frames_of`."""
    yield from frames_of(indexed_video(root, name), wanted)


def frames_of(video: IndexedVideo, wanted: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """(frame number, PyAV frame) for each wanted frame of a file whose index is known.

    Only the packets that the wanted frames depend on are read and decoded. Frames are numbered by the packet
    index, whatever the container's clock says.

    Args:
        video: the file.
        wanted: frame numbers, ascending, each once.

    Raises:
        StorageError: the file cannot be read.
        VideoError: a wanted frame is not in the file, or the file cannot be decoded.
    """
    import av  # heavy: loaded only to decode

    require_frames(video, wanted)
    shared: Decoder | None = None
    try:
        with video.access_points() as points:
            for positions, frames in _runs(video.table, wanted, points.resets):
                if not points.starts_over(int(positions[0])):
                    # a shared decoder would still show earlier frames, and would keep what it decodes
                    # now
                    yield from Decoder(video).frames(video, positions, frames)
                    continue
                shared = shared or take_decoder(video, frames[0], int(positions[0]))
                yield from shared.frames(video, positions, frames)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"'{video.name}': cannot be decoded ({error})") from error
    if shared is not None:
        keep_decoder(shared)


def packets_of(video: IndexedVideo, wanted: Sequence[int]) -> Int64:
    """(n,) decode positions of the packets that `frames_of` reads; none for frames that are not in the file.

    Args:
        video: the file.
        wanted: frame numbers, ascending, each once.

    Raises:
        StorageError: the file cannot be read.
    """
    if not len(wanted) or not 0 <= wanted[0] <= wanted[-1] < video.table.frames:
        return np.zeros(0, dtype=np.int64)
    with video.access_points() as points:
        try:
            found = [positions for positions, _ in _runs(video.table, wanted, points.resets)]
        except ValueError:  # no keyframe: decoding says so
            return np.zeros(0, dtype=np.int64)
    return np.unique(np.concatenate(found))


def played_frames(root: Root, name: str) -> Iterator[tuple[int, Any]]:
    """(frame number, PyAV frame) for every frame of a file that decodes, in decoder output order.

    The file is decoded as a player does: from the first packet to the last, with a separate decoder. A packet
    that does not decode loses only its own frame, and decoding continues.

    Raises:
        StorageError: the file cannot be read.
        VideoError: there is no decoder for the file, or decoding fails as a whole.
    """
    import av  # heavy: loaded only to decode

    video = indexed_video(root, name)
    positions = np.arange(video.table.packets, dtype=np.int64)
    packets = zip(video.table.frame_of_packet.tolist(), video.packets(positions), strict=True)
    try:
        decoder = Decoder(video)
        for packet in chain(packets, (None,)):
            try:
                frames = decoder.feed(*packet) if packet else decoder.drain()
            except av.InvalidDataError:
                continue
            yield from ((int(frame.pts), frame) for frame in frames if not frame.is_corrupt)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"'{name}': cannot be decoded ({error})") from error


def require_frames(video: IndexedVideo, wanted: Sequence[int]) -> None:
    """Raise `VideoError` where a file lacks some of the wanted frames (ascending numbers)."""
    frames = video.table.frames
    if len(wanted) and not 0 <= wanted[0] <= wanted[-1] < frames:
        raise VideoError(f"'{video.name}': frames {wanted[0]}…{wanted[-1]} of {frames}")


def _runs(
    table: PacketTable, wanted: Sequence[int], resets: Callable[[int], bool]
) -> Iterator[tuple[Int64, list[int]]]:
    """(decode positions, wanted frames) of each run of packets that is decoded without a gap."""
    if len(wanted) == 1:
        ((entry, packet),) = entry_points(table, wanted, resets=resets)
        one = [*wanted]
        if table.in_order:
            yield np.arange(entry, packet + 1, dtype=np.int64), one
        else:
            yield _positions(table, entry, one, resets), one
        return
    first, last, frames = 0, 0, list[int]()
    points = entry_points(table, wanted, resets=resets)
    for number, (entry, packet) in zip(wanted, points, strict=True):
        if frames and number != frames[-1] + 1 and entry > last + 1:
            yield _positions(table, first, frames, resets), frames
            frames = []
        first = first if frames else entry
        last = packet
        frames.append(number)
    if frames:
        yield _positions(table, first, frames, resets), frames


def _positions(
    table: PacketTable, first: int, frames: Sequence[int], resets: Callable[[int], bool]
) -> Int64:
    """(m,) decode positions of the packets that show some frames, whose entry point is `first`."""
    if table.in_order:
        return np.arange(first, table.hidden_before + frames[-1] + 1, dtype=np.int64)
    return run_of_frames(table, frames[0], frames[-1] + 1, resets=resets).positions
