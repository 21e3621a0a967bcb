"""Make video files of images and of other videos, by the names of lerobot's functions."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from roboreel.errors import MissingFileError, UsageError
from roboreel.format.encoding import encoder_settings
from roboreel.format.fps import parse_fps
from roboreel.storage import disk
from roboreel.storage.frames_by_time import located_file
from roboreel.storage.fs import open_root
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import Root
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.encode import encode_frames
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.mux import PacketSlice, write_packets
from roboreel.storage.video.packets import PacketTable, run_of_frames
from roboreel.storage.video.still_images import decode_image, decoded_image
from roboreel.torch.depth_utils import quantize_depth
from roboreel.torch.errors import ArgumentError
from roboreel.torch.media.encoder_configs import encoding_of
from roboreel.torch.media.video_info import get_video_info

Path = str | os.PathLike[str]
_LOG = logging.getLogger(__name__)
_IMAGE, _DEPTH = re.compile(r"frame-\d{6}\.png"), re.compile(r"frame-\d{6}\.tiff")
_ALIKE = ("video.height", "video.width", "video.fps", "video.codec", "video.pix_fmt")


def encode_video_frames(
    imgs_dir: Path,
    video_path: Path,
    fps: float,
    video_encoder: Any = None,
    encoder_threads: int | None = None,
    *,
    log_level: int | None = None,
    overwrite: bool = False,
) -> None:
    """Encode the images of a folder into an MP4 file, whose frame k is at exactly k / fps.

    Args:
        imgs_dir: has `frame-000000.png` and so on; for a depth encoder `frame-000000.tiff`.
        video_path: the file; one that exists stays, with a warning, unless `overwrite`.
        fps: frames per second.
        video_encoder: settings, ours or lerobot's; settings of a depth camera turn depths into codes.
        encoder_threads: threads of the encoder; None leaves it to it.
        log_level: accepted.
        overwrite: True replaces the file.

    Raises:
        FileNotFoundError: the folder has no such images.
        VideoError: an image does not decode, or the encoder fails.
    """
    target = _target(video_path, overwrite=overwrite)
    if target is None:
        return
    depth = hasattr(video_encoder, "depth_min")
    images = open_root(imgs_dir)
    names = sorted(n for n in images.list() if (_DEPTH if depth else _IMAGE).fullmatch(n))
    if not names:
        kind = "frame-000000.tiff" if depth else "frame-000000.png"
        raise MissingFileError(
            f"'{os.fspath(imgs_dir)}' has no images: expected file names like {kind}"
        )
    frames = _depth_frames(images, names, video_encoder) if depth else _frames(images, names)
    _encode(target, frames, parse_fps(fps), video_encoder, encoder_threads)


def _target(path: Path, *, overwrite: bool) -> tuple[LocalRoot, str] | None:
    """Where to write a file; None, with a warning, where it exists and is to stay."""
    folder, name = os.path.split(os.path.abspath(path))
    if os.path.exists(path) and not overwrite:
        _LOG.warning(
            "'%s' already exists and is not changed: pass overwrite=True to replace it", path
        )
        return None
    disk.make_folders(folder)
    return LocalRoot(folder), name


def _encode(
    target: tuple[LocalRoot, str],
    frames: Iterator[Any],
    fps: Fraction,
    config: Any,
    threads: int | None,
) -> None:
    settings = encoder_settings(encoding_of(config, threads))
    encode_frames(*target, frames, fps=fps, encoder=settings)


def _frames(images: Root, names: Sequence[str]) -> Iterator[Any]:
    for name in names:
        frame = decoded_image(images.read(name))
        yield frame if frame.format.name == "rgb24" else frame.reformat(format="rgb24")


def _depth_frames(images: Root, names: Sequence[str], config: Any) -> Iterator[Any]:
    settings = {
        name: getattr(config, name) for name in ("depth_min", "depth_max", "shift", "use_log")
    }
    for name in names:
        yield quantize_depth(decode_image(images.read(name)), **settings)


def reencode_video(
    input_video_path: Path,
    output_video_path: Path,
    video_encoder: Any = None,
    encoder_threads: int | None = None,
    log_level: int | None = None,
    overwrite: bool = False,
    start_time_s: float | None = None,
    end_time_s: float | None = None,
) -> None:
    """Encode a video again, whole or the frames in `[start_time_s, end_time_s)`; its audio is left out.

    Args:
        input_video_path: the video.
        output_video_path: the result, which may be the input; one that exists stays, with a warning, unless
            `overwrite`.
        video_encoder: settings, ours or lerobot's.
        encoder_threads: threads of the encoder; None leaves it to it.
        log_level: accepted.
        overwrite: True replaces the result.
        start_time_s: seconds; None for the beginning.
        end_time_s: seconds; None for the end.

    Raises:
        ArgumentError: times that are negative, in the wrong order, or with no frame between them.
        VideoError: the video cannot be decoded, or the encoder fails.
    """
    begin, end = start_time_s or 0.0, float("inf") if end_time_s is None else end_time_s
    if begin < 0 or end <= begin:
        raise ArgumentError(
            f"expected 0 <= start_time_s < end_time_s, got {start_time_s} and {end_time_s}"
        )
    target = _target(output_video_path, overwrite=overwrite)
    if target is None:
        return
    root, name = located_file(input_video_path)
    table = read_packet_table(root, name)
    times = table.frame_seconds
    wanted = np.flatnonzero((times >= begin) & (times < end)).tolist()
    if not wanted:
        raise ArgumentError(f"'{name}' has no frame from {begin:g} s to {end:g} s")
    frames = (frame for _, frame in decode_frames(root, name, wanted))
    _encode(target, frames, _rate(table), video_encoder, encoder_threads)


def _rate(table: PacketTable) -> Fraction:
    """The frame rate of a file, from the times of its first and last frame."""
    times = table.frame_seconds
    if len(times) < 2:
        return Fraction(30)
    return parse_fps(round((len(times) - 1) / float(times[-1] - times[0]), 6))


def concatenate_video_files(
    input_video_paths: Sequence[Path],
    output_video_path: Path,
    overwrite: bool = True,
    compatibility_check: bool = False,
) -> None:
    """Join videos into one file, packet by packet: nothing is decoded, and frame k is at exactly k / fps.

    Args:
        input_video_paths: the videos in order; only their video tracks are taken.
        output_video_path: the result; one that exists stays, with a warning, unless `overwrite`.
        overwrite: True replaces the result.
        compatibility_check: True compares size, rate, codec and pixel format beforehand. Streams that cannot
            share a file are refused anyway.

    Raises:
        FileNotFoundError: there are no videos.
        ArgumentError: their streams differ.
    """
    target = _target(output_video_path, overwrite=overwrite)
    if target is None:
        return
    if not input_video_paths:
        raise MissingFileError("no videos to join: pass at least one")
    if compatibility_check:
        _require_alike(input_video_paths)
    slices = [_whole(*located_file(path)) for path in input_video_paths]
    try:
        write_packets(*target, slices, fps=_rate(slices[0].table))
    except ValueError as error:
        raise ArgumentError(f"the videos cannot be joined into one file: {error}") from error


def _whole(root: Root, name: str) -> PacketSlice:
    table = read_packet_table(root, name)
    with root.input(name) as file:
        resets = AccessPoints(file, table).resets
        try:
            run = run_of_frames(table, 0, table.frames, resets=resets)
        except ValueError as error:
            raise UsageError(f"'{name}': {error}") from error
    return PacketSlice(root, name, table, run)


def _require_alike(paths: Sequence[Path]) -> None:
    first = get_video_info(paths[0])
    for path in paths[1:]:
        found = get_video_info(path)
        for key in _ALIKE:
            if found.get(key) != first.get(key):
                raise ArgumentError(
                    f"the videos cannot be joined: '{path}' has {key} {found.get(key)}, but '{paths[0]}'"
                    f" has {first.get(key)}"
                )
