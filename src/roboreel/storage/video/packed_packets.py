"""Packet tables as few bytes: about 1.5 for a packet. What repeats itself takes none."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from roboreel.errors import VideoError
from roboreel.storage.video.key_access import KeyAccess
from roboreel.storage.video.packets import Int64, PacketTable, SampleEntry

_ROWS, _NUMBER_BYTES = 3, 8
_MOST_LOW_BITS = 8
_STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)
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
        ("sizes", pa.binary()),
        ("table", pa.binary()),
    ]
)
"""Columns of `packed_packets`."""


def packed_packets(table: PacketTable, access: KeyAccess) -> dict[str, Any]:
    """A packet table and where decoding can start, by the columns of `SCHEMA`.

    The numbers of all packets (gap to the packet before, display time after that of the packet before, codes
    of `KeyAccess`) are stored by significance: all lowest bytes, then all second ones, and so on. Sizes are
    noise, and most of the bytes, so they are stored apart: those of keyframes, then the others.
    """
    ends = table.offset + table.size
    gap = table.offset - np.concatenate([[0], ends[:-1]])
    step = np.diff(table.pts, prepend=0)
    numbers = np.stack([gap, step, access.codes.astype(np.int64)]).astype("<i8")
    planes = numbers.view(np.uint8).reshape(_ROWS, table.packets, _NUMBER_BYTES)
    sizes = np.concatenate([table.size[table.keyframe], table.size[~table.keyframe]])
    return {
        "packets": table.packets,
        "timescale": table.timescale,
        "shown_from": table.shown_from,
        "shown_to": table.shown_to,
        "entry": table.entry.data,
        "matrix": table.entry.matrix,
        "other_tracks": list(table.other_tracks),
        "sizes": _packed_sizes(sizes),
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
    gap, step, codes = numbers
    access = KeyAccess(codes.astype(np.uint8))
    size = np.empty(packets, np.int64)
    key = access.keyframe
    size[np.concatenate([np.flatnonzero(key), np.flatnonzero(~key)])] = _sizes(
        packets, row["sizes"]
    )
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


def _packed_sizes(sizes: Int64) -> bytes:
    """Sizes as few bytes: how many low bits are stored as they are, these, and the others compressed."""
    return min(
        (_split(sizes, bits, how) for bits in range(_MOST_LOW_BITS + 1) for how in _STRATEGIES),
        key=len,
    )


def _split(sizes: Int64, bits: int, strategy: int) -> bytes:
    low = np.unpackbits((sizes & 0xFF).astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]
    planes = (sizes >> bits).astype("<i8").view(np.uint8).reshape(-1, _NUMBER_BYTES).T
    used = _NUMBER_BYTES - int(np.argmax(planes[::-1].any(axis=1))) if planes.any() else 0
    writer = zlib.compressobj(9, strategy=strategy)
    high = writer.compress(planes[:used].tobytes()) + writer.flush()
    return bytes([bits]) + np.packbits(low).tobytes() + high


def _sizes(packets: int, data: bytes) -> Int64:
    """What `_packed_sizes` packed."""
    bits = data[0] if data else 0
    stop = 1 + (bits * packets + 7) // 8
    if bits > _MOST_LOW_BITS:
        raise VideoError(f"its packet index is damaged: sizes have {bits} low bits")
    found = _inflated(data[stop:], packets * _NUMBER_BYTES)
    if len(found) % packets or len(data) < stop:
        raise VideoError("its packet index is damaged: it has another size than it says")
    low = np.zeros((packets, 8), np.uint8)
    stored = np.unpackbits(np.frombuffer(data[1:stop], np.uint8), count=bits * packets)
    low[:, 8 - bits :] = stored.reshape(packets, bits)
    planes = np.zeros((packets, _NUMBER_BYTES), np.uint8)
    planes[:, : len(found) // packets] = np.frombuffer(found, np.uint8).reshape(-1, packets).T
    high = planes.view("<i8")[:, 0].astype(np.int64)
    return np.asarray(high << bits | np.packbits(low, axis=1)[:, 0])


def _inflated(data: bytes, most: int) -> bytes:
    """What was compressed, at most so many bytes."""
    reader = zlib.decompressobj()
    try:
        # bounded: such data can unpack to a thousand times its size
        found = reader.decompress(data, most + 1)
    except zlib.error as error:
        raise VideoError(f"its packet index is damaged: {error}") from error
    if not reader.eof or len(found) > most:
        raise VideoError("its packet index is damaged: it has another size than it says")
    return found


def _is_inside(offset: Int64, size: Int64, size_bytes: int) -> bool:
    """True if all packets are in the file, and have no more bytes than it has."""
    if int(min(offset.min(), size.min())) < 0 or int(max(offset.max(), size.max())) > size_bytes:
        return False  # else the sums could overflow
    return int((offset + size).max()) <= size_bytes and int(size.sum()) <= size_bytes


def _numbers(packets: int, data: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """(3, packets) the numbers of all packets, without their sizes."""
    planes = _inflated(data, _ROWS * packets * _NUMBER_BYTES)
    if len(planes) != _ROWS * packets * _NUMBER_BYTES:
        raise VideoError("its packet index is damaged: it has another size than it says")
    found = np.frombuffer(planes, np.uint8).reshape(_ROWS, _NUMBER_BYTES, packets)
    turned = np.ascontiguousarray(found.transpose(0, 2, 1)).view("<i8")
    return turned.reshape(_ROWS, packets).astype(np.int64)
