"""What a result keeps of the sources' documents: splits, keys of `info.json`, the origin of episodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from roboreel.edit.lineage import origins, recorded, source_rows
from roboreel.edit.view import View
from roboreel.format.feature import DECLARED_KEYS, Feature
from roboreel.format.model import Info
from roboreel.format.origin_columns import SOURCE_ROBOT, stores_uids
from roboreel.format.parse import Problems, usable_splits
from roboreel.types import Bools, Json


def carried_splits(view: View, kept: Bools) -> tuple[dict[str, str], list[str]]:
    """The splits of a result, and a line for each split of the sources that is lost.

    A split is a range of episodes, so it is lost if its episodes are no longer consecutive.

    Args:
        view: what is written.
        kept: (slices,) False for slices that are left out.
    """
    if view.splits is not None:
        new = np.concatenate([[0], np.cumsum(kept)])
        ends = {name: [int(p) for p in text.split(":")] for name, text in view.splits.items()}
        return {name: f"{new[a]}:{new[b]}" for name, (a, b) in ends.items()}, []
    found: dict[str, str] = {}
    lost: list[str] = []
    for name, inside in _members(view).items():
        episodes = np.flatnonzero(inside[kept])
        if not len(episodes):
            lost.append(f"the split '{name}': no episode of the result is in it")
        elif episodes[-1] - episodes[0] + 1 != len(episodes):
            lost.append(f"the split '{name}': its episodes are no longer consecutive")
        else:
            found[name] = f"{episodes[0]}:{episodes[-1] + 1}"
    return found or {"train": f"0:{int(kept.sum())}"}, lost


def _members(view: View) -> dict[str, Bools]:
    """By split, (slices,) True where the slice's episode is in it."""
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
    """The first source's `info.json` with keys that only others have, and a line for each lost key."""
    first = view.sources[0].model.info
    extra: dict[str, Json] = dict(first.extra)
    lost: list[str] = []
    for source in view.sources[1:]:
        for key, value in source.model.info.extra.items():
            if extra.setdefault(key, value) != value:
                lost.append(
                    f"'{key}' of info.json in '{source.dataset.url}': only the value of the first"
                    f" dataset is kept"
                )
    robots = dict.fromkeys(s.model.info.robot_type for s in view.sources)
    robot = "+".join(robot for robot in robots if robot) or None
    return replace(first, extra=extra, robot_type=robot), lost


def lost_declarations(view: View) -> Iterator[str]:
    """A line for each key that a later source declares differently than the feature's first source."""
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
                    f"'{key}' of feature '{name}' in '{source.dataset.url}': only the value of the"
                    f" first dataset is kept"
                )


def with_provenance(view: View, episodes: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    """The table of slices with columns for the dataset and episode of origin, and their names.

    Origins that an earlier merge recorded stay. With uids, the rows of the episode of origin are told too.
    """
    has_uids = all(stores_uids(source.model) for source in view.sources)
    if not view.provenance and not has_uids:
        return episodes, ()
    found = origins(view)
    if has_uids:
        found |= source_rows(view)
    robots = [source.model.info.robot_type for source in view.sources]
    if len(set(robots)) > 1:
        listed = pa.array([robots[n] for n in view.slices.source.tolist()], pa.string())
        found[SOURCE_ROBOT] = recorded(view, SOURCE_ROBOT, listed)
    for name, column in found.items():
        if name in episodes.column_names:
            episodes = episodes.drop_columns([name])
        episodes = episodes.append_column(name, column)
    return episodes, tuple(found)
