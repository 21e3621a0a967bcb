"""Merge the statistics of parts into those of the whole: all arithmetic of merging is here.

min of mins, max of maxes, the weighted mean, and the variance of a mixture (Chan et al.):
`var = Σ nᵢ (σᵢ² + (μᵢ − μ)²) / Σ nᵢ`. Quantiles become the weighted means of the parts', as lerobot up to
0.6.1 has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import accumulate
from math import prod

import numpy as np

from roboreel.stats.block import StatsBlock, StatsColumn
from roboreel.stats.feature_stats import BASE, Array, FeatureStats, Stats
from roboreel.types import Floats


class StatsMerger:
    """Merges the statistics of parts, one block of episodes after another.

    A feature is merged over the parts that have it in the same shape; of its statistics, those that all of
    these have.
    """

    def __init__(self) -> None:
        self._merged: Stats = {}

    def add(self, block: StatsBlock) -> None:
        """Take in the statistics of some episodes, summed over all of them at once."""
        for name, columns in block.features().items():
            part = _of_all(columns)
            if part is None:
                self._add_rows(name, columns)
            else:
                self.add_part(name, part)

    def add_in_order(self, block: StatsBlock) -> None:
        """Take in the statistics of some episodes one after another: the same as `add`, but for rounding."""
        alike: dict[tuple[int | str, ...], dict[str, FeatureStats]] = {}
        for name, columns in block.features().items():
            values = _aligned(columns, self._merged.get(name))
            if values is None:
                self._add_rows(name, columns)
            else:
                parts = len(values["count"])
                alike.setdefault((parts, *values), {})[name] = values
                self._merged.setdefault(name, {})  # in order
        for group in alike.values():
            self._merged |= _one_after_another(group)

    def add_part(self, name: str, part: FeatureStats) -> None:
        """Take in the statistics of a feature in one part; empty ones say nothing."""
        known = self._merged.get(name)
        if known is None and part:
            self._merged[name] = part
        elif known is not None and part and _same_shape(known, part):
            self._merged[name] = merged_pair(known, part)

    def result(self) -> Stats:
        """The statistics of everything added so far."""
        return dict(self._merged)

    def _add_rows(self, name: str, columns: Mapping[str, StatsColumn]) -> None:
        for row in np.flatnonzero(np.any([c.present for c in columns.values()], axis=0)):
            self.add_part(name, {k: c.values[row] for k, c in columns.items() if c.present[row]})


def merged_pair(a: FeatureStats, b: FeatureStats) -> FeatureStats:
    """The statistics of what two describe together: those that both have. Counts broadcast to the others."""
    n_a, n_b = _counts(a), _counts(b)
    merged: FeatureStats = {}
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):  # of infinity comes NaN
        share = np.where(n_a + n_b != 0, n_b / (n_a + n_b), 0.5)
        for key in [key for key in a if key in b]:
            if key == "min":
                merged[key] = np.minimum(a[key], b[key])
            elif key == "max":
                merged[key] = np.maximum(a[key], b[key])
            elif key == "count":
                merged[key] = (a[key] + b[key]).astype(np.int64)
            elif key == "std" and "mean" in a and "mean" in b:
                between = (b["mean"] - a["mean"]) ** 2 * share * (1 - share)
                within = a["std"] ** 2 * (1 - share) + b["std"] ** 2 * share
                merged[key] = np.asarray(np.sqrt(within + between), dtype=np.float64)
            else:
                merged[key] = _between(a[key], b[key], share)
    return merged


def _between(a: Array, b: Array, share: Floats) -> Array:
    """The mean of two, counted from the first: what is the same in both stays exact. Infinity stays, too."""
    near = np.asarray(a + (b - a) * share, dtype=np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    return near if finite.all() else np.where(finite, near, a * (1 - share) + b * share)


def merged_rows(values: Mapping[str, Array], share: Floats) -> FeatureStats:
    """The statistics of what the first axis describes together: one row per part.

    Args:
        values: (parts, …) by statistic, `mean` and `std` among them.
        share: (parts, 1, …) the weight of each part; 1 in all.
    """
    mean = weighted_mean(values["mean"], share)
    found: FeatureStats = {}
    for key, column in values.items():
        if key == "min":
            found[key] = column.min(axis=0)
        elif key == "max":
            found[key] = column.max(axis=0)
        elif key == "count":
            found[key] = column.sum(axis=0)
        elif key == "std":
            spread = (share * (column**2 + (values["mean"] - mean) ** 2)).sum(axis=0)
            found[key] = np.sqrt(spread)
        else:
            found[key] = mean if key == "mean" else weighted_mean(column, share)
    return found


def weighted_mean(column: Array, share: Floats) -> Array:
    """The weighted mean, counted from the first: values that are all the same stay exact. Infinity stays."""
    near = np.asarray(column[0] + (share * (column - column[0])).sum(axis=0), dtype=np.float64)
    finite = np.isfinite(column).all(axis=0)
    return near if finite.all() else np.where(finite, near, (share * column).sum(axis=0))


def over_last_axis(block: StatsBlock, features: frozenset[str]) -> StatsBlock:
    """The block with statistics of these features per column of their last axis.

    lerobot describes matrices so since v0.4, and per entry before. As many values are behind each entry.
    """
    columns = dict(block.columns)
    for name, parts in block.features().items():
        if name not in features or "mean" not in parts or parts["mean"].values.ndim < 3:
            continue
        values = {k: c.values for k, c in parts.items() if k != "count"}
        flat = {k: v.reshape(len(v), -1, v.shape[-1]).astype(np.float64) for k, v in values.items()}
        for key, merged in folded(flat).items():
            columns[name, key] = StatsColumn(merged, parts[key].present)
    return StatsBlock(block.episodes, columns)


def folded(values: Mapping[str, Floats]) -> dict[str, Floats]:
    """(rows, width) statistics of (rows, entries, width) ones, all entries of the same weight."""
    mean = values["mean"].mean(axis=1)
    found: dict[str, Floats] = {}
    for key, column in values.items():
        if key in ("min", "max"):
            found[key] = column.min(axis=1) if key == "min" else column.max(axis=1)
        elif key == "std":
            spread = column**2 + (values["mean"] - mean[:, None]) ** 2
            found[key] = np.sqrt(spread.mean(axis=1))
        else:
            found[key] = mean if key == "mean" else column.mean(axis=1)
    return found


def _same_shape(a: FeatureStats, b: FeatureStats) -> bool:
    """True where the statistics that both have are of the same shapes."""
    return all(a[key].shape == b[key].shape for key in a.keys() & b.keys())


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
    share = (values["count"][:, 0] / total).reshape(-1, *(1 for _ in values["mean"].shape[1:]))
    with np.errstate(invalid="ignore", over="ignore"):
        return merged_rows(values, share)


def _aligned(columns: Mapping[str, StatsColumn], known: FeatureStats | None) -> FeatureStats | None:
    """(parts, …) statistics that every episode has, all in one shape, after those known so far."""
    values = {key: column.values for key, column in columns.items()}
    shapes = {column.shape[1:] for key, column in values.items() if key != "count"}
    alike = len(shapes) == 1 and all(column.present.all() for column in columns.values())
    if not alike or "count" not in values or values["count"].shape[1:] != (1,):
        return None
    if known is None:
        return values
    if [*known] != [*values] or any(known[k].shape != v.shape[1:] for k, v in values.items()):
        return None
    return {key: np.concatenate([known[key][None], column]) for key, column in values.items()}


def _one_after_another(group: Mapping[str, FeatureStats]) -> Stats:
    """Merge the parts of features with the same statistics, side by side: numpy is slow at small arrays."""
    shapes = [next(v.shape[1:] for k, v in one.items() if k != "count") for one in group.values()]
    sizes = [prod(shape) for shape in shapes]
    wide = {
        key: np.concatenate(
            [
                np.repeat(one[key], size, axis=1) if key == "count" else one[key].reshape(-1, size)
                for one, size in zip(group.values(), sizes, strict=True)
            ],
            axis=1,
        )
        for key in next(iter(group.values()))
    }
    parts = len(next(iter(wide.values())))
    rows = ({key: column[row] for key, column in wide.items()} for row in range(parts))
    merged = reduce(merged_pair, rows)
    found: Stats = {}
    for name, shape, end, size in zip(group, shapes, accumulate(sizes), sizes, strict=True):
        own = {key: column[end - size : end] for key, column in merged.items()}
        found[name] = {k: v[:1] if k == "count" else v.reshape(shape) for k, v in own.items()}
    return found


def _counts(one: FeatureStats) -> Floats:
    """What the parts' statistics count: one number, or one for each value."""
    counts = one.get("count", np.ones(1)).astype(np.float64)
    return counts if "mean" in one and counts.shape == one["mean"].shape else counts[:1]
