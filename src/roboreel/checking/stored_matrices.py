"""Read stored statistics as matrices, and report wrong shapes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from roboreel.dataset.dataset import Dataset
from roboreel.errors import DatasetError, StorageError, counted
from roboreel.format.depth import has_camera_stats
from roboreel.format.feature import Feature
from roboreel.format.model import EPISODE
from roboreel.format.parse import Problems
from roboreel.stats.block import StatsBlock
from roboreel.stats.feature_stats import BASE, FeatureStats, Stats, quantile_share
from roboreel.types import Bools, Floats, Int64

_Item = TypeVar("_Item")
_KNOWN = ("min", "max", "mean", "std")


@dataclass(slots=True)
class StoredFeature:
    """The statistics of one feature; rows are episodes, or the one row is the whole dataset."""

    shape: tuple[int, ...]
    """As stored."""
    values: dict[str, Floats]
    """(rows, components) by statistic that any row has; NaN in rows without it."""
    have: Bools
    """(rows,) True where there are statistics of the right shape."""
    count: Int64
    """(rows,) number of values; 0 if not stored."""


@dataclass(slots=True)
class StoredMatrices:
    """What the documents hold."""

    episodes: dict[str, StoredFeature] = field(default_factory=dict)
    """By feature; rows as in `Model.episodes`."""
    whole: dict[str, StoredFeature] = field(default_factory=dict)
    """By feature; one row."""
    problems: Problems = field(default_factory=Problems)


def ascending(statistics: Iterable[str]) -> list[str]:
    """The statistics that have an order, sorted so that none may be larger than the next."""
    shares = {key: share for key in statistics if (share := quantile_share(key)) is not None}
    ends = {"min": -1.0, "max": 2.0}
    ranks = {key: ends.get(key, shares.get(key)) for key in statistics}
    return sorted(
        (key for key, at in ranks.items() if at is not None), key=lambda k: ranks[k] or 0.0
    )


def _is_known(statistic: str) -> bool:
    return statistic in _KNOWN or quantile_share(statistic) is not None


def described(feature: Feature) -> bool:
    """True if the feature must have statistics."""
    return feature.is_numeric or has_camera_stats(feature)


def read_stored(dataset: Dataset) -> StoredMatrices:
    """Read all stored statistics; those of a wrong shape are reported and left out."""
    stored = StoredMatrices()
    row_of_episode = {
        number: row for row, number in enumerate(dataset.episodes[EPISODE].to_pylist())
    }
    rows = len(row_of_episode)
    for episodes, block in _readable(dataset.stored_stats().in_blocks, stored.problems):
        known = len(set(episodes)) == len(episodes) and row_of_episode.keys() >= set(episodes)
        positions = np.array([row_of_episode[one] for one in episodes]) if known else None
        rest = (
            block if positions is None else _take_together(block, positions, rows, dataset, stored)
        )
        for episode, stats in zip(episodes, rest.each() if rest.columns else (), strict=False):
            if episode in row_of_episode:
                _take(stats, row_of_episode[episode], rows, episode, dataset, stored)
    for stats in _readable(lambda: _of_all(dataset), stored.problems):
        _take(stats, 0, 1, None, dataset, stored)
    _report_missing(dataset, stored)
    return stored


def _of_all(dataset: Dataset) -> Iterator[Stats]:
    if dataset.has_global_stats:
        yield dataset.stats()


def _readable(read: Callable[[], Iterator[_Item]], problems: Problems) -> Iterator[_Item]:
    """Yield what a reader gives until a document cannot be read."""
    try:
        yield from read()
    except DatasetError as error:
        problems.found += error.problems
    except StorageError as error:
        problems.error("document.readable", str(error))


def _take_together(
    block: StatsBlock, positions: Int64, rows: int, dataset: Dataset, stored: StoredMatrices
) -> StatsBlock:
    """Add features that all episodes of a block have in the right shape; return the rest."""
    others = dict(block.columns)
    for name, columns in block.features().items():
        feature = dataset.features.get(name)
        whole = all(column.present.all() for column in columns.values())
        if feature is None or not whole or not (feature.is_numeric or feature.is_camera):
            continue
        shape = _form(feature, {key: column.values[0] for key, column in columns.items()})
        into = stored.episodes.get(name)
        if shape is None or (into is not None and into.shape != shape):
            continue
        if into is None:
            zeros = np.zeros(rows, dtype=np.int64)
            into = StoredFeature(shape, {}, np.zeros(rows, dtype=np.bool_), zeros)
            stored.episodes[name] = into
        into.have[positions] = True
        for key, column in columns.items():
            flat = column.values.reshape(len(positions), -1)
            if _is_known(key):
                into.values.setdefault(key, np.full((rows, flat.shape[1]), np.nan))[positions] = (
                    flat
                )
            elif key == "count" and flat.shape[1] == 1:
                into.count[positions] = flat[:, 0]
            del others[name, key]
    return StatsBlock(block.episodes, others)


def _take(
    stats: Stats,
    row: int,
    rows: int,
    episode: int | None,
    dataset: Dataset,
    stored: StoredMatrices,
) -> None:
    into = stored.whole if episode is None else stored.episodes
    for name, parts in stats.items():
        feature = dataset.features.get(name)
        if feature is None or not (feature.is_numeric or feature.is_camera):
            continue
        shape = _form(feature, parts)
        if name in into and shape is not None and into[name].shape != shape:
            shape = None
        if shape is None:
            found = ", ".join(sorted({str(list(v.shape)) for v in _described(parts).values()}))
            message = f"its statistics have the shape {found or 'of no array'}, expected {_wanted(feature)}"
            stored.problems.error("stats.shape", message, episode=episode, column=name)
            continue
        if name not in into:
            zeros = np.zeros(rows, dtype=np.int64)
            into[name] = StoredFeature(shape, {}, np.zeros(rows, dtype=np.bool_), zeros)
        _put(into[name], row, parts)


def _described(parts: FeatureStats) -> FeatureStats:
    return {key: value for key, value in parts.items() if _is_known(key)}


def _form(feature: Feature, parts: FeatureStats) -> tuple[int, ...] | None:
    """The common shape of a feature's statistics; None if the format does not allow it."""
    shapes = {value.shape for value in _described(parts).values()}
    if len(shapes) != 1:
        return None
    shape = shapes.pop()
    if feature.is_camera:
        channels = {*feature.shape[:1], *feature.shape[-1:], 3}
        return shape if len(shape) == 3 and shape[0] in channels and shape[1:] == (1, 1) else None
    return shape if shape in (feature.shape or (1,), feature.shape[-1:]) else None


