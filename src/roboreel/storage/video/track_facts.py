"""What a library says of the video and audio tracks of a file, as `info.json` notes it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from roboreel.errors import VideoError
from roboreel.storage.root import Root


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTrack:
    """The first video track of a file."""

    height: int
    width: int
    codec: str
    """The codec's own name, such as `h264`, whichever encoder wrote it."""
    pix_fmt: str
    fps: Fraction
    """The base rate, in frames per second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTrack:
    """The first audio track of a file."""

    channels: int
    codec: str
    bit_rate: int | None
    """Bits per second."""
    sample_rate: int
    """Samples per second."""
    bit_depth: int
    """Bits per sample."""
    channel_layout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFacts:
    """The first track of each kind; None where there is none."""

    video: VideoTrack | None
    audio: AudioTrack | None
    duration_s: float
    """Of the video track, else of the file."""


def track_facts(root: Root, name: str) -> TrackFacts:
    """What a file's first video and audio tracks are.

    Raises:
        StorageError: the file cannot be read.
        VideoError: it is no readable video.
    """
    import av

    with root.input(name) as file:
        try:
            with av.open(file, "r") as container:
                streams = container.streams
                video = _video(streams.video[0]) if streams.video else None
                audio = _audio(streams.audio[0]) if streams.audio else None
                return TrackFacts(video=video, audio=audio, duration_s=_duration(container))
        except (av.FFmpegError, OSError, AttributeError) as error:
            raise VideoError(f"'{name}': not a readable video ({error})") from error


def _video(stream: Any) -> VideoTrack:
    context = stream.codec_context
    return VideoTrack(
        height=context.height,
        width=context.width,
        codec=context.codec.canonical_name,
        pix_fmt=context.pix_fmt or "",
        fps=Fraction(stream.base_rate or stream.average_rate or 0),
    )


def _audio(stream: Any) -> AudioTrack:
    context = stream.codec_context
    return AudioTrack(
        channels=context.channels,
        codec=context.codec.canonical_name,
        bit_rate=context.bit_rate,
        sample_rate=context.sample_rate,
        bit_depth=context.format.bits,
        channel_layout=context.layout.name,
    )


def _duration(container: Any) -> float:
    import av

    first = container.streams.video[0] if container.streams.video else None
    if first is not None and first.duration is not None:
        return float(first.duration * first.time_base)
    return float((container.duration or 0) / av.time_base)
