"""Exact statistics of the numbers of many episodes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from roboreel.format.inventory import Int64
from roboreel.format.stats import Array, moments, quantile_name
from roboreel.format.stats_block import StatsBlock, StatsColumn

_STACKED_NUMBERS = 1 << 20
"""Numbers that are described in one go, at least those of an episode."""


def episodes_stats(
    columns: Mapping[str, npt.NDArray[np.generic]], lengths: Int64, *, quantiles: Sequence[float]
) -> StatsBlock:
    """Exact statistics of several features in each of some episodes, in float64.

    Number by number those of `stats.features_stats` of each episode: episodes of one length are described
    side by side.

    Args:
        columns: (n, …) values by feature, episode after episode.
        lengths: (episodes,) rows of each, more than 0; n together.
        quantiles: which of numpy's linear quantiles to include, from 0 to 1.
    """
    if not columns or not len(lengths):
        return StatsBlock(len(lengths), {})
    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet ones
        flat = [v.reshape(len(v), -1).astype(np.float64) for v in columns.values()]
    wide = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
    found = _described(wide, lengths, quantiles=quantiles)
    everywhere = np.ones(len(lengths), dtype=np.bool_)
    count = StatsColumn(lengths.astype(np.int64).reshape(-1, 1), everywhere)
    result: dict[tuple[str, str], StatsColumn] = {}
    stop = 0
    for (name, values), part in zip(columns.items(), flat, strict=True):
        start, stop = stop, stop + part.shape[1]
        shape = (len(lengths), *(values.shape[1:] or (1,)))
        for key, numbers in found.items():
            result[name, key] = StatsColumn(numbers[:, start:stop].reshape(shape), everywhere)
            if key == "std":
                result[name, "count"] = count
    return StatsBlock(len(lengths), result)


def _described(
    wide: npt.NDArray[np.float64], lengths: Int64, *, quantiles: Sequence[float]
) -> dict[str, npt.NDArray[np.float64]]:
    """(episodes, width) of each statistic, of (n, width) numbers."""
    names = ["min", "max", "mean", "std"]
    names += [quantile_name(q) for q in quantiles]
    shape = (len(lengths), wide.shape[1])
    found = {name: np.empty(shape, dtype=np.float64) for name in names}
    starts = np.cumsum(lengths) - lengths
    for length in np.unique(lengths).tolist():
        alike = np.flatnonzero(lengths == length)
        portion = max(1, _STACKED_NUMBERS // max(1, length * wide.shape[1]))
        for at in range(0, len(alike), portion):
            members = alike[at : at + portion]
            rows = _rows(wide, starts[members], length)
            for name, values in _of_alike(rows, quantiles=quantiles).items():
                found[name][members] = values
    return found


def _rows(wide: npt.NDArray[np.float64], starts: Int64, length: int) -> npt.NDArray[np.float64]:
    """(episodes, length, width) the rows of episodes of one length."""
    if bool((np.diff(starts) == length).all()):  # one after another: no copy
        return wide[starts[0] : starts[0] + len(starts) * length].reshape(len(starts), length, -1)
    return np.asarray(wide[starts[:, None] + np.arange(length)])


def _of_alike(rows: npt.NDArray[np.float64], *, quantiles: Sequence[float]) -> dict[str, Array]:
    """(episodes, width) of each statistic, of (episodes, length, width) numbers."""
    with np.errstate(invalid="ignore", over="ignore"):  # of NaN and infinity come NaN and infinity
        found = moments(rows, axis=1)
        cuts = np.quantile(rows, quantiles, axis=1) if quantiles else ()
    return found | {quantile_name(q): cut for q, cut in zip(quantiles, cuts, strict=True)}
