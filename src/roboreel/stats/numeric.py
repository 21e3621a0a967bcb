"""Exact statistics of numeric columns: of one episode, or of many at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.stats.block import StatsBlock, StatsColumn
from roboreel.stats.feature_stats import FeatureStats, Stats, quantile_name
from roboreel.stats.histogram_quantiles import with_histogram_quantiles
from roboreel.stats.quantiles import Quantiles
from roboreel.stats.sampling import SamplingProfile
from roboreel.stats.sorted_values import Ordered, as_columns, ordered, portions, rows_at_once
from roboreel.types import Floats, Int64


def episode_stats(
    columns: Mapping[str, npt.NDArray[np.generic]],
    profile: SamplingProfile,
    *,
    per_last_axis: Collection[str] = (),
) -> Stats:
    """Exact statistics of numeric features in one episode, in float64.

    Args:
        columns: (n, …) values by feature, n > 0.
        profile: which quantiles are computed, and how.
        per_last_axis: the matrices that are described per column of their last axis.
    """
    if not columns:
        return {}
    rows = np.array([len(next(iter(columns.values())))], dtype=np.int64)
    if profile.histogram_quantiles or any(name in per_last_axis for name in columns):
        return episodes_stats(columns, rows, profile, per_last_axis=per_last_axis).of(0)
    return _side_by_side(columns, rows, profile)


def _side_by_side(
    columns: Mapping[str, npt.NDArray[np.generic]], rows: Int64, profile: SamplingProfile
) -> Stats:
    """The same, with features of one dtype described at once: numpy is slow at many small arrays."""
    alike: dict[np.dtype[np.generic], list[str]] = {}
    for name, values in columns.items():
        alike.setdefault(values.dtype, []).append(name)
    stats: Stats = {name: {} for name in columns}  # in order
    for names in alike.values():
        parts = [columns[name].reshape(len(columns[name]), -1) for name in names]
        found = described(np.hstack(parts), rows, profile.quantiles, None, _interpolated)
        stop = 0
        for name, part in zip(names, parts, strict=True):
            start, stop = stop, stop + part.shape[1]
            shape = columns[name].shape[1:] or (1,)
            own: FeatureStats = {k: v[0, start:stop].reshape(shape) for k, v in found.items()}
            stats[name] = _counted(own, rows)
    return stats


def _counted(own: FeatureStats, rows: Int64) -> FeatureStats:
    """The statistics with their count where the format has it: after `std`."""
    made: FeatureStats = {}
    for key, value in own.items():
        made[key] = value
        if key == "std":
            made["count"] = rows.copy()
    return made


def episodes_stats(
    columns: Mapping[str, npt.NDArray[np.generic]],
    lengths: Int64,
    profile: SamplingProfile,
    *,
    per_last_axis: Collection[str] = (),
    sketches: Mapping[str, Quantiles | None] | None = None,
) -> StatsBlock:
    """Exact statistics of numeric features in each of some episodes, in float64.

    The result for an episode is bit for bit independent of the others.

    Args:
        columns: (n, …) values by feature, episode after episode.
        lengths: (episodes,) rows of each, more than 0; n together.
        profile: which quantiles are computed, and how.
        per_last_axis: the matrices that are described per column of their last axis.
        sketches: of some features, what takes in their numbers, too; None where it is not wanted any more.
    """
    if not columns or not len(lengths):
        return StatsBlock(len(lengths), {})
    everywhere = np.ones(len(lengths), dtype=np.bool_)
    count = StatsColumn(lengths.astype(np.int64).reshape(-1, 1), everywhere)
    result: dict[tuple[str, str], StatsColumn] = {}
    for name in sorted(columns, key=lambda name: name in per_last_axis):  # those come last
        values = columns[name]
        shape = values.shape[-1:] if name in per_last_axis else values.shape[1:] or (1,)
        wide = values.reshape(-1, prod(shape))
        rows = lengths * (len(wide) // max(1, len(values)))
        sketch = (sketches or {}).get(name)
        found = described(wide, rows, profile.quantiles, sketch, _interpolated)
        for key, numbers in found.items():
            result[name, key] = StatsColumn(numbers.reshape(len(lengths), *shape), everywhere)
            if key == "std":
                result[name, "count"] = count
    block = StatsBlock(len(lengths), result)
    if not profile.histogram_quantiles or not profile.quantiles:
        return block
    return with_histogram_quantiles(block, columns, lengths, profile.quantiles)


def _interpolated(order: Ordered, shares: Sequence[float]) -> dict[str, Floats]:
    names = map(quantile_name, shares)
    return dict(zip(names, order.interpolated(shares), strict=True))


def described(
    values: npt.NDArray[np.generic],
    lengths: Int64,
    shares: Sequence[float],
    sketch: Quantiles | None,
    cuts: Callable[[Ordered, Sequence[float]], dict[str, Floats]],
) -> dict[str, Floats]:
    """(episodes, width) of each statistic, of (n, width) numbers.

    Args:
        values: the numbers, episode after episode.
        lengths: (episodes,) how many rows of each episode, more than 0.
        shares: the quantiles, from 0 to 1.
        sketch: takes in the numbers, where there are quantiles.
        cuts: gives what is read off sorted numbers, by name.
    """
    parts = []
    for episodes, rows in portions(lengths, rows=rows_at_once(values)):
        columns, own = as_columns(values[rows]), lengths[episodes]
        starts = np.cumsum(own) - own
        found = episodes_moments(columns, starts, own)
        if shares:
            order = ordered(columns, starts, own)
            if sketch is not None:
                sketch.add_columns(order.columns)
            found |= cuts(order, shares)
        parts.append(found)
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def episodes_moments(columns: npt.NDArray[Any], starts: Int64, lengths: Int64) -> dict[str, Floats]:
    """(episodes, width) of `min`, `max`, `mean` and `std`, as `stats.moments` has them.

    Args:
        columns: (width, n) numbers, episode after episode.
        starts: (episodes,) first number of each.
        lengths: (episodes,) rows of each, more than 0.
    """
    low, high = (np.empty((len(starts), len(columns))) for _ in range(2))
    mean, std = np.empty_like(low), np.empty_like(low)
    with np.errstate(invalid="ignore", over="ignore"):  # of NaN and infinity come NaN and infinity
        for at, column in enumerate(columns):
            low[:, at] = np.minimum.reduceat(column, starts)
            high[:, at] = np.maximum.reduceat(column, starts)
            mean[:, at], std[:, at] = _mean_and_std(column.astype(np.float64), starts, lengths)
    still = (low == high) & np.isfinite(low)
    mean, std = np.where(still, low, mean), np.where(still, 0.0, std)
    return {"min": low, "max": high, "mean": mean, "std": std}


def _mean_and_std(column: Floats, starts: Int64, lengths: Int64) -> tuple[Floats, Floats]:
    """(episodes,) of one component, which is overwritten: the mean corrected by that of the distances."""
    rough = np.add.reduceat(column, starts) / lengths
    column -= np.repeat(rough, lengths)
    step = np.add.reduceat(column, starts) / lengths
    column *= column
    spread = np.maximum(np.add.reduceat(column, starts) / lengths - step * step, 0.0)
    return np.where(np.isfinite(step), rough + step, rough), np.sqrt(spread)
