"""Videos: the public names of lerobot's `video_utils`, frames as tensors."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pyarrow as pa
import torch

from roboreel.errors import FrameTimeError
from roboreel.storage.frames_by_time import decode_video_frames as decoded_frames
from roboreel.torch.errors import ArgumentError
from roboreel.torch.media.decoder_cache import VideoDecoderCache
from roboreel.torch.media.video_encoding_manager import VideoEncodingManager
from roboreel.torch.media.video_files import (
    concatenate_video_files,
    encode_video_frames,
    reencode_video,
)
from roboreel.torch.media.video_info import get_audio_info, get_video_duration_in_s, get_video_info

__all__ = [
    "FrameTimestampError",
    "VideoDecoderCache",
    "VideoEncodingManager",
    "VideoFrame",
    "concatenate_video_files",
    "decode_video_frames",
    "decode_video_frames_pyav",
    "decode_video_frames_torchcodec",
    "encode_video_frames",
    "get_audio_info",
    "get_safe_default_video_backend",
    "get_video_duration_in_s",
    "get_video_info",
    "reencode_video",
    "resolved_backend",
]

_LOG = logging.getLogger(__name__)
_BACKENDS = ("pyav", "torchcodec")


class FrameTimestampError(FrameTimeError, ValueError):
    """No frame of a video is near enough to a timestamp."""


@dataclass
class VideoFrame:
    """The type of a column of `datasets` that names a frame: a path and a timestamp."""

    pa_type: ClassVar[Any] = pa.struct({"path": pa.string(), "timestamp": pa.float32()})
    _type: str = field(default="VideoFrame", init=False, repr=False)

    def __call__(self) -> Any:
        """The Arrow type."""
        return self.pa_type


def get_safe_default_video_backend() -> str:
    """`torchcodec` where it is installed, else `pyav`."""
    return "torchcodec" if importlib.util.find_spec("torchcodec") else "pyav"


def resolved_backend(backend: str | None) -> str:
    """The backend that a name means: `pyav` by default, and for `video_reader`, with a warning.

    Raises:
        ArgumentError: an unknown name.
    """
    if backend == "video_reader":
        _LOG.warning(
            "the video backend 'video_reader' is no longer supported: using 'pyav' instead"
        )
        return "pyav"
    if backend is not None and backend not in _BACKENDS:
        raise ArgumentError(f"unknown video backend '{backend}': expected {' or '.join(_BACKENDS)}")
    return backend or "pyav"


def decode_video_frames(
    video_path: str | os.PathLike[str],
    timestamps: Sequence[float],
    tolerance_s: float,
    backend: str | None = None,
    return_uint8: bool = False,
    is_depth: bool = False,
) -> torch.Tensor:
    """The frames of a video nearest to some times; only the packets that they need are decoded.

    Args:
        video_path: an MP4 file.
        timestamps: (n,) seconds.
        tolerance_s: how far from its timestamp a frame may be, in seconds.
        backend: `pyav` (default) or `torchcodec`; depths are always decoded by `pyav`.
        return_uint8: True for uint8, False for float32 in [0, 1].
        is_depth: True for a depth video, whose codes stay as they are.

    Returns:
        (n, 3, H, W) uint8 or float32; (n, 1, H, W) uint16 for depths.

    Raises:
        FrameTimestampError: no frame is near enough.
        ArgumentError: an unknown backend.
    """
    chosen = "pyav" if is_depth else resolved_backend(backend)
    try:
        frames = decoded_frames(video_path, list(timestamps), tolerance_s, chosen)
    except FrameTimeError as error:
        raise FrameTimestampError(str(error)) from error
    found = torch.from_numpy(frames)
    if is_depth or return_uint8:
        return found
    return found.to(torch.float32) / 255


def decode_video_frames_pyav(
    video_path: str | os.PathLike[str],
    timestamps: Sequence[float],
    tolerance_s: float,
    log_loaded_timestamps: bool = False,
    return_uint8: bool = False,
    is_depth: bool = False,
) -> torch.Tensor:
    """As `decode_video_frames`, by PyAV; `log_loaded_timestamps` is accepted."""
    return decode_video_frames(video_path, timestamps, tolerance_s, "pyav", return_uint8, is_depth)


def decode_video_frames_torchcodec(
    video_path: str | os.PathLike[str],
    timestamps: Sequence[float],
    tolerance_s: float,
    log_loaded_timestamps: bool = False,
    decoder_cache: VideoDecoderCache | None = None,
    return_uint8: bool = False,
) -> torch.Tensor:
    """As `decode_video_frames`, by torchcodec; `log_loaded_timestamps` and `decoder_cache` are accepted."""
    return decode_video_frames(video_path, timestamps, tolerance_s, "torchcodec", return_uint8)
