"""Read parameter sets: what a decoder is told besides pictures, in the sample entry and inside the stream.

A sample entry carries the sets that a decoder starts with. Packets may carry more of them ("in band"). A set
replaces the one with the same key and stays in force until it is replaced itself. The sets are h264's and
hevc's VPS, SPS and PPS, AV1's sequence header, and MPEG-4's video object layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol, TypeAlias

from roboreel.errors import VideoError
from roboreel.storage.video.bits import Bits
from roboreel.storage.video.boxes import ENTRY_HEADER, boxes
from roboreel.storage.video.config import esds_parts, h264_config, hevc_config
from roboreel.storage.video.packets import SampleEntry

_MOST_UNITS = 1000  # there are only a few before a picture's first slice
_MOST_BYTES = 1 << 16
"""Bytes of a packet to search for MPEG-4's first picture, and bytes of a set to compare."""
_BLOCK_BYTES = 1 << 10
_SLICE_BYTES, _KEY_BYTES = 64, 128
# SPS, PPS, SPS extension, subset SPS; VPS, SPS, PPS
_H264_SETS, _HEVC_SETS = (7, 8, 13, 15), (32, 33, 34)
# sequence header; frame header, tile group, frame
_AV1_SEQUENCE, _AV1_FRAMES = 1, (3, 4, 6)
_MPEG4_VISUAL = 0x20

Sets: TypeAlias = Mapping[bytes, bytes]
"""Parameter sets by key: their kind, layer and number."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a keyframe's packet contains before its first picture's data."""

    resets: bool
    """True where the picture makes a decoder forget all earlier pictures."""
    sets: Sets = field(default_factory=dict)
    drops_waiting: bool = False
    """True where the picture tells a decoder to drop pictures that wait to be shown."""
    begin: bytes | None = None
    """The bytes before the picture, if the packet consists of NAL units and they are short; otherwise
    None."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How the packets of a kind of stream begin."""

    name: str
    sets: Sets
    """The sets of the sample entry."""
    head: Callable[[Packet], Head]
    """Reads a keyframe's head."""
    length: int = 0
    """Number of bytes that store a NAL unit's length in packets; 0 where packets do not consist of NAL
    units."""
    is_slice: Callable[[int], bool] = bool
    """Tells from the first byte of a NAL unit whether it belongs to a picture."""
    whole: bool = False
    """True where a keyframe that brings any set brings all the sets it needs (AV1)."""
    slice_of: Callable[[Packet], bytes] | None = None
    """The beginning of a packet's first picture, with its header (without it for MPEG-4); empty if there is
    none."""


class ByteSource(Protocol):
    """The part of an open file's interface that is used here."""

    def seek(self, offset: int, /) -> int:
        """Go to a position."""
        ...

    def read(self, size: int, /) -> bytes:
        """The bytes that follow; fewer where the file ends."""
        ...


class Packet:
    """The bytes of one packet, read on demand."""

    def __init__(self, file: ByteSource, start: int, size: int) -> None:
        self._file, self._start, self.size = file, start, size
        self._block, self._begin = b"", 0

    def bytes_at(self, at: int, count: int) -> bytes:
        """`count` bytes from `at` on; fewer where the packet or the file ends."""
        stop = min(at + count, self.size)
        if at < self._begin or stop > self._begin + len(self._block):
            self._file.seek(self._start + at)
            wanted = max(_BLOCK_BYTES, stop - at)
            self._block, self._begin = self._file.read(min(wanted, self.size - at)), at
        return self._block[at - self._begin : stop - self._begin]


def sets_of_packets(
    codec: Codec, file: ByteSource, positions: Iterable[tuple[int, int]]
) -> Iterator[Sets]:
    """The sets that keyframes bring, given their positions and sizes in a file.

    Most keyframes begin like the previous one: with the picture, or with the same sets. Only their beginning
    is read.
    """
    begin: bytes | None = b""
    sets: Sets = {}
    length, is_slice = codec.length, codec.is_slice
    for start, size in positions:
        if length and begin is not None:
            header = len(begin) + length
            file.seek(start)
            data = file.read(min(size, header + 1))
            if len(data) > header and is_slice(data[header]) and data.startswith(begin):
                yield sets
                continue
        head = codec.head(Packet(file, start, size))
        begin, sets = head.begin, head.sets
        yield sets


