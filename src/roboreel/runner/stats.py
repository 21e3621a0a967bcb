"""Settle the result's statistics: stored ones pass through, computed ones fill what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from roboreel.edit.plan import DECLARED_ROWS, ROWS, SOURCE, SOURCE_EPISODE, Plan, PlanSource
from roboreel.errors import Problem
from roboreel.format.feature import INDEX_DTYPES
from roboreel.format.stats import BASE, FeatureStats, Stats, usable_stats

_COMPARED = ("mean", "std", "min", "max")
_PICTURE_TOLERANCE, _NUMBER_RTOL, _NUMBER_ATOL = 1e-2, 5e-6, 6e-5
"""How far stored global statistics may be from computed ones, as in the reference's own converter."""


def settled_stats(
    plan: Plan, stored: Callable[[int, int], Stats], computed: Callable[[int], Stats]
) -> Iterator[Stats]:
    """The statistics of each episode of the result, in order.

    Args:
        plan: the plan that was run.
        stored: gives a source's statistics, by its number, of one of its episodes, by their names there.
        computed: gives those that the ops computed of one of the result's episodes.
    """
    quantiles = plan.model.info.version.has_quantiles
    features = plan.model.info.features
    rows = plan.inputs[ROWS].to_pylist()
    lengths = plan.inputs[DECLARED_ROWS].to_pylist()
    numbers = plan.inputs[SOURCE].to_pylist()
    for episode, source in enumerate(plan.inputs[SOURCE_EPISODE].to_pylist()):
        number = numbers[episode]
        old, new = by_name(stored(number, source), plan.sources[number]), computed(episode)
        settled: Stats = {}
        for name in plan.stats.features:
            count = None if features[name].is_camera else rows[episode]
            usable = rows[episode] == lengths[episode] and name in old
            kept = old[name] if usable and usable_stats(old[name], rows=count) else None
            stats = _settled(kept, new.get(name), index=name in INDEX_DTYPES, quantiles=quantiles)
            if stats is not None:
                settled[name] = stats
        yield settled


def by_name(stats: Stats, source: PlanSource) -> Stats:
    """Statistics by the features' names in the result."""
    if not source.renamed and not source.removed and not source.filled:
        return stats
    kept = {name: found for name, found in stats.items() if name not in source.removed}
    named = {source.renamed.get(name, name): found for name, found in kept.items()}
    return {name: found for name, found in named.items() if name not in source.filled}


def _settled(
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
    rtol, atol = (_PICTURE_TOLERANCE,) * 2 if camera else (_NUMBER_RTOL, _NUMBER_ATOL)
    if np.allclose(new[key], old[key], rtol=rtol, atol=atol, equal_nan=True):
        return None
    gaps = np.abs(new[key] - old[key])
    return float(gaps[np.isfinite(gaps)].max(initial=0.0))
