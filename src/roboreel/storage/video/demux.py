"""List the packets of a fragmented MP4, whose sample tables are empty, with a demuxer."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import IO, Any

import numpy as np

from roboreel.errors import VideoError
from roboreel.storage.video.packets import PacketTable

_MOST_PACKETS = 1 << 24
_MOST_BOXES = 1 << 20
_MOST_HEAD_BYTES = 1 << 26
_SKIPPED = (b"mdat", b"free", b"skip", b"wide")


def opened(file: IO[bytes]) -> Any:
    """The container of an open MP4 file; track names may have any encoding."""
    import av

    try:
        return av.open(file, "r", format="mov", metadata_errors="replace")
    except TypeError:  # PyAV 19 and later neither have nor need this option
        return av.open(file, "r", format="mov")


def packets_by_demuxer(file: IO[bytes], described: PacketTable) -> PacketTable:
    """The index `described`, which has no packets, with the packets that a demuxer finds in the file."""
    import av  # heavy, and only fragmented files need it

    _refuse_claims(file)
    file.seek(0)
    try:
        with opened(file) as container:
            stream = container.streams.video[0]
            found = [_facts(packet) for packet in container.demux(stream) if packet.size]
            time_base = stream.time_base or Fraction(1, described.timescale)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise VideoError(f"its fragments cannot be read ({error})") from error
    if any(position is None or position < 0 or pts is None for position, _, pts, _, _ in found):
        raise VideoError("its fragments have packets without a position or time")
    ticks = time_base * described.timescale
    pts = np.array([int(pts * ticks) for _, _, pts, _, _ in found], dtype=np.int64)
    hidden = np.array([discarded for _, _, _, _, discarded in found], dtype=np.bool_)
    shown = pts[~hidden]
    return dataclasses.replace(
        described,
        offset=np.array([position for position, _, _, _, _ in found], dtype=np.int64),
        size=np.array([size for _, size, _, _, _ in found], dtype=np.int64),
        pts=pts,
        keyframe=np.array([key for _, _, _, key, _ in found], dtype=np.bool_),
        shown_from=int(shown.min()) if len(shown) else 0,
        shown_to=None,
    )


def _facts(packet: Any) -> tuple[Any, int, Any, bool, bool]:
    """(position, size, pts, keyframe, discarded); keeping the packet would keep its bytes in memory."""
    return packet.pos, packet.size, packet.pts, packet.is_keyframe, packet.is_discard


def _refuse_claims(file: IO[bytes]) -> None:
    """Raise `VideoError` where fragments claim absurdly many packets: a demuxer makes room for all."""
    claimed = at = 0
    end = file.seek(0, 2)
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        file.seek(at)
        header = file.read(16)
        size, kind = int.from_bytes(header[:4], "big"), header[4:8]
        size = int.from_bytes(header[8:], "big") if size == 1 else size or end - at
        if size < 8:
            return
        if kind not in _SKIPPED:
            claimed += _claimed(file, at, min(size, end - at))
        if claimed > _MOST_PACKETS:
            raise VideoError(f"its fragments claim more than {_MOST_PACKETS} packets")
        at += size
    raise VideoError(f"more than {_MOST_BOXES} boxes side by side")


def _claimed(file: IO[bytes], start: int, size: int) -> int:
    """The number of packets that the `trun` boxes anywhere inside a box claim."""
    if size > _MOST_HEAD_BYTES:
        raise VideoError(f"a box of {size} bytes among its fragments")
    file.seek(start)
    data = file.read(size)
    claimed, at = 0, data.find(b"trun")
    while at >= 0:
        claimed += int.from_bytes(data[at + 8 : at + 12], "big")
        at = data.find(b"trun", at + 4)
    return claimed
