"""Settle the result's statistics: stored ones pass through, computed ones fill what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from roboreel.errors import Problem
from roboreel.format.feature import INDEX_DTYPES
from roboreel.plan.plan import DECLARED_ROWS, ROWS, SOURCE, SOURCE_EPISODE, Plan, PlanSource
from roboreel.runner.per_last_axis import per_last_axis_features, with_last_axis
from roboreel.runner.resolve_blocks import resolved_block
from roboreel.stats.block import StatsBlock, blocks_of, each, joined
from roboreel.stats.feature_stats import BASE, FeatureStats, Stats, usable_stats
from roboreel.types import Int64

_BLOCK_EPISODES = 2048
_COMPARED = ("mean", "std", "min", "max")
_FRAME_TOLERANCE, _NUMBER_RTOL, _NUMBER_ATOL = 1e-2, 5e-6, 6e-5
"""How far stored global statistics may be from computed ones, as in the reference's own converter."""


def resolved_stats(
    plan: Plan,
    stored: Callable[[int, Int64], Sequence[StatsBlock]],
    computed: Callable[[range], Sequence[tuple[int, StatsBlock]]],
) -> Iterator[StatsBlock]:
    """The statistics of the episodes of the result, in order, some thousand at a time.

    Args:
        plan: the plan that was run.
        stored: gives a source's statistics, by its number, of some of its episodes, in their order, by the
            features' names there.
        computed: gives those that the ops computed of some of the result's episodes, each block with where
            it begins among these.
    """
    per_last_axis = per_last_axis_features(plan, stored)
    for start in range(0, len(plan.inputs), _BLOCK_EPISODES):
        episodes = range(start, min(start + _BLOCK_EPISODES, len(plan.inputs)))
        before, now = _stored(plan, stored, episodes), list(computed(episodes))
        if per_last_axis:
            before = [(first, with_last_axis(block, per_last_axis)) for first, block in before]
            now = [(first, with_last_axis(block, per_last_axis)) for first, block in now]
        old, new = joined(before, len(episodes)), joined(now, len(episodes))
        if old is not None and new is not None:
            resolved = resolved_block(plan, episodes, old, new)
            if resolved is not None:
                yield resolved
                continue
        yield from blocks_of(_one_by_one(plan, episodes, before, now))


def _stored(
    plan: Plan, stored: Callable[[int, Int64], Sequence[StatsBlock]], episodes: range
) -> list[tuple[int, StatsBlock]]:
    """The stored statistics of episodes, by the features' names in the result."""
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
    """Statistics by the features' names in the result, without those that are measured anew."""
    if not source.renamed and not source.removed and not source.filled and not recomputed:
        return block
    unused = {*source.filled, *recomputed}
    names = dict.fromkeys(name for name, _ in block.columns if name not in source.removed)
    named = {name: source.renamed.get(name, name) for name in names}
    return block.renamed({old: new for old, new in named.items() if new not in unused})


def _one_by_one(
    plan: Plan,
    episodes: range,
    stored: Sequence[tuple[int, StatsBlock]],
    computed: Sequence[tuple[int, StatsBlock]],
) -> list[Stats]:
    """The statistics of episodes that are not all of one form."""
    quantiles = plan.model.info.version.has_quantiles
    features = plan.model.info.features
    part = plan.inputs.slice(episodes.start, len(episodes))
    rows, lengths = part[ROWS].to_pylist(), part[DECLARED_ROWS].to_pylist()
    before, now = each(stored, len(episodes)), each(computed, len(episodes))
    found: list[Stats] = []
    for old, new, count, length in zip(before, now, rows, lengths, strict=True):
        resolved: Stats = {}
        for name in plan.stats.features:
            wanted = None if features[name].is_camera else count
            usable = count == length and name in old
            kept = old[name] if usable and usable_stats(old[name], rows=wanted) else None
            stats = _resolved(kept, new.get(name), index=name in INDEX_DTYPES, quantiles=quantiles)
            if stats is not None:
                resolved[name] = stats
        found.append(resolved)
    return found


def _resolved(
    old: FeatureStats | None, new: FeatureStats | None, *, index: bool, quantiles: bool
) -> FeatureStats | None:
    if new is None:
        return old
    if old is None or (index and not _agree(old, new)):
        return {key: value for key, value in new.items() if quantiles or key in BASE}
    if not quantiles or any(new[key].shape != old[key].shape for key in BASE):
        return old
    return {**old, **{key: value for key, value in new.items() if key not in old}}


def _agree(old: FeatureStats, new: FeatureStats) -> bool:
    """True where the stored statistics of an index column are still those of its values."""
    if any(old[key].shape != new[key].shape for key in BASE):
        return False
    before = np.concatenate([old[key] for key in BASE], axis=None)
    now = np.concatenate([new[key] for key in BASE], axis=None)
    return bool((np.abs(before - now) <= 1e-5 + 1e-5 * np.abs(now)).all())


def disagreements(
    stored: Stats, merged: Stats, *, cameras: frozenset[str], ignored: frozenset[str]
) -> list[Problem]:
    """Features whose stored global statistics are not those of the data."""
    problems = []
    for name in [name for name in merged if name in stored and name not in ignored]:
        worst = [
            f"{key} by {gap:.3g}"
            for key in _COMPARED
            if (gap := _gap(stored[name], merged[name], key, name in cameras)) is not None
        ]
        if worst:
            message = f"stored statistics differ from the data's: {', '.join(worst)}"
            problems.append(
                Problem(
                    rule="stats.agree",
                    severity="warning",
                    message=message,
                    column=name,
                    action="the computed ones are written",
                )
            )
    return problems


def _gap(old: FeatureStats, new: FeatureStats, key: str, camera: bool) -> float | None:
    """The largest difference where it is beyond the tolerance, else None."""
    if key not in old or key not in new:
        return None
    if old[key].shape != new[key].shape:
        return float("inf")
    rtol, atol = (_FRAME_TOLERANCE,) * 2 if camera else (_NUMBER_RTOL, _NUMBER_ATOL)
    if np.allclose(new[key], old[key], rtol=rtol, atol=atol, equal_nan=True):
        return None
    gaps = np.abs(new[key] - old[key])
    return float(gaps[np.isfinite(gaps)].max(initial=0.0))
