"""Compare decoded images pixel by pixel, exactly as they decode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import VideoError
from roboreel.storage.video.still_images import decoded_image


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded image without any colour conversion."""

    format: str
    """FFmpeg's name of the pixel format."""
    width: int
    height: int
    planes: tuple[npt.NDArray[np.uint8], ...]
    """(rows, used bytes) for each plane."""

    def against(self, other: Pixels) -> str:
        """How another image differs, in words; empty if every pixel is equal."""
        if (self.width, self.height) != (other.width, other.height):
            return f"{self.width}×{self.height} against {other.width}×{other.height} pixels"
        if self.format != other.format:
            return f"pixel format {self.format} against {other.format}"
        mismatch = 0
        for mine, theirs in zip(self.planes, other.planes, strict=True):
            mismatch += int(np.count_nonzero(mine != theirs))
        if not mismatch:
            return ""
        total = sum(plane.size for plane in self.planes)
        return f"{mismatch} of {total} samples differ"


def frame_pixels(frame: Any) -> Pixels:
    """The pixels of a PyAV frame."""
    if frame.format.has_palette or frame.format.is_bit_stream:
        raise VideoError(f"pixel format {frame.format.name} cannot be compared")
    planes = tuple(_used(frame, number) for number in range(len(frame.planes)))
    return Pixels(str(frame.format.name), int(frame.width), int(frame.height), planes)


def image_pixels(data: bytes) -> Pixels:
    """The pixels of an encoded image (PNG, JPEG, TIFF); palette colours are resolved.

    Raises:
        VideoError: it cannot be decoded.
    """
    frame = decoded_image(data)
    if frame.format.name == "pal8":
        frame = frame.reformat(format="rgba")
    return frame_pixels(frame)


def _used(frame: Any, number: int) -> npt.NDArray[np.uint8]:
    """(rows, bytes) of a plane without the padding at the end of its rows."""
    plane, parts = frame.planes[number], frame.format.components
    rows = np.frombuffer(plane, np.uint8)[: plane.line_size * plane.height]
    rows = rows.reshape(plane.height, plane.line_size)
    if len(frame.planes) == 1 and len(parts) > 1:
        used = plane.width * frame.format.padded_bits_per_pixel // 8
    else:
        used = plane.width * ((max(part.bits for part in parts) + 7) // 8)
    if len(frame.planes) == 2 and len(parts) > 2 and number == 1:
        used *= 2  # nv12 and similar: two colours in one plane
    return rows[:, : min(used, plane.line_size)].copy()
