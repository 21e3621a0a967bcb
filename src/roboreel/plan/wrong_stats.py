"""Stored statistics that a known bug of a writer made wrong: what becomes of them, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from roboreel.errors import Problem
from roboreel.format.causes import PIXELS, WRAPPED, remedy
from roboreel.plan.merge_sources import MergedSources
from roboreel.types import Bools

_IMPOSSIBLE = "std of {} episodes is impossible beside their other statistics"
_OVERCOUNTED = "count of {} episodes is larger than their rows"


def with_lost_stds_recomputed(view: MergedSources) -> MergedSources:
    """The view that computes cameras again whose only possible std is in a document the target lacks.

    `stats.json` of v3.0 may have the right std where the episodes' are impossible; v2.1 has no such document.
    """
    if view.version.has_global_stats:
        return view
    lost = {
        name
        for name, wrong in _wrong(view).items()
        if name in view.inventory.cameras or view.model.info.features[name].dtype == "image"
        if _pooled(view, name, wrong[view.rows]).any()
    }
    if not lost:
        return view
    return replace(view, view=replace(view.view, recomputed=view.view.recomputed | lost))


def pooled_stds(view: MergedSources) -> tuple[Mapping[str, Sequence[float]], ...]:
    """(sources,) by camera, the std to merge episodes with whose own is impossible; () without any."""
    wrong = {name for name, rows in _wrong(view).items() if rows[view.rows].any()}
    found = tuple(
        {name: std for name, std in source.items() if name in wrong} for source in view.pooled_std
    )
    return found if any(found) else ()


def tell_wrong_stats(asked: frozenset[str], view: MergedSources) -> Iterator[Problem]:
    """A warning for each camera whose stored statistics a known bug made wrong, with what becomes of them.

    Args:
        asked: features whose statistics the user wants recomputed.
        view: what is written.
    """
    rules = {
        "stats.camera-overflow": (view.inventory.impossible_std, _IMPOSSIBLE, WRAPPED, _action),
        "stats.count": (view.inventory.overcounted, _OVERCOUNTED, PIXELS, _weighted),
    }
    carried = {
        (rule, name): rows[view.rows]
        for rule, found in rules.items()
        for name, rows in found[0].items()
        if name not in asked and _is_camera(view, name) and rows[view.rows].any()
    }
    advice = remedy(sorted({name for _, name in carried}))
    for (rule, name), here in carried.items():
        _, what, cause, action = rules[rule]
        sources = view.source[view.rows[here]]
        versions = {view.view.sources[n].model.info.version for n in sources.tolist()}
        yield Problem(
            rule=rule,
            severity="warning",
            message=f"the stored {what.format(f'{int(here.sum())} of {len(here)}')}:"
            f" {cause.said(*versions)}",
            column=name,
            action=action(view, name, here, advice),
        )


def _is_camera(view: MergedSources, name: str) -> bool:
    features = view.model.info.features
    return name in features and features[name].is_camera


def _weighted(view: MergedSources, name: str, _: Bools, advice: str) -> str:
    if name in view.view.recomputed:
        return "computed from their frames"
    return f"kept as stored: such episodes outweigh others in a merge; {advice}"


def _action(view: MergedSources, name: str, here: Bools, advice: str) -> str:
    """What is done about the impossible std of a camera in some episodes, and what is left to do."""
    if name in view.view.recomputed:
        return (
            f"computed from their frames: 'stats.json' has a possible one, for which {view.version}"
            " has no place"
        )
    if not view.version.has_global_stats:
        return f"kept as stored; {advice}"
    pooled = _pooled(view, name, here)
    place = "kept as stored" if view.version.has_episode_stats else "not written"
    if pooled[here].all():
        whole = f"they are {place}, the std of the whole dataset follows the possible one in 'stats.json'"
        return whole if not view.version.has_episode_stats else f"{whole}; {advice}"
    return f"they are {place}, and the std of the whole dataset is merged from them; {advice}"


def _wrong(view: MergedSources) -> dict[str, Bools]:
    """By camera of the result that is not recomputed, (pieces,) True where the std is impossible."""
    features = view.model.info.features
    return {
        name: rows
        for name, rows in view.inventory.impossible_std.items()
        if name in features and features[name].is_camera
        if name not in view.view.recomputed
    }


def _pooled(view: MergedSources, name: str, here: Bools) -> Bools:
    """(episodes,) True for episodes of `here` whose source has a possible std of all of its episodes."""
    has = np.array([name in source for source in view.pooled_std], dtype=np.bool_)
    return np.asarray(here & has[view.source[view.rows]])
