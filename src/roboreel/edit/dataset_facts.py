"""What a dataset or a view holds, in a few lines."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from fractions import Fraction
from math import prod

from roboreel.errors import counted
from roboreel.format.feature import INDEX_DTYPES, Feature
from roboreel.summary.summary import named
from roboreel.summary.words import duration

_IMAGES = "observation.images."


def facts_of(
    *,
    episodes: int,
    frames: int,
    fps: Fraction,
    robot_type: str | None,
    features: Mapping[str, Feature],
    tasks: Collection[str],
    missing: Collection[str] = (),
) -> list[tuple[str, str]]:
    """(name, value) of what a dataset holds.

    Args:
        episodes: number of episodes.
        frames: number of frames of all episodes.
        fps: frames per second.
        robot_type: the robot, if it is named.
        features: all features by name.
        tasks: texts of the tasks.
        missing: names of the cameras without any video file.
    """
    length = duration(frames / float(fps)) if fps else ""
    return [
        (
            "episodes",
            f"{counted(episodes, 'episode')}, {counted(frames, 'frame')} at {float(fps):g} fps ({length})",
        ),
        ("robot", robot_type or ""),
        ("cameras", named(_cameras(features.values(), missing)) or "none"),
        ("features", named(_others(features.values()), shown=6)),
        ("tasks", f"{len(tasks)}: {named(map(repr, tasks), shown=3)}" if tasks else "none"),
    ]


def _cameras(features: Iterable[Feature], missing: Collection[str]) -> list[str]:
    return [
        _camera(feature) + (" (no video files)" if feature.name in missing else "")
        for feature in features
        if feature.is_camera
    ]


def _camera(feature: Feature) -> str:
    """A camera's name, size and codec: `top 640×480 h264`."""
    name = feature.name.removeprefix(_IMAGES)
    size = f" {_size(feature)}" if len(feature.shape) == 3 else ""
    codec = feature.video_facts.get("video.codec", "") if feature.is_video else "images in tables"
    return f"{name}{size} {codec}".rstrip()


def _size(feature: Feature) -> str:
    """Width × height, whichever way round the document lists the shape."""
    height, width = feature.shape[:2] if feature.shape[0] > 4 else feature.shape[1:]
    return f"{width}×{height}"


def _others(features: Iterable[Feature]) -> list[str]:
    return [
        f"{feature.name} ({feature.dtype}"
        + (f" {'×'.join(map(str, feature.shape))})" if prod(feature.shape) > 1 else ")")
        for feature in features
        if not feature.is_camera and feature.name not in INDEX_DTYPES
    ]
