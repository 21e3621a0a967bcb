"""Images that are stored in the table: encoded as PNG by a thread while the episode goes on."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait

from roboreel.recording.image_arrays import Array
from roboreel.recording.recorded_pixels import RecordedPixels
from roboreel.stats.feature_stats import FeatureStats
from roboreel.stats.sampling import SamplingProfile
from roboreel.storage.video.encode import frame_of, png

_WAITING = 16
"""Images that may wait to be encoded; `add` then waits for the first."""


class ImageColumn:
    """The images of one camera in the episode in progress, compressed."""

    def __init__(
        self, profile: SamplingProfile, *, depth: bool, folder: str | os.PathLike[str]
    ) -> None:
        """Start its thread.

        Args:
            profile: how statistics are computed.
            depth: True for depths, which are not scaled.
            folder: on whose disk statistics of long episodes wait.
        """
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._profile, self._depth, self._folder = profile, depth, folder
        self._waiting: deque[Future[bytes]] = deque()
        self._done: list[bytes] = []
        self._pixels = self._no_pixels()

    def add(self, image: Array) -> None:
        """Append an image (H, W, C), uint8 or uint16; it is copied."""
        self._waiting.append(self._thread.submit(_encoded, image.copy(), self._pixels))
        while len(self._waiting) > _WAITING or (self._waiting and self._waiting[0].done()):
            self._done.append(self._waiting.popleft().result())

    def repeat(self) -> None:
        """Append the last image again."""
        self._done.append(self.images()[-1])
        self._pixels.repeat()

    def images(self) -> list[bytes]:
        """All images as PNG files, in order; waits until they are encoded."""
        while self._waiting:
            self._done.append(self._waiting.popleft().result())
        return self._done

    def stats(self) -> FeatureStats | None:
        """The statistics of the reference's sample of them; None without images."""
        self.images()
        return self._pixels.stats()

    def clear(self) -> None:
        """Begin another episode."""
        wait(self._waiting)
        self._waiting.clear()
        self._done = []
        self._pixels.close()
        self._pixels = self._no_pixels()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)
        self._pixels.close()

    def _no_pixels(self) -> RecordedPixels:
        return RecordedPixels(self._profile, depth=self._depth, folder=self._folder)


def _encoded(image: Array, pixels: RecordedPixels) -> bytes:
    pixels.add(image)
    return png(frame_of(image))
