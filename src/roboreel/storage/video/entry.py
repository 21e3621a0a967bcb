"""Reduce a sample entry to what a decoder or player needs: streams that share a file must agree on it.

Writers add more: bit rates, names of encoders and vendors, padding, boxes that state a default. These differ
from recording to recording and have no effect.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache

from roboreel.errors import VideoError
from roboreel.storage.video.boxes import ENTRY_HEADER, box, boxes
from roboreel.storage.video.config import esds_parts, h264_config, hevc_config

_NEEDED = ((4, 8), (32, 36), (82, 84))
"""The needed ranges of the fixed part: the kind, width and height, and bits per pixel."""
_PADDING = ("free", "skip", "wide", "btrt")
_HEVC_SEI, _USER_DATA = (39, 40), 5


@lru_cache(maxsize=256)
def needs_of(entry: bytes) -> bytes:
    """A sample entry of the same kind, width and height, reduced to what a decoder or player needs.

    Two reduced entries are equal where one decoder can decode both streams and players show them alike. A
    damaged entry is returned unchanged.
    """
    fixed = bytearray(ENTRY_HEADER)
    for start, stop in _NEEDED:
        fixed[start:stop] = entry[start:stop]
    try:
        parts = [(b.kind, entry[b.start : b.stop]) for b in boxes(entry, ENTRY_HEADER)]
        kept = [box(kind, _needed(kind, data)) for kind, data in parts if _says(kind, data)]
    except (VideoError, IndexError, struct.error):
        return entry
    needed = bytes(fixed[4:]) + b"".join(sorted(kept))
    return struct.pack(">I", 4 + len(needed)) + needed


def _says(kind: str, data: bytes) -> bool:
    """False for boxes that change nothing: square pixels, whole frames (not fields), padding."""
    if kind == "pasp" and len(data) == 8:
        return data[:4] != data[4:]
    if kind == "fiel" and data:
        return data[0] != 1
    return kind not in _PADDING


def _needed(kind: str, data: bytes) -> bytes:
    """A box's payload without descriptive parts: bit rates, padding, an encoder's name and settings."""
    if kind == "avcC":
        length, units = h264_config(data)
        # profile, constraints and level; then what units are read with
        return data[1:4] + bytes([length]) + _joined(unit.rstrip(b"\0") for unit in units)
    if kind == "hvcC":
        length, units = hevc_config(data)
        kept = (unit.rstrip(b"\0") for unit in units if not _is_signature(unit))
        return data[1:13] + bytes([length]) + _joined(kept)
    if kind == "esds":
        codec, setup = esds_parts(data)
        return bytes([codec]) + setup
    return data


def _is_signature(unit: bytes) -> bool:
    """True for a message that contains an encoder's name and settings."""
    return unit[0] >> 1 & 0x3F in _HEVC_SEI and unit[2] == _USER_DATA


def _joined(units: Iterable[bytes]) -> bytes:
    return b"".join(struct.pack(">H", len(unit)) + unit for unit in units)
