"""Write packets of other files as one MP4, byte for byte, at exact times.

The index comes first, so that players and range readers can start at once. The packets follow in decode
order. Frame `k` in display order is shown at exactly `k / fps` (`movie.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from roboreel.errors import StorageError
from roboreel.progress.work_done import advance
from roboreel.storage.output_file import Output
from roboreel.storage.root import Root
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.movie import FILE_TYPE, movie_box
from roboreel.storage.video.packets import Bools, Int64, PacketRun, PacketTable, SampleEntry
from roboreel.storage.write_root import WriteRoot

_PART_BYTES = 8 << 20
"""How much is copied before it is told."""


@dataclass(frozen=True, slots=True)
class PacketSlice:
    """A run of packets of an input file."""

    root: Root
    name: str
    table: PacketTable
    run: PacketRun


def write_packets(
    root: WriteRoot, name: str, slices: Sequence[PacketSlice], *, fps: Fraction
) -> int:
    """Write packet slices one after another into a new file; return its size in bytes.

    Raises:
        ValueError: the slices' sample entries differ.
        StorageError: an input is shorter than its index says, or the disk is full.
    """
    entry = slices[0].table.entry
    if any(span.table.entry != entry for span in slices):
        raise ValueError("streams with different sample entries cannot share a file")
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
    root: WriteRoot,
    name: str,
    entry: SampleEntry,
    packets: Sequence[bytes],
    *,
    keyframe: Bools,
    display: Int64,
    fps: Fraction,
) -> int:
    """Write packets in memory, in decode order, as a new file; return its size in bytes.

    Args:
        root: where to write.
        name: the file.
        entry: how to decode the packets.
        packets: their bytes.
        keyframe: (n,) True where decoding can start.
        display: (n,) position of each packet in display order, `0 … n-1`.
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
    """An MP4 file of one packet: a library needs it to set up a decoder for a track."""
    size, display = np.array([len(packet)], dtype=np.int64), np.zeros(1, dtype=np.int64)
    return _header(entry, size, np.ones(1, dtype=np.bool_), display, [1], Fraction(1)) + packet


def verify_packets(root: WriteRoot, name: str, *, packets: int, size_bytes: int) -> None:
    """Read a written file's index back and compare it and the file's size with the expected values.

    Raises:
        StorageError: they differ.
    """
    table = read_packet_table(root, name)
    found = root.stat(name).size_bytes
    if (table.packets, table.frames, found) != (packets, packets, size_bytes):
        raise StorageError(
            f"'{name}' has {table.packets} packets, of which {table.frames} are shown, in {found} bytes;"
            f" expected {packets} in {size_bytes}"
        )


def _joined_display(runs: Sequence[PacketRun]) -> Int64:
    starts = np.cumsum([0, *(run.packets for run in runs[:-1])])
    return np.concatenate([run.display + at for run, at in zip(runs, starts, strict=True)])


def _copy(span: PacketSlice, output: Output) -> None:
    offset = span.table.offset[span.run.positions]
    size = span.table.size[span.run.positions]
    # packets that follow each other in the input are copied together: often a whole episode at once
    breaks = np.flatnonzero(offset[1:] != offset[:-1] + size[:-1]) + 1
    starts = np.concatenate([[0], breaks])
    sizes = np.add.reduceat(size, starts)
    with span.root.input(span.name) as source:
        copied, frames, all_bytes = 0, 0, max(int(size.sum()), 1)
        for start, length in zip(offset[starts].tolist(), sizes.tolist(), strict=True):
            for part in range(start, start + length, _PART_BYTES):
                part_bytes = min(_PART_BYTES, start + length - part)
                output.copy(source, start=part, size=part_bytes)
                copied += part_bytes
                before, frames = frames, span.run.packets * copied // all_bytes
                advance(frames=frames - before, size_bytes=part_bytes)


def _header(
    entry: SampleEntry,
    size: Int64,
    keyframe: Bools,
    display: Int64,
    chunk_packets: Sequence[int],
    fps: Fraction,
) -> bytes:
    """Everything before the packets: `ftyp`, `moov` and the head of `mdat`."""
    total = int(size.sum())
    wide = total + 16 > 0xFFFFFFFF
    data_head = (
        struct.pack(">I4sQ", 1, b"mdat", total + 16)
        if wide
        else struct.pack(">I4s", total + 8, b"mdat")
    )
    before = np.cumsum(size) - size
    chunk_at = before[np.cumsum([0, *chunk_packets[:-1]])]

    def head(at: int) -> bytes:
        movie = movie_box(entry, size, keyframe, display, chunk_packets, chunk_at + at, fps)
        return FILE_TYPE + movie + data_head

    first = head(len(head(0)))  # 64-bit positions make the box longer than `head(0)` assumed
    return head(len(first))
