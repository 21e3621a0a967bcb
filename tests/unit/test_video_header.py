"""The header of written files at sizes that no test can write: every packet's place is right."""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest

from roboreel.storage.video import movie
from roboreel.storage.video import mux as write
from roboreel.storage.video.packets import Int64, SampleEntry
from tests.unit.clips import HOLDERS, box_bounds

GIB = 1 << 30
ENTRY = SampleEntry(
    data=struct.pack(">I4s", 86, b"avc1") + bytes(78), matrix=struct.pack(">9I", *range(9))
)


def header_of(size: Int64, chunks: list[int], display: Int64 | None = None) -> bytes:
    keyframe = np.ones(len(size), dtype=np.bool_)
    order = np.arange(len(size), dtype=np.int64) if display is None else display
    return write._header(ENTRY, size, keyframe, order, chunks, Fraction(30))


def payload_of(header: bytes, kind: bytes) -> bytes | None:
    found = [
        header[start + 8 : stop]
        for start, stop in box_bounds(header)
        if header[start + 4 : start + 8] == kind
    ]
    assert len(found) <= 1
    return found[0] if found else None


def chunk_places(header: bytes) -> list[int]:
    short, wide = payload_of(header, b"stco"), payload_of(header, b"co64")
    assert (short is None) != (wide is None)
    if wide is not None:
        return [int(place) for place in np.frombuffer(wide, ">u8", offset=8)]
    assert short is not None
    return [int(place) for place in np.frombuffer(short, ">u4", offset=8)]


def mdat_bounds(header: bytes) -> tuple[int, int]:
    """Where the packets begin, and where `mdat` ends by its own size."""
    at = header.rindex(b"mdat") - 4
    size, _ = struct.unpack_from(">I4s", header, at)
    if size == 1:
        return at + 16, at + int(struct.unpack_from(">Q", header, at + 8)[0])
    return at + 8, at + size


LAYOUTS = {
    "small": [10, 20, 30],
    "just below": [0xFFFFFFFF - 2000, 1000],
    "second chunk at the edge": [0xFFFFFFFF - 700, 10, 10],
    "wide": [3 * GIB, 3 * GIB, 3 * GIB],
    "wide, one chunk": [5 * GIB],
    "wide, last chunk below the edge": [1 * GIB, 5 * GIB],
    "wide, last chunk just below the edge": [0xFFFFFFFF - 700, 5 * GIB],
    "wide, last chunk at zero": [0, 5 * GIB],
}


def _packets(chunk_bytes: list[int]) -> tuple[Int64, list[int]]:
    """Packets below 4 GiB that fill chunks of these sizes."""
    size: list[int] = []
    counts: list[int] = []
    for total in chunk_bytes:
        parts = max(1, -(-total // GIB))
        counts.append(parts)
        size += [total // parts] * (parts - 1) + [total - total // parts * (parts - 1)]
    return np.array(size, dtype=np.int64), counts


@pytest.mark.parametrize("name", LAYOUTS)
def test_places_point_into_the_packets(name: str) -> None:
    size, counts = _packets(LAYOUTS[name])
    header = header_of(size, counts)
    begin, end = mdat_bounds(header)
    assert begin == len(header)
    assert end == len(header) + int(size.sum())
    before = np.cumsum([0, *LAYOUTS[name][:-1]])
    assert chunk_places(header) == (len(header) + before).tolist()


@pytest.mark.parametrize("edge", range(-40, 41, 4))
@pytest.mark.parametrize("tail", [10, GIB])
def test_places_around_the_edge(edge: int, tail: int) -> None:
    base = len(header_of(*_packets([1, 1])))
    size, counts = _packets([0xFFFFFFFF - base + edge, tail])
    header = header_of(size, counts)
    begin, end = mdat_bounds(header)
    assert (begin, end) == (len(header), len(header) + int(size.sum()))
    assert chunk_places(header) == [len(header), len(header) + int(size[: counts[0]].sum())]


def test_boxes_fill_the_header_exactly() -> None:
    header = header_of(np.array([5, 6, 7], dtype=np.int64), [2, 1])
    kinds = []
    for start, stop in box_bounds(header):
        kinds.append(header[start + 4 : start + 8])
        if kinds[-1] != b"mdat":
            assert 8 <= stop - start <= len(header)
    assert kinds[:2] == [b"ftyp", b"moov"]
    assert kinds[-1] == b"mdat"
    assert set(kinds) >= HOLDERS - {b"moof", b"traf", b"mvex", b"edts"}
    assert b"edts" not in kinds


def test_display_waits_for_decoding() -> None:
    display = np.array([0, 3, 1, 2, 4], dtype=np.int64)
    header = header_of(np.full(5, 9, dtype=np.int64), [5], display)
    offsets = payload_of(header, b"ctts")
    edits = payload_of(header, b"elst")
    assert offsets is not None
    assert edits is not None
    entries = np.frombuffer(offsets, ">u4", offset=8).reshape(-1, 2)
    _, step = movie.time_scale(Fraction(30))
    shift = (np.repeat(entries[:, 1], entries[:, 0]) // step).tolist()
    assert shift == [1, 3, 0, 0, 1]  # display + 1 - decoded
    assert struct.unpack_from(">IQq", edits, 4) == (1, 5 * step, step)
