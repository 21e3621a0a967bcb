"""Statistics of features: their form in documents, and their algebra.

A feature's statistics are a mapping from a statistic's name to an array: `min`, `max`, `mean`, `std` and
quantiles `qNN` of the feature's shape in float64, `count` of shape (1,) in int64. Cameras are described per
channel, shape (channels, 1, 1), in [0, 1].
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from roboreel.types import Json, JsonObject

Array: TypeAlias = npt.NDArray[np.float64] | npt.NDArray[np.int64]
FeatureStats: TypeAlias = dict[str, Array]
Stats: TypeAlias = dict[str, FeatureStats]

BASE = ("min", "max", "mean", "std", "count")
"""What every feature's statistics consist of."""

CAMERA_AXES = 3
"""A camera's statistics have the shape (channels, 1, 1)."""

_QUANTILE = re.compile(r"q\d+(\.\d+)?")

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
"""The quantiles that lerobot stores since v3.0."""


def quantile_name(q: float) -> str:
    """`q01` for 0.01, rounded (truncation would call 0.29 `q28`); `q2.5` for 0.025."""
    percent = round(q * 100, 10)
    return f"q{int(percent):02d}" if percent == int(percent) else f"q{percent:g}"


def quantile_share(name: str) -> float | None:
    """0.01 for `q01`, 0.025 for `q2.5`; None for what is no quantile."""
    if not _QUANTILE.fullmatch(name):
        return None
    share = round(float(name[1:]) / 100, 12)
    return share if share <= 1 else None


def parse_stats(document: JsonObject) -> Stats:
    """Statistics from a JSON object; booleans count as 0 and 1. What is no array of numbers is left out."""
    return {
        str(name): {
            str(key): array
            for key, value in parts.items()
            if (array := parse_array(key, value)) is not None
        }
        for name, parts in document.items()
        if isinstance(parts, Mapping)
    }


class StatsShape(NamedTuple):
    """What tells whether a feature's statistics can be used, without their values."""

    counted: int
    """What they were computed from: rows, or a camera's frames; 0 where they are not whole, or do not
    fit together."""
    dims: int
    """Dimensions of their shape."""


_NOT_SOUND = StatsShape(0, 0)


def shape_of(stats: FeatureStats) -> StatsShape:
    """The form of a feature's statistics."""
    if not all(key in stats for key in BASE):
        return _NOT_SOUND
    shapes = {value.shape for key, value in stats.items() if key != "count"}
    count = stats["count"]
    return checked_shape(shapes, int(count[0]) if count.shape == (1,) else 0)


def checked_shape(shapes: Collection[tuple[int, ...]], count: int) -> StatsShape:
    """The form of statistics of these shapes and this count."""
    if len(shapes) != 1 or count <= 0:
        return _NOT_SOUND
    (shape,) = shapes
    return _NOT_SOUND if 0 in shape else StatsShape(count, len(shape))


def stats_to_json(stats: Stats) -> dict[str, dict[str, Json]]:
    """Statistics as a JSON object of nested lists."""
    return {
        name: {key: value.tolist() for key, value in parts.items()} for name, parts in stats.items()
    }


def parse_array(key: str, value: Json | Array) -> Array | None:
    """A statistic's numbers as an array of at least one dimension, None where they are none."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    array = array if array.ndim else array.reshape(1)
    if key != "count":
        return array
    sound = bool((np.abs(array) < 1 << 53).all())
    return array.astype(np.int64) if sound else None


def values_stats(values: npt.NDArray[np.generic], *, quantiles: Sequence[float]) -> FeatureStats:
    """Exact statistics of (n, …) values over the first axis, in float64.

    Quantiles are numpy's linear ones. A single row gives a standard deviation of zero.
    """
    wide = values.astype(np.float64)
    if wide.ndim == 1:
        wide = wide[:, None]
    with np.errstate(invalid="ignore", over="ignore"):  # of NaN and infinity come NaN and infinity
        stats: FeatureStats = {
            **moments(wide, axis=0),
            "count": np.array([len(wide)], dtype=np.int64),
        }
        cuts = np.quantile(wide, quantiles, axis=0) if quantiles else ()
    return stats | {quantile_name(q): cut for q, cut in zip(quantiles, cuts, strict=True)}


def moments(values: npt.NDArray[np.float64], *, axis: int) -> dict[str, Array]:
    """Min, max, mean and standard deviation (divided by n) over an axis.

    Sums of long columns are off in their last digits: the mean is corrected by that of the distances to it,
    the spread by what that correction was. What nowhere changes has itself as its mean, and a deviation of 0.
    Warnings of NaN and infinity are the caller's to silence.
    """
    low, high = values.min(axis=axis), values.max(axis=axis)
    rough = values.mean(axis=axis, keepdims=True)
    apart = values - rough
    step = apart.mean(axis=axis, keepdims=True)
    np.multiply(apart, apart, out=apart)
    spread = np.maximum(apart.mean(axis=axis, keepdims=True) - step * step, 0.0)
    mean = np.where(np.isfinite(step), rough + step, rough)
    still = (low == high) & np.isfinite(low)
    return {
        "min": low,
        "max": high,
        "mean": np.where(still, low, mean.squeeze(axis)),
        "std": np.where(still, 0.0, np.sqrt(spread).squeeze(axis)),
    }
