"""Videos from elsewhere that are to become a camera: where they are, and what they hold."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from roboreel.errors import PlanError, Problem, StorageError, UsageError
from roboreel.format.feature import Feature
from roboreel.format.inventory import CameraFacts, ExternalVideoFacts, FileFacts, Inventory
from roboreel.probes.probe_videos import OUT_OF_ORDER, kind_of
from roboreel.storage.local import LocalRoot
from roboreel.storage.names import local_path
from roboreel.storage.root import Root
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.index import packet_table_of
from roboreel.storage.video.packets import PacketTable, run_of_frames
from roboreel.storage.video.reorder import contradicts_times
from roboreel.survey.survey_videos import Streams

_ENDINGS = (".mp4", ".m4v", ".mov")
_RATE_TOLERANCE = 0.05


def find_external_videos(places: str | Sequence[str]) -> tuple[str, list[str]]:
    """The folder of some videos, and their names in it.

    Args:
        places: a folder, whose videos are taken in the order of their names (numbers by value); or files
            of one folder, in order.

    Raises:
        UsageError: there are none, or they lie in several folders.
    """
    if isinstance(places, str):
        places = local_path(places)
        if os.path.isdir(places):
            listing = LocalRoot(places).listing()
            names = [n for n in listing.files if n.lower().endswith(_ENDINGS)]
            if unnamed := [n for n in listing.unnamed if n.lower().endswith(_ENDINGS)]:
                raise UsageError(
                    f"'{unnamed[0]}' in '{places}' is not a UTF-8 name: rename the file"
                )
            if not names:
                raise UsageError(f"'{places}' holds no video ({', '.join(_ENDINGS)})")
            return places, sorted(names, key=_by_number)
        places = [places]
    places = [local_path(place) for place in places]
    folders = {os.path.dirname(place) or "." for place in places}
    if len(folders) != 1:
        raise UsageError(
            "the videos of a camera lie in one folder: give the folder, or files of one"
        )
    missing = [place for place in places if not os.path.isfile(place)]
    if missing:
        raise UsageError(f"'{missing[0]}' is not a file")
    return folders.pop(), [os.path.basename(place) for place in places]


def external_video_feature(name: str, folder: str, file: str, fps: Fraction) -> Feature:
    """The declaration of a camera, from one of its videos.

    Raises:
        StorageError: it cannot be read.
    """
    root = LocalRoot(folder)
    with root.input(file) as handle:
        entry = packet_table_of(handle, file).entry
    shape = [entry.height, entry.width, 3]
    rate = fps.numerator if fps.denominator == 1 else float(fps)
    facts = {"video.height": entry.height, "video.width": entry.width, "video.fps": rate}
    facts |= {"video.channels": 3, "video.is_depth_map": False, "has_audio": False}
    spec = {
        "dtype": "video",
        "shape": shape,
        "names": ["height", "width", "channels"],
        "info": facts,
    }
    return Feature(name=name, dtype="video", shape=tuple(shape), spec=spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedVideo:
    """A piece of an episode whose frames are those of a video."""

    name: str | None
    """The video, within its folder."""
    episode: int
    """The episode's number, for messages."""
    start: int
    rows: int
    """Frames of the piece, from `start` on."""
    whole: int
    """Rows of the whole episode: as many frames its video must show."""


