"""Decode single encoded images: PNG, JPEG and TIFF."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import VideoError
from roboreel.storage.video.codec_context import LIMITS, padded_packet
from roboreel.storage.video.tiff import float_tiff

Frame = npt.NDArray[np.uint8]
"""(height, width, 3) RGB."""


def rgb(frame: Any) -> Frame:
    """The pixels of a PyAV frame."""
    return np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def decode_image(data: bytes) -> npt.NDArray[np.generic]:
    """An encoded image (PNG, JPEG, TIFF): (H, W, 3) uint8, or (H, W, 1) as stored for grey ones.

    Raises:
        VideoError: it cannot be decoded.
    """
    return array_of_frame(decoded_image(data))


def array_of_frame(frame: Any) -> npt.NDArray[np.generic]:
    """The pixels of a PyAV frame: (H, W, 3) uint8, or (H, W, 1) as stored for grey ones; keeps arrays."""
    if isinstance(frame, np.ndarray):
        return frame
    if frame.format.name.startswith("gray"):
        return np.asarray(frame.to_ndarray())[..., None]
    return rgb(frame)


def decoded_image(data: bytes) -> Any:
    """The PyAV frame of an encoded image (PNG, JPEG, TIFF), or an (H, W, 1) array for a floating-point image.

    Raises:
        VideoError: it cannot be decoded.
    """
    import av  # heavy: loaded only to decode

    name = _codec_of_image(data)
    if name == "tiff" and (numbers := float_tiff(data)) is not None:
        return numbers
    try:
        decoder: Any = av.CodecContext.create(name, "r")
        decoder.options = dict(LIMITS)
        frames = [*decoder.decode(padded_packet(data)), *decoder.decode(None)]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(f"a {name} image cannot be decoded ({error})") from error
    if not frames:
        raise VideoError(f"a {name} image is empty")
    return frames[0]


def _codec_of_image(data: bytes) -> str:
    heads = {b"\x89PNG": "png", b"\xff\xd8": "mjpeg", b"II*\0": "tiff", b"MM\0*": "tiff"}
    for head, name in heads.items():
        if data.startswith(head):
            return name
    raise VideoError("an image is neither PNG, JPEG nor TIFF")