def brings_other_sets(codec: Codec, data: bytes) -> bool:
    """True where a packet brings sets that differ from the sample entry's and stay in force."""
    if codec.whole:
        return False
    if len(data) > codec.length > 0 and codec.is_slice(data[codec.length]):
        return False  # the usual case: sets come before the picture
    sets = codec.head(_Bytes(data)).sets
    return any(codec.sets.get(key) != own for key, own in sets.items())


@lru_cache(maxsize=64)
def codec_of(entry: SampleEntry) -> Codec | None:
    """How keyframes of a stream begin; None where its codec has no sets or its entry is damaged."""
    try:
        found = {
            box.kind: entry.data[box.start : box.stop] for box in boxes(entry.data, ENTRY_HEADER)
        }
        for kind, make in _CODECS.items():
            if kind in found:
                return make(found[kind])
    except (VideoError, IndexError):
        pass
    return None


def _h264(config: bytes) -> Codec:
    length, units = h264_config(config)

    def head(packet: Packet) -> Head:
        sets: dict[bytes, bytes] = {}
        for at, size in _units(packet, length):
            kind = packet.bytes_at(at, 1)[0] & 0x1F
            if 1 <= kind <= 5:
                return Head(kind == 5, sets, begin=_begin(packet, at - length))
            if kind in _H264_SETS:
                key, data = _h264_set(packet.bytes_at(at, min(size, _MOST_BYTES)))
                sets[key] = data
        return Head(False, sets)

    def is_slice(header: int) -> bool:
        return 1 <= header & 0x1F <= 5

    def slice_of(packet: Packet) -> bytes:
        return _first_slice(packet, length, is_slice)

    return Codec(
        "h264", dict(_h264_set(unit) for unit in units), head, length, is_slice, slice_of=slice_of
    )


def _h264_set(unit: bytes) -> tuple[bytes, bytes]:
    # a unit cannot end with a zero (H.264, 7.4.1): zeros there are padding that only some writers keep
    kind, data = unit[0] & 0x1F, unit[1:].rstrip(b"\0")
    skipped = 24 if kind in (7, 15) else 0  # profile, constraints and level
    return _key(kind, 0, data, skipped), data


def _hevc(config: bytes) -> Codec:
    length, units = hevc_config(config)

    def head(packet: Packet) -> Head:
        sets: dict[bytes, bytes] = {}
        for at, size in _units(packet, length):
            start = packet.bytes_at(at, 3)
            kind = start[0] >> 1 & 0x3F
            if kind < 32:
                # an IRAP picture's slice begins: first_slice_segment, no_output_of_prior_pics
                drops = 16 <= kind <= 23 and len(start) == 3 and start[2] & 0xC0 == 0xC0
                return Head(16 <= kind <= 20, sets, drops, _begin(packet, at - length))
            unit = packet.bytes_at(at, min(size, _MOST_BYTES)) if kind in _HEVC_SETS else b""
            if len(unit) > 2:
                key, data = _hevc_set(unit)
                sets[key] = data
        return Head(False, sets)

    def is_slice(header: int) -> bool:
        return header >> 1 & 0x3F < 32

    def slice_of(packet: Packet) -> bytes:
        return _first_slice(packet, length, is_slice)

    known = (unit for unit in units if unit[0] >> 1 & 0x3F in _HEVC_SETS)
    return Codec(
        "hevc", dict(_hevc_set(unit) for unit in known), head, length, is_slice, slice_of=slice_of
    )


def _hevc_set(unit: bytes) -> tuple[bytes, bytes]:
    kind, layer, data = (
        unit[0] >> 1 & 0x3F,
        (unit[0] & 1) << 5 | unit[1] >> 3,
        unit[2:].rstrip(b"\0"),
    )
    if kind == 33:
        return _key(kind, layer, data, None), data
    if kind == 32:
        return bytes([kind, layer, data[0] >> 4 if data else 0]), data
    return _key(kind, layer, data, 0), data


def _key(kind: int, layer: int, data: bytes, skipped: int | None) -> bytes:
    """The key of a set whose number follows `skipped` bits, or hevc's profile if `skipped` is None."""
    try:
        bits = Bits(data[:_KEY_BYTES])
        if skipped is None:
            skip_hevc_profile(bits)
        else:
            bits.take(skipped)
        number = bits.golomb() & 0xFF
    except ValueError:
        number = 0xFF
    return bytes([kind, layer, number])


