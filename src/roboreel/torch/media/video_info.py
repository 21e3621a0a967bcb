"""What `info.json` says of a video file, its audio and its encoder."""

from __future__ import annotations

import os
from dataclasses import asdict, is_dataclass
from typing import Any

from roboreel.format.encoding import channels
from roboreel.storage.frames_by_time import located_file
from roboreel.storage.video.track_facts import AudioTrack, TrackFacts, VideoTrack, track_facts
from roboreel.types import Json

_DEPTH_SETTING = "depth_min"
"""Encoder settings that have this field are those of a depth camera."""


def get_video_info(
    video_path: str | os.PathLike[str], video_encoder: Any = None
) -> dict[str, Json]:
    """The `info` of a camera in `info.json`, from one of its files; empty for a file without video.

    Args:
        video_path: the file.
        video_encoder: the settings of the encoder that wrote it, noted as `video.{setting}`.
    """
    found = _facts(video_path)
    if found.video is None:
        return {}
    info = {**_video_entries(found.video), **_audio_entries(found.audio)}
    for name, value in _settings(video_encoder).items():
        if name != "vcodec":
            info.setdefault(f"video.{name}", value)
    return {**info, "is_depth_map": hasattr(video_encoder, _DEPTH_SETTING)}


def get_audio_info(video_path: str | os.PathLike[str]) -> dict[str, Json]:
    """`has_audio`, and the `audio.…` entries of the first audio track where there is one."""
    return _audio_entries(_facts(video_path).audio)


def get_video_duration_in_s(video_path: str | os.PathLike[str]) -> float:
    """The duration of the first video track in seconds, as the file states it."""
    return _facts(video_path).duration_s


def _facts(path: str | os.PathLike[str]) -> TrackFacts:
    return track_facts(*located_file(path))


def _video_entries(track: VideoTrack) -> dict[str, Json]:
    return {
        "video.height": track.height,
        "video.width": track.width,
        "video.codec": track.codec,
        "video.pix_fmt": track.pix_fmt,
        "video.fps": int(track.fps),
        "video.channels": channels(track.pix_fmt),
    }


def _audio_entries(track: AudioTrack | None) -> dict[str, Json]:
    if track is None:
        return {"has_audio": False}
    return {**{f"audio.{name}": value for name, value in asdict(track).items()}, "has_audio": True}


def _settings(encoder: Any) -> dict[str, Json]:
    return asdict(encoder) if is_dataclass(encoder) and not isinstance(encoder, type) else {}
