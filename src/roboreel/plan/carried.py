"""What of the sources' documents a result carries: splits, keys of `info.json`, where episodes come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pyarrow as pa

from roboreel.edit.view import View
from roboreel.format.feature import DECLARED_KEYS, Feature
from roboreel.format.model import EPISODE, Info
from roboreel.format.parse import Problems, usable_splits
from roboreel.types import Bools, Json

SOURCE_DATASET, SOURCE_EPISODE, SOURCE_ROBOT = (
    "source_dataset",
    "source_episode",
    "source_robot_type",
)
"""Columns of the table of episodes that say where each comes from."""


def carried_splits(view: View, kept: Bools) -> tuple[dict[str, str], list[str]]:
    """The splits of a result, and what is lost of the sources'.

    A split is a range of episodes: one whose episodes no longer follow each other is lost.

    Args:
        view: what is written.
        kept: (pieces,) False for those that are left out.
    """
    episodes = int(kept.sum())
    if view.splits is not None:
        places = np.concatenate([[0], np.cumsum(kept)])
        ends = {name: [int(p) for p in text.split(":")] for name, text in view.splits.items()}
        return {name: f"{places[a]}:{places[b]}" for name, (a, b) in ends.items()}, []
    members = _members(view)
    found: dict[str, str] = {}
    torn: list[str] = []
    for name, inside in members.items():
        places = np.flatnonzero(inside[kept])
        if not len(places):
            torn.append(f"the split '{name}': none of its episodes is left")
            continue
        if places[-1] - places[0] + 1 != len(places):
            torn.append(f"the split '{name}': its episodes no longer follow each other")
            continue
        found[name] = f"{places[0]}:{places[-1] + 1}"
    return found or {"train": f"0:{episodes}"}, torn


def _members(view: View) -> dict[str, Bools]:
    """By split, (pieces,) True for those whose episode is in it."""
    members: dict[str, Bools] = {}
    for number, source in enumerate(view.sources):
        episodes = len(source.model.episodes)
        here = view.slices.source == number
        for name, text in usable_splits(source.model.info.splits, episodes, Problems()).items():
            a, b = (int(part) for part in text.split(":"))
            if a == b:
                continue
            inside = members.setdefault(name, np.zeros(len(view.slices), dtype=np.bool_))
            inside |= here & (view.slices.row >= a) & (view.slices.row < b)
    return members


def merged_info(view: View) -> tuple[Info, list[str]]:
    """The first source's `info.json` with what only others have, and what is lost of theirs."""
    first = view.sources[0].model.info
    extra: dict[str, Json] = dict(first.extra)
    lost: list[str] = []
    for source in view.sources[1:]:
        for key, value in source.model.info.extra.items():
            if extra.setdefault(key, value) != value:
                lost.append(
                    f"'{key}' of info.json in '{source.dataset.url}': the first one's is kept"
                )
    robots = dict.fromkeys(s.model.info.robot_type for s in view.sources)
    robot = "+".join(robot for robot in robots if robot) or None
    return replace(first, extra=extra, robot_type=robot), lost


def lost_of_declarations(view: View) -> Iterator[str]:
    """What later sources declare of a feature that the first one to have it declares otherwise, or not."""
    kept: dict[str, Feature] = {}
    for source in view.sources:
        for name, feature in source.model.info.features.items():
            ours = kept.setdefault(name, feature)
            keys = [key for key in feature.spec if key not in DECLARED_KEYS]
            lost = [key for key in keys if feature.spec[key] != ours.spec.get(key)]
            if ours.dimension_names is None and feature.dimension_names is not None:
                lost.append("names")
            for key in lost:
                yield (
                    f"'{key}' of feature '{name}' in '{source.dataset.url}': the first one's is kept"
                )


def with_provenance(view: View, episodes: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """The table of pieces with columns that say of each which episode of which dataset it was.

    What an earlier merge wrote there stays.
    """
    if not view.provenance:
        return episodes, ()
    names = public_names(view)
    robots = [source.model.info.robot_type for source in view.sources]
    found: dict[str, pa.Array] = {
        SOURCE_DATASET: pa.array([names[n] for n in view.slices.source.tolist()], pa.string()),
        SOURCE_EPISODE: episodes[EPISODE].combine_chunks().cast(pa.int64()),
    }
    if len(set(robots)) > 1:
        listed = [robots[n] for n in view.slices.source.tolist()]
        found[SOURCE_ROBOT] = pa.array(listed, pa.string())
    for name, column in found.items():
        if name in episodes.column_names:
            before = episodes[name].combine_chunks()
            if before.type == column.type:
                column = _or(before, column)
            episodes = episodes.drop_columns([name])
        episodes = episodes.append_column(name, column)
    return episodes, tuple(found)


def _or(first: pa.Array, other: pa.Array) -> pa.Array:
    values = zip(first.to_pylist(), other.to_pylist(), strict=True)
    return pa.array([b if a is None else a for a, b in values], other.type)


def public_names(view: View) -> list[str]:
    """What the sources of a view are called in what is written: the name of the folder, each its own.

    The folders above are the user's own business. Of folders of one name, the later ones get a number.
    """
    taken = {source.dataset.name for source in view.sources}
    names: dict[str, str] = {}
    for source in view.sources:
        plain, url = source.dataset.name, source.dataset.url
        if url in names:
            continue
        numbered = (f"{plain}-{number}" for number in count(2))
        free = (name for name in numbered if name not in taken)
        names[url] = plain if plain not in names.values() else next(free)
        taken.add(names[url])
    return [names[source.dataset.url] for source in view.sources]