def _wanted(feature: Feature) -> str:
    return "(C, 1, 1)" if feature.is_camera else str(list(feature.shape))


def _put(feature: StoredFeature, row: int, parts: FeatureStats) -> None:
    feature.have[row] = True
    for key, value in _described(parts).items():
        if key not in feature.values:
            feature.values[key] = np.full((len(feature.have), value.size), np.nan)
        feature.values[key][row] = value.reshape(-1)
    count = parts.get("count")
    if count is not None and count.size == 1:
        feature.count[row] = int(count.reshape(-1)[0])


def _report_missing(dataset: Dataset, stored: StoredMatrices) -> None:
    """Report features that lack statistics."""
    absent = dataset.missing_cameras
    wanted = [
        n for n, feature in dataset.features.items() if described(feature) and n not in absent
    ]
    wrong = {problem.column for problem in stored.problems.found}
    if None in wrong:  # the unreadable document has been reported
        return
    scopes: list[tuple[str, Mapping[str, StoredFeature], tuple[str, ...]]] = []
    if dataset.version.has_episode_stats:
        scopes.append(("of each episode", stored.episodes, BASE))
    if not dataset.version.has_episode_stats or dataset.version.has_quantiles:
        base = BASE if dataset.version.has_episode_stats else tuple(k for k in BASE if k != "count")
        scopes.append(("of the whole dataset", stored.whole, base))
    for scope, found, base in scopes:
        if wanted and not found and not wrong:
            stored.problems.add("stats.missing", f"there are no statistics {scope}")
            continue
        for name in [name for name in wanted if name not in wrong]:
            lacking = _lacking(found.get(name), base)
            if lacking:
                message = f"statistics {scope} are missing: {lacking}"
                stored.problems.add("stats.missing", message, column=name)


def _lacking(feature: StoredFeature | None, base: tuple[str, ...]) -> str | None:
    if feature is None:
        return "all"
    without = [key for key in base if key != "count" and key not in feature.values]
    without += ["count"] if "count" in base and not feature.count.any() else []
    if without:
        return ", ".join(without)
    absent = int((~feature.have).sum())
    return f"{counted(absent, 'episode')} without any" if absent else None
