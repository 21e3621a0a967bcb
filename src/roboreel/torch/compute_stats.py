"""Statistics by the names and in the form of lerobot's functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from roboreel.stats.feature_stats import Array
from roboreel.stats.merge import merged_pair
from roboreel.torch.errors import ArgumentError

StatsDict = dict[str, dict[str, Array]]


def aggregate_stats(stats_list: Sequence[Mapping[str, Mapping[str, Array]]]) -> StatsDict:
    """The statistics of everything that several describe: every feature that any of them has.

    Args:
        stats_list: arrays of at least one dimension by feature and name; `count` has the shape (1,).

    Raises:
        ArgumentError: a statistic is no array, or of another shape than its like.
    """
    for stats in stats_list:
        _require_arrays(stats)
    names = dict.fromkeys(name for stats in stats_list for name in stats)
    return {
        name: aggregate_feature_stats([stats[name] for stats in stats_list if name in stats])
        for name in names
    }


def aggregate_feature_stats(stats_ft_list: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The statistics of everything that several describe of one feature: those that all have."""
    merged = dict(stats_ft_list[0])
    for part in stats_ft_list[1:]:
        odd = [key for key in merged.keys() & part.keys() if merged[key].shape != part[key].shape]
        if odd:
            key = min(odd)
            raise ArgumentError(
                f"'{key}' has the shapes {merged[key].shape} and {part[key].shape}: they cannot be merged"
            )
        merged = merged_pair(merged, dict(part))
    return merged


def _require_arrays(stats: Mapping[str, Mapping[str, Array]]) -> None:
    for name, parts in stats.items():
        for key, value in parts.items():
            if np.ndim(value) == 0 or not hasattr(value, "shape"):
                raise ArgumentError(
                    f"'{key}' of '{name}' must be an array of at least one dimension, got {value!r}"
                )
            if key == "count" and value.shape != (1,):
                raise ArgumentError(
                    f"'count' of '{name}' must have the shape (1,), not {value.shape}"
                )
