"""Settle the statistics of many episodes at once, where all are of one form."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from roboreel.format.feature import INDEX_DTYPES
from roboreel.plan.plan import DECLARED_ROWS, ROWS, Plan
from roboreel.stats.block import StatsBlock, StatsColumn, StatsKey
from roboreel.stats.feature_stats import BASE, CAMERA_AXES, Array
from roboreel.types import Bools, Int64

_Columns = Mapping[str, StatsColumn]
_TOLERANCE = 1e-5


def resolved_block(
    plan: Plan, episodes: range, old: StatsBlock, new: StatsBlock
) -> StatsBlock | None:
    """The statistics of some episodes of the result: for each, those that `stats.settled` would give.

    Args:
        plan: the plan that was run.
        episodes: the episodes.
        old: their stored statistics, by the features' names in the result.
        new: their computed ones.

    Returns:
        None where a feature's statistics are of different shapes.
    """
    part = plan.inputs.slice(episodes.start, len(episodes))
    rows = part[ROWS].to_numpy()
    whole = rows == part[DECLARED_ROWS].to_numpy()
    stored, computed = old.features(), new.features()
    quantiles = plan.model.info.version.has_quantiles
    found: dict[StatsKey, StatsColumn] = {}
    ranks: dict[StatsKey, tuple[int, int, int]] = {}
    for at, name in enumerate(plan.stats.features):
        counted = None if plan.model.info.features[name].is_camera else rows
        before, now = stored.get(name, {}), computed.get(name, {})
        usable = _usable(before, len(episodes), counted)
        if usable is None or not _of_one_shape(now):
            return None
        if not (usable & whole).any():
            before = {}
        if any(before[k].values.shape != now[k].values.shape for k in before.keys() & now.keys()):
            return None
        resolved = _resolved(
            before, now, usable & whole, index=name in INDEX_DTYPES, quantiles=quantiles
        )
        for key, (column, rank) in resolved.items():
            found[name, key] = column
            ranks[name, key] = (int(column.present.argmax()), at, rank)
    return StatsBlock(
        len(episodes), {number: found[number] for number in sorted(found, key=ranks.__getitem__)}
    )


def _of_one_shape(columns: _Columns) -> bool:
    return len({c.values.shape[1:] for key, c in columns.items() if key != "count"}) <= 1


def _usable(columns: _Columns, episodes: int, rows: Int64 | None) -> Bools | None:
    """(episodes,) True where stored statistics are whole and of as many rows as there are.

    None where that is not to be told for all at once.
    """
    if any(key not in columns for key in BASE):
        return np.zeros(episodes, dtype=np.bool_)
    if not _of_one_shape(columns) or columns["count"].values.shape[1:] != (1,):
        return None
    shape = columns["min"].values.shape[1:]
    count = columns["count"].values[:, 0]
    sound = np.all([columns[key].present for key in BASE], axis=0) & (count > 0)
    if 0 in shape or (rows is None and len(shape) != CAMERA_AXES):
        sound[:] = False
    return np.asarray(sound if rows is None else sound & (count == rows))


def _resolved(
    old: _Columns, new: _Columns, kept: Bools, *, index: bool, quantiles: bool
) -> dict[str, tuple[StatsColumn, int]]:
    """The columns of one feature, each with its rank in the episode that has it first.

    Args:
        old: as stored.
        new: as computed.
        kept: (episodes,) True where the stored ones can be used.
        index: True for an index column: stored ones that are not those of its values are replaced.
        quantiles: True where the result has quantiles.
    """
    if not new:
        return {
            key: (StatsColumn(c.values, c.present & kept), rank)
            for rank, (key, c) in enumerate(old.items())
            if (c.present & kept).any()
        }
    has_new = np.any([column.present for column in new.values()], axis=0)
    alike = all(key in old and key in new for key in BASE)
    replaced = has_new & ~kept
    if index:
        replaced |= has_new & ~(_agree(old, new) if alike else np.zeros_like(kept))
    stays = kept & ~replaced
    filled = stays & has_new & (alike and quantiles)
    found = {}
    for key in dict.fromkeys([*old, *new]):
        column = _merged(
            old.get(key), new.get(key), stays, replaced & (quantiles or key in BASE), filled
        )
        if column is not None and column.present.any():
            order = list(new) if replaced[column.present.argmax()] else [*old, *new]
            found[key] = (column, order.index(key))
    return found


def _merged(
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
