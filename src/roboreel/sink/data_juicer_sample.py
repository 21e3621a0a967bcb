"""Find the episodes in a Data-Juicer sample: one per atomic segment, or one per hand of each video. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from roboreel.sink.data_juicer_rows import Trajectory, UnusableEpisodeError, trajectory_of
from roboreel.sink.data_juicer_values import (
    id_of,
    is_empty,
    is_list,
    listed,
    storable,
    text_of,
    whole_of,
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
        return trajectory_of(self.entry, start=self.start, stop=self.stop)


def frame_lists(sample: Mapping[str, Any], field: str) -> list[Sequence[Any]]:
    """The extracted frames of each video of a sample, from the sample or from its `meta`.

    A plain list belongs to the first video. Frames are paths, bytes or arrays; missing ones are falsy.
    """
    found = sample.get(field)
    if is_empty(found):
        meta = sample.get(META)
        found = meta.get(field) if isinstance(meta, Mapping) else None
    if is_empty(found):
        return []
    frames = listed(found)
    if any(is_list(frame) for frame in frames):
        return [list(frame) if is_list(frame) else [] for frame in frames]
    return [frames]


def segment_episodes(segments: Sequence[Any], source: str) -> Iterator[SampleEpisode]:
    """The episodes of a sample's atomic segments, in their order; those without states are left out.

    Args:
        segments: dicts of `states`, `actions`, `valid_frame_ids`, `start_frame`, `end_frame`,
            `caption`, `hand_type` and `segment_id`. What is no dict becomes an episode with a `reason`.
        source: names the sample.
    """
    seen: dict[str, int] = {}
    for position, entry in enumerate(segments):
        if not isinstance(entry, Mapping):
            if entry is not None:
                yield _malformed(source, position, "segment", entry)
        elif not is_empty(entry.get("states")):
            episode = _segment_episode(entry, source)
            seen[episode.segment] = seen.get(episode.segment, 0) + 1
            count = seen[episode.segment]
            name = f"{episode.segment}-{count}" if count > 1 else episode.segment
            yield replace(episode, segment=name)


def _segment_episode(entry: Mapping[str, Any], source: str) -> SampleEpisode:
    hand = text_of(entry.get("hand_type"))
    number = id_of(entry.get("segment_id"), _NO_SEGMENT_ID)
    start, stop, reason = 0, None, ""
    try:
        start = _frame_of(entry, "start_frame", 0)
        end = _frame_of(entry, "end_frame", -1)
        stop = None if end < 0 else end + 1
    except UnusableEpisodeError as error:
        reason = str(error)
    return SampleEpisode(
        entry=entry,
        task=_caption(entry.get("caption")) or f"{hand or 'hand'} hand action",
        source=source,
        segment=f"{start:08d}-{hand or 'unknown'}-{number}",
        video=0,
        segment_id=number,
        hand_type=hand or "unknown",
        start=start,
        stop=stop,
        reason=reason,
    )


def video_episodes(
    actions: Sequence[Any], sources: Sequence[str], text: Any
) -> Iterator[SampleEpisode]:
    """The episodes of a sample's whole videos: one per hand that has states.

    Args:
        actions: per video a dict of hands, or one flat dict of `states`, `actions`, `valid_frame_ids`.
            What is no dict becomes an episode with a `reason`.
        sources: names of the videos, as many as `actions`.
        text: the task, if there is one.
    """
    task = text_of(text, DEFAULT_TASK)
    for video, entry in enumerate(actions):
        if not isinstance(entry, Mapping):
            if entry is not None:
                yield _malformed(sources[video], video, "entry", entry)
            continue
        for hand, values in _hands(entry):
            if not is_empty(values.get("states")):
                yield SampleEpisode(
                    entry=values,
                    task=task,
                    source=sources[video],
                    segment=f"{video:08d}-{hand}",
                    video=video,
                    segment_id=_NO_SEGMENT_ID,
                    hand_type=hand,
                )


def malformed_sample(source: str, reason: str, position: int = 0) -> SampleEpisode:
    """An episode that a malformed sample does not have, so that the skip report says why."""
    return SampleEpisode(
        source=source,
        segment=f"{position:08d}-malformed",
        video=0,
        segment_id=_NO_SEGMENT_ID,
        hand_type="unknown",
        task=DEFAULT_TASK,
        entry={},
        reason=reason,
    )


def _malformed(source: str, position: int, what: str, value: Any) -> SampleEpisode:
    reason = f"{what} {position} is a {type(value).__name__}, expected a dict"
    return malformed_sample(source, reason, position)


def _hands(entry: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    if entry.get("states") is not None:
        return [(text_of(entry.get("hand_type"), "unknown"), entry)]
    others = sorted(str(name) for name in entry if name not in _HANDS)
    found = [(name, entry.get(name)) for name in (*_HANDS, *others)]
    return [(storable(name), hand) for name, hand in found if isinstance(hand, Mapping)]


def _caption(caption: Any) -> str:
    return text_of(caption.get("action") if isinstance(caption, Mapping) else caption)


def _frame_of(entry: Mapping[str, Any], name: str, default: int) -> int:
    value = entry.get(name)
    if value is None:
        return default
    try:
        number = whole_of(value)
    except ValueError:
        number = -1
    if number < 0:
        raise UnusableEpisodeError(
            f"its {name} is {value!r:.60}, expected a whole number of 0 or more"
        )
    return number
