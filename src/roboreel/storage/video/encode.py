"""Encode pictures into a video file, at exact times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from roboreel.errors import VideoError
from roboreel.storage.fs import LocalRoot
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import run_of_frames
from roboreel.storage.video.write import Piece, write_packets


def encode_frames(
    root: LocalRoot,
    name: str,
    frames: Iterable[Any],
    *,
    fps: Fraction,
    encoder: Mapping[str, str],
) -> int:
    """Encode PyAV frames into one file; returns how many there are.

    Args:
        root: where to write.
        name: the file.
        frames: the pictures in order; their times are set anew.
        fps: the frame rate.
        encoder: `codec` and the encoder's own options; the pixel format is that of the frames.

    Raises:
        VideoError: the encoder refuses, or writes another number of frames than it was given.
    """
    import av  # heavy: only what must encode loads it

    aside = f"{name}.encoded"
    try:
        with root.create(aside) as sink, av.open(sink.file, "w", format="mp4") as container:
            count = _encode(container, frames, fps, dict(encoder))
    except av.FFmpegError as error:
        raise VideoError(f"'{name}': cannot be encoded ({error})") from error
    table = read_packet_table(root, aside)
    if table.frames != count:
        raise VideoError(f"'{name}': {count} pictures were encoded into {table.frames} frames")
    # the muxer's times are those of its own clock; write the packets at exact ones
    run = run_of_frames(table, 0, count, resets=lambda _: True)
    write_packets(root, name, [Piece(root, aside, table, run)], fps=fps)
    root.remove(aside)
    return count


def _encode(container: Any, frames: Iterable[Any], fps: Fraction, settings: dict[str, str]) -> int:
    codec = settings.pop("codec")
    stream, count = None, 0
    for frame in frames:
        if stream is None:
            stream = container.add_stream(codec, rate=fps, options=settings)
            stream.width, stream.height = frame.width, frame.height
            stream.pix_fmt = frame.format.name
            stream.codec_context.time_base = 1 / fps
        frame.pts, frame.time_base = count, 1 / fps
        frame.pict_type = 0  # the encoder chooses, whatever the source frame was
        container.mux(stream.encode(frame))
        count += 1
    if stream is not None:
        container.mux(stream.encode(None))
    return count
