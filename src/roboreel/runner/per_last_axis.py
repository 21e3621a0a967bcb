"""One form for the statistics of matrices, where stored and computed ones differ in it.

lerobot stores statistics of a matrix per column of its last axis since v0.4, per entry before. A column of a
table holds one form: where both are there, those per entry are merged over the other axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from roboreel.plan.plan import DECLARED_ROWS, ROWS, SOURCE, SOURCE_EPISODE, Plan
from roboreel.stats.block import StatsBlock, StatsColumn
from roboreel.stats.feature_stats import Array
from roboreel.types import Int64

Stored = Callable[[int, Int64], Sequence[StatsBlock]]


def per_last_axis_features(plan: Plan, stored: Stored) -> frozenset[str]:
    """The features whose statistics come in several forms, in the result of a plan.

    Args:
        plan: the plan that was run.
        stored: gives a source's statistics, by its number, of some of its episodes, by their names there.
    """
    features = plan.model.info.features
    matrices = [n for n, f in features.items() if f.is_numeric and len(f.shape) > 1]
    if not matrices:
        return frozenset()
    cut = plan.inputs[ROWS].to_numpy() != plan.inputs[DECLARED_ROWS].to_numpy()
    made = set(matrices) if bool(cut.any()) else set(matrices) & set(plan.table.measured)
    forms: dict[str, set[int]] = {name: set() for name in matrices}
    for name in made:
        forms[name].add(1 if name in plan.table.per_last_axis else len(features[name].shape))
    numbers, episodes = plan.inputs[SOURCE].to_numpy(), plan.inputs[SOURCE_EPISODE].to_numpy()
    for number in np.unique(numbers).tolist():
        first = episodes[numbers == number][:1]
        for block in stored(number, first):
            for (old, statistic), column in block.columns.items():
                name = plan.sources[number].renamed.get(old, old)
                if name in plan.stats.recomputed:
                    continue
                if statistic == "mean" and name in forms and column.present.any():
                    forms[name].add(column.values.ndim - 1)
    return frozenset(name for name, found in forms.items() if len(found) > 1)


def with_last_axis(block: StatsBlock, features: frozenset[str]) -> StatsBlock:
    """The block with statistics of these features per column of their last axis."""
    by_feature = block.features()
    wide = [n for n in by_feature if n in features and _is_wide(by_feature[n])]
    if not wide:
        return block
    columns = dict(block.columns)
    for name in wide:
        parts = {key: column.values for key, column in by_feature[name].items()}
        for key, values in _merged(parts).items():
            columns[name, key] = StatsColumn(values, by_feature[name][key].present)
    return StatsBlock(block.episodes, columns)


def _is_wide(parts: Mapping[str, StatsColumn]) -> bool:
    return "mean" in parts and parts["mean"].values.ndim > 2


def _merged(parts: Mapping[str, Array]) -> dict[str, Array]:
    """Statistics over all axes but the last: as many values stand behind each entry of a matrix."""
    flat = {k: v.reshape(len(v), -1, v.shape[-1]) for k, v in parts.items() if k != "count"}
    mean = flat["mean"].mean(axis=1)
    merged: dict[str, Array] = {}
    for key in parts:
        if key == "count":
            merged[key] = parts[key]
        elif key == "min":
            merged[key] = flat[key].min(axis=1)
        elif key == "max":
            merged[key] = flat[key].max(axis=1)
        elif key == "std":
            spread = flat[key] ** 2 + (flat["mean"] - mean[:, None]) ** 2
            merged[key] = np.sqrt(spread.mean(axis=1))
        else:
            merged[key] = flat[key].mean(axis=1)
    return merged
