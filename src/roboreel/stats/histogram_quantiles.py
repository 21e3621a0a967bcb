"""Quantiles as lerobot reads them off a histogram, for statistics that are to be like its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from roboreel.stats.block import StatsBlock, StatsColumn
from roboreel.stats.feature_stats import Array, quantile_name
from roboreel.types import Int64

BINS = 5000
_PADDING = 1e-10


def quantiles_of_histogram(
    values: npt.NDArray[np.generic], shares: Sequence[float]
) -> npt.NDArray[np.float64]:
    """(shares, width) of (n, width) values: lerobot 0.4.0 to 0.6.1.

    5,000 bins between the bounds, in float32 where the values are no wider; within the bin that reaches the
    rank q·n, in proportion. The lowest bin gives the lower bound. A single row is its own quantiles.
    """
    typed = values.astype(np.result_type(values.dtype, np.float32), copy=False)
    if len(typed) < 2:
        mean = np.asarray(typed.mean(axis=0), dtype=np.float64)
        return np.asarray(np.repeat(mean[None], len(shares), axis=0), dtype=np.float64)
    return np.asarray(
        np.stack([_of_column(column, shares) for column in typed.T], axis=1), np.float64
    )


def quantiles_of_counts(
    counts: npt.NDArray[np.int64], shares: Sequence[float]
) -> npt.NDArray[np.float64]:
    """(shares, channels) of 8-bit values that occur so often, by the same rule: in the unit of the values.

    Args:
        counts: (channels, values) how often each value occurs; at least one in each channel.
        shares: which, from 0 to 1.
    """
    levels = np.arange(counts.shape[1], dtype=np.float32)
    found = np.empty((len(shares), len(counts)))
    for channel, often in enumerate(counts):
        if often.sum() < 2:
            found[:, channel] = levels[often > 0]
            continue
        edges = _edges(levels[often > 0])
        below = np.searchsorted(levels, edges, side="left")
        below[-1] = len(levels)  # the last bin holds its upper edge too
        reached = np.concatenate([[0], np.cumsum(often)])[below]
        targets = np.asarray(shares) * int(reached[-1])
        found[:, channel] = _read_off(edges, np.diff(reached), targets)
    return found


def _of_column(column: npt.NDArray[np.generic], shares: Sequence[float]) -> npt.NDArray[np.float64]:
    edges = _edges(column)
    targets = np.asarray(shares) * len(column)
    return _read_off(edges, np.histogram(column, bins=edges)[0], targets)


def _edges(values: npt.NDArray[np.generic]) -> npt.NDArray[np.floating]:
    """(bins + 1,) in the type of the values: as arrays, so that no release of numpy computes in another."""
    low, high = values.min(keepdims=True), values.max(keepdims=True)
    edges = np.linspace(low - _PADDING, high + _PADDING, BINS + 1)
    return np.asarray(edges[:, 0])


def _read_off(
    edges: npt.NDArray[np.floating],
    counts: npt.NDArray[np.integer],
    targets: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """(targets,) the numbers at which so many values are reached."""
    reached = np.cumsum(counts)
    bins = np.searchsorted(reached, targets)
    found: npt.NDArray[np.float64] = np.where(bins == 0, edges[0], edges[-1]).astype(np.float64)
    for at, (bin_number, target) in enumerate(zip(bins.tolist(), targets.tolist(), strict=True)):
        if 0 < bin_number < BINS:
            part = (target - reached[bin_number - 1]) / counts[bin_number]
            found[at] = edges[bin_number] + part * (edges[bin_number + 1] - edges[bin_number])
    return np.asarray(found, dtype=np.float64)


def with_histogram_quantiles(
    block: StatsBlock,
    columns: Mapping[str, npt.NDArray[np.generic]],
    lengths: Int64,
    shares: Sequence[float],
) -> StatsBlock:
    """Statistics of episodes with these quantiles in place of numpy's.

    Args:
        block: the statistics.
        columns: (n, …) values by feature, episode after episode, n > 0.
        lengths: (episodes,) rows of each; n together.
        shares: which quantiles.
    """
    changed = dict(block.columns)
    starts = np.cumsum(lengths) - lengths
    for name, values in columns.items():
        width = int(np.prod(block.columns[name, "mean"].values.shape[1:]))
        wide = values.reshape(-1, width)  # a matrix may be described per column of its last axis
        each = len(wide) // max(1, len(values))
        cuts = np.stack(
            [
                quantiles_of_histogram(wide[start * each : (start + length) * each], shares)
                for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
            ]
        )
        for at, share in enumerate(shares):
            key = (name, quantile_name(share))
            if key in changed:
                known = changed[key]
                shaped: Array = cuts[:, at].reshape(known.values.shape)
                changed[key] = StatsColumn(shaped, known.present)
    return StatsBlock(block.episodes, changed)
