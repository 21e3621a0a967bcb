"""Compute quantiles of all rows of a result from the tables that were written."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from math import prod

import numpy as np

from roboreel.format.model import DATA_PATH
from roboreel.plan.plan import CopyTables, Plan, WriteTables
from roboreel.runner.ledger import outputs_of
from roboreel.runner.row_sketches import (
    WholeSketches,
    sketched_features,
    with_rows,
)
from roboreel.stats.feature_stats import FeatureStats, Stats, quantile_name
from roboreel.stats.pixel_counts import PEAK, CameraCounts, quantiles_of_levels
from roboreel.stats.quantiles import Quantiles, shared_budget
from roboreel.storage.root import Root
from roboreel.storage.tables.tables import TableFile
from roboreel.types import Floats

_ROWS = 1 << 16


def with_whole_quantiles(root: Root, plan: Plan, merged: Stats, sketches: WholeSketches) -> Stats:
    """The statistics of all episodes, with quantiles of all rows for recomputed numeric features.

    They equal numpy's if all numbers fit in `BUDGET_BYTES`, else they are within `SKETCH_ERROR`. A column
    with missing values keeps the means of the episodes' quantiles, as cameras do.

    Args:
        root: the staged result.
        plan: the plan that was run.
        merged: the merged statistics of the episodes.
        sketches: the sketches that ops made of the rows; the rows of other ops are read.
    """
    shares = plan.table.profile.quantiles
    if not plan.table.profile.exact_quantiles:
        return merged
    features = plan.model.info.features
    wanted = [
        name
        for name in plan.stats.recomputed
        if features[name].is_numeric and quantile_name(shares[0]) in merged.get(name, {})
    ]
    if not wanted:
        return merged
    widths = {name: prod(merged[name]["mean"].shape) for name in wanted}
    found = _found(root, plan, widths, sketches)
    return {
        name: {**parts, **_shaped(found[name].of(shares), shares, parts)}
        if name in found
        else parts
        for name, parts in merged.items()
    }


def with_camera_quantiles(plan: Plan, pixels: CameraCounts, merged: Stats) -> Stats:
    """The statistics of all episodes, with quantiles of all counted pixels for cameras.

    They equal numpy's. If some episodes were not measured, a camera keeps the means of the episodes'
    quantiles.
    """
    found = dict(merged)
    for name, cuts in whole_camera_quantiles(plan, pixels).items():
        if name in merged and cuts.shape[1:] == merged[name]["mean"].shape[:1]:
            found[name] = {
                **merged[name],
                **_shaped(cuts, plan.table.profile.quantiles, merged[name]),
            }
    return found


def whole_camera_quantiles(plan: Plan, pixels: CameraCounts) -> dict[str, Floats]:
    """(quantiles, channels) of all pixels, by camera, for cameras with every episode counted."""
    if not plan.table.profile.exact_quantiles:
        return {}
    found = {}
    for name, counted in pixels.by_camera().items():
        if counted.episodes == len(plan.inputs):
            level = np.arange(counted.counts.shape[1], dtype=np.float64) / PEAK
            found[name] = quantiles_of_levels(counted.counts, level, plan.table.profile.quantiles)
    return found


def _shaped(cuts: Floats, shares: Sequence[float], parts: FeatureStats) -> FeatureStats:
    shape = parts["mean"].shape
    return {quantile_name(q): cut.reshape(shape) for q, cut in zip(shares, cuts, strict=True)}


def _found(
    root: Root, plan: Plan, widths: Mapping[str, int], sketches: WholeSketches
) -> dict[str, Quantiles]:
    """The values of some columns, by column, without columns that have missing values."""
    own = {name: sketches.found[name] for name in widths if name in sketches.found}
    alike = all(one is None or one.width == widths[name] for name, one in own.items())
    if not alike or len(own) < len(widths):  # sketches of another form than planned, or none
        own = _none_taken(widths, sketched_features(plan))
        return _with_tables(root, plan.model.episodes[DATA_PATH].unique().to_pylist(), own)
    return _with_tables(root, _unsketched(plan, sketches), own)


def _none_taken(widths: Mapping[str, int], sketched: Container[str]) -> dict[str, Quantiles | None]:
    """For each column an empty collector: a sketch if the ops would have made one."""
    budgets = shared_budget(widths)
    return {
        name: Quantiles(width, budget_bytes=0 if name in sketched else budgets[name])
        for name, width in widths.items()
    }


def _unsketched(plan: Plan, sketches: WholeSketches) -> list[str]:
    """The tables of ops that an earlier run finished."""
    others = [
        number
        for number, op in enumerate(plan.ops)
        if isinstance(op, WriteTables | CopyTables) and number not in sketches.ops
    ]
    return [path for number in others for path in outputs_of(plan, number)]


def _with_tables(
    root: Root, paths: Sequence[str], known: Mapping[str, Quantiles | None]
) -> dict[str, Quantiles]:
    """The collected columns, with the values of some tables added."""
    found = {name: one for name, one in known.items() if one is not None}
    for path in paths if found else ():
        with TableFile(root, path) as file:
            for table in file.batches(list(found), rows=_ROWS):
                taken = {name: with_rows(one, table[name]) for name, one in found.items()}
                found = {name: one for name, one in taken.items() if one is not None}
    return found
