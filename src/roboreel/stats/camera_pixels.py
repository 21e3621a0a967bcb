"""Statistics of the images of a camera in an episode: exact, from all added pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from roboreel.errors import VideoError
from roboreel.stats.feature_stats import FeatureStats, quantile_name, values_stats
from roboreel.stats.histogram_quantiles import quantiles_of_histogram
from roboreel.stats.merge import merged_pair
from roboreel.stats.pixel_counts import PEAK, Counted, Counts, PixelCounter, histogram_stats
from roboreel.stats.quantiles import Quantiles
from roboreel.stats.sampling import SamplingProfile, stride_of

_KEPT_BYTES = 64 << 20
_LARGE_FRAME = 1 << 16
"""Pixels of an image that is counted by itself, without a copy."""
_COUNTED_AT_ONCE = 8
"""Number of images counted together: memory does not grow with the episode."""


@dataclass(slots=True)
class CameraPixels:
    """The pixels of a camera in an episode: 8 bits as counts of each value, deeper ones as they are."""

    profile: SamplingProfile
    video: bool
    """True where they are the frames of a video, False where images in tables."""
    depth: bool = False
    """True if 8-bit values are depths too, not fractions of full brightness."""
    images: int = 0
    _counter: PixelCounter = field(default_factory=PixelCounter, repr=False)
    _counts: Counts | None = None
    _few: list[npt.NDArray[np.uint8]] = field(default_factory=list, repr=False)
    """(pixels, channels) of images that have not been counted yet."""
    _deep: DeepPixels = field(default_factory=lambda: DeepPixels(), repr=False)

    def add(self, image: npt.NDArray[np.generic]) -> None:
        """Add an (H, W, C) image, subsampled or not.

        Raises:
            VideoError: 8-bit images are mixed with deeper ones.
        """
        self.images += 1
        stride = 1 if self.profile.every_pixel else stride_of(*image.shape[:2])
        small = image[::stride, ::stride]
        deep = self.depth or small.dtype != np.uint8
        if not deep and small.shape[-1] == 1 and self.profile.as_rgb(video=self.video):
            small = np.repeat(small, 3, axis=-1)
        flat = small.reshape(-1, small.shape[-1])
        if self.images > 1 and deep != bool(self._deep):
            raise VideoError(
                "some of its images have 8 bits and others more: convert them to one depth"
            )
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

    def add_counts(self, counts: Counts, *, images: int) -> None:
        """Add the (channels, 256) counts of 8-bit images that were counted before."""
        self.images += images
        self._take(counts)

    @property
    def counted(self) -> Counted | None:
        """How often each value occurs in this episode; None where images are deeper, or there are none."""
        self._count()
        return None if self._deep or self._counts is None else Counted(self._counts, 1)

    def stats(self) -> FeatureStats | None:
        """Statistics of shape (channels, 1, 1), of 8 bits in [0, 1], else as they are; None if empty."""
        if self._deep:
            return self._deep.stats(self.profile, images=self.images)
        self._count()
        if self._counts is None:
            return None
        return histogram_stats(self._counts, self.profile, images=self.images, peak=PEAK)

    def _count(self) -> None:
        if not self._few:
            return
        pixels = np.concatenate(self._few)
        self._few = []
        self._take(self._counter.counts(pixels))

    def _take(self, found: Counts) -> None:
        known = found if self._counts is None else self._counts
        if 1 in (len(known), len(found)):  # gray ones among others: as many channels alike
            known, found = (
                np.repeat(one, max(len(known), len(found)) // len(one), axis=0)
                for one in (known, found)
            )
        self._counts = found if self._counts is None else known + found


def frames_pixels(
    frames: Iterable[npt.NDArray[np.generic]],
    profile: SamplingProfile,
    *,
    video: bool,
    depth: bool = False,
) -> CameraPixels:
    """The pixels of the sampled frames of a camera in one episode: `.stats()` has its statistics.

    Args:
        frames: (H, W, C) each: those that `profile.frames` chooses.
        profile: which pixels and channels count, and which quantiles are computed.
        video: True for frames of a video, False for images in tables.
        depth: True if 8-bit values are depths too.

    Raises:
        VideoError: 8-bit images are mixed with deeper ones.
    """
    pixels = CameraPixels(profile, video, depth)
    for frame in frames:
        pixels.add(frame)
    return pixels


@dataclass(slots=True)
class DeepPixels:
    """Pixels of more than 8 bits, such as depths: all of them up to 64 MiB, beyond that a sketch."""

    kept_bytes: int = _KEPT_BYTES
    _kept: list[npt.NDArray[np.generic]] = field(default_factory=list, repr=False)
    """(pixels, channels) of values that have not been merged yet."""
    _merged: FeatureStats = field(default_factory=dict, repr=False)
    _sketch: Quantiles | None = field(default=None, repr=False)

    def __bool__(self) -> bool:
        """True if there are any values."""
        return bool(self._kept or self._merged)

    def add(self, pixels: npt.NDArray[np.generic]) -> None:
        """Add (pixels, channels) values."""
        self._kept.append(pixels)
        if sum(kept.nbytes for kept in self._kept) > self.kept_bytes:
            self._merge()

    def stats(self, profile: SamplingProfile, *, images: int) -> FeatureStats:
        """Statistics per channel, of shape (channels, 1, 1), in the unit of the values.

        Args:
            profile: the quantiles to include; off a histogram only where all values were kept.
            images: number of images added; becomes `count`.
        """
        quantiles, histogram = profile.quantiles, profile.histogram_quantiles
        if self._sketch is None:
            values = np.concatenate(self._kept)
            stats = values_stats(values, quantiles=() if histogram else quantiles)
            cuts = quantiles_of_histogram(values, quantiles) if histogram else ()
        else:
            self._merge()
            stats, cuts = dict(self._merged), self._sketch.of(quantiles)
        stats |= {quantile_name(q): cut for q, cut in zip(quantiles, cuts, strict=False)}
        shaped: FeatureStats = {key: value.reshape(-1, 1, 1) for key, value in stats.items()}
        return {**shaped, "count": np.array([images], dtype=np.int64)}

    def _merge(self) -> None:
        if not self._kept:
            return
        values = np.concatenate(self._kept)
        self._kept = []
        self._sketch = self._sketch or Quantiles(values.shape[1], budget_bytes=0)
        self._sketch.add(values)
        part = values_stats(values, quantiles=())
        self._merged = merged_pair(self._merged, part) if self._merged else part
