"""The statistics of numeric features, computed from the rows, in the form of the stored ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod

import numpy as np

from roboreel.checking.recompute_tables import (
    Measured,
    WantedStats,
    cut_names,
    measured,
)
from roboreel.checking.scan import located_portions
from roboreel.checking.stored_matrices import StoredFeature, StoredMatrices
from roboreel.dataset.dataset import Dataset
from roboreel.executors.worker_options import WorkerOptions
from roboreel.executors.worker_pool import worker_pool
from roboreel.format.feature import Feature
from roboreel.format.inventory import Inventory
from roboreel.format.model import EPISODE
from roboreel.format.parse import Problems
from roboreel.stats.feature_stats import quantile_share
from roboreel.stats.moments import Moments
from roboreel.stats.portion import Portion
from roboreel.stats.quantiles import Quantiles, shared_budget
from roboreel.stats.sorted_values import portions
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import Root
from roboreel.types import Floats, Int64

_PORTION_ROWS = 1 << 20
"""Approximate number of rows that a process measures at once."""
_WORTH_PROCESSES = 1 << 24
"""Reading this many numbers takes as long as starting a process."""


@dataclass(slots=True)
class FreshStats:
    """Statistics recomputed from the rows, in the shapes of the stored ones."""

    episodes: dict[str, StoredFeature] = field(default_factory=dict)
    whole: dict[str, StoredFeature] = field(default_factory=dict)
    sketched: set[str] = field(default_factory=set)
    """Features whose quantiles over the whole dataset are accurate only within `SKETCH_ERROR`."""
    problems: Problems = field(default_factory=Problems)


def fresh_numbers(
    dataset: Dataset,
    inventory: Inventory,
    stored: StoredMatrices,
    features: Mapping[str, Feature],
    *,
    workers: WorkerOptions,
) -> FreshStats:
    """Statistics of numeric features in every episode whose rows can be read, and of all together.

    An episode with missing values, or values of another shape, gets none; nor does the whole dataset then.

    Args:
        dataset: the dataset to read.
        inventory: which rows belong to which episode.
        stored: the stored statistics; features without any are not read.
        features: the features to compute.
        workers: what to use if there is enough to read.

    Raises:
        RunError: a worker process died.
    """
    fresh = FreshStats()
    shapes = {
        name: (stored.episodes.get(name) or stored.whole[name]).shape
        for name in features
        if name in stored.episodes or name in stored.whole
    }
    every = [one.take(one.lengths > 0) for one in located_portions(dataset, inventory)]
    rows = sum(int(one.lengths.sum()) for one in every)
    wanted = WantedStats(shapes, _budgets(shapes, features, rows), _shares(stored))
    columns = {
        name: _Column(len(dataset.episodes), shape, wanted.budgets[name], wanted.shares)
        for name, shape in shapes.items()
    }
    numbers = dataset.episodes[EPISODE].to_pylist()
    enough = rows * sum(map(prod, shapes.values())) >= _WORTH_PROCESSES
    parts = _portions(every) if shapes else []
    for found in _measured(dataset.root, parts, wanted, workers if enough else WorkerOptions()):
        for name, episodes, lengths, values in found.parts:
            columns[name].put(episodes, lengths, values)
        for name, quantiles in found.quantiles.items():
            columns[name].quantiles.merge(quantiles)
        for portion, why in found.failed:
            for row in portion.episodes.tolist():
                location = {"path": portion.path, "episode": numbers[row]}
                fresh.problems.error("table.readable", why, **location)
    for name, column in columns.items():
        if column.found.have.any():
            fresh.episodes[name] = column.found
        if column.found.have.all():
            fresh.whole[name] = column.whole()
            if not column.exact:
                fresh.sketched.add(name)
    return fresh


def _shares(stored: StoredMatrices) -> tuple[float, ...]:
    """The quantiles that any feature has."""
    every = [*stored.episodes.values(), *stored.whole.values()]
    found = {quantile_share(key) for feature in every for key in feature.values}
    return tuple(sorted(share for share in found if share is not None))


def _budgets(
    shapes: Mapping[str, tuple[int, ...]], features: Mapping[str, Feature], rows: int
) -> dict[str, int]:
    """Bytes that the numbers of each feature may take: none where not all of them fit."""
    widths = {name: prod(shape) for name, shape in shapes.items()}
    budgets = shared_budget(widths)
    return {
        name: budget if rows * prod(features[name].shape) * 8 <= budget else 0
        for name, budget in budgets.items()
    }


def _portions(every: Sequence[Portion]) -> list[list[Portion]]:
    """Row ranges for each process: a large file is split, many small files are grouped."""
    found: list[list[Portion]] = []
    room = 0
    for one in every:
        for episodes, _ in portions(one.lengths, rows=_PORTION_ROWS):
            part = one.take(episodes)
            rows = int(part.lengths.sum())
            if rows > room:
                found.append([])
                room = _PORTION_ROWS
            found[-1].append(part)
            room -= rows
    return found


def _measured(
    root: Root, parts: Sequence[Sequence[Portion]], wanted: WantedStats, workers: WorkerOptions
) -> Iterator[Measured]:
    """What each portion holds, as it comes."""
    if not workers.several or len(parts) < 2 or not isinstance(root, LocalRoot):
        for part in parts:
            yield measured(root, part, wanted)
        return
    with worker_pool(workers, most=len(parts)) as pool:
        yield from pool.run(partial(_measured_in, root, wanted), parts)


def _measured_in(root: Root, wanted: WantedStats, part: Sequence[Portion]) -> Measured:
    return measured(root, part, wanted)


class _Column:
    """One feature, filled as episodes come."""

    def __init__(
        self, episodes: int, shape: tuple[int, ...], budget: int, shares: Sequence[float]
    ) -> None:
        width = prod(shape)
        self._shares = shares
        self.quantiles = Quantiles(width, budget_bytes=budget)
        keys = ("min", "max", "mean", "std", *cut_names(shares))
        self.found = StoredFeature(
            shape,
            {key: np.full((episodes, width), np.nan) for key in keys},
            np.zeros(episodes, dtype=np.bool_),
            np.zeros(episodes, dtype=np.int64),
        )

    @property
    def exact(self) -> bool:
        """True where the quantiles of all episodes together are exact."""
        return self.quantiles.exact

    def put(self, episodes: Int64, lengths: Int64, values: Mapping[str, Floats]) -> None:
        """Add the statistics of some episodes."""
        for key, found in values.items():
            self.found.values[key][episodes] = found
        self.found.have[episodes] = True
        self.found.count[episodes] = lengths

    def whole(self) -> StoredFeature:
        """The statistics of all episodes together."""
        whole = merged_base(self.found)
        if self._shares:
            cuts = [self.quantiles.of(self._shares, ranked=by) for by in (False, True)]
            rows = np.concatenate(cuts)[:, None]
            whole.values |= dict(zip(cut_names(self._shares), rows, strict=True))
        return whole


def merged_base(episodes: StoredFeature) -> StoredFeature:
    """Merge bounds, mean and std of all episodes; without quantiles."""
    parts = Moments(len(episodes.have), prod(episodes.shape))
    parts.count, parts.mean = episodes.count, episodes.values["mean"]
    parts.low, parts.high = episodes.values["min"], episodes.values["max"]
    parts.spread = episodes.values["std"] ** 2 * episodes.count[:, None]
    total = parts.total()
    values = {"min": total.low, "max": total.high, "mean": total.mean}
    values |= {"std": np.sqrt(total.variance)}
    return StoredFeature(episodes.shape, values, np.ones(1, dtype=np.bool_), total.count.copy())
