"""Find the episodes in a Data-Juicer sample: one per atomic segment, or one per hand of each video. Pure."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from roboreel.errors import UsageError
from roboreel.sink.data_juicer_rows import (
    Trajectory,
    UnusableEpisodeError,
    is_empty,
    number_of_states,
    trajectory_of,
)

META = "__dj__meta__"
"""The field of a sample in which Data-Juicer's operators keep their results."""
NO_ACTION = "N/A"
"""The caption of a segment in which nothing happens."""
DEFAULT_TASK = "manipulate object"
_HANDS = ("right", "left")
_NO_SEGMENT_ID = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleEpisode:
    """An episode of a sample, before its frames are looked at."""

    source: str
    """What the sample comes from: its key, else its video, else its frames."""
    segment: str
    """Which part of that; sorts as the parts follow each other."""
    video: int
    """Number of its video, and of its list of frames, in the sample."""
    segment_id: int | str
    hand_type: str
    task: str
    entry: Mapping[str, Any] = field(repr=False)
    """Its `states`, `actions` and `valid_frame_ids`."""
    start: int = 0
    """Its first frame."""
    stop: int | None = None
    """The frame after its last one, if the sample says so."""
    reason: str = ""
    """Why it cannot be exported, where that is known of the sample."""

    def rows(self) -> Trajectory:
        """Its rows.

        Raises:
            UnusableEpisodeError: it cannot be exported.
        """
        if self.reason:
            raise UnusableEpisodeError(self.reason)
        if self.task == NO_ACTION:
            raise UnusableEpisodeError(f"its caption is {NO_ACTION}: no action")
        if number_of_states(self.entry) < 2:
            raise UnusableEpisodeError("it has one state, and an episode needs two")
        return trajectory_of(self.entry, start=self.start, stop=self.stop)


def frame_lists(sample: Mapping[str, Any], field: str) -> list[Sequence[Any]]:
    """The extracted frames of each video of a sample, from the sample or from its `meta`.

    A plain list belongs to the first video. Frames are paths, bytes or arrays; missing ones are falsy.
    """
    found = sample.get(field)
    if is_empty(found):
        found = (sample.get(META) or {}).get(field)
    if is_empty(found):
        return []
    frames = list(found)  # type: ignore[arg-type]  # is_empty excludes None
    if any(_is_list(frame) for frame in frames):
        return [list(frame) if _is_list(frame) else [] for frame in frames]
    return [frames]


def source_of(candidates: Iterable[Any], content: Any) -> str:
    """What names a sample's video in every run: the first candidate, such as its path, that is there.

    Args:
        candidates: texts as they are; bytes and arrays by their SHA-256.
        content: named by its SHA-256 where there is no candidate.
    """
    for candidate in candidates:
        if not is_missing(candidate):
            known = isinstance(candidate, (str, os.PathLike))
            return os.fspath(candidate) if known else _digest(candidate)
    return _digest(content)


def is_missing(frame: Any) -> bool:
    """True for a frame that is not there: None, an empty text, no bytes."""
    return frame is None or (not isinstance(frame, np.ndarray) and not frame)


def segment_episodes(segments: Sequence[Any], source: str) -> Iterator[SampleEpisode]:
    """The episodes of a sample's atomic segments, in their order; those without states are left out.

    Args:
        segments: dicts of `states`, `actions`, `valid_frame_ids`, `start_frame`, `end_frame`,
            `caption`, `hand_type` and `segment_id`.
        source: names the sample.

    Raises:
        UsageError: a segment is no dict.
    """
    seen: dict[str, int] = {}
    for position, segment in enumerate(segments):
        entry = _dict_of(segment, f"segment {position}")
        if number_of_states(entry) == 0:
            continue
        hand = str(entry.get("hand_type") or "unknown")
        number = _number_or_text(entry.get("segment_id"))
        start = _whole(entry.get("start_frame"), 0)
        name = f"{start:08d}-{hand}-{number}"
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            name = f"{name}-{seen[name]}"
        end = entry.get("end_frame")
        stop = None if end is None else _whole(end, 0) + 1
        yield SampleEpisode(
            entry=entry,
            task=_caption(entry.get("caption"))
            or f"{entry.get('hand_type') or 'hand'} hand action",
            source=source,
            segment=name,
            video=0,
            segment_id=number,
            hand_type=hand,
            start=start,
            stop=stop,
        )


def video_episodes(
    actions: Sequence[Any], sources: Sequence[str], text: Any
) -> Iterator[SampleEpisode]:
    """The episodes of a sample's whole videos: one per hand that has states.

    Args:
        actions: per video a dict of hands, or one flat dict of `states`, `actions`, `valid_frame_ids`.
        sources: names of the videos, as many as `actions`.
        text: the task, if there is one.

    Raises:
        UsageError: an entry is no dict.
    """
    task = str(text or "") or DEFAULT_TASK
    for video, entry in enumerate(actions):
        for hand, values in _hands(_dict_of(entry, f"entry {video} of the actions")):
            if number_of_states(values) > 0:
                yield SampleEpisode(
                    entry=values,
                    task=task,
                    source=sources[video],
                    segment=f"{video:08d}-{hand}",
                    video=video,
                    segment_id=_NO_SEGMENT_ID,
                    hand_type=hand,
                )


def _hands(entry: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    if entry.get("states") is not None:
        return [(str(entry.get("hand_type") or "unknown"), entry)]
    others = sorted(name for name in entry if name not in _HANDS)
    found = [(name, entry.get(name)) for name in (*_HANDS, *others)]
    return [(name, hand) for name, hand in found if isinstance(hand, Mapping)]


def _caption(caption: Any) -> str:
    if isinstance(caption, Mapping):
        caption = caption.get("action")
    return str(caption or "").strip()


def _dict_of(value: Any, what: str) -> Mapping[str, Any]:
    """A dict of the sample; an empty one for None, which tables have for a missing one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} is a {type(value).__name__}, expected a dict")
    return value


def _whole(value: Any, default: int) -> int:
    if value is None:
        return default
    try:
        return int(value)
    except (TypeError, ValueError):
        raise UsageError(f"a segment has the frame {value!r}, expected a whole number") from None


def _number_or_text(value: Any) -> int | str:
    """The id of a segment as JSON has it; numpy's integers become plain ones."""
    if value is None:
        return _NO_SEGMENT_ID
    return int(value) if hasattr(value, "__index__") else str(value)


def _is_list(value: Any) -> bool:
    """True for a list of frames, also as the object array that NumPy batches make of it."""
    return isinstance(value, (list, tuple)) or (
        isinstance(value, np.ndarray) and value.dtype == np.object_
    )


def _digest(value: Any) -> str:
    """A name for a value: the SHA-256 of its bytes, or of its canonical form."""
    data = value if isinstance(value, bytes) else repr(_canonical(value)).encode()
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _canonical(value: Any) -> Any:
    """A value whose `repr` has all of it, however it was stored: arrays as lists, dicts in order."""
    if isinstance(value, np.ndarray):
        return _canonical(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return sorted(
            (str(name), _canonical(one)) for name, one in value.items() if one is not None
        )
    if isinstance(value, (list, tuple)):
        return [_canonical(one) for one in value]
    return value
