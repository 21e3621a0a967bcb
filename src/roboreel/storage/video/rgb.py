"""Convert decoded frames to RGB, scaled if asked, into arrays that the caller owns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

_PLANAR_SOURCES = ("yuv420p", "yuvj420p")
"""Formats of 8 bits that FFmpeg converts to planes of RGB by itself, not by way of packed RGB."""
_FULL = np.float32(255)
"""The largest value of a colour."""
_PLANE = 2
"""Dimensions of one colour of a frame."""


class RgbConverter:
    """Converts PyAV frames to arrays. One thread at a time uses it.

    It keeps FFmpeg's tables between frames; making them for each frame takes as long as converting it.
    """

    def __init__(self) -> None:
        self._reformat: Callable[..., Any] | None = None
        self._reformat_planes: Callable[..., Any] | None = None
        self._as_planes: dict[tuple[str, int, int, int, int], bool] = {}

    def shape_of(
        self, frame: Any, size: tuple[int, int] | None
    ) -> tuple[tuple[int, ...], npt.DTypeLike]:
        """Shape (H, W, C) and dtype of the array that `convert` fills.

        Args:
            frame: a PyAV frame, or an array (H, W, C), which is not scaled.
            size: (height, width) of RGB frames; None keeps them as they are.
        """
        if isinstance(frame, np.ndarray):
            return frame.shape, frame.dtype
        if is_grey(frame):
            return (frame.height, frame.width, 1), grey_dtype(frame)
        height, width = size or (frame.height, frame.width)
        return (height, width, 3), np.uint8

    def convert(
        self, frame: Any, size: tuple[int, int] | None, out: npt.NDArray[np.generic]
    ) -> None:
        """Write the pixels of a frame into (H, W, C): RGB, or grey values as they are stored.

        Frames are scaled while they are converted: down by the mean of the area that a pixel covers, up
        bilinearly. An array of float32 takes frames of uint8 divided by 255.
        """
        if isinstance(frame, np.ndarray):
            write_pixels(frame, out)
        elif is_grey(frame):
            write_pixels(frame.to_ndarray()[..., None], out)
        else:
            self._rgb(frame, size, out)

    def pixels(self, frame: Any, size: tuple[int, int] | None) -> npt.NDArray[Any]:
        """(H, W, C) the pixels that `convert` writes, in memory of their own: a copy less."""
        shape, dtype = self.shape_of(frame, size)
        if isinstance(frame, np.ndarray) or is_grey(frame):
            out = np.empty(shape, dtype)
            self.convert(frame, size, out)
            return out
        height, width, _ = shape
        return _rows(self._packed(frame, height, width), height, 3 * width).reshape(shape)

    def _packed(self, frame: Any, height: int, width: int) -> Any:
        """The plane of a new PyAV frame of RGB."""
        if self._reformat is None:
            self._reformat = single_threaded(frame)
        same_size = (height, width) == (frame.height, frame.width)
        shrinks = not same_size and height <= frame.height and width <= frame.width
        return self._reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation="AREA" if shrinks else "BILINEAR",
        ).planes[0]

    def _rgb(self, frame: Any, size: tuple[int, int] | None, out: npt.NDArray[np.generic]) -> None:
        if self._reformat is None:
            self._reformat = single_threaded(frame)
        height, width = size or (frame.height, frame.width)
        planar = out.transpose(2, 0, 1)
        same_size = (height, width) == (frame.height, frame.width)
        if planar.flags.c_contiguous and same_size and self._converts_to_planes(frame):
            self._planes(frame, planar)
            return
        plane = self._packed(frame, height, width)
        write_pixels(_rows(plane, height, 3 * width).reshape(height, width, 3), out)

    def _converts_to_planes(self, frame: Any) -> bool:
        """True where FFmpeg makes the same values as planes, which is faster than taking RGB apart.

        This is so for the usual formats of videos and releases of FFmpeg. It is tried with noise for each
        kind of frame.
        """
        kind = (
            frame.format.name,
            frame.height,
            frame.width,
            int(frame.colorspace),
            int(frame.color_range),
        )
        if kind[0] not in _PLANAR_SOURCES:
            return False
        if kind not in self._as_planes:
            self._as_planes[kind] = self._same_as_planes(frame)
        return self._as_planes[kind]

    def _same_as_planes(self, frame: Any) -> bool:
        noise = type(frame)(frame.width, frame.height, frame.format.name)
        noise.colorspace, noise.color_range = frame.colorspace, frame.color_range
        random = np.random.default_rng(0)
        for plane in noise.planes:
            plane.update(random.integers(0, 256, plane.buffer_size, np.uint8))
        assert self._reformat is not None
        packed = self._reformat(noise, format="rgb24").planes[0]
        expected = _rows(packed, frame.height, 3 * frame.width)
        found = np.empty((3, frame.height, frame.width), np.uint8)
        self._planes(noise, found)
        return np.array_equal(found.transpose(1, 2, 0).reshape(expected.shape), expected)

    def _planes(self, frame: Any, out: npt.NDArray[np.generic]) -> None:
        """Write a frame into (3, H, W)."""
        if self._reformat_planes is None:
            self._reformat_planes = single_threaded(frame)
        planes = self._reformat_planes(frame, format="gbrp").planes
        # the planes of `gbrp`: green, blue, red
        for channel, plane in zip((1, 2, 0), planes, strict=True):
            write_pixels(_rows(plane, frame.height, frame.width), out[channel])


def write_pixels(pixels: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
    """Copy pixels; uint8 ones are divided by 255 on the way into float32.

    They are divided while they are in the processor's cache, a colour at a time. The values are those of a
    division: multiplying by its reciprocal gives others.
    """
    if pixels.dtype != np.uint8 or out.dtype != np.float32:
        out[...] = pixels
        return
    colours = (
        [(pixels, out)] if out.ndim == _PLANE else zip(*map(_colours, (pixels, out)), strict=True)
    )
    for source, target in colours:
        np.copyto(target, source)
        np.divide(target, _FULL, out=target)


def _colours(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(C, H, W) view of (H, W, C)."""
    return pixels.transpose(2, 0, 1)


def _rows(plane: Any, height: int, width: int) -> npt.NDArray[np.uint8]:
    """(height, width) bytes of a plane, without what fills up its lines."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]


def single_threaded(frame: Any) -> Callable[..., Any]:
    """A function that converts frames in the thread that calls it.

    Newer releases of PyAV convert in threads of their own: these do not survive a fork, which then hangs.
    """
    from av.video.reformatter import VideoReformatter  # heavy: only what must decode loads it

    reformat: Callable[..., Any] = VideoReformatter().reformat
    try:
        reformat(frame, format="rgb24", threads=1)
    except TypeError:  # a release without such threads
        return reformat
    return partial(reformat, threads=1)


def is_grey(frame: Any) -> bool:
    """True for a PyAV frame that holds grey values, such as depth codes."""
    return bool(frame.format.name.startswith("gray"))


def grey_dtype(frame: Any) -> npt.DTypeLike:
    """The dtype of the values of a grey frame."""
    name = frame.format.name
    if name.startswith("grayf32"):
        return np.float32
    return np.uint8 if name in ("gray", "gray8") else np.uint16
