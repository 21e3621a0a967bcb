"""The packet index against PyAV's demuxer and decoder."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from roboreel.errors import VideoError
from tests.unit.clips import (
    Coder,
    av1,
    demuxed,
    h264,
    hevc,
    index_of,
    make_box,
    mpeg4,
    rebuilt,
    shown,
    vp9,
    write_clip,
)

CLOSED = {
    **{f"h264 gop {g} b {b}": h264(g, b) for g in (2, 12, 250) for b in (0, 2, 3)},
    "h264 pyramid": h264(250, 3, b_pyramid="normal", ref=4),
    "hevc hvc1": hevc(12, 2, tag="hvc1"),
    "hevc hev1": hevc(12, 3, tag="hev1"),
    "hevc radl": hevc(12, 3, radl=2),
    "av1": av1(2),
    "av1 pyramid": av1(12, prediction=2),
    "mpeg4": mpeg4(12, 0),
    "mpeg4 b": mpeg4(12, 2),
    "vp9": vp9(),
}
OPEN = {"h264": h264(12, 3, open_gop=1), "hevc": hevc(12, 3, open_gop=1)}
LAYOUTS = [
    "faststart",
    "negative_cts_offsets",
    "frag_keyframe+empty_moov",
    "frag_keyframe+empty_moov+default_base_moof",
    "frag_keyframe+empty_moov+negative_cts_offsets",
    "frag_keyframe+delay_moov",
    "frag_every_frame+empty_moov",
    "cmaf+frag_keyframe",
]


def assert_agrees(path: Path) -> None:
    table, found, seen = index_of(path), demuxed(path), shown(path)
    assert table.packets == len(found)
    assert table.offset.tolist() == [one.place for one in found]
    assert table.size.tolist() == [one.size for one in found]
    assert table.keyframe.tolist() == [one.keyframe for one in found]
    order = sorted(range(len(found)), key=lambda at: found[at].pts)
    assert table.display_order.tolist() == order
    assert table.frames == len(seen)
    ticks = [one.pts - found[order[0]].pts for one in found]
    assert (table.pts - table.pts.min()).tolist() == ticks
    times = [float(one.time - seen[0].time) for one in seen]
    np.testing.assert_allclose(table.frame_seconds - table.frame_seconds[0], times, atol=1e-9)


@pytest.mark.parametrize("name", CLOSED)
def test_index_is_what_the_demuxer_finds(tmp_path: Path, name: str) -> None:
    assert_agrees(write_clip(tmp_path / "a.mp4", 30, CLOSED[name]))


@pytest.mark.parametrize("name", OPEN)
def test_index_of_open_gops_is_what_the_demuxer_finds(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / "a.mp4", 30, OPEN[name])
    table, found = index_of(path), demuxed(path)
    assert table.size.tolist() == [one.size for one in found]
    assert table.pts.tolist() == [one.pts for one in found]
    assert table.frames == 30
    # a keyframe that does not reset the decoder may or may not count as one here
    flags = np.array([one.keyframe for one in found])
    assert table.keyframe[0]
    assert not (table.keyframe & ~flags).any()


@pytest.mark.parametrize("clock", [90000, 600, 1000, 15360])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_index_in_every_clock(tmp_path: Path, clock: int, b_frames: int) -> None:
    options = {"video_track_timescale": str(clock)}
    path = write_clip(tmp_path / "a.mp4", 20, h264(12, b_frames), container=options)
    table = index_of(path)
    assert table.timescale == clock
    assert_agrees(path)


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_index_in_every_layout(tmp_path: Path, layout: str, sound: bool) -> None:
    options = {"movflags": layout}
    path = write_clip(tmp_path / "a.mp4", 30, h264(12, 2), container=options, sound=sound)
    assert index_of(path).other_tracks == (("soun",) if sound else ())
    assert_agrees(path)


def test_fragments_after_a_moov_with_packets_are_not_lost(tmp_path: Path) -> None:
    options = {"movflags": "frag_keyframe"}  # the first fragment's packets stand in the moov itself
    path = write_clip(tmp_path / "a.mp4", 30, h264(12, 2), container=options)
    assert_agrees(path)


def test_packets_between_sound_are_found(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 30, h264(12, 2), sound=True)
    table = index_of(path)
    gaps = table.offset[1:] - table.offset[:-1] - table.size[:-1]
    assert (gaps > 0).sum() > 5  # else nothing is interleaved
    assert_agrees(path)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_irregular_times_keep_the_order(tmp_path: Path, b_frames: int) -> None:
    times = [number * 3000 + number * 977 % 401 - 200 for number in range(30)]
    options = {"video_track_timescale": "90000"}
    path = write_clip(
        tmp_path / "a.mp4",
        30,
        h264(12, b_frames),
        times=times,
        tick=Fraction(1, 90000),
        container=options,
    )
    assert_agrees(path)


def test_variable_rate_keeps_the_order(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(0).integers(5, 400, 30)).tolist()
    path = write_clip(tmp_path / "a.mp4", 30, h264(12, 2), times=times, tick=Fraction(1, 1000))
    assert_agrees(path)


@pytest.mark.parametrize("layout", ["faststart", "frag_keyframe+empty_moov"])
@pytest.mark.parametrize("coder", [h264(12, 2), hevc(12, 0), av1()], ids=lambda c: c.codec)
def test_one_frame(tmp_path: Path, coder: Coder, layout: str) -> None:
    path = write_clip(tmp_path / "a.mp4", 1, coder, container={"movflags": layout})
    table = index_of(path)
    assert (table.frames, table.frame_seconds.tolist()) == (1, [0.0])
    assert_agrees(path)


def test_wide_chunk_offsets(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 20, h264(12, 2), sound=True)
    before = index_of(path)

    def change(kind: bytes, payload: bytes) -> bytes:
        if kind != b"stco":
            return make_box(kind, payload)
        wide = np.frombuffer(payload, ">u4", offset=8).astype(">u8").tobytes()
        return make_box(b"co64", payload[:8] + wide)

    path.write_bytes(rebuilt(path.read_bytes(), change))
    assert index_of(path).offset.tolist() == before.offset.tolist()
    assert_agrees(path)


def test_wide_mdat_and_moov_sizes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 20, h264(12, 2))

    def change(kind: bytes, payload: bytes) -> bytes:
        if kind == b"free":
            return b""  # its 8 bytes are what the wide size takes
        if kind in {b"mdat", b"moov"}:
            return struct.pack(">I4sQ", 1, kind, 16 + len(payload)) + payload
        return make_box(kind, payload)

    path.write_bytes(rebuilt(path.read_bytes(), change))
    assert_agrees(path)


def test_last_box_of_size_zero_reaches_to_the_end(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 20, h264(12, 2))
    data = bytearray(path.read_bytes())
    at = data.index(b"moov") - 4
    data[at : at + 4] = bytes(4)
    path.write_bytes(data)
    assert_agrees(path)


def test_without_keyframe_table_every_packet_is_one(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 10, h264(1))
    data = path.read_bytes()
    assert b"stss" not in data or data.count(b"stss") == 1
    path.write_bytes(data.replace(b"stss", b"free"))
    assert index_of(path).keyframe.all()
    assert_agrees(path)


def test_packets_of_equal_size(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 10, h264(250, 0))
    least = min(one.size for one in demuxed(path))

    def change(kind: bytes, payload: bytes) -> bytes:
        if kind == b"stsz":
            payload = payload[:4] + struct.pack(">II", least, 10)
        return make_box(kind, payload)

    path.write_bytes(rebuilt(path.read_bytes(), change))
    table, found = index_of(path), demuxed(path)
    assert table.size.tolist() == [least] * 10
    assert table.offset.tolist() == [one.place for one in found]


def test_compact_sizes_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 10, h264())
    path.write_bytes(path.read_bytes().replace(b"stsz", b"stz2"))
    with pytest.raises(VideoError, match="stsz"):
        index_of(path)


def test_two_video_tracks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as file:
        streams = [file.add_stream("mpeg4", rate=30) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for stream in streams:
            file.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
            file.mux(stream.encode(None))
    with pytest.raises(VideoError, match=r"'a\.mp4': 2 video tracks, expected one"):
        index_of(path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 10, h264(), sound=True)
    path.write_bytes(path.read_bytes().replace(b"vide", b"text"))
    with pytest.raises(VideoError, match="0 video tracks"):
        index_of(path)


@pytest.mark.parametrize("tag", ["hvc1", "hev1"])
def test_sample_entry_tells_codec_and_size(tmp_path: Path, tag: str) -> None:
    entry = index_of(write_clip(tmp_path / "a.mp4", 2, hevc(12, 0, tag=tag))).entry
    assert (entry.fourcc, entry.width, entry.height) == (tag, 64, 64)


@pytest.mark.parametrize("coder", [h264(12, 2), hevc(), av1(), vp9()], ids=lambda c: c.codec)
def test_clips_of_one_encoder_have_one_sample_entry(tmp_path: Path, coder: Coder) -> None:
    one = index_of(write_clip(tmp_path / "a.mp4", 20, coder, scene=1))
    other = index_of(write_clip(tmp_path / "b.mp4", 9, coder, scene=2))
    assert one.entry == other.entry


def test_other_settings_give_another_sample_entry(tmp_path: Path) -> None:
    one = index_of(write_clip(tmp_path / "a.mp4", 5, h264(12, 0)))
    other = index_of(write_clip(tmp_path / "b.mp4", 5, h264(12, 2)))
    assert one.entry != other.entry
