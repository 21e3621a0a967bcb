"""Stored statistics that a writer's known bug made wrong: what the result has instead, and the warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from roboreel.errors import Problem
from roboreel.format.causes import PIXELS, WRAPPED, remedy
from roboreel.plan.merge_sources import MergedSources
from roboreel.types import Bools

_IMPOSSIBLE = "std of {} episodes is impossible given their other statistics"
_OVERCOUNTED = "count of {} episodes is larger than their number of rows"


def with_lost_stds_recomputed(merged: MergedSources) -> MergedSources:
    """The sources with more cameras to recompute: those whose only possible std is not in the target.

    A v3.0 `stats.json` may have the right std although those of episodes are impossible; v2.1 has no such
    document.
    """
    if merged.version.has_global_stats:
        return merged
    lost = {
        name
        for name, wrong in _wrong(merged).items()
        if name in merged.inventory.cameras or merged.model.info.features[name].dtype == "image"
        if _pooled(merged, name, wrong[merged.rows]).any()
    }
    if not lost:
        return merged
    return replace(merged, view=replace(merged.view, recomputed=merged.view.recomputed | lost))


def pooled_stds(merged: MergedSources) -> tuple[Mapping[str, Sequence[float]], ...]:
    """(sources,) by camera, the std to use in a merge for episodes with an impossible one; () if none has."""
    wrong = {name for name, rows in _wrong(merged).items() if rows[merged.rows].any()}
    found = tuple(
        {name: std for name, std in source.items() if name in wrong} for source in merged.pooled_std
    )
    return found if any(found) else ()


def wrong_stats_warnings(asked: frozenset[str], merged: MergedSources) -> Iterator[Problem]:
    """A warning for each camera with wrong stored statistics, and what the result has instead.

    Args:
        asked: features whose statistics the user wants recomputed.
        merged: what is written.
    """
    rules = {
        "stats.camera-overflow": (
            merged.inventory.impossible_std,
            _IMPOSSIBLE,
            WRAPPED,
            _std_action,
        ),
        "stats.count": (merged.inventory.overcounted, _OVERCOUNTED, PIXELS, _count_action),
    }
    carried = {
        (rule, name): rows[merged.rows]
        for rule, found in rules.items()
        for name, rows in found[0].items()
        if name not in asked and _is_camera(merged, name) and rows[merged.rows].any()
    }
    advice = remedy(sorted({name for _, name in carried}))
    for (rule, name), here in carried.items():
        _, what, cause, action = rules[rule]
        sources = merged.source[merged.rows[here]]
        versions = {merged.view.sources[n].model.info.version for n in sources.tolist()}
        yield Problem(
            rule=rule,
            severity="warning",
            message=f"the stored {what.format(f'{int(here.sum())} of {len(here)}')}:"
            f" {cause.said(*versions)}",
            column=name,
            action=action(merged, name, here, advice),
        )


def _is_camera(merged: MergedSources, name: str) -> bool:
    features = merged.model.info.features
    return name in features and features[name].is_camera


def _count_action(merged: MergedSources, name: str, _: Bools, advice: str) -> str:
    if name in merged.view.recomputed:
        return "computed from their frames"
    return f"kept as stored, so that these episodes weigh too much in a merge; {advice}"


def _std_action(merged: MergedSources, name: str, here: Bools, advice: str) -> str:
    """What the result has instead of the impossible std of a camera in some episodes, and what to do."""
    if name in merged.view.recomputed:
        return (
            f"computed from their frames: 'stats.json' has a possible one, which {merged.version}"
            " cannot store"
        )
    if not merged.version.has_global_stats:
        return f"kept as stored; {advice}"
    pooled = _pooled(merged, name, here)
    position = "kept as stored" if merged.version.has_episode_stats else "not written"
    if pooled[here].all():
        whole = f"they are {position}, the std of the whole dataset follows the possible one in 'stats.json'"
        return whole if not merged.version.has_episode_stats else f"{whole}; {advice}"
    return f"they are {position}, and the std of the whole dataset is merged from them; {advice}"


def _wrong(merged: MergedSources) -> dict[str, Bools]:
    """By camera of the result that is not recomputed, (slices,) True where the std is impossible."""
    features = merged.model.info.features
    return {
        name: rows
        for name, rows in merged.inventory.impossible_std.items()
        if name in features and features[name].is_camera
        if name not in merged.view.recomputed
    }


def _pooled(merged: MergedSources, name: str, here: Bools) -> Bools:
    """(episodes,) True for episodes of `here` whose source has a possible std for the whole dataset."""
    has = np.array([name in source for source in merged.pooled_std], dtype=np.bool_)
    return np.asarray(here & has[merged.source[merged.rows]])
