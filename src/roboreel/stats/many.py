"""Exact statistics of the numbers of many episodes at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.stats.block import StatsBlock, StatsColumn
from roboreel.stats.feature_stats import quantile_name
from roboreel.stats.quantiles import Quantiles
from roboreel.stats.sorted_values import as_columns, ordered, portions, rows_at_once
from roboreel.types import Floats, Int64


def episodes_stats(
    columns: Mapping[str, npt.NDArray[np.generic]],
    lengths: Int64,
    *,
    quantiles: Sequence[float],
    sketches: Mapping[str, Quantiles | None] | None = None,
) -> StatsBlock:
    """Exact statistics of several features in each of some episodes, in float64.

    What comes out for an episode does not depend on the others, to the bit.

    Args:
        columns: (n, …) values by feature, episode after episode.
        lengths: (episodes,) rows of each, more than 0; n together.
        quantiles: which of numpy's linear quantiles to include, from 0 to 1.
        sketches: of some features, what takes in their numbers, too; None where it is not wanted any more.
    """
    if not columns or not len(lengths):
        return StatsBlock(len(lengths), {})
    everywhere = np.ones(len(lengths), dtype=np.bool_)
    count = StatsColumn(lengths.astype(np.int64).reshape(-1, 1), everywhere)
    result: dict[tuple[str, str], StatsColumn] = {}
    for name, values in columns.items():
        shape = (len(lengths), *(values.shape[1:] or (1,)))
        sketch = (sketches or {}).get(name)
        for key, numbers in _described(values, lengths, quantiles, sketch).items():
            result[name, key] = StatsColumn(numbers.reshape(shape), everywhere)
            if key == "std":
                result[name, "count"] = count
    return StatsBlock(len(lengths), result)


def columns_stats(
    columns: Mapping[str, npt.NDArray[np.generic]],
    lengths: Int64,
    *,
    quantiles: Sequence[float],
    per_last_axis: Collection[str] = (),
    sketches: Mapping[str, Quantiles | None] | None = None,
) -> StatsBlock:
    """The same as `episodes_stats`, but matrices in `per_last_axis` have statistics of their last axis only.

    The other axes of those count as further rows; `count` stays the number of rows.
    """
    plain = {name: values for name, values in columns.items() if name not in per_last_axis}
    found = dict(episodes_stats(plain, lengths, quantiles=quantiles, sketches=sketches).columns)
    for name in [name for name in columns if name in per_last_axis]:
        flat = columns[name].reshape(-1, columns[name].shape[-1])
        each_row = len(flat) // max(1, len(columns[name]))
        block = episodes_stats(
            {name: flat}, lengths * each_row, quantiles=quantiles, sketches=sketches
        )
        found |= block.columns
        count = found[name, "count"]
        found[name, "count"] = StatsColumn(count.values // each_row, count.present)
    return StatsBlock(len(lengths), found)


def _described(
    values: npt.NDArray[np.generic],
    lengths: Int64,
    shares: Sequence[float],
    sketch: Quantiles | None,
) -> dict[str, Floats]:
    """(episodes, width) of each statistic, of (n, …) numbers."""
    parts = [
        _of_portion(as_columns(values[rows]), lengths[episodes], shares, sketch)
        for episodes, rows in portions(lengths, rows=rows_at_once(values))
    ]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _of_portion(
    columns: npt.NDArray[np.generic],
    lengths: Int64,
    shares: Sequence[float],
    sketch: Quantiles | None,
) -> dict[str, Floats]:
    """(episodes, width) of each statistic, of (width, n) numbers, which are sorted in place."""
    starts = np.cumsum(lengths) - lengths
    found = episodes_moments(columns, starts, lengths)
    if not shares:
        return found
    order = ordered(columns, starts, lengths)
    if sketch is not None:
        sketch.add_columns(order.columns)
    cuts = order.interpolated(shares)
    return found | {quantile_name(q): cut for q, cut in zip(shares, cuts, strict=True)}


def episodes_moments(columns: npt.NDArray[Any], starts: Int64, lengths: Int64) -> dict[str, Floats]:
    """(episodes, width) of `min`, `max`, `mean` and `std`, as `stats.moments` has them.

    Args:
        columns: (width, n) numbers, episode after episode.
        starts: (episodes,) where each begins.
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
