"""Decoded frames as arrays: RGB at a chosen size, or depth codes as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from threading import Lock, local
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import DatasetError, UsageError
from roboreel.reading.host_buffers import HostBuffers
from roboreel.storage.video.rgb import RgbConverter, write_pixels

Size = tuple[int, int]
"""(height, width) in pixels."""


class FrameArray:
    """(n, H, W, C) frames of one camera, made by the first one that is decoded unless it is given.

    Threads fill it together, each its own frames. Into a given array of float32, RGB goes divided by 255.
    """

    def __init__(
        self,
        camera: str,
        count: int,
        size: Size | None,
        buffers: HostBuffers,
        out: npt.NDArray[np.generic] | None = None,
        *,
        declared: tuple[int, ...] = (0, 0, 3),
        stored: bool = False,
    ) -> None:
        """Prepare for frames.

        Args:
            camera: name, for messages.
            count: number of frames.
            size: scale RGB frames to this; None keeps the size they are stored in.
            buffers: where the array is made.
            out: (n, H, W, C) the array to fill; or (items, offsets, H, W, C).
            declared: (H, W, C) that no frames at all have.
            stored: True where frames are also needed as they are stored, for the frame cache: an array of
                float32 is then filled last.
        """
        self._camera, self._count, self._size = camera, count, size
        self._buffers, self._declared = buffers, declared
        given = None if out is None else _as_frames(camera, count, out)
        self._last = given if stored and given is not None and given.dtype == np.float32 else None
        self._array = given if self._last is None else None
        self._lock = Lock()

    @property
    def array(self) -> npt.NDArray[np.generic]:
        """(n, H, W, C) the frames."""
        if self._array is None and not self._count:
            return np.empty((0, *self._declared), np.uint8)
        if self._array is None:
            raise DatasetError(f"camera '{self._camera}': no frame could be decoded")
        return self._array

    def finished(self) -> npt.NDArray[np.generic]:
        """(n, H, W, C) the frames, in the array that was given if one was."""
        if self._last is None:
            return self.array
        self._require_dtype(self._last, self.array.dtype)
        if self._last.shape != self.array.shape:
            raise self._other_size(self.array.shape[1:], self._last.shape[1:])
        for pixels, target in zip(self.array, self._last, strict=True):
            write_pixels(pixels, target)
        return self._last

    def put(self, frame: Any, at: Sequence[int]) -> None:
        """Convert a PyAV frame (or an array) into the rows `at`, of which there is at least one."""
        first, *others = at
        converter = _CONVERTERS.of_thread()
        shape, dtype = converter.shape_of(frame, self._size)
        target = self.of_shape(shape, dtype)
        self._require_dtype(target, np.dtype(dtype))
        converter.convert(frame, self._size, target[first])
        for row in others:
            target[row] = target[first]

    def _require_dtype(self, target: npt.NDArray[np.generic], dtype: np.dtype[np.generic]) -> None:
        divided = dtype == np.uint8 and target.dtype == np.float32
        if target.dtype != dtype and not divided:
            raise UsageError(
                f"out['{self._camera}'] has dtype {target.dtype}, but the frames of this camera have dtype"
                f" {dtype}"
            )

    def of_shape(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
        """(n, H, W, C) the array, for frames of such a shape and dtype.

        Raises:
            UsageError: it holds frames of another shape.
        """
        array = self._array
        if array is None:
            array = self._made(shape, dtype)
        if array.shape[1:] != shape:
            raise self._other_size(shape, array.shape[1:])
        return array

    def _other_size(self, shape: tuple[int, ...], expected: tuple[int, ...]) -> UsageError:
        height, width = shape[:2]
        have = "×".join(map(str, expected[:2]))
        return UsageError(
            f"camera '{self._camera}': frames have different sizes, {height}×{width} and {have} pixels:"
            " pass size=(height, width)"
        )

    def _made(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
        with self._lock:
            if self._array is None:
                self._array = self._buffers.empty((self._count, *shape), dtype)
            return self._array


class ApartFrames(FrameArray):
    """(n,) frames (H, W, C) of one camera, each in memory of its own: nobody pays for stacking them."""

    def __init__(self, camera: str, count: int, size: Size | None, buffers: HostBuffers) -> None:
        """Prepare for frames: see `FrameArray`."""
        super().__init__(camera, count, size, buffers)
        self._frames: list[Any] = [None] * count

    def finished(self) -> Any:
        """(n,) the frames, a list."""
        return self._frames

    def put(self, frame: Any, at: Sequence[int]) -> None:
        """Convert a PyAV frame (or an array) for the rows `at`, of which there is at least one."""
        first, *others = at
        self._frames[first] = _CONVERTERS.of_thread().pixels(frame, self._size)
        for row in others:
            self._frames[row] = self._frames[first].copy()


def _frames_in(out: npt.NDArray[np.generic]) -> int:
    return prod(out.shape[:-3])


def _as_frames(camera: str, count: int, out: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """(n, H, W, C) view of an array that may have an axis of offsets."""
    flat = out.reshape(count, *out.shape[-3:]) if out.ndim > 3 and _frames_in(out) == count else out
    if len(flat) != count or flat.ndim != 4 or (out.size and not np.shares_memory(flat, out)):
        raise UsageError(
            f"out['{camera}'] has shape {out.shape}, expected {count} frames (H, W, C)"
        )
    return flat


class _Converters(local):
    """A converter for each thread: it keeps tables for the sizes and formats that it saw last."""

    def __init__(self) -> None:
        self._own = RgbConverter()

    def of_thread(self) -> RgbConverter:
        return self._own


_CONVERTERS = _Converters()
