"""Statistics of features: their form in documents, and their algebra.

A feature's statistics are a mapping from a statistic's name to an array: `min`, `max`, `mean`, `std` and
quantiles `qNN` of the feature's shape in float64, `count` of shape (1,) in int64. Cameras are described per
channel, shape (channels, 1, 1), in [0, 1].
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from roboreel.stats.flat import FlatStats
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


def usable_stats(stats: FeatureStats, *, rows: int | None) -> bool:
    """True where a feature's statistics are whole, fit together, and describe as many rows as there are.

    Args:
        stats: as stored.
        rows: rows of the episode; None for cameras, which count their sampled pictures.
    """
    form = shape_of(stats)
    if rows is None:
        return form.counted > 0 and form.dims == CAMERA_AXES
    return form.counted > 0 and form.counted == rows


class StatsShape(NamedTuple):
    """What tells whether a feature's statistics can be used, without their values."""

    counted: int
    """What they were computed from: rows, or a camera's pictures; 0 where they are not whole, or do not
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


def features_stats(
    columns: Mapping[str, npt.NDArray[np.generic]], *, quantiles: Sequence[float]
) -> Stats:
    """Exact statistics of several features over the same n rows, in float64.

    Computed side by side, as one matrix: a feature at a time, short episodes would spend their time in
    numpy's preliminaries.

    Args:
        columns: (n, …) values by feature, n > 0.
        quantiles: which of numpy's linear quantiles to include, from 0 to 1.
    """
    if not columns:
        return {}
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet ones
        flat = [v.reshape(len(v), -1).astype(np.float64) for v in columns.values()]
    whole = values_stats(np.concatenate(flat, axis=1), quantiles=quantiles)
    stop = 0
    stats: Stats = {}
    for (name, values), part in zip(columns.items(), flat, strict=True):
        start, stop = stop, stop + part.shape[1]
        shape = values.shape[1:] or (1,)
        stats[name] = {
            key: value if key == "count" else value[start:stop].reshape(shape)
            for key, value in whole.items()
        }
    return stats


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


class _Merger:
    """Merges the statistics of episodes into those of all of them, one after another.

    min of mins, max of maxes, count-weighted mean, and the variance of a mixture (Chan et al.):
    `var = Σ nᵢ (σᵢ² + (μᵢ − μ)²) / Σ nᵢ`, merged pairwise. Quantiles are count-weighted means of the
    episodes', as lerobot up to 0.6.1 has them. A feature is merged over the episodes that have it in the same
    form; of its statistics, those that all of these have.
    """

    def __init__(self) -> None:
        self._merged: Stats = {}
        self._flat: FlatStats | None = None

    def add(self, stats: Mapping[str, FeatureStats]) -> None:
        """Take in the statistics of one episode."""
        if self._flat is not None and self._flat.add(stats):
            return
        self._merged = self.result()
        self._flat = None
        self._add_each(stats)
        if _same_keys(self._merged, stats) and FlatStats.is_flat(self._merged):
            self._flat = FlatStats(self._merged)

    def result(self) -> Stats:
        """The statistics of everything added so far."""
        return dict(self._merged) if self._flat is None else cast("Stats", self._flat.result())

    def _add_each(self, stats: Mapping[str, FeatureStats]) -> None:
        for name, parts in stats.items():
            if name not in self._merged:
                self._merged[name] = dict(parts)
            elif same_shape(self._merged[name], parts):
                with np.errstate(invalid="ignore", over="ignore"):  # of infinity comes NaN
                    self._merged[name] = merged_pair(self._merged[name], parts)


def merge_stats(episodes: Iterable[Mapping[str, FeatureStats]]) -> Stats:
    """The statistics of all episodes together."""
    merger = _Merger()
    for stats in episodes:
        merger.add(stats)
    return merger.result()


def _same_keys(a: Mapping[str, FeatureStats], b: Mapping[str, FeatureStats]) -> bool:
    return [(name, *parts) for name, parts in a.items()] == [
        (name, *parts) for name, parts in b.items()
    ]


def same_shape(a: FeatureStats, b: FeatureStats) -> bool:
    """True where the statistics that both have are of the same shapes."""
    return all(a[key].shape == b[key].shape for key in a.keys() & b.keys())


def merged_pair(a: FeatureStats, b: FeatureStats) -> FeatureStats:
    """The statistics of what two describe together: those that both have."""
    n_a = float(a["count"][0]) if "count" in a else 1.0
    n_b = float(b["count"][0]) if "count" in b else 1.0
    share = n_b / (n_a + n_b) if n_a + n_b else 0.5
    merged: FeatureStats = {}
    for key in [key for key in a if key in b]:
        if key == "min":
            merged[key] = np.minimum(a[key], b[key])
        elif key == "max":
            merged[key] = np.maximum(a[key], b[key])
        elif key == "count":
            merged[key] = (a[key] + b[key]).astype(np.int64)
        elif key == "std" and "mean" in a and "mean" in b:
            merged[key] = _mixed_std(a, b, share)
        else:
            merged[key] = _weighted(a[key], b[key], share)
    return merged


def _weighted(a: Array, b: Array, share: float) -> Array:
    """The mean of two, counted from the first: what is the same in both stays exact. Infinity stays, too."""
    near = np.asarray(a + (b - a) * share, dtype=np.float64)
    apart = np.isfinite(a) & np.isfinite(b)
    return np.where(apart, near, a * (1 - share) + b * share)


def _mixed_std(a: FeatureStats, b: FeatureStats, share: float) -> Array:
    between = (b["mean"] - a["mean"]) ** 2 * share * (1 - share)
    within = a["std"] ** 2 * (1 - share) + b["std"] ** 2 * share
    return np.asarray(np.sqrt(within + between), dtype=np.float64)
