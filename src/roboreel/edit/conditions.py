"""The episodes of a view that meet conditions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from roboreel.edit.selection import lengths_of, places
from roboreel.edit.tasks import TasksFrom, having_task, require_tasks_from
from roboreel.errors import UsageError
from roboreel.types import Bools

if TYPE_CHECKING:
    from roboreel.edit.view import View


def chosen(
    view: View,
    episodes: Iterable[int] | None,
    task: str | None,
    min_frames: int | None,
    max_frames: int | None,
    tasks_from: TasksFrom | None,
) -> Bools:
    """(n,) True for the episodes that meet every condition given.

    Raises:
        UsageError: there is no condition, an episode or task is not there, or none meets them.
        PlanError: lists and rows have the task in other episodes, and `tasks_from` does not say which counts.
    """
    if episodes is None and task is None and min_frames is None and max_frames is None:
        raise UsageError("say which episodes: by number, task or length")
    require_tasks_from(tasks_from, "--task (task=)", is_given=task is not None)
    found = np.ones(len(view.slices), dtype=np.bool_)
    if episodes is not None:
        found &= False
        found[places(view, episodes)] = True
    if task is not None:
        found &= np.array(having_task(view, task, tasks_from), dtype=np.bool_)
    lengths = lengths_of(view)
    if min_frames is not None:
        found &= lengths >= min_frames
    if max_frames is not None:
        found &= lengths <= max_frames
    if not found.any():
        span = f"{lengths.min()} to {lengths.max()}" if len(lengths) else "no"
        raise UsageError(
            f"no episode meets these conditions: there are {span} frames in an episode"
        )
    return found
