"""What a recorder begins with: a local folder and its cameras."""

from __future__ import annotations

import os

from roboreel.errors import UsageError
from roboreel.recording.camera_set import CameraSet
from roboreel.recording.camera_types import CameraTask
from roboreel.recording.record_options import RecordOptions
from roboreel.storage.names import local_path
from roboreel.writing.append import EpisodeWriter
from roboreel.writing.recording_folder import RecordingFolder


def local_folder(path: str | os.PathLike[str]) -> str:
    """The path as text, with `~` expanded.

    Raises:
        UsageError: it is a URL.
    """
    if "://" in os.fspath(path):
        raise UsageError(f"'{os.fspath(path)}' is a URL: record into a local folder")
    return local_path(path)


def cameras_of(writer: EpisodeWriter, options: RecordOptions, folder: RecordingFolder) -> CameraSet:
    """Start the cameras of a dataset.

    Raises:
        UsageError: an option names a camera that is not one.
        VideoError: an encoder does not work here.
        RunError: a process cannot be started.
    """
    features = writer.features
    encoded = set(options.encoded_cameras)
    unknown = sorted(encoded - {name for name, f in features.items() if f.is_video})
    if unknown:
        raise UsageError(f"encoded_cameras: '{unknown[0]}' is not a camera stored as video")
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
    videos = [one for one in cameras if one.feature.is_video]
    images = [one for one in cameras if not one.feature.is_video]
    return CameraSet(videos, images, options.cameras(folder.path))
