"""Videos outside a dataset that become one of its cameras: find and survey them."""

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


def find_external_videos(paths: str | Sequence[str]) -> tuple[str, list[str]]:
    """(folder, file names) of some videos.

    Args:
        paths: a folder, whose videos are sorted by name (numbers by value); or files of one folder, in order.

    Raises:
        UsageError: there are no videos, or they are in several folders.
    """
    if isinstance(paths, str):
        paths = local_path(paths)
        if os.path.isdir(paths):
            listing = LocalRoot(paths).listing()
            names = [n for n in listing.files if n.lower().endswith(_ENDINGS)]
            if unnamed := [n for n in listing.unnamed if n.lower().endswith(_ENDINGS)]:
                raise UsageError(
                    f"'{unnamed[0]}' in '{paths}' has a name that is not UTF-8: rename the file"
                )
            if not names:
                raise UsageError(f"'{paths}' has no videos ({', '.join(_ENDINGS)})")
            return paths, sorted(names, key=_by_number)
        paths = [paths]
    paths = [local_path(path) for path in paths]
    folders = {os.path.dirname(path) or "." for path in paths}
    if len(folders) != 1:
        raise UsageError(
            "the videos of a camera must be in one folder: give the folder, or files of one folder"
        )
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise UsageError(f"'{missing[0]}' is not a file")
    return folders.pop(), [os.path.basename(path) for path in paths]


def external_video_feature(name: str, folder: str, file: str, fps: Fraction) -> Feature:
    """Declare a camera with the size of one of its videos.

    Raises:
        StorageError: the video cannot be read.
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
    """The frames `[start, start + rows)` of an external video, needed for an episode slice."""

    name: str | None
    """File name in the videos' folder."""
    episode: int
    """Episode index, for messages."""
    start: int
    rows: int
    episode_rows: int
    """Rows of the complete episode; the video must have as many frames."""


def survey_external_videos(
    inventory: Inventory, camera: str, root: Root, wanted: Sequence[WantedVideo], fps: Fraction
) -> Inventory:
    """Add a camera with external videos to an inventory of episode slices.

    Args:
        inventory: aligned with the slices.
        camera: name of the camera.
        root: the folder of the videos.
        wanted: (slices,) the frames that each needs.
        fps: frame rate of the dataset.

    Raises:
        PlanError: a video cannot be read or does not have one frame per row; lists all problems.
    """
    streams = Streams()
    problems: list[Problem] = []
    found: list[_VideoFacts] = []
    for video in wanted:
        try:
            found.append(_survey_video(root, video, fps, streams))
        except _OutOfOrderError as error:
            problems.append(_problem("video.order", str(error), video, camera))
        except (StorageError, ValueError) as error:
            problems.append(_problem("video.short", str(error), video, camera))
    if problems:
        raise PlanError(f"videos of '{camera}' do not match the episodes", problems)
    before = len(inventory.streams)
    kinds = [replace(one, entry=one.entry + before) for one in streams.facts]
    external_videos = ExternalVideoFacts(
        camera=CameraFacts(
            start=np.array([video.start for video in wanted], dtype=np.int64),
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
class _VideoFacts:
    name: str
    facts: FileFacts
    packets: int
    lead: int
    size_bytes: int
    keyframes: int
    stream: int
    tidy_packets: int


class _OutOfOrderError(StorageError):
    """The display order of a video's frames contradicts its timestamps."""


def _problem(rule: str, message: str, video: WantedVideo, camera: str) -> Problem:
    return Problem(
        rule=rule,
        severity="error",
        message=message,
        path=video.name,
        episode=video.episode,
        column=camera,
    )


def _survey_video(root: Root, video: WantedVideo, fps: Fraction, streams: Streams) -> _VideoFacts:
    """Find the packets of the wanted frames.

    Raises:
        StorageError: the video cannot be read, or does not fit the episode.
        ValueError: no keyframe precedes the frames.
    """
    if video.name is None:
        raise StorageError("it has no video")
    facts = root.stat(video.name)
    with root.input(video.name) as file:
        table = packet_table_of(file, video.name)
        _require_fit(table, video, fps)
        if contradicts_times(file, table):
            raise _OutOfOrderError(OUT_OF_ORDER)
        points = AccessPoints(file, table)
        run = run_of_frames(table, video.start, video.start + video.rows, resets=points.resets)
        joining = points.joining(run)
        kind = kind_of(joining)
    tidy = not table.other_tracks and table.is_exact(fps)
    return _VideoFacts(
        name=video.name,
        facts=FileFacts(size_bytes=facts.size_bytes, stamp=facts.stamp),
        packets=run.packets,
        lead=run.lead,
        size_bytes=int(table.size[run.positions].sum()),
        keyframes=int(table.keyframe[run.positions].sum()),
        stream=streams.number(table.entry, table.other_tracks, video.name, kind, joining.sets),
        tidy_packets=table.packets if tidy else 0,
    )


def _require_fit(table: PacketTable, video: WantedVideo, fps: Fraction) -> None:
    if table.frames != video.episode_rows:
        raise StorageError(
            f"it has {table.frames} frames, but the episode has {video.episode_rows} rows"
        )
    seconds = table.frame_seconds
    span = float(seconds[-1]) if len(seconds) > 1 else 0.0
    rate = (len(seconds) - 1) / span if span else float(fps)
    if abs(rate / float(fps) - 1) > _RATE_TOLERANCE:
        raise StorageError(f"it runs at {rate:.4g} fps, but the dataset at {float(fps):g}")


def _by_number(name: str) -> list[tuple[int, str]]:
    """Sort key that puts `clip10` after `clip9`."""
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
