"""Stored statistics that a known bug of a writer made wrong: what becomes of them, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from roboreel.edit.unite import United
from roboreel.errors import Problem
from roboreel.format.causes import PIXELS, WRAPPED
from roboreel.format.inventory import Bools

_IMPOSSIBLE = "std of {} episodes is impossible beside their other statistics"
_OVERCOUNTED = "count of {} episodes is larger than their rows"


def with_lost_stds_recomputed(view: United) -> United:
    """The view that computes cameras again whose only possible std is in a document the target lacks.

    `stats.json` of v3.0 may have the right std where the episodes' are impossible; v2.1 has no such document.
    """
    if view.target.version.has_global_stats:
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


def pooled_stds(view: United) -> tuple[Mapping[str, Sequence[float]], ...]:
    """(sources,) by camera, the std to merge episodes with whose own is impossible; () without any."""
    wrong = {name for name, rows in _wrong(view).items() if rows[view.rows].any()}
    found = tuple(
        {name: std for name, std in source.items() if name in wrong} for source in view.pooled_std
    )
    return found if any(found) else ()


def tell_wrong_stats(asked: frozenset[str], view: United) -> Iterator[Problem]:
    """A warning for each camera whose stored statistics a known bug made wrong, with what becomes of them.

    Args:
        asked: features whose statistics the user wants recomputed.
        view: what is written.
    """
    rules = (
        ("stats.camera-overflow", view.inventory.impossible_std, _IMPOSSIBLE, WRAPPED, _action),
        ("stats.count", view.inventory.overcounted, _OVERCOUNTED, PIXELS, _weighted),
    )
    features = view.model.info.features
    for rule, found, what, cause, action in rules:
        for name, rows in found.items():
            here = rows[view.rows]
            if name in asked or name not in features or not here.any():
                continue
            if not features[name].is_camera:
                continue
            sources = view.source[view.rows[here]]
            versions = {view.view.sources[n].model.info.version for n in sources.tolist()}
            yield Problem(
                rule=rule,
                severity="warning",
                message=f"the stored {what.format(f'{int(here.sum())} of {len(here)}')}:"
                f" {cause.said(*versions)}",
                column=name,
                action=action(view, name, here),
            )


def _weighted(view: United, name: str, _: Bools) -> str:
    if name in view.view.recomputed:
        return "computed from their frames"
    return f"kept as stored: such episodes outweigh others in a merge; {_remedy(name)}"


def _remedy(name: str) -> str:
    return (
        f"recompute before training: 'roboreel stats DST --recompute --features {name} --in-place'"
    )


def _action(view: United, name: str, here: Bools) -> str:
    """What is done about the impossible std of a camera in some episodes, and what is left to do."""
    if name in view.view.recomputed:
        return (
            f"computed from their frames: 'stats.json' has a possible one, for which {view.target.version}"
            " has no place"
        )
    remedy = _remedy(name)
    if not view.target.version.has_global_stats:
        return f"kept as stored; {remedy}"
    pooled = _pooled(view, name, here)
    place = "kept as stored" if view.target.version.has_episode_stats else "not written"
    if pooled[here].all():
        whole = f"they are {place}, the std of the whole dataset follows the possible one in 'stats.json'"
        return whole if not view.target.version.has_episode_stats else f"{whole}; {remedy}"
    return f"they are {place}, and the std of the whole dataset is merged from them; {remedy}"


def _wrong(view: United) -> dict[str, Bools]:
    """By camera of the result that is not recomputed, (pieces,) True where the std is impossible."""
    features = view.model.info.features
    return {
        name: rows
        for name, rows in view.inventory.impossible_std.items()
        if name in features and features[name].is_camera
        if name not in view.view.recomputed
    }


def _pooled(view: United, name: str, here: Bools) -> Bools:
    """(episodes,) True for episodes of `here` whose source has a possible std of all of its episodes."""
    has = np.array([name in source for source in view.pooled_std], dtype=np.bool_)
    return np.asarray(here & has[view.source[view.rows]])
