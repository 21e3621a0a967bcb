"""What becomes of a `meta/stats.json` beside statistics per episode, where the format has no place for it."""

from __future__ import annotations

import numpy as np

from roboreel.format.v2 import GLOBAL_STATS
from roboreel.plan.merge_sources import PART, MergedSources
from roboreel.plan.plan import CopyFile, source_prefix


def old_stats(view: MergedSources) -> tuple[list[CopyFile], list[str]]:
    """The op that keeps a source's `stats.json` as it is, and what is lost of those that are not kept."""
    if view.options.keep_old_stats and GLOBAL_STATS in view.inventory.files:
        reason = "the statistics of the whole dataset are to be kept beside those per episode"
        return [CopyFile(path=GLOBAL_STATS, source=GLOBAL_STATS, reason=reason)], []
    having = [
        number
        for number, source in enumerate(view.view.sources)
        if not source.model.info.version.has_global_stats
        if source_prefix(number, view.view.roots) + GLOBAL_STATS in view.inventory.files
    ]
    if not having:
        return [], []
    if view.version.has_global_stats or view.options.with_global_stats:
        instead = "a new one is written, merged from the statistics of the episodes"
    elif _still_holds(view):
        reason = "it describes the whole dataset, and neither rows nor features change"
        return [CopyFile(path=GLOBAL_STATS, source=GLOBAL_STATS, reason=reason)], []
    else:
        instead = "it describes the old episodes; --with-global-stats writes a new one"
    several = len(view.view.sources) > 1
    return [], [
        f"'{GLOBAL_STATS}'{f' of {view.sources[number].url!r}' if several else ''}: {instead}"
        for number in having
    ]


def has_all_rows(view: MergedSources) -> bool:
    """True where the result has every row of one dataset once, in whatever order of episodes."""
    if len(view.view.sources) > 1 or (view.declared[view.rows] == PART).any():
        return False
    episodes = len(view.view.sources[0].dataset.model.episodes)
    return np.array_equal(np.sort(view.view.slices.row[view.rows]), np.arange(episodes))


def _still_holds(view: MergedSources) -> bool:
    """True where the result has all rows of one dataset, its features, and their statistics."""
    source = view.sources[0]
    changed = (source.renamed, source.removed, source.filled, source.supplied, view.view.encodings)
    mismatch = view.view.roots > 1 or view.view.recomputed or any(changed)
    return has_all_rows(view) and not mismatch
