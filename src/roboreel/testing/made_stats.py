"""Statistics as the documents hold them: exact, computed from every value and pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from roboreel.testing.numbered_frames import Frame

Stats = dict[str, NDArray[Any]]
QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}


class PixelCounts:
    """Exact pixel counts per channel and value: `counts` is (3, 256) int64."""

    def __init__(self) -> None:
        self.counts = np.zeros((3, 256), np.int64)
        self.frames = 0

    def watch(self, images: Iterable[Frame]) -> Iterator[Frame]:
        """Count the pixels of each image and yield it."""
        for image in images:
            self.frames += 1
            for channel in range(3):
                self.counts[channel] += np.bincount(image[..., channel].ravel(), minlength=256)
            yield image

    def __add__(self, other: PixelCounts) -> PixelCounts:
        both = PixelCounts()
        both.counts = self.counts + other.counts
        both.frames = self.frames + other.frames
        return both


def row_stats(rows: NDArray[Any]) -> Stats:
    """Return min, max, mean, std and count over the first axis, each at least 1-d.

    Min and max keep the type of the values; mean and std are computed in float64.
    """
    rows = rows[:, None] if rows.ndim == 1 else rows
    exact = rows.astype(np.float64)
    return {
        "min": rows.min(axis=0),
        "max": rows.max(axis=0),
        "mean": exact.mean(axis=0),
        "std": exact.std(axis=0),
        "count": np.array([len(rows)]),
    }


def row_stats_with_quantiles(rows: NDArray[Any]) -> Stats:
    """Return float64 statistics and quantiles per last dimension, as lerobot 0.6 lays them out.

    Each row of a matrix counts as a separate row; `count` stays the number of frames.
    """
    flat = rows[:, None] if rows.ndim == 1 else rows.reshape(-1, rows.shape[-1])
    flat = flat.astype(np.float64)
    levels = np.quantile(flat, list(QUANTILES.values()), axis=0)
    quantiles = dict(zip(QUANTILES, levels, strict=True))
    return row_stats(flat) | {"count": np.array([len(rows)])} | quantiles


def pixel_stats(pixels: PixelCounts) -> Stats:
    """Return statistics of shape (3, 1, 1), scaled to 0..1; `count` is the number of images."""
    values = np.arange(256) / 255
    total = pixels.counts.sum(axis=1)
    mean = pixels.counts @ values / total
    variance = (pixels.counts * (values - mean[:, None]) ** 2).sum(axis=1) / total
    seen = [np.flatnonzero(channel) / 255 for channel in pixels.counts]
    columns = {
        "min": np.array([channel[0] for channel in seen]),
        "max": np.array([channel[-1] for channel in seen]),
        "mean": mean,
        "std": np.sqrt(variance),
    }
    return {key: column.reshape(3, 1, 1) for key, column in columns.items()} | {
        "count": np.array([pixels.frames])
    }


def pixel_stats_with_quantiles(pixels: PixelCounts) -> Stats:
    """Return `pixel_stats` and the quantiles of all pixels, interpolated as numpy does."""
    cumulative = pixels.counts.cumsum(axis=1)
    levels = {name: _pixel_quantile(cumulative, level) for name, level in QUANTILES.items()}
    return pixel_stats(pixels) | levels


def _pixel_quantile(cumulative: NDArray[np.int64], level: float) -> NDArray[np.float64]:
    quantiles = []
    for channel in cumulative:
        position = level * (channel[-1] - 1)
        below = int(position)
        ranks = [below, min(below + 1, channel[-1] - 1)]
        low, high = np.searchsorted(channel, ranks, side="right") / 255
        quantiles.append(low + (high - low) * (position - below))
    return np.array(quantiles).reshape(-1, 1, 1)


def as_json(stats: dict[str, Stats]) -> dict[str, dict[str, object]]:
    """Return the statistics as nested lists."""
    return {
        feature: {key: value.tolist() for key, value in entry.items()}
        for feature, entry in stats.items()
    }
