"""Choose the statistics of the result's episodes from stored and computed ones, in one form per feature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from roboreel.format.feature import INDEX_DTYPES
from roboreel.plan.plan import DECLARED_ROWS, ROWS, SOURCE, SOURCE_EPISODE, Plan, PlanSource
from roboreel.stats.block import StatsBlock, StatsColumn
from roboreel.stats.impossible_std import impossible_columns
from roboreel.stats.merge import over_last_axis
from roboreel.stats.resolve import Described, Episodes, resolved
from roboreel.types import Int64

_BLOCK_EPISODES = 2048
_Stored: TypeAlias = Callable[[int, Int64], Sequence[StatsBlock]]


def resolved_stats(
    plan: Plan,
    stored: _Stored,
    computed: Callable[[range], Sequence[tuple[int, StatsBlock]]],
) -> Iterator[StatsBlock]:
    """Yield the statistics of the result's episodes in order, in blocks of about two thousand episodes.

    Args:
        plan: the plan that was run.
        stored: returns the stored statistics of some episodes of a source (given by its number), in that
            order and by the source's feature names.
        computed: returns the statistics that the ops computed for some of the result's episodes, each
            block with its position among these.
    """
    features = plan.model.info.features
    wanted = [
        Described(name, features[name].is_camera, name in INDEX_DTYPES)
        for name in plan.stats.features
    ]
    folded = _in_several_forms(plan, stored)
    rows, declared = (plan.inputs[name].to_numpy() for name in (ROWS, DECLARED_ROWS))
    for start in range(0, len(plan.inputs), _BLOCK_EPISODES):
        episodes = range(start, min(start + _BLOCK_EPISODES, len(plan.inputs)))
        before, now = (
            [(first, over_last_axis(block, folded)) for first, block in parts]
            for parts in (_stored_parts(plan, stored, episodes), computed(episodes))
        )
        here = slice(episodes.start, episodes.stop)
        yield from resolved(
            wanted,
            Episodes(rows[here], rows[here] == declared[here]),
            before,
            now,
            quantiles=plan.model.info.version.has_quantiles,
        )


def _stored_parts(plan: Plan, stored: _Stored, episodes: range) -> list[tuple[int, StatsBlock]]:
    """The stored statistics of episodes, by the result's feature names."""
    part = plan.inputs.slice(episodes.start, len(episodes))
    numbers, originals = part[SOURCE].to_numpy(), part[SOURCE_EPISODE].to_numpy()
    ends = [*(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(episodes)]
    found = []
    start = 0
    for end in ends:
        number = int(numbers[start])
        for block in stored(number, originals[start:end]):
            found.append((start, _by_name(block, plan.sources[number], plan.stats.recomputed)))
            start += block.episodes
        start = end
    return found


def _by_name(block: StatsBlock, source: PlanSource, recomputed: Sequence[str]) -> StatsBlock:
    """Statistics by the result's feature names, without recomputed features."""
    if not source.renamed and not source.removed and not source.filled and not recomputed:
        return block
    unused = {*source.filled, *recomputed}
    names = dict.fromkeys(name for name, _ in block.columns if name not in source.removed)
    named = {name: source.renamed.get(name, name) for name in names}
    return block.renamed({old: new for old, new in named.items() if new not in unused})


def _in_several_forms(plan: Plan, stored: _Stored) -> frozenset[str]:
    """The matrix features whose statistics exist both per entry and per column of the last axis.

    A table column can hold only one form, so statistics per entry are merged over the other axes.
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


def with_pooled_std(plan: Plan, block: StatsBlock, first: int) -> StatsBlock:
    """The statistics of episodes in the form to merge; each episode's own statistics are written unchanged.

    Args:
        plan: the plan that was run.
        block: the statistics of some episodes of the result.
        first: number of the first of these episodes.
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
