"""Images that are stored in the table: encoded as PNG by a thread while the episode goes on."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from roboreel.errors import StorageError
from roboreel.recording.image_arrays import Array
from roboreel.recording.recorded_pixels import RecordedPixels
from roboreel.stats.feature_stats import FeatureStats
from roboreel.stats.sampling import SamplingProfile
from roboreel.storage import disk
from roboreel.storage.video.encode import frame_of, png

_WAITING = 16
"""Images that may wait to be encoded; `add` then waits for the first."""
_IN_MEMORY = 16 << 20
"""Bytes of encoded images that stay in memory; more of them wait in a file without a name."""


class ImageColumn:
    """The images of one camera in the episode in progress, compressed, in bounded memory until the save."""

    def __init__(
        self, profile: SamplingProfile, *, depth: bool, folder: str | os.PathLike[str]
    ) -> None:
        """Start its thread.

        Args:
            profile: how statistics are computed.
            depth: True for depths, which are not scaled.
            folder: on whose disk images and statistics of long episodes wait.
        """
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._profile, self._depth, self._folder = profile, depth, folder
        self._waiting: deque[Future[bytes]] = deque()
        self._ends = [0]
        """Where each encoded image ends in the file."""
        self._file = disk.spooled_file(folder, _IN_MEMORY)
        self._pixels = self._no_pixels()

    def add(self, image: Array) -> None:
        """Append an image (H, W, C), uint8 or uint16; it is copied."""
        self._waiting.append(self._thread.submit(_encoded, image.copy(), self._pixels))
        while len(self._waiting) > _WAITING or (self._waiting and self._waiting[0].done()):
            self._keep(self._waiting.popleft().result())

    def repeat(self) -> None:
        """Append the last image again."""
        self._wait()
        self._keep(self._image(len(self._ends) - 2))
        self._pixels.repeat()

    @property
    def frames(self) -> int:
        """Images so far."""
        return len(self._ends) - 1 + len(self._waiting)

    def images(self) -> list[bytes]:
        """All images as PNG files, in order; waits until they are encoded.

        Raises:
            StorageError: those of a long episode, which wait in a file, cannot be written or read.
        """
        self._wait()
        return [self._image(number) for number in range(self.frames)]

    def _wait(self) -> None:
        while self._waiting:
            self._keep(self._waiting.popleft().result())

    def _keep(self, image: bytes) -> None:
        with self._explained():
            self._file.seek(self._ends[-1])
            self._file.write(image)
        self._ends.append(self._ends[-1] + len(image))

    def _image(self, number: int) -> bytes:
        start, stop = self._ends[number : number + 2]
        with self._explained():
            self._file.seek(start)
            return self._file.read(stop - start)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"'{self._folder}': images that wait for the save: {error.strerror or error}"
            ) from error

    def stats(self) -> FeatureStats | None:
        """The statistics of the reference's sample of them; None without images."""
        self._wait()
        return self._pixels.stats()

    def clear(self) -> None:
        """Begin another episode."""
        wait(self._waiting)
        self._waiting.clear()
        self._ends = [0]
        self._file.close()
        self._file = disk.spooled_file(self._folder, _IN_MEMORY)
        self._pixels.close()
        self._pixels = self._no_pixels()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)
        self._file.close()
        self._pixels.close()

    def _no_pixels(self) -> RecordedPixels:
        return RecordedPixels(self._profile, depth=self._depth, folder=self._folder)


def _encoded(image: Array, pixels: RecordedPixels) -> bytes:
    pixels.add(image)
    return png(frame_of(image))
