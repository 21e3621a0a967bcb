"""Which episodes, in which order, how much of each, and with which tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from roboreel.edit.tasks import TasksFrom, having_task, refuse_tasks_from
from roboreel.edit.view_data import AnyView, ViewData, whole_number
from roboreel.errors import UsageError, listed
from roboreel.types import Bools, Int64

FrameRange: TypeAlias = tuple[int | None, int | None]
"""The frames `[start, stop)` of an episode; None: from its beginning, to its end."""
_SHOWN = 5


def chosen(
    view: ViewData,
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
    if task is None:
        refuse_tasks_from(tasks_from, "--task (task=)")
    found = np.ones(len(view.slices), dtype=np.bool_)
    if episodes is not None:
        found &= False
        found[view.positions(episodes)] = True
    if task is not None:
        found &= np.array(having_task(view, task, tasks_from), dtype=np.bool_)
    lengths = view.lengths
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


def kept(view: AnyView, positions: Int64) -> AnyView:
    """The view of the episodes at some positions, in this order.

    Raises:
        UsageError: there are none.
    """
    if not len(positions):
        raise UsageError("no episode would be left")
    return view.having(slices=view.slices.take(positions), splits=None)


def reordered(view: AnyView, order: Sequence[int]) -> AnyView:
    """The view with its episodes in another order: see `Verbs.reorder`."""
    positions = view.positions(order)
    missing = set(range(len(view.slices))) - set(positions.tolist())
    if missing:
        numbers = view.numbers[sorted(missing)].tolist()
        raise UsageError(f"the order leaves out episode {listed(numbers)}: name every one once")
    return kept(view, positions)


def trimmed(view: AnyView, frames: Mapping[int, FrameRange]) -> AnyView:
    """The view with narrowed episodes: see `Verbs.trim`."""
    if not frames:
        raise UsageError("say which frames of which episodes to keep")
    if view.fps is not None:
        raise UsageError("trim before resampling: frames are counted at the rate of the source")
    positions, lengths, slices = view.positions(frames), view.lengths, view.slices
    outside = []
    for position, (number, span) in zip(positions.tolist(), frames.items(), strict=True):
        start, stop = _span(number, span)
        length = int(lengths[position])
        if not 0 <= start < (length if stop is None else stop) <= length:
            said = f"{start}:{'' if stop is None else stop}"
            outside.append(
                f"episode {number} has {length} frames, 0:{length}: {said} is not a part of it"
            )
        elif (start, stop) not in ((0, length), (0, None)):
            slices = slices.cut(position, start, stop)
    if outside:
        more = len(outside) - _SHOWN
        raise UsageError("; ".join(outside[:_SHOWN]) + (f"; and {more} more" * (more > 0)))
    return view.having(slices=slices)


def _span(number: int, span: object) -> tuple[int, int | None]:
    if not isinstance(span, Sequence) or isinstance(span, str) or len(span) != 2:
        raise UsageError(
            f"episode {number}: {span!r} is no range of frames, expected (start, stop)"
        )
    start, stop = (
        None if frame is None else whole_number(frame, "the number of a frame") for frame in span
    )
    return start or 0, stop
