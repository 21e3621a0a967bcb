"""Write the video file of one camera in one episode: packets, a copy, a finished file, or encoded frames."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from roboreel.errors import UsageError, VideoError
from roboreel.format.declared import codec_name, has_size
from roboreel.format.encoding import channels, describe, encoder_settings
from roboreel.format.feature import Feature
from roboreel.stats.camera_pixels import CameraPixels
from roboreel.stats.sampling import sampled_frames, stride_of
from roboreel.storage.fs import open_root
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import Root
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.encode import encode_parts, frame_of
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.mux import PacketSlice, write_encoded, write_packets
from roboreel.storage.video.packets import PacketTable, run_of_frames
from roboreel.storage.video.subsample import Subsampler
from roboreel.types import Json
from roboreel.writing.episode_input import (
    EncodedPackets,
    FinishedVideo,
    FramesToEncode,
    VideoInput,
    VideoToCopy,
)
from roboreel.writing.partial_files import PartialFiles
from roboreel.writing.written_columns import require_size


@dataclass(frozen=True, slots=True)
class WrittenVideo:
    """A camera's video file of one episode; it may not have its name yet."""

    root: Root
    name: str
    """Where it is now."""
    table: PacketTable
    start: int
    """The episode's first frame in the file: those before it are only there to decode it."""


@dataclass(frozen=True, slots=True)
class VideoTask:
    """What a camera's video must be."""

    episode: int
    feature: Feature
    rows: int
    fps: Fraction
    alone: bool
    """True where the file must hold the episode's frames and no others."""

    @property
    def where(self) -> str:
        """Names it in errors."""
        return f"episode {self.episode}, camera '{self.feature.name}'"

    def require(self, frames: int) -> None:
        """Raise `UsageError` unless there are as many frames as rows."""
        if frames != self.rows:
            raise UsageError(f"{self.where}: {frames} frames for {self.rows} rows")


def write_video(
    task: VideoTask,
    given: VideoInput,
    root: LocalRoot,
    name: str,
    files: PartialFiles,
    pixels: CameraPixels,
) -> WrittenVideo:
    """Write a camera's video under a partial name; a finished one stays where it is until the commit.

    Args:
        task: what it must be.
        given: the frames.
        root: the dataset.
        name: the name that the file is to get.
        files: remembers it.
        pixels: takes in the reference's sample of frames that are encoded.

    Raises:
        UsageError: there are not as many frames as rows, or they are not what the camera declares.
        VideoError: a file is no readable video, or the encoder fails.
    """
    try:
        if isinstance(given, FinishedVideo):
            video = _finished(task, given, name, files)
        elif isinstance(given, VideoToCopy):
            video = _copied(task, given, root, files.partial(name))
        elif isinstance(given, EncodedPackets):
            video = _muxed(task, given, root, files.partial(name))
        else:
            video = _encoded(task, given, root, files.partial(name), pixels)
    except VideoError as error:
        raise VideoError(f"{task.where}: {error}") from error
    entry = video.table.entry
    if not has_size(task.feature, entry.height, entry.width):
        raise UsageError(
            f"{task.where}: declared as {list(task.feature.shape)}, the video is"
            f" {entry.width}×{entry.height} (width×height)"
        )
    return video


def _muxed(task: VideoTask, given: EncodedPackets, root: LocalRoot, name: str) -> WrittenVideo:
    count = len(given.packets)
    task.require(count)
    display = np.arange(count) if given.display is None else np.asarray(given.display)
    if len(given.keyframes) != count or not given.keyframes[0]:
        raise UsageError(
            f"{task.where}: keyframes must have a value for each packet, and the first packet must be a"
            f" keyframe"
        )
    if not np.array_equal(np.sort(display), np.arange(count)):
        raise UsageError(f"{task.where}: display must have each number from 0 to {count - 1} once")
    if not all(given.packets):
        raise UsageError(f"{task.where}: a packet is empty")
    write_encoded(
        root,
        name,
        given.entry,
        given.packets,
        keyframe=np.asarray(given.keyframes, dtype=np.bool_),
        display=display.astype(np.int64),
        fps=task.fps,
    )
    return _read_back(task, root, name, count)


