"""Write packets of other files as one MP4, byte for byte, at exact times.

The index comes first (players and range readers start at once), then the packets in decode order. Frame
`k` in display order stands at exactly `k / fps`; decode times are `i / fps`, and where B-frames make a
packet's display earlier than its decoding, all display times are moved by one constant that an edit list
takes back (as every muxer does).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from roboreel.errors import StorageError
from roboreel.storage.local import LocalRoot
from roboreel.storage.output_file import Output
from roboreel.storage.root import Root
from roboreel.storage.video.boxes import box, full_box
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import Bools, Int64, PacketRun, PacketTable, SampleEntry

_BRANDS = b"isom" + struct.pack(">I", 512) + b"isomiso2mp41"
_FAST_CLOCK = 10_000  # ticks per second that any exact time scale is raised to, as common muxers do


@dataclass(frozen=True, slots=True)
class PacketSlice:
    """A run of packets of an input file."""

    root: Root
    name: str
    table: PacketTable
    run: PacketRun


def time_scale(fps: Fraction) -> tuple[int, int]:
    """Ticks per second, and per frame, in which every frame time is a whole number."""
    ticks = fps.numerator
    while ticks < _FAST_CLOCK:
        ticks *= 2
    return ticks, ticks // fps.numerator * fps.denominator


def write_packets(
    root: LocalRoot, name: str, slices: Sequence[PacketSlice], *, fps: Fraction
) -> int:
    """Write the pieces one after another into a new file; returns its size in bytes.

    Raises:
        ValueError: the pieces' sample entries differ.
        StorageError: an input is shorter than its index says, or the disk is full.
    """
    entry = slices[0].table.entry
    if any(span.table.entry != entry for span in slices):
        raise ValueError("streams whose sample entries differ cannot share a file")
    size = np.concatenate([span.table.size[span.run.positions] for span in slices])
    keyframe = np.concatenate([span.table.keyframe[span.run.positions] for span in slices])
    display = _joined_display([span.run for span in slices])
    header = _header(entry, size, keyframe, display, [p.run.packets for p in slices], fps)
    with root.create(name) as output:
        output.write(header)
        for span in slices:
            _copy(span, output)
    return len(header) + int(size.sum())


def write_encoded(
    root: LocalRoot,
    name: str,
    entry: SampleEntry,
    packets: Sequence[bytes],
    *,
    keyframe: Bools,
    display: Int64,
    fps: Fraction,
) -> int:
    """Write packets in memory, in decode order, as a new file; returns its size in bytes.

    Args:
        root: where to write.
        name: the file.
        entry: how to decode them.
        packets: their bytes.
        keyframe: (n,) True where decoding can start.
        display: (n,) the place of each in display order, `0 … n-1`.
        fps: the frame rate.
    """
    size = np.array([len(packet) for packet in packets], dtype=np.int64)
    header = _header(entry, size, keyframe, display, [len(packets)], fps)
    with root.create(name) as output:
        output.write(header)
        for packet in packets:
            output.write(packet)
    return len(header) + int(size.sum())


def one_packet_file(entry: SampleEntry, packet: bytes) -> bytes:
    """An MP4 file of one packet: what a library needs to see to make a decoder for a track."""
    size, display = np.array([len(packet)], dtype=np.int64), np.zeros(1, dtype=np.int64)
    return _header(entry, size, np.ones(1, dtype=np.bool_), display, [1], Fraction(1)) + packet


def verify_packets(root: LocalRoot, name: str, *, packets: int, size_bytes: int) -> None:
    """Read a written file's index back and compare it, and the file's size, with what was promised.

    Raises:
        StorageError: they differ.
    """
    table = read_packet_table(root, name)
    found = root.stat(name).size_bytes
    if (table.packets, table.frames, found) != (packets, packets, size_bytes):
        raise StorageError(
            f"'{name}' holds {table.packets} packets, shows {table.frames}, in {found} bytes;"
            f" promised {packets} in {size_bytes}"
        )


def _joined_display(runs: Sequence[PacketRun]) -> Int64:
    starts = np.cumsum([0, *(run.packets for run in runs[:-1])])
    return np.concatenate([run.display + at for run, at in zip(runs, starts, strict=True)])


def _copy(span: PacketSlice, output: Output) -> None:
    offset = span.table.offset[span.run.positions]
    size = span.table.size[span.run.positions]
    breaks = np.flatnonzero(offset[1:] != offset[:-1] + size[:-1]) + 1
    starts = np.concatenate([[0], breaks])
    sizes = np.add.reduceat(size, starts)
    with span.root.input(span.name) as source:
        for start, length in zip(offset[starts].tolist(), sizes.tolist(), strict=True):
            output.copy(source, start=start, size=length)


def _header(
    entry: SampleEntry,
    size: Int64,
    keyframe: Bools,
    display: Int64,
    chunk_packets: Sequence[int],
    fps: Fraction,
) -> bytes:
    """Everything before the packets: `ftyp`, `moov` and the head of `mdat`."""
    file_type = box("ftyp", _BRANDS)
    total = int(size.sum())
    wide = total + 16 > 0xFFFFFFFF
    data_head = (
        struct.pack(">I4sQ", 1, b"mdat", total + 16)
        if wide
        else struct.pack(">I4s", total + 8, b"mdat")
    )
    before = np.cumsum(size) - size
    chunk_at = before[np.cumsum([0, *chunk_packets[:-1]])]

    def head(at: int, *, far: bool) -> bytes:
        places = (">u8" if far else ">u4", chunk_at + at)
        movie = _moov(entry, size, keyframe, display, chunk_packets, places, fps)
        return file_type + movie + data_head

    length = len(head(0, far=False))
    if int(chunk_at[-1]) + length <= 0xFFFFFFFF:
        return head(length, far=False)
    return head(len(head(0, far=True)), far=True)


def _moov(
    entry: SampleEntry,
    size: Int64,
    keyframe: Bools,
    display: Int64,
    chunk_packets: Sequence[int],
    places: tuple[str, Int64],
    fps: Fraction,
) -> bytes:
    scale, step = time_scale(fps)
    packets = len(size)
    duration = packets * step
    prefetch = np.arange(packets, dtype=np.int64) - display
    shift = int(prefetch.max())  # frames by which display must wait for decoding
    samples = box(
        "stbl",
        full_box("stsd", 0, 0, struct.pack(">I", 1), entry.data),
        full_box("stts", 0, 0, struct.pack(">III", 1, packets, step)),
        *([] if not prefetch.any() else [_ctts((shift - prefetch) * step)]),
        *([] if keyframe.all() else [_numbers("stss", np.flatnonzero(keyframe) + 1)]),
        _stsc(chunk_packets),
        full_box("stsz", 0, 0, struct.pack(">II", 0, packets), size.astype(">u4").tobytes()),
        _numbers("co64" if places[0] == ">u8" else "stco", places[1], places[0]),
    )
    reference = box("dinf", full_box("dref", 0, 0, struct.pack(">I", 1), full_box("url ", 0, 1)))
    information = box("minf", full_box("vmhd", 0, 1, bytes(8)), reference, samples)
    media = box(
        "mdia",
        full_box("mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, scale, duration, 0x55C4, 0)),
        full_box("hdlr", 0, 0, struct.pack(">I4s12x", 0, b"vide"), b"VideoHandler\0"),
        information,
    )
    edit = full_box("elst", 1, 0, struct.pack(">IQqHH", 1, duration, shift * step, 1, 0))
    track = box("trak", _tkhd(entry, duration), *([box("edts", edit)] if shift else []), media)
    return box("moov", _mvhd(scale, duration), track)


def _mvhd(scale: int, duration: int) -> bytes:
    # the movie's clock is the track's, so that no duration is rounded
    fixed = struct.pack(">QQIQIH10x", 0, 0, scale, duration, 0x00010000, 0x0100)
    return full_box("mvhd", 1, 0, fixed, _IDENTITY, bytes(24), struct.pack(">I", 2))


def _tkhd(entry: SampleEntry, duration: int) -> bytes:
    fixed = struct.pack(">QQI4xQ8xHHHH", 0, 0, 1, duration, 0, 0, 0, 0)
    dimensions = struct.pack(">II", entry.width << 16, entry.height << 16)
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
