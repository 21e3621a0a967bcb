"""Opened torchcodec decoders, the least recently used closed first, as lerobot's `VideoDecoderCache`."""

from __future__ import annotations

import os
from collections import OrderedDict
from threading import Lock
from typing import IO, Any

from roboreel.storage.frames_by_time import located_file
from roboreel.storage.video.backends import torchcodec_decoder
from roboreel.torch.errors import ArgumentError

DEFAULT_DECODER_CACHE_SIZE = 100
_SIZE = "LEROBOT_VIDEO_DECODER_CACHE_SIZE"
_UNBOUNDED = ("", "none", "unbounded", "-1")
_DEFAULT = object()


class VideoDecoderCache:
    """Decoders by path, shared by threads. roboreel's own reading does not use it."""

    def __init__(self, max_size: Any = _DEFAULT) -> None:
        """Begin without decoders.

        Args:
            max_size: how many to keep open, None for all; by default what the variable
                `LEROBOT_VIDEO_DECODER_CACHE_SIZE` says, else 100.

        Raises:
            ArgumentError: the size is not positive.
        """
        size = _size_of_environment() if max_size is _DEFAULT else max_size
        if size is not None and size <= 0:
            raise ArgumentError(f"max_size must be positive or None, got {size}")
        self.max_size: int | None = size
        self._cache: OrderedDict[str, tuple[Any, IO[bytes]]] = OrderedDict()
        self._lock = Lock()

    def __contains__(self, video_path: object) -> bool:
        with self._lock:
            return str(video_path) in self._cache

    def get_decoder(self, video_path: str | os.PathLike[str]) -> Any:
        """The torchcodec decoder of a file.

        Raises:
            MissingDependencyError: torchcodec is not installed.
            StorageError: the file cannot be read.
        """
        path = str(video_path)
        with self._lock:
            if path not in self._cache:
                self._cache[path] = _opened(path)
            self._cache.move_to_end(path)
            while self.max_size is not None and len(self._cache) > self.max_size:
                self._cache.popitem(last=False)[1][1].close()
            return self._cache[path][0]

    def clear(self) -> None:
        """Close all."""
        with self._lock:
            for _, file in self._cache.values():
                file.close()
            self._cache.clear()

    def size(self) -> int:
        """How many are open."""
        with self._lock:
            return len(self._cache)


def _opened(path: str) -> tuple[Any, IO[bytes]]:
    root, name = located_file(path)
    file = root.input(name)
    try:
        return torchcodec_decoder(file), file
    except BaseException:
        file.close()
        raise


def _size_of_environment() -> int | None:
    text = os.environ.get(_SIZE)
    if text is None:
        return DEFAULT_DECODER_CACHE_SIZE
    if text.strip().lower() in _UNBOUNDED:
        return None
    try:
        size = int(text)
    except ValueError:
        raise ArgumentError(
            f"{_SIZE} is '{text}', expected a positive number, 'none' or '-1'"
        ) from None
    if size <= 0:
        raise ArgumentError(f"{_SIZE} is {size}, expected a positive number, 'none' or '-1'")
    return size
