"""Compare decoded frames pixel for pixel; one frame of each side is in memory at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import groupby

from roboreel.diffing.camera_files import CameraFiles
from roboreel.diffing.diff_report import Difference, DiffLedger
from roboreel.errors import StorageError
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.pixels import Pixels, frame_pixels

_BATCH_FRAMES = 20_000
"""Frames decoded before the file is opened again."""


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """A decoded frame, or the error that ends its episode."""

    episode: int
    frame: int
    pixels: Pixels | StorageError


def compare_frames(
    first: CameraFiles, second: CameraFiles, episodes: list[int], ledger: DiffLedger
) -> Iterator[tuple[int, CameraFiles, StorageError]]:
    """Compare the frames of episodes that both sides have.

    Yields:
        (episode, side, error) of each episode that does not decode.
    """
    streams = [_decoded(side, episodes) for side in (first, second)]
    a, b = (next(stream, None) for stream in streams)
    while a is not None and b is not None:
        failed = [s for s in (a, b) if isinstance(s.pixels, StorageError)]
        now = min((a, b), key=lambda shown: (shown.episode, shown.frame))
        if failed and now.episode in {shown.episode for shown in failed}:
            for shown, side in ((a, first), (b, second)):
                if isinstance(shown.pixels, StorageError) and shown.episode == now.episode:
                    yield shown.episode, side, shown.pixels
            a, b = (
                _after(stream, s, now.episode) for stream, s in zip(streams, (a, b), strict=True)
            )
        elif (a.episode, a.frame) < (b.episode, b.frame):
            a = next(streams[0], None)
        elif (b.episode, b.frame) < (a.episode, a.frame):
            b = next(streams[1], None)
        else:
            _compare(a, b, first.camera, ledger)
            a, b = (next(stream, None) for stream in streams)


def _after(stream: Iterator[DecodedFrame], now: DecodedFrame, episode: int) -> DecodedFrame | None:
    """The first frame of `stream` after an episode; `now` is the frame read last."""
    if now.episode > episode:
        return now
    return next((shown for shown in stream if shown.episode > episode), None)


def _compare(a: DecodedFrame, b: DecodedFrame, camera: str, ledger: DiffLedger) -> None:
    assert isinstance(a.pixels, Pixels)
    assert isinstance(b.pixels, Pixels)
    ledger.compared.pictures += 1
    what = a.pixels.against(b.pixels)
    if what:
        ledger.add_difference(
            Difference(kind="pictures", what=what, episode=a.episode, row=a.frame, column=camera)
        )


def _decoded(side: CameraFiles, episodes: list[int]) -> Iterator[DecodedFrame]:
    """Decode the episodes' frames in order, as many of a file as possible in one pass."""
    for path, members in groupby(episodes, key=side.path):
        assert path is not None
        waiting = list(members)
        while waiting:
            batch = _ascending(side, waiting)
            mark_compared = yield from _batch(side, path, batch)
            waiting = waiting[mark_compared:]


def _ascending(side: CameraFiles, episodes: list[int]) -> list[int]:
    """The leading episodes whose frames ascend in their file, up to about `_BATCH_FRAMES` frames."""
    stop, end, wanted = 0, 0, 0
    for episode in episodes:
        frames = side.frames(episode)
        if frames.start < end or wanted >= _BATCH_FRAMES:
            break
        stop, end = stop + 1, frames.start + frames.count
        wanted += frames.count
    return episodes[:stop]


def _batch(side: CameraFiles, path: str, episodes: list[int]) -> Generator[DecodedFrame, None, int]:
    """Decode episodes of one file; return how many are finished, including one that failed."""
    located = [side.frames(episode) for episode in episodes]
    wanted = [n for frames in located for n in range(frames.start, frames.start + frames.count)]
    at, frame = 0, 0
    try:
        for _, image in decode_frames(side.side.dataset.root, path, wanted):
            yield DecodedFrame(episodes[at], frame, frame_pixels(image))
            frame += 1
            if frame == located[at].count:
                at, frame = at + 1, 0
    except StorageError as error:
        yield DecodedFrame(episodes[at], frame, error)
        return at + 1
    return len(episodes)
