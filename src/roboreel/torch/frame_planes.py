"""Frames as tensors want them: channels first, colours in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.reading.reader import Batch, Reader
from roboreel.torch.host_buffers import Array, Buffers
from roboreel.types import Int64

_FULL = np.float32(255)


def planes(frames: Array, buffers: Buffers, *, uint8: bool) -> Array:
    """(…, C, H, W) of (…, H, W, C) frames: float32, those of uint8 divided by 255; or uint8 as it is.

    Each frame is divided while it is in the processor's cache. The values are those of a division by 255;
    multiplying with its reciprocal gives others.

    Args:
        frames: (…, H, W, C).
        buffers: where the array is made.
        uint8: True leaves the values as they are, whatever their dtype.
    """
    *lead, height, width, channels = frames.shape
    found = buffers.empty(
        (*lead, channels, height, width), frames.dtype if uint8 else np.dtype(np.float32)
    )
    scaled = frames.dtype == np.uint8 and not uint8
    flat = frames.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
    for target, frame in zip(found.reshape(-1, channels, height, width), flat, strict=True):
        np.copyto(target, frame, casting="unsafe")
        if scaled:
            np.divide(target, _FULL, out=target)
    return found


class FrameScratch:
    """Lets a reader decode into memory that is used again, once the shapes of frames are known.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._shapes: dict[str, tuple[tuple[int, ...], npt.DTypeLike]] = {}

    def batch(self, reader: Reader, rows: Sequence[int] | Int64, buffers: Buffers) -> Batch:
        """The batch of some rows: see `Reader.batch`."""
        out: dict[str, npt.NDArray[Any]] = {
            name: buffers.empty((len(rows), *shape), dtype)
            for name, (shape, dtype) in self._shapes.items()
        }
        found = reader.batch(rows, out)
        for name in reader.cameras:
            self._shapes.setdefault(name, (found[name].shape[1:], found[name].dtype))
        return found
