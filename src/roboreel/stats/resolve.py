"""Choose between the stored and the computed statistics of episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from roboreel.stats.block import StatsBlock, StatsColumn, StatsKey, blocks_of, each, joined
from roboreel.stats.feature_stats import BASE, CAMERA_AXES, Array
from roboreel.types import Bools, Int64

_Columns = Mapping[str, StatsColumn]
_TOLERANCE = 1e-5


class Described(NamedTuple):
    """A feature that gets statistics."""

    name: str
    is_camera: bool
    """True where its statistics count sampled frames, and have the shape (channels, 1, 1)."""
    is_index: bool
    """True for an index column: stored statistics that are not those of its values are replaced."""


class Episodes(NamedTuple):
    """The episodes whose statistics are resolved."""

    rows: Int64
    """(episodes,) number of rows of each."""
    whole: Bools
    """(episodes,) True where the stored statistics describe the same rows."""


def resolved(
    features: Sequence[Described],
    episodes: Episodes,
    stored: Sequence[tuple[int, StatsBlock]],
    computed: Sequence[tuple[int, StatsBlock]],
    *,
    quantiles: bool,
) -> list[StatsBlock]:
    """The statistics of episodes, as few blocks: stored ones pass through, computed ones fill the gaps.

    A feature keeps its stored statistics where they are complete, fit together and are of all rows of the
    episode. Of computed ones it gets those that are not stored.

    Args:
        features: those that have statistics, in order.
        episodes: the episodes.
        stored: their stored statistics, each block with the first of its episodes.
        computed: their computed ones, likewise.
        quantiles: True where the result has quantiles.
    """
    count = len(episodes.rows)
    old, new = joined(stored, count), joined(computed, count)
    if old is not None and new is not None:
        block = _resolved(features, episodes, old, new, quantiles)
        if block is not None:
            return [block]
    found = []
    for at, pair in enumerate(zip(each(stored, count), each(computed, count), strict=True)):
        own = Episodes(episodes.rows[at : at + 1], episodes.whole[at : at + 1])
        (before,), (now,) = (blocks_of([stats]) for stats in pair)
        one = _resolved(features, own, before, now, quantiles)
        found.append({} if one is None else one.of(0))
    return blocks_of(found)


def _resolved(
    features: Sequence[Described],
    episodes: Episodes,
    old: StatsBlock,
    new: StatsBlock,
    quantiles: bool,
) -> StatsBlock | None:
    """The statistics of some episodes; None for several where statistics of a feature differ in shape."""
    single = len(episodes.rows) == 1
    stored, computed = old.features(), new.features()
    found: dict[StatsKey, StatsColumn] = {}
    ranks: dict[StatsKey, tuple[int, int, int]] = {}
    for at, feature in enumerate(features):
        before, now = stored.get(feature.name, {}), computed.get(feature.name, {})
        usable = _usable(before, feature, episodes.rows)
        if not single and (usable is None or not _of_one_shape(now)):
            return None
        kept = episodes.whole & (False if usable is None else usable)
        if not kept.any():
            before = {}
        if not single and not _fit(before, now, before.keys() & now.keys()):
            return None
        for key, (column, rank) in _of_feature(before, now, kept, feature, quantiles).items():
            found[feature.name, key] = column
            ranks[feature.name, key] = (int(column.present.argmax()), at, rank)
    ordered = {key: found[key] for key in sorted(found, key=ranks.__getitem__)}
    return StatsBlock(len(episodes.rows), ordered)


def _of_one_shape(columns: _Columns) -> bool:
    return len({c.values.shape[1:] for key, c in columns.items() if key != "count"}) <= 1


def _fit(old: _Columns, new: _Columns, keys: Sequence[str] | set[str]) -> bool:
    """True if both have these statistics in the same shapes."""
    return all(
        key in old and key in new and old[key].values.shape == new[key].values.shape for key in keys
    )


def _usable(columns: _Columns, feature: Described, rows: Int64) -> Bools | None:
    """(episodes,) True where stored statistics are complete and of as many rows as there are.

    None where they differ in shape: of several episodes, some may be usable.
    """
    if any(key not in columns for key in BASE):
        return np.zeros(len(rows), dtype=np.bool_)
    if not _of_one_shape(columns) or columns["count"].values.shape[1:] != (1,):
        return None
    shape = columns["min"].values.shape[1:]
    count = columns["count"].values[:, 0]
    sound = np.all([columns[key].present for key in BASE], axis=0) & (count > 0)
    if 0 in shape or (feature.is_camera and len(shape) != CAMERA_AXES):
        sound[:] = False
    return np.asarray(sound if feature.is_camera else sound & (count == rows))


def _of_feature(
    old: _Columns, new: _Columns, kept: Bools, feature: Described, quantiles: bool
) -> dict[str, tuple[StatsColumn, int]]:
    """The columns of one feature, each with its rank in the episode that has it first.

    Args:
        old: as stored.
        new: as computed.
        kept: (episodes,) True where the stored ones can be used.
        feature: the feature.
        quantiles: True where the result has quantiles.
    """
    if not new:
        return {
            key: (StatsColumn(c.values, c.present & kept), rank)
            for rank, (key, c) in enumerate(old.items())
            if (c.present & kept).any()
        }
    has_new = np.any([column.present for column in new.values()], axis=0)
    alike = _fit(old, new, BASE)
    replaced = has_new & ~kept
    if feature.is_index:
        replaced |= has_new & ~(_agree(old, new) if alike else np.zeros_like(kept))
    stays = kept & ~replaced
    filled = stays & has_new & (alike and quantiles)
    found = {}
    for key in dict.fromkeys([*old, *new]):
        wanted = replaced & (quantiles or key in BASE)
        column = _of_statistic(old.get(key), new.get(key), stays, wanted, filled)
        if column is not None and column.present.any():
            order = list(new) if replaced[column.present.argmax()] else [*old, *new]
            found[key] = (column, order.index(key))
    return found


def _of_statistic(
    old: StatsColumn | None, new: StatsColumn | None, stays: Bools, replaced: Bools, filled: Bools
) -> StatsColumn | None:
    """One statistic: the stored one where it stays, else the computed one where that is wanted."""
    if new is None:
        return None if old is None else StatsColumn(old.values, old.present & stays)
    if old is None:
        return StatsColumn(new.values, new.present & (replaced | filled))
    kept = old.present & stays
    taken = new.present & (replaced | (filled & ~kept))
    if not taken.any():
        return StatsColumn(old.values, kept)
    if taken.all():  # also the only way in which shapes can differ
        return StatsColumn(new.values, taken)
    values: Array = old.values.copy()
    values[taken] = new.values[taken]
    return StatsColumn(values, kept | taken)


def _agree(old: _Columns, new: _Columns) -> Bools:
    """(episodes,) True where stored statistics of an index column are still those of its values."""
    fits = np.ones(len(old["min"].present), dtype=np.bool_)
    for key in BASE:
        before, now = old[key].values, new[key].values
        near = np.abs(before - now) <= _TOLERANCE + _TOLERANCE * np.abs(now)
        fits &= near.reshape(len(near), -1).all(axis=1)
    return fits
