"""Stored statistics that a known bug of a writer made wrong: what becomes of them, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from roboreel.edit.unite import United
from roboreel.errors import Problem
from roboreel.format.causes import WRAPPED
from roboreel.format.inventory import Bools


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


def tell_wrong_stds(asked: frozenset[str], view: United) -> Iterator[Problem]:
    """A warning for each camera of which episodes have an impossible std, with what becomes of it.

    Args:
        asked: features whose statistics the user wants recomputed.
        view: what is written.
    """
    every = {**_wrong(view), **_wrong(view, recomputed=True)}
    for name, rows in every.items():
        here = rows[view.rows]
        if name in asked or not here.any():
            continue
        versions = {view.view.sources[n].model.info.version for n in view.source[view.rows[here]]}
        cause = WRAPPED.said(*versions)
        yield Problem(
            rule="stats.camera-overflow",
            severity="warning",
            message=f"the stored std of {int(here.sum())} of {len(here)} episodes is impossible beside their"
            f" other statistics: {cause}",
            column=name,
            action=_action(view, name, here),
        )


def _action(view: United, name: str, here: Bools) -> str:
    """What is done about the impossible std of a camera in some episodes, and what is left to do."""
    if name in view.view.recomputed:
        return (
            f"computed from their frames: 'stats.json' has a possible one, for which {view.target.version}"
            " has no place"
        )
    remedy = (
        f"recompute before training: 'roboreel stats DST --recompute --features {name} --in-place'"
    )
    if not view.target.version.has_global_stats:
        return f"kept as stored; {remedy}"
    pooled = _pooled(view, name, here)
    place = "kept as stored" if view.target.version.has_episode_stats else "not written"
    if pooled[here].all():
        whole = f"they are {place}, the std of the whole dataset follows the possible one in 'stats.json'"
        return whole if not view.target.version.has_episode_stats else f"{whole}; {remedy}"
    return f"they are {place}, and the std of the whole dataset is merged from them; {remedy}"


def _wrong(view: United, *, recomputed: bool = False) -> dict[str, Bools]:
    """By camera of the result, (pieces,) True where the std is impossible and, if so, recomputed."""
    features = view.model.info.features
    return {
        name: rows
        for name, rows in view.inventory.impossible_std.items()
        if name in features and features[name].is_camera
        if (name in view.view.recomputed) == recomputed
    }


def _pooled(view: United, name: str, here: Bools) -> Bools:
    """(episodes,) True for episodes of `here` whose source has a possible std of all of its episodes."""
    has = np.array([name in source for source in view.pooled_std], dtype=np.bool_)
    return np.asarray(here & has[view.source[view.rows]])
