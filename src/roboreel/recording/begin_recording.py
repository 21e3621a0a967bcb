"""What a recorder begins with: a local folder and its cameras."""

from __future__ import annotations

import os
from typing import Any

from roboreel.errors import UsageError
from roboreel.recording.camera_set import CameraSet
from roboreel.recording.camera_types import CameraTask, is_number
from roboreel.recording.record_options import RecordOptions
from roboreel.storage.names import local_path
from roboreel.writing.append import EpisodeWriter
from roboreel.writing.recording_folder import RecordingFolder

_LEAST, _MOST = 1e-4, 1e5
"""Frames per second that the time scale of an MP4 can count."""


def local_folder(path: str | os.PathLike[str]) -> str:
    """The path as text, with `~` expanded.

    Raises:
        UsageError: it is a URL, empty, or leads to something that is not a folder.
    """
    given: object = os.fspath(path)
    if not isinstance(given, str) or not given:
        raise UsageError(f"path is {given!r}, expected the path of a folder as a string")
    if "://" in given:
        raise UsageError(f"'{given}' is a URL: record into a local folder")
    found = local_path(path)
    if os.path.lexists(found) and not os.path.isdir(found):
        kind = "a broken link" if os.path.islink(found) else "a file"
        raise UsageError(f"'{found}' is {kind}, expected a folder")
    return found


def require_dataset_facts(fps: Any, robot_type: object) -> None:
    """Raise `UsageError` where the frame rate or the robot of a new dataset cannot be stored."""
    if not is_number(fps) or not _LEAST < float(fps) < _MOST:
        raise UsageError(f"fps is {fps!r}, expected a number of frames per second, more than 0")
    if robot_type is not None and not isinstance(robot_type, str):
        raise UsageError(f"robot_type is {robot_type!r}, expected a string or None")


def cameras_of(writer: EpisodeWriter, options: RecordOptions, folder: RecordingFolder) -> CameraSet:
    """Start the cameras of a dataset.

    Raises:
        UsageError: an option names a camera that is not one.
        VideoError: an encoder does not work here.
        RunError: a process cannot be started.
    """
    features = writer.features
    encoded = set(options.encoded_cameras)
    videos = {name for name, f in features.items() if f.is_video}
    for what, names in (("encoded_cameras", encoded), ("encoding", options.encoded_by_name)):
        unknown = sorted(names - videos)
        if unknown:
            raise UsageError(
                f"{what}: '{unknown[0]}' is not a camera stored as video"
                f" ({', '.join(sorted(videos)) or 'there is none'})"
            )
    cameras = [
        CameraTask(
            name=name,
            feature=feature,
            fps=writer.fps,
            encoding=options.encoding_of(feature),
            profile=writer.profile,
            encoded=name in encoded,
        )
        for name, feature in features.items()
        if feature.is_camera
    ]
    return CameraSet(
        [one for one in cameras if one.feature.is_video],
        [one for one in cameras if not one.feature.is_video],
        options.cameras(folder.path),
    )
