"""Settle the result's statistics: stored ones pass through, computed ones fill what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from roboreel.edit.plan import SOURCE_EPISODE, Plan
from roboreel.errors import Problem
from roboreel.format.stats import FeatureStats, Stats
from roboreel.runner.work import OpResult

_BASE = ("min", "max", "mean", "std", "count")
_COMPARED = ("mean", "std", "min", "max")
_PICTURE_TOLERANCE, _NUMBER_RTOL, _NUMBER_ATOL = 1e-2, 5e-6, 6e-5
"""How far stored global statistics may be from computed ones, as in the reference's own converter."""


def computed_stats(results: Iterable[OpResult]) -> dict[int, Stats]:
    """Statistics that the ops computed, by episode of the result."""
    merged: dict[int, Stats] = {}
    for result in results:
        for episode, stats in result.stats.items():
            merged.setdefault(episode, {}).update(stats)
    return merged


def settled_stats(
    plan: Plan,
    stored: Mapping[int, Stats],
    computed: Mapping[int, Stats],
    changed: frozenset[str],
) -> Iterator[Stats]:
    """The statistics of each episode of the result, in order.

    Args:
        plan: the plan that was run.
        stored: the source's statistics by its episode.
        computed: those that the ops computed, by the result's episode.
        changed: index columns whose values changed: theirs are the computed ones.
    """
    quantiles = plan.model.info.version.has_quantiles
    for episode, source in enumerate(plan.inputs[SOURCE_EPISODE].to_pylist()):
        old, new = stored.get(source, {}), computed.get(episode, {})
        settled: Stats = {}
        for name in plan.stats.features:
            stats = _settled(old.get(name), new.get(name), name in changed, quantiles)
            if stats is not None:
                settled[name] = stats
        yield settled


def _settled(
    old: FeatureStats | None, new: FeatureStats | None, changed: bool, quantiles: bool
) -> FeatureStats | None:
    usable = old is not None and all(key in old for key in _BASE)
    if old is not None and usable and not changed:
        fill = {k: v for k, v in (new or {}).items() if k not in old and quantiles}
        same_form = new is None or all(new[k].shape == old[k].shape for k in _BASE if k in new)
        return {**old, **fill} if same_form else old
    if new is None:
        return old
    return {k: v for k, v in new.items() if quantiles or k in _BASE}


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
    return float(np.nanmax(np.abs(new[key] - old[key])))
