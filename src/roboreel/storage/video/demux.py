"""List the packets of a file whose sample tables are empty (fragmented MP4), by a demuxer."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import IO, Any

import numpy as np

from roboreel.errors import VideoError
from roboreel.storage.video.packets import PacketTable


def opened(file: IO[bytes]) -> Any:
    """The container of an open MP4 file; names of tracks in any encoding do no harm."""
    import av

    try:
        return av.open(file, "r", format="mov", metadata_errors="replace")
    except TypeError:  # PyAV 19 and later have no such choice, and no need of it
        return av.open(file, "r", format="mov")


def packets_by_demuxer(file: IO[bytes], described: PacketTable) -> PacketTable:
    """`described`, an index without packets, with the packets that a demuxer finds in the file."""
    import av  # heavy, and needed for odd files only

    file.seek(0)
    try:
        with opened(file) as container:
            stream = container.streams.video[0]
            found = [packet for packet in container.demux(stream) if packet.size]
            time_base = stream.time_base or Fraction(1, described.timescale)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise VideoError(f"its fragments cannot be read ({error})") from error
    if any(p.pos is None or p.pos < 0 or p.pts is None for p in found):
        raise VideoError("its fragments hold packets without a place or time")
    ticks = time_base * described.timescale
    pts = np.array([int(p.pts * ticks) for p in found if p.pts is not None], dtype=np.int64)
    hidden = np.array([p.is_discard for p in found], dtype=np.bool_)
    shown = pts[~hidden]
    return dataclasses.replace(
        described,
        offset=np.array([p.pos for p in found], dtype=np.int64),
        size=np.array([p.size for p in found], dtype=np.int64),
        pts=pts,
        keyframe=np.array([p.is_keyframe for p in found], dtype=np.bool_),
        shown_from=int(shown.min()) if len(shown) else 0,
        shown_to=None,
    )
