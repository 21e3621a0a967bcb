"""What statistics are computed from, and how: which frames and pixels, which channels, which quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from roboreel.stats.feature_stats import QUANTILES

StatsProfile: TypeAlias = Literal["lerobot-0.3.3", "lerobot-0.6.1"]
"""A release of lerobot whose rules statistics can follow."""

_LARGE, _WANTED = 300, 150


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingProfile:
    """How the statistics of an episode are computed; the defaults are our own rules."""

    every_video_frame: bool = False
    """True: every frame of a video counts. False: a sample, see `sampled_frames`."""
    every_image: bool = False
    """True: every image of a table column counts. False: a sample."""
    every_pixel: bool = False
    """True: every pixel of them counts. False: large images are subsampled, see `stride_of`."""
    rgb_videos: bool = False
    """True: gray frames of 8 bits count as three channels. False: as they are decoded."""
    rgb_images: bool = False
    """The same of images in tables."""
    per_last_axis: bool | None = None
    """True: matrices are described per column of their last axis. False: per entry. None: as stored."""
    quantiles: tuple[float, ...] = QUANTILES
    """Which to include, from 0 to 1, ascending."""
    histogram_quantiles: bool = False
    """True: they are read off histograms of 5,000 bins, as lerobot does. False: numpy's linear ones."""

    def every_frame(self, *, video: bool) -> bool:
        """True where every frame of a video, or else every image of a column, counts."""
        return self.every_video_frame if video else self.every_image

    def as_rgb(self, *, video: bool) -> bool:
        """True where gray frames of a video, or else gray images, count as three channels."""
        return self.rgb_videos if video else self.rgb_images

    def frames(self, count: int, *, video: bool) -> Sequence[int] | None:
        """Ascending numbers of the frames that count; None for all of them."""
        return None if self.every_frame(video=video) else sampled_frames(count)

    @property
    def exact_quantiles(self) -> bool:
        """True where quantiles are wanted, and numpy's: then those of all episodes are of all values."""
        return bool(self.quantiles) and not self.histogram_quantiles


OWN = SamplingProfile()
"""Our own rules."""
RELEASES: Mapping[StatsProfile, SamplingProfile] = {
    "lerobot-0.3.3": SamplingProfile(
        every_image=True, every_pixel=True, rgb_videos=True, per_last_axis=False
    ),
    "lerobot-0.6.1": SamplingProfile(
        rgb_videos=True, rgb_images=True, per_last_axis=True, histogram_quantiles=True
    ),
}
"""The rules of releases: of 0.3.3 those of its converter to v2.1; of 0.6.1 those of its recorder."""


def sample_size(frames: int, *, least: int = 100, most: int = 10_000, power: float = 0.75) -> int:
    """Number of frames that lerobot samples from an episode (`compute_stats.py`)."""
    return max(min(least, frames), min(int(frames**power), most))


def sampled_frames(frames: int) -> list[int]:
    """Numbers of the frames of an episode that lerobot samples, ascending, each once."""
    positions = np.linspace(0, frames - 1, sample_size(frames))
    return sorted(set(np.round(positions).astype(int).tolist()))


def stride_of(height: int, width: int, *, wanted: int = _WANTED, large: int = _LARGE) -> int:
    """Distance between the pixels that lerobot samples from an image, on both axes.

    Args:
        height: of the image, in pixels.
        width: of the image, in pixels.
        wanted: about how many pixels of the longer side remain.
        large: images whose longer side is shorter stay as they are.
    """
    longer = max(height, width)
    return int(longer / wanted) if longer >= large else 1
