"""Samples of the frames in video files, as a player and as a reader that seeks decode them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from roboreel.checking.frame_samples import Sample, sampled
from roboreel.dataset.dataset import Dataset
from roboreel.errors import StorageError
from roboreel.format.inventory import Inventory
from roboreel.format.model import EPISODE
from roboreel.format.parse import Problems
from roboreel.progress.reporter import Phase
from roboreel.storage.video.decode import decode_frames, played_frames
from roboreel.storage.video.pixels import frame_pixels
from roboreel.storage.video.still_images import rgb


class VideoSamples:
    """The frames of one video file of a camera."""

    def __init__(
        self,
        dataset: Dataset,
        inventory: Inventory,
        camera: str,
        path: str,
        problems: Problems,
        phase: Phase,
    ) -> None:
        self._root, self._camera, self._path = dataset.root, camera, path
        self._start, self._rows = inventory.cameras[camera].start, inventory.rows
        self._numbers, self._problems = dataset.episodes[EPISODE], problems
        self._phase = phase

    def sought(self, members: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        """Yield a sample of each episode that decodes, as a seeking reader decodes it."""
        for row in members:
            sample = Sample()
            try:
                for _, frame in decode_frames(self._root, self._path, self._wanted(row)):
                    sample.add(rgb(frame))
                    self._phase.add(frames=1)
            except StorageError as error:
                self._error(row, str(error))
                continue
            yield row, sample

    def played(self, members: Sequence[int]) -> Iterator[tuple[int, Sample]]:
        """Yield a sample of each episode, playing the file from its first frame to its last.

        Every frame of the episodes must decode, and sampled frames must equal those that a seeking
        reader gets.
        """
        samples = {row: Sample() for row in members}
        digests: dict[int, bytes] = {}
        owner = {number: row for row in members for number in self._wanted(row)}
        decoded = np.zeros(max(self._stop(row) for row in members), dtype=np.bool_)
        try:
            for number, frame in played_frames(self._root, self._path):
                if 0 <= number < len(decoded):
                    decoded[number] = True
                    self._phase.add(frames=1)
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
        return [self._first(row) + frame for frame in sampled(int(self._rows[row]))]

    def _first(self, row: int) -> int:
        return int(self._start[row])

    def _stop(self, row: int) -> int:
        return int(self._start[row] + self._rows[row])

    def _error(self, row: int | None, message: str) -> None:
        self._problems.error(
            "video.decodes",
            message,
            path=self._path,
            episode=None if row is None else self._numbers[row].as_py(),
            column=self._camera,
        )


def _digest(frame: Any) -> bytes:
    pixels = frame_pixels(frame)
    digest = blake2b(digest_size=16)
    for plane in pixels.planes:
        digest.update(np.ascontiguousarray(plane).data)
    return digest.digest()
