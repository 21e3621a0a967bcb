"""Keyframes at which a decoder can start whatever it decoded before.

A file marks packets as keyframes where a player may start afresh. In h264 and hevc some of them (recovery
points of open GOPs and of intra refresh, hevc's CRA pictures) do not reset the decoder: after the packets
of another episode it would decode them to other pictures. Only pictures that reset are places to join:
h264 IDR (NAL type 5), hevc IDR and BLA (types 16 to 20; ITU-T H.264 table 7-1, H.265 table 7-1).
"""

from __future__ import annotations

from functools import lru_cache
from typing import IO

from roboreel.storage.video.boxes import boxes
from roboreel.storage.video.packets import PacketTable, SampleEntry

_ENTRY_HEADER = 86  # a VisualSampleEntry's fixed part, before its boxes
_MOST_UNITS = 1000  # before a picture's first slice there are a few
_BLOCK_BYTES = 1 << 10


class AccessPoints:
    """Tells which packets of an open video file reset a decoder."""

    def __init__(self, file: IO[bytes], table: PacketTable) -> None:
        self._file, self._table = file, table
        self._nal_length = _nal_length_size(table.entry)
        self._hevc = table.entry.fourcc in ("hvc1", "hev1")
        self._known: dict[int, bool] = {}

    def resets(self, position: int) -> bool:
        """True where the packet at a decode position resets the decoder.

        For codecs other than h264 and hevc every keyframe is taken to.
        """
        if self._nal_length is None:
            return True
        if position not in self._known:
            self._known[position] = self._read(position, self._nal_length)
        return self._known[position]

    def _read(self, position: int, nal_length: int) -> bool:
        at = int(self._table.offset[position])
        end = at + int(self._table.size[position])
        block, begin = b"", at
        for _ in range(_MOST_UNITS):
            if at + nal_length >= end:
                break
            if at + nal_length >= begin + len(block):
                self._file.seek(at)
                block, begin = self._file.read(min(end - at, _BLOCK_BYTES)), at
            head = block[at - begin : at - begin + nal_length + 1]
            if len(head) <= nal_length:
                return False
            kind = head[-1] >> 1 & 0x3F if self._hevc else head[-1] & 0x1F
            if self._hevc and kind < 32:
                return 16 <= kind <= 20
            if not self._hevc and 1 <= kind <= 5:
                return kind == 5
            at += nal_length + int.from_bytes(head[:-1], "big")
        return False


@lru_cache(maxsize=64)
def _nal_length_size(entry: SampleEntry) -> int | None:
    """Bytes of the length before each NAL unit; None for codecs without NAL units."""
    places = {"avcC": 4, "hvcC": 21}
    for box in boxes(entry.data, _ENTRY_HEADER):
        at = box.start + places.get(box.kind, 0)
        if box.kind in places and at < box.stop:
            return (entry.data[at] & 3) + 1
    return None
