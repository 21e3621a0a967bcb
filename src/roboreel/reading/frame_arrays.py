"""Decoded frames as arrays: RGB at a chosen size, or depth codes as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock, local
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import DatasetError, UsageError
from roboreel.storage.video.rgb import RgbConverter

Size = tuple[int, int]
"""(height, width) in pixels."""


class FrameArray:
    """(n, H, W, C) frames of one camera, made by the first one that is decoded unless it is given.

    Threads fill it together, each its own frames.
    """

    def __init__(
        self,
        camera: str,
        count: int,
        size: Size | None,
        out: npt.NDArray[np.generic] | None = None,
    ) -> None:
        """Prepare for frames.

        Args:
            camera: name, for messages.
            count: number of frames.
            size: scale RGB frames to this; None keeps the size they are stored in.
            out: (n, H, W, C) the array to fill.
        """
        self._camera, self._count, self._size = camera, count, size
        self._array = out
        self._lock = Lock()

    @property
    def array(self) -> npt.NDArray[np.generic]:
        """(n, H, W, C) the frames."""
        if self._array is None:
            raise DatasetError(f"camera '{self._camera}': no frame was decoded")
        return self._array

    def put(self, frame: Any, at: Sequence[int]) -> None:
        """Convert a PyAV frame (or an array) into the rows `at`, of which there is at least one."""
        first, *others = at
        shape, dtype = _CONVERTERS.of_thread().shape_of(frame, self._size)
        target = self._of_shape(shape, dtype)
        _CONVERTERS.of_thread().convert(frame, self._size, target[first])
        for row in others:
            target[row] = target[first]

    def put_pixels(self, pixels: npt.NDArray[np.generic], at: Sequence[int]) -> None:
        """Copy (H, W, C) pixels, which have the wanted size already, into the rows `at`."""
        target = self._of_shape(pixels.shape, pixels.dtype)
        for row in at:
            target[row] = pixels

    def _of_shape(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
        with self._lock:
            if self._array is None:
                self._array = np.empty((self._count, *shape), dtype=dtype)
        array = self._array
        if array.shape[1:] != shape:
            height, width = shape[:2]
            have = "×".join(map(str, array.shape[1:3]))
            raise UsageError(
                f"camera '{self._camera}': a frame has {height}×{width} pixels, others have {have}:"
                " pass size=(height, width)"
            )
        return array


class _Converters(local):
    """A converter for each thread: it keeps tables for the sizes and formats that it saw last."""

    def __init__(self) -> None:
        self._own = RgbConverter()

    def of_thread(self) -> RgbConverter:
        return self._own


_CONVERTERS = _Converters()
