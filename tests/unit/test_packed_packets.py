"""Packet tables as few bytes: what comes back is what was packed, and damage is an error."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from roboreel.errors import StorageError, VideoError
from roboreel.storage.local import LocalRoot
from roboreel.storage.root import FileStat
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.key_access import KeyAccess, key_access
from roboreel.storage.video.packed_packets import packed_packets, unpacked_packets
from roboreel.storage.video.packet_index import (
    FileRow,
    parsed_packet_index,
    rendered_packet_index,
)
from roboreel.storage.video.packets import PacketTable
from tests.unit.clips import av1, h264, hevc, index_of, write_clip

CODERS = {
    "h264": h264(2, 0),
    "h264 b-frames, one gop": h264(250, 2),
    "hevc open": hevc(4, 3, open_gop=1),
    "av1": av1(4),
}


@pytest.fixture(params=CODERS)
def clip(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A short video."""
    path = tmp_path / "clip.mp4"
    write_clip(path, 9, CODERS[request.param])
    return path


def assert_same(found: PacketTable, expected: PacketTable) -> None:
    for name in (field.name for field in fields(PacketTable)):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


def test_what_is_unpacked_is_what_was_packed(clip: Path) -> None:
    table = index_of(clip)
    with clip.open("rb") as file:
        points = AccessPoints(file, table)
        access = key_access(points, table)
        found, again = unpacked_packets(packed_packets(table, access), clip.stat().st_size)
        assert_same(found, table)
        assert found.entry.data == table.entry.data
        for key in [0, *table.keys.tolist()]:
            assert again.resets(key) == points.resets(key)
            assert again.starts_over(key) == points.starts_over(key)


def test_hidden_and_moved_packets_come_back(clip: Path) -> None:
    table = index_of(clip)
    order = np.argsort(-table.offset)
    moved = PacketTable(
        entry=table.entry,
        timescale=table.timescale,
        offset=table.offset[order],
        size=table.size[order],
        pts=table.pts[order] - 7,
        keyframe=table.keyframe[order],
        shown_from=3,
        shown_to=1 << 40,
        other_tracks=("soun",),
    )
    with clip.open("rb") as file:
        access = key_access(AccessPoints(file, table), table)
    codes = type(access)(access.codes[order])
    assert_same(unpacked_packets(packed_packets(moved, codes), clip.stat().st_size)[0], moved)


def test_damage_is_an_error(clip: Path) -> None:
    table = index_of(clip)
    with clip.open("rb") as file:
        packed = packed_packets(table, key_access(AccessPoints(file, table), table))
    for data in (b"", packed["table"][:-9], b"\0" + packed["table"][1:]):
        with pytest.raises(VideoError, match="damaged"):
            unpacked_packets({**packed, "table": data}, clip.stat().st_size)
    sizes = packed["sizes"]
    for data in (b"", b"\x09" + sizes[1:], b"\x08" + sizes[1:], sizes[:-9], sizes[:3]):
        with pytest.raises(VideoError, match="damaged"):
            unpacked_packets({**packed, "sizes": data}, clip.stat().st_size)
    for packets in (-1, 0, 1 << 40):
        with pytest.raises(VideoError, match="claims"):
            unpacked_packets({**packed, "packets": packets}, 1 << 50)
    with pytest.raises(VideoError, match="claims"):
        unpacked_packets(packed, 3)
    with pytest.raises(VideoError, match="beyond the end"):
        unpacked_packets(packed, int((table.offset + table.size).max()) - 1)


def test_sizes_of_noise_take_hardly_more_than_their_bits(clip: Path) -> None:
    table = index_of(clip)
    count, random = 5000, np.random.default_rng(1)
    key = np.arange(count) % 2 == 0
    size = np.where(key, 4000, 1000) + random.integers(0, 512, count)
    offset = np.cumsum(size) - size
    long = replace(table, offset=offset, size=size, pts=np.arange(count), keyframe=key)
    access = KeyAccess(key.astype(np.uint8))
    packed = packed_packets(long, access)
    assert_same(unpacked_packets(packed, int(size.sum()))[0], long)
    assert len(packed["sizes"]) < 1.15 * count * 9 / 8
    assert len(packed["table"]) < 0.05 * count


@pytest.mark.parametrize("column", ["offset", "size"])
@pytest.mark.parametrize("value", [-5, 1 << 40, (1 << 63) - 1])
def test_packets_outside_of_the_file_are_refused(clip: Path, column: str, value: int) -> None:
    table = index_of(clip)
    with clip.open("rb") as file:
        access = key_access(AccessPoints(file, table), table)
    numbers = getattr(table, column).copy()
    numbers[3] = value
    packed = packed_packets(replace(table, **{column: numbers}), access)
    with pytest.raises(VideoError, match="beyond the end"):
        unpacked_packets(packed, clip.stat().st_size)


def test_an_index_tells_of_files_that_are_as_they_were(clip: Path) -> None:
    root = LocalRoot(clip.parent)
    table = index_of(clip)
    with clip.open("rb") as file:
        packed = packed_packets(table, key_access(AccessPoints(file, table), table))
    stat = root.stat(clip.name)
    rows = [FileRow("meta/info.json", FileStat(3, "")), FileRow(clip.name, stat, packed)]
    data = rendered_packet_index(rows)
    assert data == rendered_packet_index(rows[::-1])
    index = parsed_packet_index(data, "the index")
    assert sorted(index.files) == ["clip.mp4", "meta/info.json"]
    known = index.video(clip.name, stat)
    assert known is not None
    assert_same(known.table, table)
    assert index.video("meta/info.json", FileStat(3, "")) is None
    assert index.video(clip.name, FileStat(stat.size_bytes + 1, stat.stamp)) is None
    assert index.video(clip.name, FileStat(stat.size_bytes, "other")) is None
    assert index.video(clip.name, FileStat(stat.size_bytes, "")) is not None


@pytest.mark.parametrize("data", [b"", b"PAR1 and no more", b"{}"])
def test_what_is_no_index_is_refused(data: bytes) -> None:
    with pytest.raises(StorageError, match=r"'that file' is not a packet index.*roboreel index"):
        parsed_packet_index(data, "that file")
