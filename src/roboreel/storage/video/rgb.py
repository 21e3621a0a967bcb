"""Convert decoded frames to RGB, scaled if asked, into arrays that the caller owns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt


class RgbConverter:
    """Converts PyAV frames to arrays. One thread at a time uses it.

    It keeps FFmpeg's tables between frames; making them for each frame takes as long as converting it.
    """

    def __init__(self) -> None:
        self._reformat: Callable[..., Any] | None = None

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
        """Write the pixels of a frame into (H, W, C): RGB uint8, or grey ones as they are stored.

        Frames are scaled while they are converted: down by the mean of the area that a pixel covers, up
        bilinearly.
        """
        if isinstance(frame, np.ndarray):
            out[...] = frame
        elif is_grey(frame):
            out[..., 0] = frame.to_ndarray()
        else:
            self._rgb(frame, size, out)

    def _rgb(self, frame: Any, size: tuple[int, int] | None, out: npt.NDArray[np.generic]) -> None:
        if self._reformat is None:
            self._reformat = _single_threaded(frame)
        height, width = size or (frame.height, frame.width)
        shrinks = height <= frame.height and width <= frame.width
        made = self._reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation="AREA" if shrinks and size else "BILINEAR",
        )
        plane = made.planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        out[...] = rows[:height, : 3 * width].reshape(height, width, 3)


def _single_threaded(frame: Any) -> Callable[..., Any]:
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
