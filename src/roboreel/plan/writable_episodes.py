"""Which episodes of a view can be written."""

from __future__ import annotations

import numpy as np

from roboreel.errors import PlanError, Problem
from roboreel.format.depth import has_camera_stats
from roboreel.format.inventory import Inventory
from roboreel.plan.compile_tables import episodes_without
from roboreel.plan.merge_sources import MergedSources


def sound_view(
    view: MergedSources, inventory: Inventory
) -> tuple[MergedSources, tuple[Problem, ...], str]:
    """The view without its broken episodes, why those are left out, and whether they may not be.

    To measure cameras takes long: there the others are measured first, and then the run refuses.
    """
    if not len(view.rows):
        raise PlanError("there is no episode to write")
    wanted = set(view.rows.tolist())
    broken = {row: list(found) for row, found in inventory.broken.items() if row in wanted}
    sound = view.keep(np.array([r for r in view.rows.tolist() if r not in broken], dtype=np.int64))
    for row, found in episodes_without(sound, inventory).items():
        broken.setdefault(row, []).extend(found)
    if not broken:
        return view, (), ""
    reasons = tuple(problem for row in sorted(broken) for problem in broken[row])
    kept = [row for row in view.rows.tolist() if row not in broken]
    count = f"{len(broken)} of {len(view.rows)} episodes cannot be written"
    sound = view.keep(np.array(kept, dtype=np.int64))
    refused = view.options.on_broken == "fail"
    if not kept or (refused and not _cameras_to_measure(sound, inventory)):
        advice = ": pass --on-broken skip to write the sound ones" if kept else ""
        links = [problem for problem in view.model.problems if problem.rule == "file.link"]
        raise PlanError(f"{count}{advice}", [*links, *reasons])
    return sound, reasons, count if refused else ""


def _cameras_to_measure(view: MergedSources, inventory: Inventory) -> bool:
    """True where pictures of videos are decoded for statistics."""
    for name in inventory.cameras:
        known = inventory.with_stats.get(name)
        lacks = known is None or not bool(known[view.rows].all())
        if name in view.view.recomputed or (
            lacks
            and has_camera_stats(view.model.info.features[name])
            and name not in view.view.images
        ):
            return True
    return False
