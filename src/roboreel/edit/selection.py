"""Which episodes, in which order, how much of each, and with which tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from shlex import join
from typing import TypeAlias

import numpy as np

from roboreel.edit.episode_slices import END
from roboreel.edit.tasks import TasksFrom, having_task, refuse_tasks_from
from roboreel.edit.view_data import AnyView, ViewData, whole_number
from roboreel.edit.write_options import names_in
from roboreel.errors import UsageError, counted, listed, ranged
from roboreel.types import Bools, Int64, Json

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
    uid: Iterable[str] | None = None,
) -> Bools:
    """(n,) True for the episodes that meet every condition given.

    Raises:
        UsageError: there is no condition, an episode or task is not there, or none meets them.
        PlanError: lists and rows have the task in other episodes, and `tasks_from` does not say which counts.
    """
    if all(one is None for one in (episodes, task, min_frames, max_frames, uid)):
        raise UsageError("choose episodes by number, uid, task or length")
    if task is None:
        refuse_tasks_from(tasks_from, "a task")
    found = np.ones(len(view.slices), dtype=np.bool_)
    if episodes is not None:
        found &= False
        found[view.positions(episodes)] = True
    if task is not None:
        found &= np.array(having_task(view, task, tasks_from), dtype=np.bool_)
    if uid is not None:
        found &= _having_uid(view, uid)
    lengths = view.lengths
    if min_frames is not None:
        found &= lengths >= min_frames
    if max_frames is not None:
        found &= lengths <= max_frames
    if not found.any():
        span = f"{lengths.min()} to {lengths.max()}" if len(lengths) else "no"
        raise UsageError(f"no episode meets all of these conditions: episodes have {span} frames")
    return found


def is_empty(chosen: object) -> bool:
    """True for an empty list, array, set, …; False for None, which is no choice."""
    return isinstance(chosen, Sized) and not isinstance(chosen, str) and not len(chosen)


def _having_uid(view: ViewData, uid: Iterable[str]) -> Bools:
    wanted = names_in("uid", uid)
    uids = view.uids()
    unknown = sorted(wanted.difference(uids))
    if unknown:
        urls = list(dict.fromkeys(source.dataset.url for source in view.sources))
        raise UsageError(
            f"no episode has the uid {listed(unknown)}: {join(['roboreel', 'info', *urls, '--lineage'])}"
            " lists all uids"
        )
    return np.array([one in wanted for one in uids], dtype=np.bool_)


def kept(view: AnyView, positions: Int64, verb: str = "keep", **noted: Json) -> AnyView:
    """The view of the episodes at some positions, in this order.

    Args:
        view: the view.
        positions: which, in order.
        verb: how a view file calls it.
        **noted: what it says beside.

    Raises:
        UsageError: there are none.
    """
    return _taken(view, positions).noting(view, verb, positions=positions, **noted)


def deleted(view: AnyView, positions: Int64) -> AnyView:
    """The view without the episodes at some positions.

    Raises:
        UsageError: none would be left.
    """
    left = np.ones(len(view.slices), dtype=np.bool_)
    left[positions] = False
    return _taken(view, np.flatnonzero(left)).noting(view, "delete", positions=positions)


def _taken(view: AnyView, positions: Int64) -> AnyView:
    if not len(positions):
        raise UsageError("no episode would be left")
    return view.having(slices=view.slices.take(positions), splits=None)


def whole_order(view: ViewData, order: Sequence[int]) -> Int64:
    """(n,) positions of all episodes in another order: see `Verbs.reorder`."""
    positions = view.positions(order)
    missing = set(range(len(view.slices))) - set(positions.tolist())
    if missing:
        numbers = view.numbers[sorted(missing)].tolist()
        raise UsageError(f"the order leaves out episode {ranged(numbers)}: name each episode once")
    return positions


class FramesOutsideError(UsageError):
    """Ranges of frames are not inside their episodes."""

    def __init__(self, said: Mapping[int, str], others: Sequence[int]) -> None:
        """Name the ranges.

        Args:
            said: what is wrong, by the number of the episode.
            others: the episodes whose ranges are inside them.
        """
        self.outside, self.others = tuple(said), tuple(others)
        more = len(said) - _SHOWN
        shown = "; ".join([*said.values()][:_SHOWN])
        super().__init__(shown + (f"; and {more} more" * (more > 0)))


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Frames `[start, stop)` of some of a view's episodes; arrays are aligned."""

    positions: Int64
    """(m,) which episodes, each once."""
    start: Int64
    stop: Int64
    """`END` for an episode's end."""


def spans_of(view: ViewData, frames: Mapping[int, FrameRange]) -> Spans:
    """The frames to keep of episodes: see `Verbs.trim`. Those that keep all are left out."""
    _require_own_rate(view)
    positions, lengths = view.positions(frames), view.lengths
    found = [_span(number, span) for number, span in frames.items()]
    outside: dict[int, str] = {}
    cut: list[tuple[int, int, int]] = []
    for position, number, (start, stop) in zip(positions.tolist(), frames, found, strict=True):
        length = int(lengths[position])
        if not 0 <= start < (length if stop is None else stop) <= length:
            said = f"{start}:{'' if stop is None else stop}"
            outside[number] = (
                f"{said} is not a range of episode {number}, which has"
                f" {counted(length, 'frame')} (0:{length})"
            )
        elif (start, stop) not in ((0, length), (0, None)):
            cut.append((position, start, END if stop is None else stop))
    if outside:
        raise FramesOutsideError(outside, [number for number in frames if number not in outside])
    return Spans(*np.array(cut, dtype=np.int64).reshape(-1, 3).T)


def trimmed(view: AnyView, spans: Spans) -> AnyView:
    """The view with narrowed episodes: see `Verbs.trim`."""
    _require_own_rate(view)
    slices = view.slices.cut(spans.positions, spans.start, spans.stop)
    return view.having(slices=slices).noting(
        view, "trim", positions=spans.positions, start=spans.start, stop=spans.stop
    )


def _require_own_rate(view: ViewData) -> None:
    if view.new_fps is not None:
        raise UsageError("trim before resampling, because frames are counted at the original rate")


def _span(number: int, span: object) -> tuple[int, int | None]:
    if not isinstance(span, Sequence) or isinstance(span, str) or len(span) != 2:
        raise UsageError(
            f"episode {number}: {span!r} is not a range of frames: expected (start, stop)"
        )
    start, stop = (
        None if frame is None else whole_number(frame, "the number of a frame") for frame in span
    )
    return start or 0, stop
