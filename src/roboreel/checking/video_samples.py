"""Samples of the frames in video files, as a player and as a reader that seeks decode them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from roboreel.checking.frame_samples import Sample, sampled
from roboreel.errors import StorageError
from roboreel.format.parse import Problems
from roboreel.progress.work_done import advance
from roboreel.storage.root import Root
from roboreel.storage.video.decode import decode_frames, played_frames
from roboreel.storage.video.pixels import frame_pixels
from roboreel.storage.video.still_images import rgb


class SeenEpisode(NamedTuple):
    """An episode in a file."""

    row: int
    """Row of `Model.episodes`."""
    number: int
    start: int
    rows: int
    """First frame, or row, in the file, and how many."""


class FileFrames(NamedTuple):
    """A video file, or a table with images, and the episodes of it to look at."""

    camera: str
    path: str
    episodes: tuple[SeenEpisode, ...]
    shared: bool
    """True if the file holds several episodes, broken ones among them."""


class VideoSamples:
    """The frames of one video file of a camera."""

    def __init__(self, root: Root, file: FileFrames, problems: Problems) -> None:
        self._root, self._camera, self._path = root, file.camera, file.path
        self._episodes = {one.row: one for one in file.episodes}
        self._problems = problems

    def sought(self) -> Iterator[tuple[int, Sample]]:
        """Yield a sample of each episode that decodes, as a seeking reader decodes it."""
        for row in self._episodes:
            sample = Sample()
            try:
                for _, frame in decode_frames(self._root, self._path, self._wanted(row)):
                    sample.add(rgb(frame))
                    advance(frames=1)
            except StorageError as error:
                self._error(row, str(error))
                continue
            yield row, sample

    def played(self) -> Iterator[tuple[int, Sample]]:
        """Yield a sample of each episode, playing the file from its first frame to its last.

        Every frame of the episodes must decode, and sampled frames must equal those that a seeking
        reader gets.
        """
        members = list(self._episodes)
        samples = {row: Sample() for row in members}
        digests: dict[int, bytes] = {}
        owner = {number: row for row in members for number in self._wanted(row)}
        decoded = np.zeros(max(self._stop(row) for row in members), dtype=np.bool_)
        try:
            for number, frame in played_frames(self._root, self._path):
                if 0 <= number < len(decoded):
                    decoded[number] = True
                    advance(frames=1)
                if number in owner:
                    samples[owner[number]].add(rgb(frame))
                    digests[number] = _digest(frame)
        except StorageError as error:
            self._error(None, str(error))
        for row in members:
            here = decoded[self._first(row) : self._stop(row)]
            if not here.all():
                self._tell_missing(row, int(here.argmin()), int(here.sum()))
            elif self._agrees(row, digests):
                yield row, samples[row]

    def _agrees(self, row: int, digests: Mapping[int, bytes]) -> bool:
        """True if a reader that seeks gets the same sampled frames; a difference is reported."""
        try:
            for number, frame in decode_frames(self._root, self._path, self._wanted(row)):
                if digests.get(number) != _digest(frame):
                    at = number - self._first(row)
                    message = (
                        f"frame {at} decodes differently when a reader seeks to it than when the file"
                        f" is played from"
                        " the beginning: write the file again from its sources"
                    )
                    self._error(row, message)
                    return False
        except StorageError as error:
            self._error(row, str(error))
            return False
        return True

    def _tell_missing(self, row: int, frame: int, found: int) -> None:
        rows = self._stop(row) - self._first(row)
        message = (
            f"only {found} of {rows} frames decode, even when the file is played from the beginning"
            f" (the first"
            f" that does not is frame {frame}): write the file again from its sources"
        )
        self._error(row, message)

    def _wanted(self, row: int) -> list[int]:
        return [self._first(row) + frame for frame in sampled(self._episodes[row].rows)]

    def _first(self, row: int) -> int:
        return self._episodes[row].start

    def _stop(self, row: int) -> int:
        return self._episodes[row].start + self._episodes[row].rows

    def _error(self, row: int | None, message: str) -> None:
        self._problems.error(
            "video.decodes",
            message,
            path=self._path,
            episode=None if row is None else self._episodes[row].number,
            column=self._camera,
        )


def _digest(frame: Any) -> bytes:
    pixels = frame_pixels(frame)
    digest = blake2b(digest_size=16)
    for plane in pixels.planes:
        digest.update(np.ascontiguousarray(plane).data)
    return digest.digest()
