"""Summaries of sampled frames of an episode."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from roboreel.types import Floats

_SAMPLED = 16
_BLOCK = 8
"""Side in pixels of the blocks that are averaged to compare frames; this evens out noise."""
_SAME = 3.0
"""Blocks of an unchanged frame differ by less than this, in levels of 255."""

Frame = npt.NDArray[np.generic]


def sampled(rows: int) -> list[int]:
    """Ascending frame numbers to decode in an episode with this many rows."""
    return sorted(set(np.linspace(0, rows - 1, min(_SAMPLED, rows)).round().astype(int).tolist()))


@dataclass(slots=True)
class Sample:
    """Brightness, repetition and histogram of an episode's sampled frames."""

    number: int = 0
    brightest: float = 0.0
    still: int = 1
    """Number of equal frames in a row, up to and including the last one."""
    longest: int = 1
    histogram: npt.NDArray[np.int64] | None = None
    _last: Floats | None = field(default=None, repr=False)

    def add(self, frame: Frame) -> None:
        if frame.dtype != np.uint8:
            return
        blocks = _blocks(frame)
        self.number += 1
        self.brightest = max(self.brightest, float(blocks.max()))
        self.still = self.still + 1 if _same(blocks, self._last) else 1
        self.longest = max(self.longest, self.still)
        self._last = blocks
        counts = np.stack(
            [
                np.bincount(channel, minlength=256)
                for channel in frame.reshape(-1, frame.shape[-1]).T
            ]
        )
        self.histogram = counts if self.histogram is None else self.histogram + counts


def _same(a: Floats, b: Floats | None) -> bool:
    return b is not None and a.shape == b.shape and bool((np.abs(a - b) < _SAME).all())


def _blocks(frame: Frame) -> Floats:
    """(h, w, channels) block means; incomplete blocks at the edges are ignored."""
    height, width = (max(side // _BLOCK, 1) for side in frame.shape[:2])
    tall, wide = frame.shape[0] // height, frame.shape[1] // width
    cut = frame[: height * tall, : width * wide].astype(np.float64)
    return np.asarray(cut.reshape(height, tall, width, wide, -1).mean(axis=(1, 3)))
