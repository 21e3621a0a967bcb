"""Where statistics like those of a release of lerobot do not follow it, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np

from roboreel.errors import Problem
from roboreel.format.feature import Feature
from roboreel.stats.sampling import StatsProfile
from roboreel.types import Bools, Int64

_INDEX_LIKE = ("frame_index", "episode_index", "task_index")
"""Whole numbers so small beside their spread that float64 squares of them lose nothing."""
_EXACT_RATIO = 1e5
"""A mean so many deviations away from zero takes the seventh digit of a deviation by float64 squares."""


def not_followed(
    like: StatsProfile, features: Mapping[str, Feature], lengths: Int64, *, sampled: bool
) -> Iterator[Problem]:
    """Where that release is wrong, and so is not followed: a note per feature and kind.

    Args:
        like: the release.
        features: those that are measured, by name.
        lengths: (episodes,) rows of each episode of the result, in order.
        sampled: True where its sample of the frames of videos is taken, False where all are.
    """
    everywhere = np.ones(len(lengths), dtype=np.bool_)
    for name, feature in features.items():
        found = _of_033 if like == "lerobot-0.3.3" else _of_061
        for why, action, where in found(feature, lengths, everywhere, sampled):
            if where.any():
                yield _note(like, name, why, where, action)


_Found: TypeAlias = Iterator[tuple[str, str, Bools]]
"""(what is wrong, what is done instead, in which episodes)."""


def _of_033(feature: Feature, lengths: Int64, everywhere: Bools, sampled: bool) -> _Found:
    if feature.is_video and sampled:
        why = f"samples different frames in episodes longer than the first ({lengths[0]})"
        yield why, "the usual sample is used", lengths > lengths[0]
        yield "fails on a video of one frame", "measured like the others", lengths == 1
    if feature.is_camera:
        yield "sums pixels in float32, which loses digits", "exact sums", everywhere
    elif feature.dtype == "float64":
        yield "rounds float64 to float32, and sums in it", "in float64", everywhere
    elif feature.dtype.startswith("float"):
        yield "sums in float32, which loses digits", "in float64", everywhere


def _of_061(feature: Feature, lengths: Int64, everywhere: Bools, sampled: bool) -> _Found:
    if feature.is_camera:
        why = "sums pixels in float32 one after another, and takes the deviation as E[x²] − E[x]²"
        yield why, "exact sums, deviations from the mean", everywhere
        return
    width = _sum_type(feature.dtype)
    why = f"takes the deviation as E[x²] − E[x]² in {width}"
    if width == "float32":
        why += ", and sums in it"
    many = _far_from_zero(lengths) if feature.name == "index" else everywhere
    if feature.name not in _INDEX_LIKE:
        yield why, "in float64, from distances to the mean", many
    if len(feature.shape) > 1:
        why = "computes an episode of one row element by element, and then cannot merge it"
        yield why, "computed per column of the last axis, like the others", lengths == 1


def _sum_type(dtype: str) -> str:
    """The type that 0.6.1 sums numbers of a type in."""
    known = np.dtype(dtype if dtype in np.sctypeDict else np.float64)
    return str(np.result_type(known, np.float32))


def _far_from_zero(lengths: Int64) -> Bools:
    """Episodes whose `index` is so far from zero that float64 squares cost the seventh digit."""
    starts = (np.cumsum(lengths) - lengths).astype(np.float64)
    spread = np.sqrt((lengths.astype(np.float64) ** 2 - 1) / 12)
    return np.asarray((lengths > 1) & (starts > _EXACT_RATIO * spread))


def _note(like: StatsProfile, column: str, why: str, where: Bools, action: str) -> Problem:
    rows = np.flatnonzero(where)
    if len(rows) == len(where):
        which = "all episodes" if len(rows) > 1 else "the episode"
    else:
        which = f"{len(rows)} of {len(where)} episodes, the first {rows[0]}"
    release = like.replace("-", " ")
    return Problem(
        rule="stats.like",
        severity="note",
        message=f"{release} {why}: {which}",
        column=column,
        action=f"not imitated: {action}",
    )
