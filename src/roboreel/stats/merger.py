"""Merge the statistics of many episodes at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from roboreel.stats.block import StatsBlock, StatsColumn
from roboreel.stats.feature_stats import BASE, Array, FeatureStats, Stats, merged_pair, same_shape


class StatsMerger:
    """Merges blocks of episodes into the statistics of all of them, one block after another.

    What it gives is what `stats.merge_stats` gives of the episodes one by one, but for rounding: the mean and
    the variance of a block are summed over its episodes, not built up from one to the next.
    """

    def __init__(self, merged: Stats | None = None) -> None:
        """Begin with nothing, or with the statistics of what came before."""
        self._merged: Stats = dict(merged or {})

    def add(self, block: StatsBlock) -> None:
        """Take in the statistics of some episodes."""
        for name, columns in block.features().items():
            part = _of_all(columns)
            if part is not None:
                self._add(name, part)
                continue
            for row in np.flatnonzero(np.any([c.present for c in columns.values()], axis=0)):
                self._add(name, {k: c.values[row] for k, c in columns.items() if c.present[row]})

    def result(self) -> Stats:
        """The statistics of everything added so far."""
        return dict(self._merged)

    def _add(self, name: str, part: FeatureStats) -> None:
        if not part:
            return
        known = self._merged.get(name)
        if known is None:
            self._merged[name] = part
        elif same_shape(known, part):
            with np.errstate(invalid="ignore", over="ignore"):  # of infinity comes NaN
                self._merged[name] = merged_pair(known, part)


def _of_all(columns: Mapping[str, StatsColumn]) -> FeatureStats | None:
    """One feature's statistics of all episodes that have them; None where some have others."""
    present = [column.present for column in columns.values()]
    if any(key not in columns for key in BASE) or any((p != present[0]).any() for p in present):
        return None
    rows = np.flatnonzero(present[0])
    if not len(rows):
        return {}
    values = {key: column.values[rows] for key, column in columns.items()}
    total = int(values["count"].sum())
    if values["count"].shape[1:] != (1,) or total <= 0:
        return None
    shape = values["mean"].shape[1:]
    share = (values["count"][:, 0] / total).reshape(-1, *(1 for _ in shape))
    with np.errstate(invalid="ignore", over="ignore"):
        return _merged(values, share)


def _merged(values: FeatureStats, share: Array) -> FeatureStats:
    mean = _weighted(values["mean"], share)
    spread = (share * (values["std"] ** 2 + (values["mean"] - mean) ** 2)).sum(axis=0)
    found: FeatureStats = {}
    for key, column in values.items():
        if key == "min":
            found[key] = column.min(axis=0)
        elif key == "max":
            found[key] = column.max(axis=0)
        elif key == "count":
            found[key] = column.sum(axis=0)
        elif key == "std":
            found[key] = np.sqrt(spread)
        else:
            found[key] = mean if key == "mean" else _weighted(column, share)
    return found


def _weighted(column: Array, share: Array) -> Array:
    """The weighted mean, counted from the first: values that are all the same stay exact. Infinity stays."""
    near = np.asarray(column[0] + (share * (column - column[0])).sum(axis=0), dtype=np.float64)
    finite = np.isfinite(column).all(axis=0)
    return near if finite.all() else np.where(finite, near, (share * column).sum(axis=0))
