"""Build the boxes of an MP4 file with one video track that shows frame `k` at exactly `k / fps`.

Decode times are `i / fps`. Where B-frames make a packet's display earlier than its decoding, all display
times are shifted by one constant, which an edit list subtracts again (as every muxer does).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from roboreel.storage.video.boxes import box, full_box
from roboreel.storage.video.packets import Bools, Int64, SampleEntry

FILE_TYPE = box("ftyp", b"isom" + struct.pack(">I", 512) + b"isomiso2mp41")
_FAST_CLOCK = 10_000  # minimum ticks per second of any exact time scale, as in common muxers


def time_scale(fps: Fraction) -> tuple[int, int]:
    """(ticks per second, ticks per frame) that make every frame time a whole number of ticks."""
    ticks = fps.numerator
    while ticks < _FAST_CLOCK:
        ticks *= 2
    return ticks, ticks // fps.numerator * fps.denominator


def movie_box(
    entry: SampleEntry,
    size: Int64,
    keyframe: Bools,
    display: Int64,
    chunk_packets: Sequence[int],
    chunk_at: Int64,
    fps: Fraction,
) -> bytes:
    """The `moov` box of a file with one video track, its packets in decode order.

    Args:
        entry: how to decode the packets.
        size: (n,) bytes of each packet.
        keyframe: (n,) True where decoding can start.
        display: (n,) position of each packet in display order, `0 … n-1`.
        chunk_packets: number of packets in each chunk, a run of packets without a gap.
        chunk_at: position in the file where each chunk begins.
        fps: the frame rate.
    """
    scale, step = time_scale(fps)
    packets = len(size)
    duration = packets * step
    prefetch = np.arange(packets, dtype=np.int64) - display
    shift = int(prefetch.max())  # frames that display must wait for decoding
    far = int(chunk_at[-1]) > 0xFFFFFFFF
    samples = box(
        "stbl",
        description_box(entry),
        full_box("stts", 0, 0, struct.pack(">III", 1, packets, step)),
        # never negative, thanks to `shift`: version 0 of `ctts` is unsigned
        *([] if not prefetch.any() else [_ctts((shift - prefetch) * step)]),
        *([] if keyframe.all() else [_numbers("stss", np.flatnonzero(keyframe) + 1)]),
        _stsc(chunk_packets),
        full_box("stsz", 0, 0, struct.pack(">II", 0, packets), size.astype(">u4").tobytes()),
        _numbers("co64", chunk_at, ">u8") if far else _numbers("stco", chunk_at),
    )
    # flag 1: the packets are in this file
    reference = box("dinf", full_box("dref", 0, 0, struct.pack(">I", 1), full_box("url ", 0, 1)))
    information = box("minf", full_box("vmhd", 0, 1, bytes(8)), reference, samples)
    media = box(
        "mdia",
        # 0x55C4: the language is "und"
        full_box("mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, scale, duration, 0x55C4, 0)),
        full_box("hdlr", 0, 0, struct.pack(">I4s12x", 0, b"vide"), b"VideoHandler\0"),
        information,
    )
    edit = full_box("elst", 1, 0, struct.pack(">IQqHH", 1, duration, shift * step, 1, 0))
    track = box("trak", _tkhd(entry, duration), *([box("edts", edit)] if shift else []), media)
    return box("moov", _mvhd(scale, duration), track)


def description_box(entry: SampleEntry) -> bytes:
    """The `stsd` box of a track with one sample entry."""
    return full_box("stsd", 0, 0, struct.pack(">I", 1), entry.data)


def _mvhd(scale: int, duration: int) -> bytes:
    # the movie's clock equals the track's, so that no duration is rounded
    fixed = struct.pack(">QQIQIH10x", 0, 0, scale, duration, 0x00010000, 0x0100)
    return full_box("mvhd", 1, 0, fixed, _IDENTITY, bytes(24), struct.pack(">I", 2))


def _tkhd(entry: SampleEntry, duration: int) -> bytes:
    fixed = struct.pack(">QQI4xQ8xHHHH", 0, 0, 1, duration, 0, 0, 0, 0)
    dimensions = struct.pack(">II", entry.width << 16, entry.height << 16)
    # flags: enabled, part of the presentation; sides are 16.16 fixed-point numbers
    return full_box("tkhd", 1, 3, fixed, entry.matrix, dimensions)


def _ctts(offsets: Int64) -> bytes:
    starts = np.concatenate([[0], np.flatnonzero(np.diff(offsets)) + 1])
    counts = np.diff(np.append(starts, len(offsets)))
    entries = np.stack([counts, offsets[starts]], axis=1).astype(">u4")
    return full_box("ctts", 0, 0, struct.pack(">I", len(entries)), entries.tobytes())


def _stsc(chunk_packets: Sequence[int]) -> bytes:
    counts = np.asarray(chunk_packets, dtype=np.int64)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(counts)) + 1])
    entries = np.stack([starts + 1, counts[starts], np.ones_like(starts)], axis=1).astype(">u4")
    return full_box("stsc", 0, 0, struct.pack(">I", len(entries)), entries.tobytes())


def _numbers(kind: str, values: Int64, dtype: str = ">u4") -> bytes:
    return full_box(kind, 0, 0, struct.pack(">I", len(values)), values.astype(dtype).tobytes())


_IDENTITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
