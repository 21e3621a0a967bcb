"""Damaged and foreign files: an error that says so, and nothing else: no crash, hang or flood."""

from __future__ import annotations

import contextlib
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from roboreel.errors import StorageError, VideoError
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.packets import run_of_frames
from tests.unit.clips import av1, box_bounds, h264, hevc, make_box, rebuilt, write_clip

resource = pytest.importorskip("resource")  # to bound memory; not on every system

MEMORY = 512 << 20  # bytes beyond what the process has
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
CLIPS = {
    "h264": (h264(4, 2), {}),
    "h264 faststart": (h264(4, 2), {"movflags": "faststart"}),
    "h264 fragments": (h264(4, 2), {"movflags": "frag_keyframe+empty_moov"}),
    "hevc": (hevc(4, 0), {}),
    "av1": (av1(4), {}),
}


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    """Turn a huge allocation into a `MemoryError`, which no test here accepts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(scope="module", params=CLIPS)
def sound_clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    coder, container = CLIPS[request.param]
    path = tmp_path_factory.mktemp("damage") / "a.mp4"
    return write_clip(path, 9, coder, container=container).read_bytes()


def read(folder: Path, data: bytes) -> VideoError | None:
    """Read the index of these bytes; the error where they are refused. Nothing else may happen."""
    (folder / "a.mp4").write_bytes(data)
    root = LocalRoot(folder)
    refused: VideoError | None = None
    try:
        table = read_packet_table(root, "a.mp4")
    except VideoError as error:
        refused = error
    if refused is not None:
        assert str(refused).startswith("'a.mp4': ")
        assert len(str(refused)) > len("'a.mp4': ") + 5
        return refused
    assert table.packets == len(table.size) == len(table.pts) == len(table.keyframe)
    assert 0 <= table.frames <= table.packets
    assert int((table.offset + table.size).max()) <= len(data)
    assert len(table.frame_seconds) == table.frames
    with contextlib.suppress(ValueError):
        run_of_frames(table, 0, max(table.frames, 1), resets=lambda _: True)
    return None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (LFS, "this is a git-LFS pointer, not the video: run 'git lfs pull'"),
        (b"hello, this is no video at all\n" * 9, "not an MP4 file"),
        (b"x", "not an MP4 file"),
        (bytes(5000), "not an MP4 file"),
        (b"\xff" * 5000, "not an MP4 file"),
        (b"RIFF\x24\x00\x00\x00AVI LIST" * 9, "not an MP4 file"),
        (b"\x1aE\xdf\xa3\x01\x00\x00\x00" * 9, "not an MP4 file"),
        (make_box(b"ftyp", b"isom" * 4), "cut short: it has no index"),
        (make_box(b"ftyp", b"isom" * 4) + make_box(b"moov", b""), "0 video tracks"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    error = read(tmp_path, data)
    assert error is not None
    assert message in str(error)


def test_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    for name in ("nothing.mp4", "folder.mp4"):
        with pytest.raises(StorageError, match=name):
            read_packet_table(LocalRoot(tmp_path), name)


def test_every_truncation_is_refused_or_read(tmp_path: Path, sound_clip: bytes) -> None:
    bounds = {place for pair in box_bounds(sound_clip) for place in pair}
    lengths = {place + by for place in bounds for by in (-1, 0, 1, 8, 9)}
    lengths |= set(range(0, len(sound_clip), 97))
    whole = b"moof" not in sound_clip  # of fragments, those before the cut are a video
    for length in sorted(length for length in lengths if 0 <= length < len(sound_clip)):
        error = read(tmp_path, sound_clip[:length])
        assert error is not None or not whole, length


def test_flipped_bits_are_refused_or_read(tmp_path: Path, sound_clip: bytes) -> None:
    choose = random.Random(5)
    begin = sound_clip.index(b"moov")
    end = begin + int.from_bytes(sound_clip[begin - 4 : begin], "big")
    refused = 0
    for _ in range(300):
        data = bytearray(sound_clip)
        for _ in range(choose.choice((1, 1, 2, 5))):
            data[choose.randrange(begin - 4, end - 4)] ^= 1 << choose.randrange(8)
        refused += read(tmp_path, bytes(data)) is not None
    assert 20 < refused < 280  # else the flips hit nothing, or everything


def test_fields_at_their_extremes_are_refused_or_read(tmp_path: Path, sound_clip: bytes) -> None:
    begin = sound_clip.index(b"moov") + 4
    end = begin + int.from_bytes(sound_clip[begin - 8 : begin - 4], "big") - 8
    for place in range(begin, end - 3, 3):
        for value in (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x04\x00\x00\x00", bytes(4)):
            if place % 2 or value != bytes(4):
                read(tmp_path, sound_clip[:place] + value + sound_clip[place + 4 :])


def test_damaged_packets_decode_or_are_refused(tmp_path: Path, sound_clip: bytes) -> None:
    choose = random.Random(6)
    root = LocalRoot(tmp_path)
    for _ in range(60):
        data = bytearray(sound_clip)
        for _ in range(9):
            data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        (tmp_path / "a.mp4").write_bytes(data)
        with contextlib.suppress(StorageError):
            found = [number for number, _ in decode_frames(root, "a.mp4", range(4))]
            assert found == [0, 1, 2, 3]


def test_chunk_run_that_begins_far_beyond_the_end_costs_no_memory(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "b.mp4", 9, h264(4, 2)).read_bytes()
    runs = struct.pack(">II6I", 0, 2, 1, 9, 1, 0xFFFFFFFF, 1, 1)

    def change(kind: bytes, payload: bytes) -> bytes:
        return make_box(kind, runs if kind == b"stsc" else payload)

    read(tmp_path, rebuilt(data, change))


def test_packets_of_equal_size_beyond_the_file_cost_no_memory(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "b.mp4", 9, h264(4, 2)).read_bytes()
    padding = make_box(b"free", bytes(4 << 20))

    def change(kind: bytes, payload: bytes) -> bytes:
        if kind == b"stsz":
            payload = struct.pack(">III", 0, 1000, 200_000_000)
        return make_box(kind, payload + padding if kind == b"moov" else payload)

    assert read(tmp_path, rebuilt(data, change)) is not None


def test_many_tiny_boxes_are_walked_in_reasonable_time(tmp_path: Path) -> None:
    assert read(tmp_path, make_box(b"ftyp", b"") + make_box(b"free", b"") * 20_000) is not None
