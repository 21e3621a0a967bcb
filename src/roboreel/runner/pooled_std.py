"""Merge episodes with the camera std that the whole dataset implies, where their own is impossible."""

from __future__ import annotations

import numpy as np

from roboreel.plan.plan import SOURCE, Plan
from roboreel.stats.block import StatsBlock, StatsColumn
from roboreel.stats.impossible_std import impossible_columns


def with_pooled_std(plan: Plan, block: StatsBlock, first: int) -> StatsBlock:
    """The statistics of episodes as they are merged; the block itself is what is written of each.

    Args:
        plan: the plan that was run.
        block: the statistics of some episodes of the result.
        first: number of the first of them.
    """
    pooled = plan.stats.pooled_std
    if not pooled:
        return block
    sources = plan.inputs[SOURCE].to_numpy()[first : first + block.episodes]
    columns = dict(block.columns)
    for name, parts in block.features().items():
        if not any(name in own for own in pooled) or "std" not in parts:
            continue
        std = parts["std"]
        wrong = impossible_columns(parts) & std.present
        values = std.values.astype(np.float64)
        for number, own in enumerate(pooled):
            here = wrong & (sources == number)
            if name in own and here.any():
                values[here] = np.reshape(own[name], values.shape[1:])
        columns[name, "std"] = StatsColumn(values, std.present)
    return StatsBlock(block.episodes, columns)
