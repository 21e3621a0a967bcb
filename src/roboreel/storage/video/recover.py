"""Recover the packets of an MP4 file that its writer did not finish: it has packets, but no index.

Packets say themselves where they end: h264 and hevc are NAL units, each after its length, AV1 is OBUs with
their sizes. Units are put together to packets by the rules of the codec. What a decoder needs is in the file
(`grow.py` writes it first, and an index that was not written to its end may have it), or else it must be
given, from a file of the same camera.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from os import SEEK_END
from typing import IO

import numpy as np

from roboreel.storage.local import LocalRoot
from roboreel.storage.root import Root
from roboreel.storage.video.boxes import ENTRY_HEADER
from roboreel.storage.video.headers import Codec, Packet, codec_of
from roboreel.storage.video.mux import PacketSlice, write_packets
from roboreel.storage.video.packets import Int64, PacketRun, PacketTable, SampleEntry
from roboreel.storage.video.reorder import display_positions

_HEAD_BYTES = 1 << 16
_INDEX_BYTES = 1 << 20
"""How much of an incomplete index is searched: its sample entry comes before its long tables."""
_IDENTITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_MOST_UNITS = 1 << 24
_DELIMITER, _SEQUENCE, _FRAME_HEADER, _TILES, _FRAME = 2, 1, 3, 4, 6
_WINDOW_BYTES = 1 << 20

_Span = tuple[int, int]
"""(start, size) in the file."""


def recover_video(
    root: Root, name: str, *, into: LocalRoot, fps: Fraction, entry: SampleEntry | None = None
) -> int:
    """Write the whole packets of an unfinished MP4 as a file with an index, under the same name.

    Args:
        root: has the file.
        name: the file.
        into: where to write.
        fps: the frame rate: frame `k` is shown at exactly `k / fps`.
        entry: how to decode the packets, where the file does not say it.

    Returns:
        The frames; 0 where nothing was recovered, and nothing written.

    Raises:
        StorageError: the file cannot be read or written.
    """
    with root.input(name) as file:
        own, start, stop = _layout(file)
        entry = own or entry
        codec = None if entry is None else codec_of(entry)
        split = None if codec is None else _SPLITTERS.get(codec.name)
        if entry is None or codec is None or split is None or start >= stop:
            return 0
        spans, keys = _packets(file, codec, split, start, stop)
        if not spans:
            return 0
        try:
            display = display_positions(file, entry, spans)
        except (ValueError, LookupError):
            return 0
    whole = _without_gaps(display)
    spans, keys, display = spans[:whole], keys[:whole], display[:whole]
    table = PacketTable(
        entry=entry,
        timescale=1,
        offset=np.array([span[0] for span in spans], dtype=np.int64),
        size=np.array([span[1] for span in spans], dtype=np.int64),
        pts=display,
        keyframe=np.array(keys, dtype=np.bool_),
        shown_from=0,
    )
    run = PacketRun(positions=np.arange(len(spans), dtype=np.int64), display=display, lead=0)
    write_packets(into, name, [PacketSlice(root, name, table, run)], fps=fps)
    return len(spans)


def _without_gaps(display: Int64) -> int:
    """The largest number of first packets that show the frames 0, 1, … without a gap."""
    # among n packets that show n different frames, none is missing if the highest is n - 1
    reach = np.maximum.accumulate(display)
    return int(np.flatnonzero(reach == np.arange(len(display)))[-1]) + 1 if len(display) else 0


def _layout(file: IO[bytes]) -> tuple[SampleEntry | None, int, int]:
    """(how to decode, where packets begin, where they end); the packets of an open `mdat` go to the end."""
    size = file.seek(0, SEEK_END)
    entry, at = None, 0
    while at + 8 <= size:
        file.seek(at)
        head = file.read(16)
        length, kind = struct.unpack_from(">I4s", head)
        header = 8
        if length == 1 and len(head) == 16:
            length, header = struct.unpack_from(">Q", head, 8)[0], 16
        if kind == b"mdat":
            whole = header <= length <= size - at
            stop = at + length if whole else size
            return entry or _entry_after(file, stop), at + header, stop
        if kind == b"free" and 8 < length <= _HEAD_BYTES:
            file.seek(at + 8)
            entry = _entry(file.read(length - 8)) or entry
        if length < 8:
            break
        at += length
    return entry, size, size


def _entry(data: bytes) -> SampleEntry | None:
    """The sample entry in a `stsd` box, such as `grow.py` writes in front of the packets."""
    if data[4:8] != b"stsd" or len(data) < 16 + 8 + ENTRY_HEADER:
        return None
    return SampleEntry(data=data[16:], matrix=_IDENTITY)


def _entry_after(file: IO[bytes], start: int) -> SampleEntry | None:
    """The sample entry of the video in an incomplete index behind the packets; None if it is not there."""
    file.seek(start)
    data = file.read(_INDEX_BYTES)
    at = data.find(b"stsd")
    while at >= 4:
        length = int.from_bytes(data[at - 4 : at], "big")
        if at - 4 + length <= len(data):
            entry = _entry(data[at - 4 : at - 4 + length])
            codec = None if entry is None else codec_of(entry)
            if codec is not None and codec.name in _SPLITTERS:
                return entry
        at = data.find(b"stsd", at + 4)
    return None


_Splitter = Callable[[IO[bytes], Codec, int, int], Iterator[tuple[int, int, bool]]]


def _packets(
    file: IO[bytes], codec: Codec, split: _Splitter, start: int, stop: int
) -> tuple[list[_Span], list[bool]]:
    """The whole packets from the first keyframe on, and whether decoding can start at each."""
    spans: list[_Span] = []
    keys: list[bool] = []
    for begin, size, key in split(file, codec, start, stop):
        resets = key and codec.head(Packet(file, begin, size)).resets
        if spans or resets:
            spans.append((begin, size))
            keys.append(resets)
    return spans, keys


def _units(file: IO[bytes], length: int, start: int, stop: int) -> Iterator[tuple[int, int, bytes]]:
    """(start, size, first bytes) of the whole NAL units, each with the length in front of it."""
    at = start
    for _ in range(_MOST_UNITS):
        file.seek(at)
        head = file.read(length + 4)
        size = int.from_bytes(head[:length], "big")
        if len(head) <= length or not size or at + length + size > stop:
            return
        yield at, length + size, head[length:]
        at += length + size


def _nal_packets(
    file: IO[bytes], codec: Codec, start: int, stop: int
) -> Iterator[tuple[int, int, bool]]:
    """(start, size, True) of the packets of h264 and hevc: each is one frame, with what is before it."""
    begin = end = start
    slices = most = 0
    first = _first_of_h264 if codec.name == "h264" else _first_of_hevc
    for at, size, head in _units(file, codec.length, start, stop):
        is_slice = codec.is_slice(head[0])
        opens = first(head) if is_slice else _opens(codec.name, head[0])
        if slices and opens:
            yield begin, at - begin, True
            begin, slices, most = at, 0, max(most, slices)
        slices += is_slice
        end = at + size
    if slices and slices >= most:  # the last frame may lack slices that others have
        yield begin, end - begin, True


def _first_of_h264(head: bytes) -> bool:
    return len(head) > 1 and head[1] & 0x80 != 0  # first_mb_in_slice is 0


def _first_of_hevc(head: bytes) -> bool:
    return len(head) > 2 and head[2] & 0x80 != 0  # first_slice_segment_in_pic_flag


def _opens(codec: str, first: int) -> bool:
    """True for units that come before a frame: delimiters, parameter sets, messages."""
    # H.264 7.4.1.2.3, H.265 7.4.2.4.4
    if codec == "h264":
        return first & 0x1F in (6, 7, 8, 9, 14, 15)
    return first >> 1 & 0x3F in (32, 33, 34, 35, 39)


def _av1_packets(
    file: IO[bytes], codec: Codec, start: int, stop: int
) -> Iterator[tuple[int, int, bool]]:
    """(start, size, whether a key frame is in it) of temporal units: each shows one frame."""
    begin, key, shown = start, False, False
    at = start
    for _ in range(_MOST_UNITS):
        file.seek(at)
        head = file.read(16)
        kind, payload, size = _obu(head)
        if kind is None or at + size > stop:
            break
        if shown and kind != _TILES:
            yield begin, at - begin, key
            begin, key, shown = at, False, False
        if kind in (_FRAME, _FRAME_HEADER) and payload < len(head):
            flags = head[payload]  # show_existing_frame, frame_type (2 bits), show_frame (5.9.2)
            shown = shown or bool(flags & 0x80) or bool(flags & 0x10)
            key = key or flags & 0xF0 == 0x10
        at += size
    if shown:
        yield begin, at - begin, key


def _obu(head: bytes) -> tuple[int | None, int, int]:
    """(kind, where its payload begins, size in all) of an OBU; None where there is none with a size."""
    if len(head) < 2 or head[0] & 0x81 or not head[0] & 2:
        return None, 0, 0
    kind, at = head[0] >> 3 & 0x0F, 2 if head[0] & 4 else 1
    size = shift = 0
    for byte in head[at : at + 8]:
        size, shift, at = size | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return (kind if kind else None), at, at + size
    return None, 0, 0


_SPLITTERS: dict[str, _Splitter] = {
    "h264": _nal_packets,
    "hevc": _nal_packets,
    "av1": _av1_packets,
}
