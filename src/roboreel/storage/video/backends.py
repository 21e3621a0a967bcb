"""Decode chosen frames of a video with one of several libraries, numbered by our packet index.

PyAV decodes packet by packet, so its frame numbers are ours. The other libraries read the file's index
themselves, so their times are compared with ours: a frame at another time is an error. Each library converts
colours with its own copy of FFmpeg: frames differ by at most `BACKEND_TOLERANCE` levels of 255 on average.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Sequence
from threading import local
from typing import IO, Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from roboreel.errors import MissingDependencyError, UsageError, VideoError
from roboreel.storage.video.decode import frames_of, require_frames
from roboreel.storage.video.indexed_video import IndexedVideo
from roboreel.storage.video.packets import PacketTable
from roboreel.storage.video.still_images import Frame, array_of_frame

Backend: TypeAlias = Literal["pyav", "torchcodec", "decord"]
BACKEND_TOLERANCE = 2.0
"""Levels of 255 by which a frame of one library may differ from another's, on average over its pixels."""
_AT_ONCE = 16
"""Frames that a library returns at once, so that memory use does not grow with the length of a video."""
_MOST_KEPT = 4
"""Decoders of torchcodec that a thread keeps for later calls."""


def require_backend(name: str) -> Backend:
    """The backend of that name.

    Raises:
        UsageError: there is no backend of that name.
        MissingDependencyError: its package is not installed.
    """
    for known in get_args(Backend):
        if name == known:
            if name != "pyav" and importlib.util.find_spec(name) is None:
                raise MissingDependencyError(name, extra=name)
            return known  # type: ignore[no-any-return]
    raise UsageError(f"unknown video backend '{name}': expected {', '.join(get_args(Backend))}")


def refuse_codec(backend: str, codec: str, what: str) -> None:
    """Raise `VideoError` where a backend is known to decode a codec wrongly or not at all.

    Args:
        backend: its name.
        codec: FFmpeg's name of the codec, or the kind of a sample entry.
        what: the file or camera, for the message.
    """
    if backend == "decord" and codec in ("av1", "av01"):
        raise VideoError(f"{what}: decord does not decode AV1: use the video backend pyav")


def backend_frames(
    video: IndexedVideo, wanted: Sequence[int], *, backend: str
) -> Iterator[npt.NDArray[np.generic]]:
    """(H, W, 3) RGB, or (H, W, 1) where grey, for each wanted frame.

    Args:
        video: the file.
        wanted: frame numbers, ascending, each once.
        backend: the name of the library that decodes.

    Raises:
        VideoError: a wanted frame is not in the file, or the file cannot be decoded.
        MissingDependencyError: the backend's package is not installed.
    """
    chosen = require_backend(backend)
    if chosen == "pyav":
        yield from (array_of_frame(frame) for _, frame in frames_of(video, wanted))
        return
    table, name = video.table, video.name
    refuse_codec(chosen, table.entry.fourcc, f"'{name}'")
    require_frames(video, wanted)
    if table.frames != table.packets:
        raise VideoError(
            f"'{name}': the edit list hides packets, but {chosen} counts them: use the video backend pyav"
        )
    for number, frame, seconds in _guarded(_DECODERS[chosen](video, wanted), name, chosen):
        _check_time(table, number, seconds, f"'{name}'", chosen)
        yield frame


def torchcodec_decoder(file: IO[bytes]) -> Any:
    """Torchcodec's decoder of an open file, which seeks exactly.

    Raises:
        MissingDependencyError: torchcodec is not installed.
    """
    require_backend("torchcodec")
    from torchcodec.decoders import VideoDecoder

    return VideoDecoder(file, seek_mode="exact")


_Found: TypeAlias = Iterator[tuple[int, Frame, float]]
"""(frame number, frame, seconds at which the library shows it)."""


class _KeptDecoders(local):
    """The torchcodec decoders that this thread used last. Those of a parent process are not used."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, IndexedVideo, Any]] = []

    def of(self, video: IndexedVideo) -> Any:
        """The decoder of a file."""
        known = [found for found in self.kept if found[1] is video and found[0] == os.getpid()]
        found = known[0] if known else (os.getpid(), video, _torchcodec_decoder(video))
        others = [one for one in self.kept if one[1] is not video]
        self.kept = [found, *others[: _MOST_KEPT - 1]]
        return found[2]


_KEPT = _KeptDecoders()


def _torchcodec_decoder(video: IndexedVideo) -> Any:
    from torchcodec.decoders import VideoDecoder

    return VideoDecoder(
        video.root.input(video.name),
        custom_frame_mappings=_frame_mappings(video.table),
        num_ffmpeg_threads=1,
        dimension_order="NHWC",
    )


def _frame_mappings(table: PacketTable) -> str:
    """Our packet index in the form in which torchcodec takes one instead of reading the file for its own."""
    times = table.shown_pts - table.shown_from
    ticks = np.diff(times)
    usual = int(np.median(ticks)) if len(ticks) else 1
    durations = [*ticks.tolist(), usual]
    keys = table.keyframe[table.display_order].tolist()
    frames = zip(times.tolist(), durations, keys, strict=True)
    return json.dumps(
        {"frames": [{"pts": pts, "duration": d, "key_frame": int(key)} for pts, d, key in frames]}
    )


def _torchcodec(video: IndexedVideo, wanted: Sequence[int]) -> _Found:
    decoder = _KEPT.of(video)
    for start in range(0, len(wanted), _AT_ONCE):
        numbers = list(wanted[start : start + _AT_ONCE])
        batch = decoder.get_frames_at(indices=numbers)
        yield from zip(numbers, batch.data.numpy(), batch.pts_seconds.tolist(), strict=True)


def _decord(video: IndexedVideo, wanted: Sequence[int]) -> _Found:
    from decord import VideoReader, cpu

    with video.root.input(video.name) as file:
        reader = VideoReader(file, ctx=cpu(0), num_threads=1)
        for number in wanted:  # one by one: requests for several hang on some files
            seconds = float(reader.get_frame_timestamp(number)[0])
            yield number, np.asarray(reader[number].asnumpy(), dtype=np.uint8), seconds


_DECODERS: dict[Backend, Callable[[IndexedVideo, Sequence[int]], _Found]] = {
    "torchcodec": _torchcodec,
    "decord": _decord,
}


def _guarded(found: _Found, name: str, backend: str) -> _Found:
    """The frames that a library yields; any exception becomes a `VideoError`."""
    try:
        yield from found
    except GeneratorExit:
        raise
    except Exception as error:  # each library has its own errors, none of them documented
        raise VideoError(f"'{name}': {backend} cannot decode it ({error})") from error


def _check_time(table: PacketTable, number: int, seconds: float, what: str, backend: str) -> None:
    """Raise `VideoError` where a library shows a frame at the time of another frame."""
    times = table.frame_seconds
    gap = np.abs(times - seconds)
    if gap[number] > gap.min() + 1e-6:
        raise VideoError(
            f"{what}: {backend} shows frame {number} at {seconds:.6f} s, but the packets say"
            f" {times[number]:.6f} s: use the video backend pyav"
        )


__all__ = [
    "BACKEND_TOLERANCE",
    "Backend",
    "backend_frames",
    "refuse_codec",
    "require_backend",
]
