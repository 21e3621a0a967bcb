"""Which episodes, in which order, how much of each, and with which tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from roboreel.edit.episode_slices import END
from roboreel.errors import UsageError
from roboreel.format.model import EPISODE, LENGTH
from roboreel.types import Int64

if TYPE_CHECKING:
    from roboreel.edit.view import View

FrameRange: TypeAlias = tuple[int | None, int | None]
"""The frames `[start, stop)` of an episode; None: from its beginning, to its end."""
_SHOWN, _SHOWN_RANGES = 20, 5


def numbers_of(view: View) -> Int64:
    """(n,) what its episodes are called: the dataset's own numbers until the view is edited, then places."""
    if view.edited or len(view.sources) > 1:
        return np.arange(len(view.slices), dtype=np.int64)
    numbers: Int64 = view.model.episodes[EPISODE].to_numpy()[view.slices.row]
    return numbers


def lengths_of(view: View) -> Int64:
    """(n,) frames of each episode of a view, by the documents, at the sources' frame rate."""
    slices = view.slices
    whole = np.zeros(len(slices), dtype=np.int64)
    for number, source in enumerate(view.sources):
        here = slices.source == number
        whole[here] = source.model.episodes[LENGTH].to_numpy()[slices.row[here]]
    stop = np.where(slices.stop == END, whole, slices.stop)
    return np.asarray(stop - slices.start, dtype=np.int64)


def places(view: View, episodes: Iterable[int]) -> Int64:
    """Places of episodes in a view, by their numbers.

    Raises:
        UsageError: some are not there, or named twice.
    """
    numbers = numbers_of(view)
    place_of = {number: place for place, number in enumerate(numbers.tolist())}
    if not isinstance(episodes, Iterable):
        raise UsageError(f"{episodes!r} is no list of episodes: write [{episodes!r}]")
    wanted = [_whole(number) for number in episodes]
    unknown = sorted({number for number in wanted if number not in place_of})
    if unknown:
        raise UsageError(f"no episode {listed(unknown)}: there are {_spans(numbers)}")
    twice = sorted(number for number, times in Counter(wanted).items() if times > 1)
    if twice:
        raise UsageError(f"episode {listed(twice)} is named twice")
    return np.array([place_of[number] for number in wanted], dtype=np.int64)


def positions_or_all(view: View, episodes: Iterable[int] | None) -> Int64:
    """Positions of episodes in a view, by their numbers; by default of all: see `places`."""
    if episodes is None:
        return np.arange(len(view.slices), dtype=np.int64)
    return places(view, episodes)


def kept(view: View, positions: Int64) -> View:
    """The view of the episodes at some places, in this order.

    Raises:
        UsageError: there are none.
    """
    if not len(positions):
        raise UsageError("no episode would be left")
    return view.having(slices=view.slices.take(positions), splits=None)


def reordered(view: View, order: Sequence[int]) -> View:
    """The view with its episodes in another order: see `Verbs.reorder`."""
    positions = places(view, order)
    missing = set(range(len(view.slices))) - set(positions.tolist())
    if missing:
        numbers = numbers_of(view)[sorted(missing)].tolist()
        raise UsageError(f"the order leaves out episode {listed(numbers)}: name every one once")
    return kept(view, positions)


def trimmed(view: View, frames: Mapping[int, FrameRange]) -> View:
    """The view with narrowed episodes: see `Verbs.trim`."""
    if not frames:
        raise UsageError("say which frames of which episodes to keep")
    if view.fps is not None:
        raise UsageError("trim before resampling: frames are counted at the rate of the source")
    positions, lengths, slices = places(view, frames), lengths_of(view), view.slices
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
        more = len(outside) - _SHOWN_RANGES
        raise UsageError("; ".join(outside[:_SHOWN_RANGES]) + (f"; and {more} more" * (more > 0)))
    return view.having(slices=slices)


def _whole(number: object, what: str = "the number of an episode") -> int:
    if isinstance(number, (bool, np.bool_)) or not hasattr(number, "__index__"):
        raise UsageError(f"{number!r} is not {what}")
    return int(number.__index__())


def _span(number: int, span: object) -> tuple[int, int | None]:
    if not isinstance(span, Sequence) or isinstance(span, str) or len(span) != 2:
        raise UsageError(
            f"episode {number}: {span!r} is no range of frames, expected (start, stop)"
        )
    start, stop = (
        None if frame is None else _whole(frame, "the number of a frame") for frame in span
    )
    return start or 0, stop


def listed(items: Sequence[object]) -> str:
    """Items for a message; of many the first."""
    shown = ", ".join(repr(item) for item in items[:_SHOWN]) or "none"
    return shown + (f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else "")


def _spans(numbers: Int64) -> str:
    """Numbers as half-open ranges."""
    ordered = np.unique(numbers)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ordered) != 1) + 1])
    stops = np.append(starts[1:], len(ordered)) - 1
    spans = [f"{ordered[a]}:{ordered[b] + 1}" for a, b in zip(starts, stops, strict=True)]
    return ", ".join(spans[:_SHOWN]) + (" …" if len(spans) > _SHOWN else "")


def with_splits(view: View, ranges: Mapping[str, str]) -> View:
    """The view with named ranges of its episodes."""
    return replace(view, splits=dict(ranges), edited=True)
