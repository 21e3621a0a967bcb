"""Take packets in memory apart: NAL units of h264 and hevc, OBUs of AV1, and how many frames they show.

ITU-T H.264 and H.265, 7.3 and 7.4 and annex B; AV1 specification, 5.3 and 5.9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from roboreel.errors import UsageError
from roboreel.storage.video.headers import Codec

_LONG_START = b"\0\0\0\1"
_AV1_SEQUENCE, _AV1_DELIMITER, _AV1_HEADER, _AV1_FRAME = 1, 2, 3, 6


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """What a packet holds."""

    frames: int
    """Frames that it shows."""
    keyframe: bool
    """True where decoding can start with it."""
    sets: list[bytes] = field(default_factory=list)
    """Its parameter sets."""


class Units(Protocol):
    """Reads the units of one codec."""

    def inspect(self, units: Sequence[bytes]) -> UnitFacts:
        """What a packet holds."""

    def has_sequence(self, sets: Sequence[bytes]) -> bool:
        """True where one of the sets gives the frame size."""


class H264Units:
    """NAL units of h264."""

    def inspect(self, units: Sequence[bytes]) -> UnitFacts:
        """Frames are counted by their first slices, keyframes are IDR."""
        frames, keyframe, sets = 0, False, []
        for unit in units:
            kind = unit[0] & 0x1F
            if kind in (1, 2, 5):
                frames += len(unit) > 1 and unit[1] >> 7  # first_mb_in_slice is 0
                keyframe = keyframe or kind == 5
            elif kind in (7, 8):
                sets.append(unit)
        return UnitFacts(frames, keyframe, sets)

    def has_sequence(self, sets: Sequence[bytes]) -> bool:
        """True where there is an SPS."""
        return any(one[0] & 0x1F == 7 for one in sets)


class HevcUnits:
    """NAL units of hevc."""

    def inspect(self, units: Sequence[bytes]) -> UnitFacts:
        """Frames are counted by their first slice segments, keyframes are IDR, BLA and CRA."""
        frames, keyframe, sets = 0, False, []
        for unit in units:
            kind = unit[0] >> 1 & 0x3F
            if kind < 32:
                frames += len(unit) > 2 and unit[2] >> 7  # first_slice_segment_in_pic_flag
                keyframe = keyframe or 16 <= kind <= 21
            elif kind in (32, 33, 34):
                sets.append(unit)
        return UnitFacts(frames, keyframe, sets)

    def has_sequence(self, sets: Sequence[bytes]) -> bool:
        """True where there is an SPS."""
        return any(one[0] >> 1 & 0x3F == 33 for one in sets)


class Av1Units:
    """OBUs of AV1."""

    def inspect(self, units: Sequence[bytes]) -> UnitFacts:
        """Frames are those whose headers say that they are shown."""
        frames, keyframe, first, sets = 0, False, True, []
        for unit in units:
            kind = unit[0] >> 3 & 0x0F
            if kind == _AV1_SEQUENCE:
                sets.append(unit)
            elif kind in (_AV1_HEADER, _AV1_FRAME):
                head = _payload(unit)[:1]
                # show_existing_frame, frame_type (2 bits, 0: a key frame), show_frame (5.9.2)
                shown = bool(head) and bool(head[0] & 0x80 or head[0] & 0x10)
                if first:
                    keyframe, first = bool(head) and head[0] >> 4 & 0x0F == 1, False
                frames += shown
        return UnitFacts(frames, keyframe, sets)

    def has_sequence(self, sets: Sequence[bytes]) -> bool:
        """True where there is a sequence header."""
        return bool(sets)


def split_units(data: bytes, length: int) -> list[bytes]:
    """The NAL units of a packet.

    Args:
        data: the packet.
        length: the bytes that give each unit's length; 0 where start codes separate them. A packet that
            begins with a start code of four bytes has start codes in either case.

    Raises:
        UsageError: it is not made so.
    """
    if length and not data.startswith(_LONG_START):  # no unit has one byte
        return _by_length(data, length)
    before, *units = data.split(b"\0\0\1")
    if not units or before.strip(b"\0"):
        raise UsageError(
            "the packet does not begin with a start code (00 00 01): NAL units with lengths need the"
            " `avcC` or `hvcC` payload as extradata"
        )
    return [stripped for unit in units if (stripped := unit.rstrip(b"\0"))]


def _by_length(data: bytes, length: int) -> list[bytes]:
    units, at = [], 0
    while at < len(data):
        start = at + length
        at = start + int.from_bytes(data[at:start], "big")
        if start < at <= len(data):
            units.append(data[start:at])
        elif at > len(data) or start > len(data):
            raise UsageError(
                f"the packet is cut short, or its NAL units have no lengths of {length} bytes as the"
                " extradata says"
            )
    return units


def has_sized_units(codec: Codec | None) -> bool:
    """True if the packets of a codec in an MP4 consist of units that say their size (h264, hevc, AV1)."""
    return codec is not None and (codec.length > 0 or codec.name == "av1")


def is_packet(data: bytes, codec: Codec | None) -> bool:
    """True if bytes are whole units of such a codec, as a packet is and what begins or ends elsewhere is not.

    Other bytes pass once in some thousand (AV1) or million times (h264, hevc).
    """
    if codec is not None and codec.length:
        return _is_nal_units(data, codec.length)
    try:
        return all(
            unit[0] & 3 == 2 for unit in split_obus(data)
        )  # with a size, the reserved bit is 0
    except UsageError:
        return False


def _is_nal_units(data: bytes, length: int) -> bool:
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + length], "big")
        at += length + size
        if not size or at > len(data) or data[at - size] & 0x80:  # forbidden_zero_bit
            return False
    return True


def split_obus(data: bytes) -> list[bytes]:
    """The OBUs of a packet, each with its header.

    Raises:
        UsageError: it does not consist of whole OBUs.
    """
    units, at = [], 0
    while at < len(data):
        begin, head = at, data[at]
        size, at = _obu_size(data, at)
        at += size
        if head & 0x80 or at > len(data):
            raise UsageError("the packet is cut short, or does not consist of AV1 OBUs")
        units.append(data[begin:at])
    return units


def _obu_size(data: bytes, at: int) -> tuple[int, int]:
    """(bytes of the payload, where it begins) of the OBU at a position."""
    head = data[at]
    at += 2 if head & 4 else 1
    if not head & 2:
        return max(0, len(data) - at), at
    size = shift = 0
    for byte in data[at : at + 8]:
        size, shift, at = size | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            break
    return size, at


def _payload(unit: bytes) -> bytes:
    size, at = _obu_size(unit, 0)
    return unit[at : at + size]