def survey_external_videos(
    inventory: Inventory, camera: str, root: Root, wanted: Sequence[WantedVideo], fps: Fraction
) -> Inventory:
    """The inventory of pieces with a camera more, whose videos lie elsewhere.

    Args:
        inventory: by pieces.
        camera: the camera's name.
        root: the folder of the videos.
        wanted: (pieces,) what each needs.
        fps: frame rate of the dataset.

    Raises:
        PlanError: a video cannot be read, or does not show as many frames as its episode has rows; carries
            every reason.
    """
    streams = Streams()
    problems: list[Problem] = []
    found: list[_Found] = []
    for clip in wanted:
        try:
            found.append(_look(root, clip, fps, streams))
        except _OutOfOrderError as error:
            problems.append(_problem("video.order", str(error), clip, camera))
        except (StorageError, ValueError) as error:
            problems.append(_problem("video.short", str(error), clip, camera))
    if problems:
        raise PlanError(f"videos of '{camera}' do not fit the episodes", problems)
    before = len(inventory.streams)
    kinds = [replace(one, entry=one.entry + before) for one in streams.facts]
    external_videos = ExternalVideoFacts(
        camera=CameraFacts(
            start=np.array([clip.start for clip in wanted], dtype=np.int64),
            packets=np.array([one.packets for one in found], dtype=np.int64),
            lead=np.array([one.lead for one in found], dtype=np.int64),
            size_bytes=np.array([one.size_bytes for one in found], dtype=np.int64),
            keyframes=np.array([one.keyframes for one in found], dtype=np.int64),
            stream=np.array([one.stream + before for one in found], dtype=np.int64),
        ),
        files={one.name: one.facts for one in found},
        tidy_videos={one.name: one.tidy_packets for one in found if one.tidy_packets},
    )
    return replace(
        inventory,
        streams=(*inventory.streams, *kinds),
        external_videos={**inventory.external_videos, camera: external_videos},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    name: str
    facts: FileFacts
    packets: int
    lead: int
    size_bytes: int
    keyframes: int
    stream: int
    tidy_packets: int


class _OutOfOrderError(StorageError):
    """The frames of a video are shown in another order than its times say."""


def _problem(rule: str, message: str, clip: WantedVideo, camera: str) -> Problem:
    return Problem(
        rule=rule,
        severity="error",
        message=message,
        path=clip.name,
        episode=clip.episode,
        column=camera,
    )


def _look(root: Root, clip: WantedVideo, fps: Fraction, streams: Streams) -> _Found:
    """What a video holds for a piece.

    Raises:
        StorageError: it cannot be read, or does not fit the episode.
        ValueError: the piece's frames do not decode from any keyframe.
    """
    if clip.name is None:
        raise StorageError("it has no video")
    facts = root.stat(clip.name)
    with root.input(clip.name) as file:
        table = packet_table_of(file, clip.name)
        _require_fit(table, clip, fps)
        if contradicts_times(file, table):
            raise _OutOfOrderError(OUT_OF_ORDER)
        points = AccessPoints(file, table)
        run = run_of_frames(table, clip.start, clip.start + clip.rows, resets=points.resets)
        joining = points.joining(run)
        kind = kind_of(joining)
    tidy = not table.other_tracks and table.is_exact(fps)
    return _Found(
        name=clip.name,
        facts=FileFacts(size_bytes=facts.size_bytes, stamp=facts.stamp),
        packets=run.packets,
        lead=run.lead,
        size_bytes=int(table.size[run.positions].sum()),
        keyframes=int(table.keyframe[run.positions].sum()),
        stream=streams.number(table.entry, table.other_tracks, clip.name, kind, joining.sets),
        tidy_packets=table.packets if tidy else 0,
    )


def _require_fit(table: PacketTable, clip: WantedVideo, fps: Fraction) -> None:
    if table.frames != clip.whole:
        raise StorageError(f"it shows {table.frames} frames, the episode has {clip.whole} rows")
    seconds = table.frame_seconds
    span = float(seconds[-1]) if len(seconds) > 1 else 0.0
    rate = (len(seconds) - 1) / span if span else float(fps)
    if abs(rate / float(fps) - 1) > _RATE_TOLERANCE:
        raise StorageError(f"it runs at {rate:.4g} fps, the dataset at {float(fps):g}")


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sorts `clip10` after `clip9`."""
    parts: list[tuple[int, str]] = []
    digits = ""
    for char in f"{name} ":
        if char.isdigit():
            digits += char
            continue
        if digits:
            parts.append((int(digits), ""))
            digits = ""
        parts.append((-1, char))
    return parts
