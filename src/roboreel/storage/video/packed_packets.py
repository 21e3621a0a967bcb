"""Packet tables as few bytes: about two for a packet. What repeats itself takes none."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.errors import VideoError
from roboreel.storage.video.key_access import KeyAccess
from roboreel.storage.video.packets import Int64, PacketTable, SampleEntry

_ROWS, _NUMBER_BYTES = 4, 8
_MOST_PACKETS = 1 << 24
SCHEMA = pa.schema(
    [
        ("packets", pa.int64()),
        ("timescale", pa.int64()),
        ("shown_from", pa.int64()),
        ("shown_to", pa.int64()),
        ("entry", pa.binary()),
        ("matrix", pa.binary()),
        ("other_tracks", pa.list_(pa.string())),
        ("table", pa.binary()),
    ]
)
"""Columns of `packed_packets`."""


def packed_packets(table: PacketTable, access: KeyAccess) -> dict[str, Any]:
    """A packet table and where decoding can start, by the columns of `SCHEMA`.

    The numbers of all packets (size, gap to the packet before, display time after that of the packet before,
    codes of `KeyAccess`) are stored by significance: all lowest bytes, then all second ones, and so on.
    """
    ends = table.offset + table.size
    gap = table.offset - np.concatenate([[0], ends[:-1]])
    step = np.diff(table.pts, prepend=0)
    numbers = np.stack([table.size, gap, step, access.codes.astype(np.int64)]).astype("<i8")
    planes = numbers.view(np.uint8).reshape(_ROWS, table.packets, _NUMBER_BYTES)
    return {
        "packets": table.packets,
        "timescale": table.timescale,
        "shown_from": table.shown_from,
        "shown_to": table.shown_to,
        "entry": table.entry.data,
        "matrix": table.entry.matrix,
        "other_tracks": list(table.other_tracks),
        "table": zlib.compress(planes.transpose(0, 2, 1).tobytes(), 9),
    }


def unpacked_packets(row: Mapping[str, Any], size_bytes: int) -> tuple[PacketTable, KeyAccess]:
    """The packet table and where decoding can start, from what `packed_packets` gave.

    Args:
        row: the columns of `SCHEMA`.
        size_bytes: size of the video, in which the packets must be.

    Raises:
        VideoError: it is damaged.
    """
    packets = int(row["packets"])
    if not 0 < packets <= min(_MOST_PACKETS, size_bytes):
        raise VideoError(f"its packet index claims {packets} packets in {size_bytes} bytes")
    numbers = _numbers(packets, row["table"])
    size, gap, step = numbers[:3]
    access = KeyAccess(numbers[3].astype(np.uint8))
    offset = np.cumsum(gap) + np.cumsum(size) - size
    if not _is_inside(offset, size, size_bytes):
        raise VideoError("its packet index points beyond the end of the file")
    table = PacketTable(
        entry=SampleEntry(data=row["entry"], matrix=row["matrix"]),
        timescale=int(row["timescale"]),
        offset=offset,
        size=size,
        pts=np.cumsum(step),
        keyframe=access.keyframe,
        shown_from=int(row["shown_from"]),
        shown_to=None if row["shown_to"] is None else int(row["shown_to"]),
        other_tracks=tuple(row["other_tracks"]),
    )
    return table, access


def _is_inside(offset: Int64, size: Int64, size_bytes: int) -> bool:
    """True if all packets are in the file, and have no more bytes than it has."""
    if int(min(offset.min(), size.min())) < 0 or int(max(offset.max(), size.max())) > size_bytes:
        return False  # else the sums could overflow
    return int((offset + size).max()) <= size_bytes and int(size.sum()) <= size_bytes


def _numbers(packets: int, data: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """(4, packets) the numbers of all packets."""
    expected = _ROWS * packets * _NUMBER_BYTES
    try:
        reader = zlib.decompressobj()
        # bounded: such data can unpack to a thousand times its size
        planes = reader.decompress(data, expected)
        whole = len(planes) == expected and not reader.decompress(reader.unconsumed_tail, 1)
    except zlib.error as error:
        raise VideoError(f"its packet index is damaged: {error}") from error
    if not whole:
        raise VideoError("its packet index is damaged: it has another size than it says")
    found = np.frombuffer(planes, np.uint8).reshape(_ROWS, _NUMBER_BYTES, packets)
    turned = np.ascontiguousarray(found.transpose(0, 2, 1)).view("<i8")
    return turned.reshape(_ROWS, packets).astype(np.int64)