def skip_hevc_profile(bits: Bits) -> int:
    """Skip what precedes the number in an hevc SPS; return the number of temporal layers minus one.

    Raises:
        ValueError: the set is cut short.
    """
    bits.take(4)
    layers = bits.take(3)
    # a flag, 88 bits of profile and 8 of level (H.265, 7.3.3)
    bits.take(1 + 96)
    if layers:
        # if there is one layer more, flags for 8 follow: the others are reserved bits
        flags = [bits.take(2) for _ in range(8)][:layers]
        for flag in flags:
            bits.take((88 if flag & 2 else 0) + (8 if flag & 1 else 0))
    return layers


def _av1(config: bytes) -> Codec:
    def head(packet: Packet) -> Head:
        return Head(True, dict(_av1_sets(packet)))

    return Codec("av1", dict(_av1_sets(_Bytes(config[4:]))), head, whole=True)


def packet_in_memory(data: bytes) -> Packet:
    """A packet of bytes in memory."""
    return _Bytes(data)


class _Bytes(Packet):
    """Bytes in memory with the interface of a packet."""

    def __init__(self, data: bytes) -> None:
        self._data, self.size = data, len(data)

    def bytes_at(self, at: int, count: int) -> bytes:
        """`count` bytes from `at` on; fewer where they end."""
        return self._data[at : at + count]


def _av1_sets(packet: Packet) -> Iterator[tuple[bytes, bytes]]:
    """The sequence headers before the first picture (AV1 specification, 5.3)."""
    at = 0
    for _ in range(_MOST_UNITS):
        start = packet.bytes_at(at, 10)
        if not start:
            return
        # bits of the header (5.3.2): type, whether a second byte follows, whether a size follows
        kind, at = start[0] >> 3 & 0x0F, at + (2 if start[0] & 4 else 1)
        if kind in _AV1_FRAMES:
            return
        size = packet.size - at
        if start[0] & 2:
            size, shift = 0, 0
            for byte in packet.bytes_at(at, 8):
                size, shift, at = size | (byte & 0x7F) << shift, shift + 7, at + 1
                if byte < 0x80:
                    break
        if kind == _AV1_SEQUENCE:
            data = packet.bytes_at(at, min(size, _MOST_BYTES)).rstrip(b"\0")
            yield bytes([kind]), data
        at += size


def _mpeg4(config: bytes) -> Codec | None:
    kind, setup = esds_parts(config)
    if kind != _MPEG4_VISUAL:
        return None

    def head(packet: Packet) -> Head:
        start, had = b"", _BLOCK_BYTES
        while had <= _MOST_BYTES:
            start = packet.bytes_at(0, had)
            if b"\0\0\1\xb6" in start or len(start) < had:
                break
            had *= 4
        return Head(True, dict(_mpeg4_sets(start)))

    def slice_of(packet: Packet) -> bytes:
        return packet.bytes_at(0, _MOST_BYTES).partition(b"\0\0\1\xb6")[2][:_SLICE_BYTES]

    return Codec("mpeg4", dict(_mpeg4_sets(setup)), head, slice_of=slice_of)


def _mpeg4_sets(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The video object layers before the first picture (ISO/IEC 14496-2, 6.2.3)."""
    before, found, _ = data.partition(b"\0\0\1\xb6")
    if not found and len(data) >= _MOST_BYTES:
        return
    for unit in before.split(b"\0\0\1")[1:]:
        if unit and 0x20 <= unit[0] <= 0x2F:
            yield unit[:1], unit[1:].rstrip(b"\0")


_CODECS: Mapping[str, Callable[[bytes], Codec | None]] = {
    "avcC": _h264,
    "hvcC": _hevc,
    "av1C": _av1,
    "esds": _mpeg4,
}


def _begin(packet: Packet, stop: int) -> bytes | None:
    return packet.bytes_at(0, stop) if stop <= _BLOCK_BYTES else None


def _first_slice(packet: Packet, length: int, is_slice: Callable[[int], bool]) -> bytes:
    for at, size in _units(packet, length):
        if is_slice(packet.bytes_at(at, 1)[0]):
            return packet.bytes_at(at, min(size, _SLICE_BYTES))
    return b""


def _units(packet: Packet, length: int) -> Iterator[tuple[int, int]]:
    """(start, size) of the NAL units of a packet."""
    at = 0
    for _ in range(_MOST_UNITS):
        if at + length >= packet.size:
            return
        head = packet.bytes_at(at, length + 3)
        if len(head) <= length:
            return
        size = int.from_bytes(head[:length], "big")
        at += length
        if size:
            yield at, size
        at += size
