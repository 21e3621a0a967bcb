"""The pixels of a camera in an episode: the reference's sample of them, counted.

The sample is lerobot's (`compute_stats.py`): `k = max(min(100, n), min(int(n ** 0.75), 10000))` frames at
`round(linspace(0, n - 1, k))`; images of 300 pixels and more are subsampled by a stride
of `int(side / 150)` on both axes. Moments and quantiles are exact over the sample (256-bin histograms).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from roboreel.errors import VideoError
from roboreel.stats.deep_pixels import DeepPixels
from roboreel.stats.feature_stats import FeatureStats
from roboreel.stats.pixel_counts import (
    PEAK,
    Counted,
    Counts,
    PixelCounter,
    histogram_stats,
    sample_size,
)

_LARGE, _WANTED = 300, 150
_LARGE_FRAME = 1 << 16
"""Pixels of a picture that is counted by itself, where it lies."""
_COUNTED_AT_ONCE = 8
"""Pictures whose pixels are counted together: what is in memory does not grow with an episode."""


def sampled_frames(frames: int) -> list[int]:
    """Numbers of the frames of an episode that the reference samples, ascending, each once."""
    places = np.linspace(0, frames - 1, sample_size(frames))
    return sorted(set(np.round(places).astype(int).tolist()))


def stride_of(height: int, width: int) -> int:
    """How far apart, both ways, the pixels stand that the reference takes of a picture."""
    return int(max(height, width) / _WANTED) if max(height, width) >= _LARGE else 1


def subsampled(picture: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """(H, W, C) every n-th pixel of a large picture, both ways; of a thinned one, every pixel."""
    stride = stride_of(*picture.shape[:2])
    return picture[::stride, ::stride]


@dataclass(slots=True)
class CameraPixels:
    """The pixels of a camera in an episode: of 8 bits as counts of each value, deeper ones as they are."""

    every_pixel: bool = False
    """True: large pictures are not thinned."""
    depth: bool = False
    """True: also 8 bits are depths, not a share of full brightness."""
    as_rgb: bool = False
    """True: grey pictures of 8 bits count as three channels."""
    pictures: int = 0
    _counter: PixelCounter = field(default_factory=PixelCounter, repr=False)
    _counts: Counts | None = None
    _few: list[npt.NDArray[np.uint8]] = field(default_factory=list, repr=False)
    """(pixels, channels) of pictures that are not yet counted."""
    _deep: DeepPixels = field(default_factory=DeepPixels, repr=False)

    def add(self, picture: npt.NDArray[np.generic]) -> None:
        """Take in an (H, W, C) picture."""
        self.pictures += 1
        small = picture if self.every_pixel else subsampled(picture)
        if self.as_rgb and not self.depth and small.dtype == np.uint8 and small.shape[-1] == 1:
            small = np.repeat(small, 3, axis=-1)
        flat = small.reshape(-1, small.shape[-1])
        deep = self.depth or flat.dtype != np.uint8
        if self.pictures > 1 and deep != bool(self._deep):
            raise VideoError("some of its pictures have 8 bits, and some more: make them alike")
        if deep:
            self._deep.add(flat)
            return
        pixels = flat.astype(np.uint8, copy=False)
        if len(pixels) >= _LARGE_FRAME:
            self._take(self._counter.counts(pixels))
            return
        if self._few and self._few[0].shape[1] != pixels.shape[1]:
            self._count()
        self._few.append(pixels)
        if len(self._few) == _COUNTED_AT_ONCE:
            self._count()

    @property
    def counted(self) -> Counted | None:
        """How often each value occurs in this episode; None where pictures are deeper, or there are none."""
        self._count()
        return None if self._deep or self._counts is None else Counted(self._counts, 1)

    def stats(
        self, quantiles: Sequence[float], *, histogram_quantiles: bool = False
    ) -> FeatureStats | None:
        """Statistics per channel; those of 8 bits in [0, 1], deeper ones as they are.

        Args:
            quantiles: which to include, from 0 to 1.
            binned: True reads them off a histogram, as lerobot does; False gives numpy's linear ones.
        """
        if self._deep:
            return self._deep.stats(
                quantiles, pictures=self.pictures, histogram_quantiles=histogram_quantiles
            )
        self._count()
        if self._counts is None:
            return None
        return histogram_stats(
            self._counts,
            pictures=self.pictures,
            peak=PEAK,
            quantiles=quantiles,
            histogram_quantiles=histogram_quantiles,
        )

    def _count(self) -> None:
        if not self._few:
            return
        pixels = np.concatenate(self._few)
        self._few = []
        self._take(self._counter.counts(pixels))

    def _take(self, found: Counts) -> None:
        known = found if self._counts is None else self._counts
        if 1 in (len(known), len(found)):  # grey ones among others: as many channels alike
            known, found = (
                np.repeat(one, max(len(known), len(found)) // len(one), axis=0)
                for one in (known, found)
            )
        self._counts = found if self._counts is None else known + found
