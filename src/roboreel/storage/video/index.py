"""Read a video file's packet table from its sample tables, without reading a packet.

ISO/IEC 14496-12: `stts` (decode steps), `ctts` (display offsets), `stss` (keyframes), `stsz` (sizes), `stsc`
and `stco`/`co64` (positions), `elst` (what is shown). Fragmented files have empty sample tables; their
packets are listed by a demuxer instead (`demux.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from os import SEEK_END
from typing import IO

import numpy as np

from roboreel.errors import VideoError
from roboreel.storage.root import Root
from roboreel.storage.video.boxes import ENTRY_HEADER, Box, Children, boxes
from roboreel.storage.video.demux import packets_by_demuxer
from roboreel.storage.video.packets import Int64, PacketTable, SampleEntry

_LFS = b"version https://git-lfs"
_MAX_MOOV_BYTES = 1 << 28
_MOST_PACKETS = 1 << 24
"""Six days at 30 frames per second. A small table with one repeated entry can claim four billion packets."""
_MOST_TOP_BOXES = 100_000
_MOST_EDITS = 1000
_HEAD_BYTES, _TAIL_BYTES = 1 << 10, 1 << 14


def read_packet_table(root: Root, name: str) -> PacketTable:
    """The packet table of the one video track in a file.

    Raises:
        StorageError: the file cannot be read.
        VideoError: it is not an MP4, is cut short, or does not have exactly one video track.
    """
    with root.input(name) as file:
        return packet_table_of(file, name)


def packet_table_of(file: IO[bytes], name: str) -> PacketTable:
    """The packet table of the one video track in an open file; `name` is for messages.

    Raises:
        VideoError: it is not an MP4, is cut short, or does not have exactly one video track.
    """
    size_bytes = file.seek(0, SEEK_END)
    try:
        moov = _read_moov(file, size_bytes)
        top = list(boxes(moov))
        table = _table(moov, top, size_bytes)
        # `mvex` announces fragments, whose packets `moov` does not list (8.8.1)
        if table.packets == 0 or any(box.kind == "mvex" for box in top):
            table = packets_by_demuxer(file, table)
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise VideoError(f"'{name}': damaged MP4 index ({error})") from error
    except VideoError as error:
        raise VideoError(f"'{name}': {error}") from error
    if table.packets == 0:
        raise VideoError(f"'{name}': it has no packets")
    _refuse_outside(table, name, size_bytes)
    return table


def _refuse_outside(table: PacketTable, name: str, size_bytes: int) -> None:
    """Raise `VideoError` where packets are beyond the end of the file or overlap."""
    first, last = int(table.offset.min()), int(table.offset.max())
    if first < 0 or last > size_bytes or int((table.offset + table.size).max()) > size_bytes:
        raise VideoError(f"'{name}': cut short: its index points beyond the end of the file")
    if int(table.size.sum()) > size_bytes:
        raise VideoError(f"'{name}': its index points beyond the end of the file")


def _read_moov(file: IO[bytes], size_bytes: int) -> bytes:
    file.seek(0)
    block, begin = file.read(_HEAD_BYTES), 0
    if not block:
        raise VideoError("the file is empty")
    if block.startswith(_LFS):
        raise VideoError("this is a git-LFS pointer, not the video: run 'git lfs pull'")
    at = 0
    seen = False
    for _ in range(_MOST_TOP_BOXES):
        if at + 8 > size_bytes:
            break
        if at + 16 > begin + len(block):
            file.seek(at)
            # an index at the end is usually read whole together with its header
            block, begin = file.read(min(size_bytes - at, _TAIL_BYTES)), at
        header = block[at - begin : at - begin + 16]
        size, kind = struct.unpack_from(">I4s", header)
        length = 8
        if size == 1 and len(header) == 16:
            size, length = struct.unpack_from(">Q", header, 8)[0], 16
        elif size == 0:
            size = size_bytes - at
        if size < length or (kind == b"moov" and at + size > size_bytes):
            raise VideoError("not an MP4 file, or cut short" if seen else "not an MP4 file")
        if kind == b"moov":
            if size > _MAX_MOOV_BYTES:
                raise VideoError(f"its index claims {size} bytes")
            have = block[at - begin + length : at - begin + size]
            file.seek(at + length + len(have))
            return have + _read_exactly(file, size - length - len(have))
        seen = seen or kind in (b"ftyp", b"mdat", b"free", b"wide")
        at += size
    raise VideoError("cut short: it has no index ('moov')" if seen else "not an MP4 file")


def _read_exactly(file: IO[bytes], size: int) -> bytes:
    parts = []
    while size > 0:
        part = file.read(size)
        if not part:
            raise VideoError("cut short inside its index")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _table(moov: bytes, top: Sequence[Box], file_bytes: int) -> PacketTable:
    _refuse_claims(moov)
    tracks = [Children(moov, box) for box in top if box.kind == "trak"]
    medias = [Children(moov, track.one("mdia")) for track in tracks]
    kinds = [_handler(moov, media) for media in medias]
    if kinds.count("vide") != 1:
        raise VideoError(f"{kinds.count('vide')} video tracks, expected one")
    track, media = tracks[kinds.index("vide")], medias[kinds.index("vide")]
    samples = Children(moov, Children(moov, media.one("minf")).one("stbl"))
    _refuse_twin_tables(samples)
    timescale = _timescale(moov, media.one("mdhd"))
    size = _sizes(moov, samples, file_bytes)
    pts = _decode_times(moov, samples, len(size))
    if samples.optional("ctts") is not None:
        pts += _display_offsets(moov, samples, len(size))
    movie = next((box for box in top if box.kind == "mvhd"), None)
    if movie is None:
        raise VideoError("box 'moov' has no 'mvhd'")
    shown_from, shown_to = _edit(moov, track, timescale, _timescale(moov, movie), pts)
    return PacketTable(
        entry=_sample_entry(moov, track, samples),
        timescale=timescale,
        offset=_offsets(moov, samples, size),
        size=size,
        pts=pts,
        keyframe=_keyframes(moov, samples, len(size)),
        shown_from=shown_from,
        shown_to=shown_to,
        other_tracks=tuple(kind for kind in kinds if kind != "vide"),
    )


def _refuse_claims(moov: bytes) -> None:
    """Raise `VideoError` where a table of any track claims absurdly many packets."""
    at = moov.find(b"stsz")
    while at >= 0:
        count = int.from_bytes(moov[at + 12 : at + 16], "big")
        if count > _MOST_PACKETS:
            raise VideoError(f"its index claims {count} packets, more than {_MOST_PACKETS}")
        at = moov.find(b"stsz", at + 4)


def _refuse_twin_tables(samples: Children) -> None:
    for kind in ("stsd", "stts", "ctts", "stss", "stsz", "stsc", "stco", "co64"):
        if kind in samples.twins:
            raise VideoError(f"its index has two '{kind}' tables")


def _handler(moov: bytes, media: Children) -> str:
    handler = media.one("hdlr")
    return moov[handler.start + 8 : handler.start + 12].decode("latin-1")


def _timescale(moov: bytes, header: Box) -> int:
    # after flags and two times, which version 1 stores in 64 bits (8.4.2)
    at = header.start + (20 if moov[header.start] == 1 else 12)
    value = int(struct.unpack_from(">I", moov, at)[0])
    if value == 0:
        raise VideoError("a time scale of zero")
    return value


def _sample_entry(moov: bytes, track: Children, samples: Children) -> SampleEntry:
    description = samples.one("stsd")
    entries = list(boxes(moov, description.start + 8, description.stop))
    if len(entries) != 1:
        raise VideoError(f"{len(entries)} sample descriptions in one track, expected one")
    start, stop = entries[0].start - 8, entries[0].stop
    entry = moov[start : start + ENTRY_HEADER]
    for inner in boxes(moov, start + ENTRY_HEADER, stop):
        if inner.kind != "btrt":  # bit rates differ from file to file and have no effect
            entry += moov[inner.start - 8 : inner.stop]
    header = track.one("tkhd")
    matrix = header.start + (52 if moov[header.start] == 1 else 40)
    return SampleEntry(
        data=struct.pack(">I", len(entry)) + entry[4:], matrix=moov[matrix : matrix + 36]
    )


def _array(moov: bytes, start: int, count: int, dtype: str, stop: int) -> Int64:
    if start + count * int(dtype[-1]) > stop:
        raise VideoError("a sample table is longer than its box")
    return np.frombuffer(moov, dtype, count, start).astype(np.int64)


def _counted(moov: bytes, samples: Children, kind: str, columns: int, dtype: str = ">u4") -> Int64:
    """The (n, columns) entries of a table box that starts with version, flags and a count."""
    table = samples.one(kind)
    count = struct.unpack_from(">I", moov, table.start + 4)[0]
    return _array(moov, table.start + 8, count * columns, dtype, table.stop).reshape(-1, columns)


def _sizes(moov: bytes, samples: Children, file_bytes: int) -> Int64:
    table = samples.one("stsz")
    same, count = struct.unpack_from(">II", moov, table.start + 4)
    if same:
        if count * same > file_bytes:
            raise VideoError("cut short: its index points beyond the end of the file")
        return np.full(count, same, dtype=np.int64)
    return _array(moov, table.start + 12, count, ">u4", table.stop)


def _repeated(values: Int64, counts: Int64, total: int) -> Int64:
    if int(counts.sum()) < total:
        raise VideoError("a sample table describes fewer packets than there are")
    if len(values) == 1:
        return np.full(total, values[0], dtype=np.int64)
    reach = np.minimum(np.cumsum(counts), total)
    return np.repeat(values, np.diff(reach, prepend=0))


def _decode_times(moov: bytes, samples: Children, packets: int) -> Int64:
    steps = _counted(moov, samples, "stts", 2)
    durations = _repeated(steps[:, 1], steps[:, 0], packets)
    times = np.zeros(packets, dtype=np.int64)
    np.cumsum(durations[:-1], out=times[1:])
    return times


def _display_offsets(moov: bytes, samples: Children, packets: int) -> Int64:
    entries = _counted(moov, samples, "ctts", 2)
    # version 0 is formally unsigned, but writers store negative offsets in it too
    return _repeated(entries[:, 1].astype(np.int32).astype(np.int64), entries[:, 0], packets)


def _keyframes(
    moov: bytes, samples: Children, packets: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    # without this table every packet is a keyframe (8.6.2)
    if samples.optional("stss") is None:
        return np.ones(packets, dtype=np.bool_)
    numbers = _counted(moov, samples, "stss", 1)[:, 0]
    if len(numbers) and (numbers.min() < 1 or numbers.max() > packets):
        raise VideoError("its keyframe table names packets that do not exist")
    flags = np.zeros(packets, dtype=np.bool_)
    flags[numbers - 1] = True
    return flags


def _offsets(moov: bytes, samples: Children, size: Int64) -> Int64:
    if not len(size):
        return np.zeros(0, dtype=np.int64)
    if samples.optional("stco") is not None:
        chunks = _counted(moov, samples, "stco", 1)[:, 0]
    else:
        chunks = _counted(moov, samples, "co64", 1, ">u8")[:, 0]
    runs = _counted(moov, samples, "stsc", 3)
    if not len(runs) or runs[0, 0] != 1:
        raise VideoError("its chunk table does not begin with the first chunk")
    before = np.cumsum(size) - size
    if len(chunks) == 1 and runs[0, 1] >= len(size):
        return np.asarray(chunks[0] + before)
    # a run's packets per chunk count up to the next run's first chunk; chunks count from 1 (8.7.4)
    first = np.minimum(np.append(runs[:, 0] - 1, len(chunks)), len(chunks))
    per_chunk = np.repeat(runs[:, 1], np.maximum(np.diff(first), 0))[: len(chunks)]
    if int(per_chunk.sum()) < len(size):
        raise VideoError("a sample table describes fewer packets than there are")
    reach = np.minimum(np.cumsum(per_chunk), len(size))
    packets = np.diff(reach, prepend=0)
    at_start = before[np.minimum(reach - packets, len(size) - 1)]
    return np.asarray(before + np.repeat(chunks[: len(per_chunk)] - at_start, packets))


def _edit(
    moov: bytes, track: Children, timescale: int, movie_timescale: int, pts: Int64
) -> tuple[int, int | None]:
    """The display times, in ticks, between which the edit list shows the track."""
    first = int(pts.min()) if len(pts) else 0
    edits = track.optional("edts")
    box = None if edits is None else Children(moov, edits).optional("elst")
    if box is None:
        return first, None
    count = struct.unpack_from(">I", moov, box.start + 4)[0]
    if count > _MOST_EDITS:
        raise VideoError(f"its edit list has {count} entries; re-mux it without an edit list first")
    form, step = (">Qq", 20) if moov[box.start] == 1 else (">Ii", 12)
    if box.start + 8 + count * step > box.stop:
        raise VideoError("its edit list is longer than its box")
    entries = [struct.unpack_from(form, moov, box.start + 8 + i * step) for i in range(count)]
    # a start of -1 is an empty edit: it only delays what follows (8.6.6)
    shown = [(duration, start) for duration, start in entries if start >= 0]
    if not shown:
        return first, None
    if len(shown) > 1:
        raise VideoError("its edit list plays several pieces; re-mux it without an edit list first")
    duration, start = shown[0]
    # to the end: a fragmented file does not know its length when its edit list is written
    if duration == 0:
        return start, None
    # rounded to the nearest tick, as players do: the movie's clock is often coarser
    length = (2 * duration * timescale + movie_timescale) // (2 * movie_timescale)
    return start, start + length
