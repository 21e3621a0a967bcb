"""What is kept of a sample of an episode's frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from roboreel.types import Floats

_SAMPLED = 16
_BLOCK = 8
"""Side of the squares over which pictures are compared: noise evens out in them."""
_SAME = 3.0
"""Levels of 255 by which no square of an unchanged picture differs."""

Frame = npt.NDArray[np.generic]


def sampled(rows: int) -> list[int]:
    """Numbers of the frames of an episode that are decoded, ascending."""
    return sorted(set(np.linspace(0, rows - 1, min(_SAMPLED, rows)).round().astype(int).tolist()))


@dataclass(slots=True)
class Sample:
    """What is kept of the pictures of an episode."""

    number: int = 0
    brightest: float = 0.0
    still: int = 1
    """Pictures in a row that are the same, the last one among them."""
    longest: int = 1
    histogram: npt.NDArray[np.int64] | None = None
    _last: Floats | None = field(default=None, repr=False)

    def add(self, picture: Frame) -> None:
        if picture.dtype != np.uint8:
            return
        blocks = _blocks(picture)
        self.number += 1
        self.brightest = max(self.brightest, float(blocks.max()))
        self.still = self.still + 1 if _same(blocks, self._last) else 1
        self.longest = max(self.longest, self.still)
        self._last = blocks
        counts = np.stack(
            [
                np.bincount(channel, minlength=256)
                for channel in picture.reshape(-1, picture.shape[-1]).T
            ]
        )
        self.histogram = counts if self.histogram is None else self.histogram + counts


def _same(a: Floats, b: Floats | None) -> bool:
    return b is not None and a.shape == b.shape and bool((np.abs(a - b) < _SAME).all())


def _blocks(picture: Frame) -> Floats:
    """(h, w, channels) means of squares; what is left over at the edges does not count."""
    height, width = (max(side // _BLOCK, 1) for side in picture.shape[:2])
    tall, wide = picture.shape[0] // height, picture.shape[1] // width
    cut = picture[: height * tall, : width * wide].astype(np.float64)
    return np.asarray(cut.reshape(height, tall, width, wide, -1).mean(axis=(1, 3)))