def _copied(task: VideoTask, given: VideoToCopy, root: LocalRoot, name: str) -> WrittenVideo:
    folder, own = _beside(given.path)
    table = read_packet_table(folder, own)
    stop = table.frames if given.stop is None else given.stop
    if not 0 <= given.start < stop <= table.frames:
        raise UsageError(
            f"{task.where}: frames [{given.start}, {stop}) are not all in '{given.path}', which has"
            f" {table.frames}"
        )
    task.require(stop - given.start)
    with folder.input(own) as file:
        resets = AccessPoints(file, table).resets
        try:
            run = run_of_frames(table, given.start, stop, resets=resets)
        except ValueError as error:
            raise VideoError(f"'{given.path}': {error}") from error
    # v2.1 has no place for a first frame: in its files, an episode's frames are all there are
    if task.alone and run.packets != task.rows:
        raise UsageError(
            f"{task.where}: '{given.path}' cannot be cut at frames {given.start} and {stop} without"
            " encoding it again, and this version has room for no other frames: pass FramesToEncode"
        )
    write_packets(root, name, [PacketSlice(folder, own, table, run)], fps=task.fps)
    return _read_back(task, root, name, run.packets, start=run.lead)


def _finished(
    task: VideoTask, given: FinishedVideo, name: str, files: PartialFiles
) -> WrittenVideo:
    folder, own = _beside(given.path)
    table = read_packet_table(folder, own)
    task.require(table.frames)
    if not table.is_exact(task.fps) or table.other_tracks:
        raise UsageError(
            f"{task.where}: '{given.path}' has hidden packets, other tracks, or times that are not"
            " k / fps: pass it as VideoToCopy"
        )
    files.take(given.path, name)
    return WrittenVideo(folder, own, table, 0)


def _encoded(
    task: VideoTask, given: FramesToEncode, root: LocalRoot, name: str, pixels: CameraPixels
) -> WrittenVideo:
    if task.feature.is_depth:
        raise UsageError(f"{task.where}: it is a depth camera: pass encoded packets or a video")
    encoding = given.encoding
    frames = _sampled(task, given, pixels)
    encoder = encoder_settings(encoding)
    (count,) = encode_parts(root, name, [frames], fps=task.fps, encoder=encoder, size=encoding.size)
    task.require(count)
    return _read_back(task, root, name, count)


def _sampled(task: VideoTask, given: FramesToEncode, pixels: CameraPixels) -> Iterator[Any]:
    """The frames for the encoder; the sampled ones are taken in as they were given."""
    sampled = set(sampled_frames(task.rows))
    number = -1
    for number, frame in enumerate(given.frames):
        if number >= task.rows:
            raise UsageError(f"{task.where}: more than {task.rows} frames for {task.rows} rows")
        if given.encoding.size is None:
            require_size(frame, task.feature, f"{task.where}, frame {number}")
        if number in sampled:
            pixels.add(frame if frame.ndim == 3 else frame[..., None])
        yield frame_of(frame)
    task.require(number + 1)


def _read_back(
    task: VideoTask, root: LocalRoot, name: str, packets: int, start: int = 0
) -> WrittenVideo:
    table = read_packet_table(root, name)
    if (table.packets, table.frames) != (packets, packets):
        raise VideoError(
            f"{table.packets} packets and {table.frames} frames were written, expected {packets}"
        )
    return WrittenVideo(root, name, table, start)


def _beside(path: str | os.PathLike[str]) -> tuple[Root, str]:
    """The folder of a file of the user's, and its name there."""
    folder, name = os.path.split(os.path.abspath(path))
    return open_root(folder, follow_links=True), name


def measure_video(task: VideoTask, video: WrittenVideo, pixels: CameraPixels) -> None:
    """Take in the reference's sample of a written video's frames, decoded.

    Raises:
        UsageError: it holds depths, which are measured by those who know them.
        VideoError: it does not decode.
    """
    if task.feature.is_depth:
        raise UsageError(f"{task.where}: it is a depth camera: pass its statistics")
    wanted = [video.start + frame for frame in sampled_frames(task.rows)]
    subsampler = Subsampler()
    for _, frame in decode_frames(video.root, video.name, wanted):
        pixels.add(subsampler.frame(frame, stride_of(frame.height, frame.width)))


def video_facts(task: VideoTask, given: VideoInput, video: WrittenVideo) -> dict[str, Json]:
    """What `info.json` says of a camera's videos, as lerobot writes it: from the first one's file."""
    entry, fps = video.table.entry, task.fps
    (_, frame), *_ = decode_frames(video.root, video.name, [video.start])
    pix_fmt = frame.format.name
    facts: Mapping[str, Json] = {
        "video.height": entry.height,
        "video.width": entry.width,
        "video.codec": codec_name(entry.fourcc),
        "video.pix_fmt": pix_fmt,
        "video.fps": fps.numerator if fps.denominator == 1 else float(fps),
        "video.channels": channels(pix_fmt),
        "has_audio": False,
    }
    encoder: Mapping[str, Json] = {}
    if isinstance(given, FramesToEncode):
        encoder = describe(given.encoding)
    elif isinstance(given, FinishedVideo):
        encoder = given.facts
    declared = task.feature.video_facts
    return {**declared, **facts, **encoder, "is_depth_map": task.feature.is_depth}
