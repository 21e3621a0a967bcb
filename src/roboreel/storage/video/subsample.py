"""Take every n-th pixel of a decoded frame, without converting the others.

FFmpeg gives each 2×2 block of a 4:2:0 frame the colour of its one chroma sample, whatever surrounds it. So
the wanted pixels are copied into a small frame, one per block together with its chroma sample, and only the
small frame is converted. The result equals converting the whole frame and then subsampling it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.storage.video.still_images import Frame, array_of_frame

_QUARTER_CHROMA = ("yuv420p", "yuvj420p")
_RGB = 3
_WIDE = 64  # pixels: whole vectors of the converter; other code converts its last columns


class Subsampler:
    """Subsamples the frames of one video after another; threads must not share it."""

    def __init__(self) -> None:
        from av.video.reformatter import VideoReformatter  # heavy: loaded only to decode

        # a frame's own converter is set up again for each frame, which costs more than the conversion
        self._converter = VideoReformatter()

    def frame(self, frame: Any, stride: int) -> npt.NDArray[np.generic]:
        """(⌈H/stride⌉, ⌈W/stride⌉, C): every `stride`-th row and column of `array_of_frame(frame)`.

        Args:
            frame: a PyAV frame.
            stride: 1 takes every pixel.
        """
        if frame.format.name not in _QUARTER_CHROMA:
            return array_of_frame(frame)[::stride, ::stride]
        if stride % 2:
            return self._rgb(frame)[::stride, ::stride]
        width = -(-frame.width // stride)
        return self._rgb(_blocks(frame, stride))[::2, : 2 * width : 2]

    def _rgb(self, frame: Any) -> Frame:
        """(H, W, 3) RGB, a view of the converted frame's memory: no copy."""
        converted: Any = self._converter.reformat(frame, format="rgb24")
        plane = converted.planes[0]
        rows = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size]
        wide = rows.reshape(plane.height, plane.line_size)[:, : plane.width * _RGB]
        return wide.reshape(plane.height, plane.width, _RGB)


def _blocks(frame: Any, stride: int) -> Any:
    """A small frame with a 2×2 block for each wanted pixel; the pixel is the first of its block."""
    import av

    height, width = -(-frame.height // stride), -(-frame.width // stride)
    small = av.VideoFrame(-(-2 * width // _WIDE) * _WIDE, 2 * height, frame.format.name)
    small.colorspace, small.color_range = frame.colorspace, frame.color_range
    steps = (stride, stride // 2, stride // 2)
    for number, (step, spacing) in enumerate(zip(steps, (2, 1, 1), strict=True)):
        taken = _samples(frame.planes[number])[::step, ::step]
        _samples(small.planes[number])[::spacing, : spacing * width : spacing] = taken
    return small


def _samples(plane: Any) -> Frame:
    """(rows, columns) of a plane, as a view of its memory."""
    rows = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size]
    return rows.reshape(plane.height, plane.line_size)[:, : plane.width]
