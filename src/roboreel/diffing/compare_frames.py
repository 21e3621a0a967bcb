"""Compare the decoded pictures of every episode's frames, two at a time."""

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
"""Frames decoded before the file is opened anew."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded frame, or why the rest of its episode does not decode."""

    episode: int
    frame: int
    pixels: Pixels | StorageError


def compare_frames(
    first: CameraFiles, second: CameraFiles, episodes: list[int], ledger: DiffLedger
) -> Iterator[tuple[int, CameraFiles, StorageError]]:
    """Compare the pictures of episodes whose frames are there on both sides.

    Yields:
        (episode, side, error) for each episode that does not decode.
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


def _after(stream: Iterator[Shown], now: Shown, episode: int) -> Shown | None:
    """What follows an episode in a stream that stands at `now`."""
    if now.episode > episode:
        return now
    return next((shown for shown in stream if shown.episode > episode), None)


def _compare(a: Shown, b: Shown, camera: str, ledger: DiffLedger) -> None:
    assert isinstance(a.pixels, Pixels)
    assert isinstance(b.pixels, Pixels)
    ledger.compared.pictures += 1
    what = a.pixels.against(b.pixels)
    if what:
        ledger.differs(
            Difference(kind="pictures", what=what, episode=a.episode, row=a.frame, column=camera)
        )


def _decoded(side: CameraFiles, episodes: list[int]) -> Iterator[Shown]:
    """Every frame of the episodes, in order; a file's are decoded in one go."""
    for path, members in groupby(episodes, key=side.path):
        assert path is not None
        waiting = list(members)
        while waiting:
            batch = _ascending(side, waiting)
            done = yield from _batch(side, path, batch)
            waiting = waiting[done:]


def _ascending(side: CameraFiles, episodes: list[int]) -> list[int]:
    """The episodes from the first on whose frames lie one after another in their file, not too many."""
    stop, end, wanted = 0, 0, 0
    for episode in episodes:
        frames = side.frames(episode)
        if frames.start < end or wanted >= _BATCH_FRAMES:
            break
        stop, end = stop + 1, frames.start + frames.count
        wanted += frames.count
    return episodes[:stop]


def _batch(side: CameraFiles, path: str, episodes: list[int]) -> Generator[Shown, None, int]:
    """Decode episodes of one file; returns how many of them are done with."""
    places = [side.frames(episode) for episode in episodes]
    wanted = [n for frames in places for n in range(frames.start, frames.start + frames.count)]
    at, frame = 0, 0
    try:
        for _, picture in decode_frames(side.side.dataset.root, path, wanted):
            yield Shown(episodes[at], frame, frame_pixels(picture))
            frame += 1
            if frame == places[at].count:
                at, frame = at + 1, 0
    except StorageError as error:
        yield Shown(episodes[at], frame, error)
        return at + 1
    return len(episodes)
