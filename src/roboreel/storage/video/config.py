"""Read what a sample entry's boxes tell a decoder: `avcC`, `hvcC` and `esds`.

A truncated box gives the parts that are there. Whether a file is valid is checked elsewhere.
"""

from __future__ import annotations

_H264_HEAD, _HEVC_HEAD = 5, 22


def h264_config(config: bytes) -> tuple[int, list[bytes]]:
    """(length bytes, parameter sets) of an `avcC` box; packets give each unit's length in that many bytes.

    ISO/IEC 14496-15, 5.3.3.1.

    Raises:
        IndexError: the box is too short for the number of length bytes.
    """
    length = (config[_H264_HEAD - 1] & 3) + 1
    units: list[bytes] = []
    at = _H264_HEAD
    for mask in (0x1F, 0xFF):  # SPS are counted in 5 bits, PPS in 8
        count = config[at] & mask if at < len(config) else 0
        found, at = _counted(config, at + 1, count)
        units += found
    if len(config) > at + 3:  # chroma format and depths, then the sets' extensions
        units += _counted(config, at + 4, config[at + 3])[0]
    return length, [unit for unit in units if unit]


def hevc_config(config: bytes) -> tuple[int, list[bytes]]:
    """(length bytes, units) of an `hvcC` box; packets give each unit's length in that many bytes.

    ISO/IEC 14496-15, 8.3.3.1.

    Raises:
        IndexError: the box is too short for the number of length bytes.
    """
    length = (config[_HEVC_HEAD - 1] & 3) + 1
    units: list[bytes] = []
    at = _HEVC_HEAD + 1
    for _ in range(config[_HEVC_HEAD] if len(config) > _HEVC_HEAD else 0):
        # an array: the type of its units in one byte, their number in two
        found, at = _counted(config, at + 3, int.from_bytes(config[at + 1 : at + 3], "big"))
        units += found
    return length, [unit for unit in units if len(unit) > 2]


def esds_parts(config: bytes) -> tuple[int, bytes]:
    """(kind of codec, the decoder's own setup) of an `esds` box.

    ISO/IEC 14496-1, 7.2.6. The box also has bit rates, buffer sizes and stream numbers.

    Raises:
        IndexError: the box is cut short.
    """
    kind, setup = 0, b""
    at, stop = 4, len(config)
    while at < stop:
        tag, at = config[at], at + 1
        size = 0
        for _ in range(4):
            byte, at = config[at], at + 1
            size = size << 7 | byte & 0x7F
            if byte < 0x80:
                break
        if tag == 3:  # a stream: its number, flags, and the fields that the flags announce
            flags, at = config[at + 2], at + 3
            at += 2 if flags & 0x80 else 0
            at += 1 + config[at] if flags & 0x40 else 0
            at += 2 if flags & 0x20 else 0
        elif tag == 4:  # a decoder: its kind, buffer and bit rates, then its setup
            kind, at = config[at], at + 13
        else:
            if tag == 5:
                setup = config[at : at + size]
            at += size
    return kind, setup


def _counted(config: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """Units, each preceded by a two-byte length, and the position where they end."""
    units = []
    for _ in range(count):
        if at + 2 > len(config):
            break
        size = int.from_bytes(config[at : at + 2], "big")
        units.append(config[at + 2 : at + 2 + size])
        at += 2 + size
    return units, at
