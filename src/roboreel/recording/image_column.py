"""Images that are stored in the table: encoded as PNG by another thread while the episode goes on."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from roboreel.recording.image_arrays import Array
from roboreel.storage.video.encode import frame_of, png

_WAITING = 16
"""Images of a camera that may wait to be encoded; `add` then waits for the first."""


class ImageColumn:
    """The images of one camera in the episode in progress, compressed."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        """Use threads that are shared by all cameras."""
        self._threads = threads
        self._waiting: deque[Future[bytes]] = deque()
        self._done: list[bytes] = []

    def add(self, image: Array) -> None:
        """Append an image (H, W, C), uint8 or uint16; it is copied."""
        self._waiting.append(self._threads.submit(_encoded, image.copy()))
        while len(self._waiting) > _WAITING or (self._waiting and self._waiting[0].done()):
            self._done.append(self._waiting.popleft().result())

    def repeat(self) -> None:
        """Append the last image again."""
        self._done.append(self.images()[-1])

    def images(self) -> list[bytes]:
        """All images as PNG files, in order; waits until they are encoded."""
        while self._waiting:
            self._done.append(self._waiting.popleft().result())
        return self._done

    def clear(self) -> None:
        """Forget all images."""
        self._waiting.clear()
        self._done = []


def _encoded(image: Array) -> bytes:
    return png(frame_of(image))
