"""What a result does not have: broken episodes, trimmed frames, columns, statistics, tracks of videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from roboreel.edit.episode_slices import END
from roboreel.edit.losses import losses
from roboreel.edit.view_data import LeftOut
from roboreel.errors import PlanError, Problem
from roboreel.format.declared import lacking_columns
from roboreel.format.depth import has_camera_stats
from roboreel.format.feature import feature_from_arrow, is_feature_name
from roboreel.format.inventory import Inventory
from roboreel.format.model import EPISODE, LENGTH
from roboreel.format.parse import Problems
from roboreel.format.readable import why_unreadable
from roboreel.format.v2 import GLOBAL_STATS
from roboreel.plan.columns import Columns
from roboreel.plan.merge_names import of_dataset
from roboreel.plan.merge_sources import PART, MergedSources
from roboreel.plan.plan import CopyFile, source_prefix
from roboreel.plan.trimmed_episode import TrimmedEpisode


def without_broken_episodes(
    merged: MergedSources, inventory: Inventory
) -> tuple[MergedSources, tuple[Problem, ...], str]:
    """The sources without broken episodes, why these are left out, and why the run refuses in the end.

    The last is empty if broken episodes may be skipped. Measuring cameras takes long, so the other episodes
    are measured before the run refuses.

    Raises:
        PlanError: no episode can be written, or broken ones may not be skipped and no camera is measured.
    """
    rows = merged.rows.tolist()
    if not rows:
        raise PlanError("there is no episode to write")
    broken = {row: inventory.broken[row] for row in rows if row in inventory.broken}
    others = [row for row in rows if row not in broken]
    lacking = lacking_columns(merged.model, inventory.schemas, others)
    broken |= {row: tuple(problems) for row, problems in lacking.items()}
    if not broken:
        return merged, (), ""
    reasons = tuple(
        of_dataset(problem, merged.view, int(merged.source[row]))
        for row in sorted(broken)
        for problem in broken[row]
    )
    kept = [row for row in others if row not in broken]
    count = f"{len(broken)} of {len(rows)} episodes cannot be written"
    writable = merged.keep(np.array(kept, dtype=np.int64))
    refused = merged.options.on_broken == "fail"
    if not kept or (refused and not _cameras_to_measure(writable, inventory)):
        advice = ': pass on_broken="skip" to write the others' if kept else ""
        links = [problem for problem in merged.model.problems if problem.rule == "file.link"]
        raise PlanError(f"{count}{advice}", [*links, *reasons])
    return writable, reasons, count if refused else ""


def _cameras_to_measure(merged: MergedSources, inventory: Inventory) -> bool:
    """True if videos are decoded for statistics."""
    for name in inventory.cameras:
        known = inventory.with_stats.get(name)
        lacks = known is None or not bool(known[merged.rows].all())
        if name in merged.view.recomputed or (
            lacks
            and has_camera_stats(merged.model.info.features[name])
            and name not in merged.view.images
        ):
            return True
    return False


def trimmed_episodes(merged: MergedSources) -> tuple[TrimmedEpisode, ...]:
    """The episodes of the result that lose frames at an end, in the order of the result.

    Frames are counted at the source's rate, before any resampling.
    """
    slices = merged.view.slices
    cut = (slices.start[merged.rows] != 0) | (slices.stop[merged.rows] != END)
    several = len(merged.view.sources) > 1
    found = []
    for at in merged.rows[np.flatnonzero(cut)].tolist():
        dataset = merged.view.sources[int(slices.source[at])].dataset
        episode = dataset.model.episodes.slice(int(slices.row[at]), 1)
        start = int(slices.start[at])
        stop = start + int(merged.row_range[at])
        whole = slices.stop[at] == END
        frames = stop if whole else int(episode[LENGTH][0].as_py())
        if (start, stop) == (0, frames):
            continue
        found.append(
            TrimmedEpisode(
                source=dataset.url if several else None,
                episode=int(episode[EPISODE][0].as_py()),
                frames=frames,
                start=start,
                stop=stop,
            )
        )
    return tuple(found)


def without_unreadable(
    merged: MergedSources, inventory: Inventory, columns: Columns, problems: Problems
) -> tuple[MergedSources, Columns, list[LeftOut]]:
    """Sources and columns without those that lerobot cannot read, and the columns left out.

    Without `drop_unreadable` such columns stay and are reported.
    """
    found = _unreadable_columns(merged, inventory, columns)
    if not merged.view.options.drop_unreadable:
        for name, reason in found.items():
            action = "it is kept; drop_unreadable=True leaves it out"
            problems.add("feature.unreadable", reason, column=name, action=action)
        return merged, columns, []
    if not found:
        return merged, columns, []
    info = merged.model.info
    features = {name: one for name, one in info.features.items() if name not in found}
    model = replace(merged.model, info=replace(info, features=features))
    types = {name: item for name, item in columns.types.items() if name not in found}
    essential = {
        name for name in found if name in info.features and info.features[name].is_essential
    }
    lacking = [
        LeftOut(name=name, why=reason, is_asked=False, is_essential=name in essential)
        for name, reason in found.items()
    ]
    return replace(merged, model=model), replace(columns, types=types), lacking


def _unreadable_columns(
    merged: MergedSources, inventory: Inventory, columns: Columns
) -> dict[str, str]:
    """By column that the result would have, why lerobot cannot read it."""
    declared = merged.model.info.features
    found = {}
    for name, item in columns.types.items():
        feature = declared.get(name)
        if not is_feature_name(name) or (feature is not None and feature.is_video):
            continue
        shape = inventory.shapes.get(name, ())
        reason = why_unreadable(feature or feature_from_arrow(name, item.type, shape), item.type)
        if reason is not None:
            found[name] = reason
    return found


def old_stats(merged: MergedSources) -> tuple[list[CopyFile], list[str]]:
    """The op that keeps a source's old v2.0 `stats.json`, and a line for each one that is not kept.

    Only a v2.1 result has no `stats.json` of its own, which leaves the path free.
    """
    if merged.options.keep_old_stats and GLOBAL_STATS in merged.inventory.files:
        reason = "the old statistics of the whole dataset, kept as requested"
        return [CopyFile(path=GLOBAL_STATS, source=GLOBAL_STATS, reason=reason)], []
    sources = [
        number
        for number, source in enumerate(merged.view.sources)
        if not source.model.info.version.has_global_stats
        if source_prefix(number, merged.view.roots) + GLOBAL_STATS in merged.inventory.files
    ]
    if not sources:
        return [], []
    if merged.version.has_global_stats or merged.options.with_global_stats:
        instead = "a new one is written, merged from the statistics of the episodes"
    elif _still_holds(merged):
        reason = "still valid: neither rows nor features change"
        return [CopyFile(path=GLOBAL_STATS, source=GLOBAL_STATS, reason=reason)], []
    else:
        instead = "it described the old episodes; with_global_stats=True writes a new one"
    several = len(merged.view.sources) > 1
    return [], [
        f"'{GLOBAL_STATS}'{f' of {merged.sources[number].url!r}' if several else ''}: {instead}"
        for number in sources
    ]


def has_all_rows(merged: MergedSources) -> bool:
    """True if the result has every row of one dataset once, in any order of episodes."""
    if len(merged.view.sources) > 1 or (merged.declared[merged.rows] == PART).any():
        return False
    episodes = len(merged.view.sources[0].dataset.model.episodes)
    return np.array_equal(np.sort(merged.view.slices.row[merged.rows]), np.arange(episodes))


def _still_holds(merged: MergedSources) -> bool:
    """True if the result has all rows of one dataset, its features, and their statistics."""
    source = merged.sources[0]
    changed = (
        source.renamed,
        source.removed,
        source.filled,
        source.supplied,
        merged.view.encodings,
    )
    differs = merged.view.roots > 1 or merged.view.recomputed or any(changed)
    return has_all_rows(merged) and not differs


def result_losses(
    merged: MergedSources, inventory: Inventory, features: Sequence[LeftOut]
) -> Iterator[str]:
    """Lines for what the target cannot hold, and what of the sources is not carried over."""
    source, target = merged.model.info, merged.version
    if source.version.has_episode_stats and not target.has_episode_stats:
        yield f"{target} has no statistics of single episodes: they are merged into one stats.json"
    roots = len(merged.sources)
    urls = {source_prefix(number, roots): one.url for number, one in enumerate(merged.sources)}
    yield from losses(merged.model, features, merged.tasks.unused, urls)
    for kind in sorted({kind for stream in inventory.streams for kind in stream.other_tracks}):
        name = "sound" if kind == "soun" else kind
        yield f"the videos have other tracks than the frames, which are left out: {name}"
