"""Quantiles of all rows of a result, read from the tables that were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from roboreel.edit.plan import Plan
from roboreel.format.histograms import PEAK, CameraCounts, histogram_quantiles
from roboreel.format.inventory import Floats
from roboreel.format.model import DATA_PATH
from roboreel.format.quantiles import BUDGET_BYTES, Quantiles
from roboreel.format.stats import FeatureStats, Stats, quantile_name
from roboreel.format.values import column_values
from roboreel.storage.fs import Root
from roboreel.storage.tables import TableFile

_ROWS = 1 << 16


def with_whole_quantiles(root: Root, plan: Plan, merged: Stats) -> Stats:
    """The statistics of all episodes, recomputed numeric features with the quantiles of all rows.

    They are numpy's where all numbers fit `BUDGET_BYTES`, else within `SKETCH_ERROR`. A column with values
    missing keeps the means of the episodes' quantiles, as cameras do.

    Args:
        root: the staged result.
        plan: the plan that was run.
        merged: merged of the episodes'.
    """
    shares = plan.table.quantiles
    if plan.table.binned or not shares:
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
    found = _read(root, plan, widths)
    return {
        name: {**parts, **_shaped(found[name].of(shares), shares, parts)}
        if name in found
        else parts
        for name, parts in merged.items()
    }


def with_camera_quantiles(plan: Plan, pixels: CameraCounts, merged: Stats) -> Stats:
    """The statistics of all episodes, cameras with the quantiles of all pixels that were counted.

    These are numpy's. Where not every episode was measured, a camera keeps the means of the episodes'.
    """
    shares = plan.table.quantiles
    if not plan.table.counts_pixels:
        return merged
    found = dict(merged)
    for name, counted in pixels.by_camera().items():
        if counted.episodes == len(plan.inputs) and name in merged:
            level = np.arange(counted.counts.shape[1], dtype=np.float64) / PEAK
            cuts = histogram_quantiles(counted.counts, level, shares)
            if cuts.shape[1:] == merged[name]["mean"].shape[:1]:
                found[name] = {**merged[name], **_shaped(cuts, shares, merged[name])}
    return found


def _shaped(cuts: Floats, shares: Sequence[float], parts: FeatureStats) -> FeatureStats:
    shape = parts["mean"].shape
    return {quantile_name(q): cut.reshape(shape) for q, cut in zip(shares, cuts, strict=True)}


def _read(root: Root, plan: Plan, widths: Mapping[str, int]) -> dict[str, Quantiles]:
    """The numbers of some columns, by column; without those that are not whole."""
    numbers = max(1, sum(widths.values()))
    found = {
        name: Quantiles(width, budget_bytes=BUDGET_BYTES * width // numbers)
        for name, width in widths.items()
    }
    for path in plan.model.episodes[DATA_PATH].unique().to_pylist():
        with TableFile(root, path) as file:
            for table in file.batches(list(found), rows=_ROWS):
                for name in [*found]:
                    values = column_values(table[name])
                    if values is None or values[0].size % widths[name]:
                        del found[name]
                        continue
                    with np.errstate(invalid="ignore"):  # signalling NaNs become quiet ones
                        found[name].add(values.astype(np.float64).reshape(-1, widths[name]))
        if not found:
            break
    return found
