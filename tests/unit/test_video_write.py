"""Joined packets decode to the pictures of their sources, each at exactly k / fps."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from roboreel.errors import StorageError
from roboreel.storage.disk import faults
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.encode import encode_frames, frame_of
from roboreel.storage.video.movie import time_scale
from roboreel.storage.video.mux import verify_packets, write_packets
from tests.unit.clips import (
    FPS,
    Coder,
    assert_joined,
    av1,
    demuxed,
    flags_of,
    h264,
    hevc,
    index_of,
    piece_of,
    vp9,
    write_clip,
)

RATES = [
    Fraction(30),
    Fraction(10),
    Fraction(2997, 100),
    Fraction(30000, 1001),
    Fraction(1),
    Fraction(120),
    Fraction(1, 2),
    Fraction(15),
    Fraction(100_000),
]
CODERS = {
    "h264": h264(12, 0),
    "h264 b": h264(12, 3),
    "h264 gop 2": h264(2, 2),
    "hevc": hevc(12, 0),
    "hevc b": hevc(12, 3, tag="hev1"),
    "av1": av1(2),
    "av1 pyramid": av1(12, prediction=2),
    "vp9": vp9(),
}
P_PICTURES = 2


def external_videos(
    folder: Path, coder: Coder, lengths: tuple[int, ...]
) -> list[tuple[Path, int, int]]:
    """Whole clips of these lengths, to be joined."""
    return [
        (write_clip(folder / f"{scene}.mp4", length, coder, scene=scene), 0, length)
        for scene, length in enumerate(lengths)
    ]


@pytest.mark.parametrize("fps", RATES, ids=str)
@pytest.mark.parametrize("b_frames", [0, 2])
def test_frames_are_at_exact_times(tmp_path: Path, fps: Fraction, b_frames: int) -> None:
    parts = external_videos(tmp_path, h264(12, b_frames), (13, 5, 1, 20))
    assert_joined(tmp_path / "out.mp4", parts, fps)
    with av.open(str(tmp_path / "out.mp4")) as file:
        stream = file.streams.video[0]
        assert stream.average_rate == fps
        assert stream.time_base is not None
        assert stream.duration is not None
        assert stream.duration * stream.time_base == 39 / fps


@pytest.mark.parametrize("name", CODERS)
def test_joined_clips_decode_to_their_pictures(tmp_path: Path, name: str) -> None:
    assert_joined(tmp_path / "out.mp4", external_videos(tmp_path, CODERS[name], (13, 6, 20)), FPS)


@pytest.mark.parametrize("flip", [False, True])
def test_pieces_with_and_without_b_frames_share_a_file(tmp_path: Path, flip: bool) -> None:
    coder = h264(12, 3)
    plain = write_clip(tmp_path / "p.mp4", 15, coder, scene=1, forced=P_PICTURES)
    mixed = write_clip(tmp_path / "b.mp4", 15, coder, scene=2)
    assert [one.pts for one in demuxed(plain)] == sorted(one.pts for one in demuxed(plain))
    assert [one.pts for one in demuxed(mixed)] != sorted(one.pts for one in demuxed(mixed))
    parts = [(plain, 0, 15), (mixed, 0, 15), (plain, 0, 15)]
    assert_joined(tmp_path / "out.mp4", parts[1:] if flip else parts, FPS)


@pytest.mark.parametrize("layout", ["faststart", "frag_keyframe+empty_moov", "frag_keyframe"])
@pytest.mark.parametrize("sound", [False, True])
def test_sources_of_every_layout(tmp_path: Path, layout: str, sound: bool) -> None:
    options = {"movflags": layout}
    paths = [
        write_clip(tmp_path / f"{n}.mp4", 25, h264(12, 2), scene=n, container=options, sound=sound)
        for n in range(2)
    ]
    assert_joined(tmp_path / "out.mp4", [(path, 0, 25) for path in paths], FPS)
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert [stream.type for stream in file.streams] == ["video"]


def test_irregular_source_becomes_regular(tmp_path: Path) -> None:
    times = [number * 100 + number * 37 % 61 for number in range(20)]
    path = write_clip(tmp_path / "a.mp4", 20, h264(12, 2), times=times, tick=Fraction(1, 3000))
    assert_joined(tmp_path / "out.mp4", [(path, 0, 20), (path, 0, 20)], FPS)


@pytest.mark.parametrize("name", CODERS)
def test_keyframe_flags_and_bytes_are_kept(tmp_path: Path, name: str) -> None:
    slices = [piece_of(*part) for part in external_videos(tmp_path, CODERS[name], (25, 7))]
    write_packets(LocalRoot(tmp_path), "out.mp4", slices, fps=FPS)
    assert [one.keyframe for one in demuxed(tmp_path / "out.mp4")] == [
        flag for span in slices for flag in flags_of(span)
    ]
    written = (tmp_path / "out.mp4").read_bytes()
    sources = [(tmp_path / span.name).read_bytes() for span in slices]
    copied = [
        data[offset : offset + size]
        for data, span in zip(sources, slices, strict=True)
        for offset, size in zip(span.table.offset, span.table.size, strict=True)
    ]
    table = index_of(tmp_path / "out.mp4")
    places = zip(table.offset, table.size, strict=True)
    assert [written[offset : offset + size] for offset, size in places] == copied


def test_same_pieces_give_same_bytes(tmp_path: Path) -> None:
    slices = [piece_of(*part) for part in external_videos(tmp_path, h264(12, 2), (13, 5))]
    for name in ("x.mp4", "y.mp4"):
        write_packets(LocalRoot(tmp_path), name, slices, fps=FPS)
    assert (tmp_path / "x.mp4").read_bytes() == (tmp_path / "y.mp4").read_bytes()


def test_what_was_written_is_written_again_unchanged(tmp_path: Path) -> None:
    slices = [piece_of(*part) for part in external_videos(tmp_path, h264(12, 2), (13, 5))]
    root = LocalRoot(tmp_path)
    write_packets(root, "x.mp4", slices, fps=FPS)
    parts = [(tmp_path / "x.mp4", 0, 13), (tmp_path / "x.mp4", 13, 18)]
    write_packets(root, "y.mp4", [piece_of(*part) for part in parts], fps=FPS)
    assert (tmp_path / "x.mp4").read_bytes() == (tmp_path / "y.mp4").read_bytes()


def test_streams_with_other_headers_are_refused(tmp_path: Path) -> None:
    one = write_clip(tmp_path / "a.mp4", 5, h264(12, 0))
    other = write_clip(tmp_path / "b.mp4", 5, h264(12, 2))
    slices = [piece_of(one, 0, 5), piece_of(other, 0, 5)]
    with pytest.raises(ValueError, match="different sample entries"):
        write_packets(LocalRoot(tmp_path), "out.mp4", slices, fps=FPS)
    assert not (tmp_path / "out.mp4").exists()


def test_source_that_shrank_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 20, h264(12, 0))
    span = piece_of(path, 0, 20)
    path.write_bytes(path.read_bytes()[: int(span.table.offset[-1]) + 3])
    with pytest.raises(StorageError, match="early"):
        write_packets(LocalRoot(tmp_path), "out.mp4", [span], fps=FPS)
    assert LocalRoot(tmp_path).list() == ("a.mp4",)


def test_verification_notices_what_is_missing(tmp_path: Path) -> None:
    span = piece_of(write_clip(tmp_path / "a.mp4", 20, h264(12, 2)), 0, 20)
    root = LocalRoot(tmp_path)
    size = write_packets(root, "out.mp4", [span], fps=FPS)
    verify_packets(root, "out.mp4", packets=20, size_bytes=size)
    for packets, size_bytes in ((19, size), (21, size), (20, size - 1)):
        with pytest.raises(StorageError, match="expected"):
            verify_packets(root, "out.mp4", packets=packets, size_bytes=size_bytes)
    path = tmp_path / "out.mp4"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StorageError, match="cut short"):
        verify_packets(root, "out.mp4", packets=20, size_bytes=size)


@pytest.mark.parametrize("fps", [*RATES, Fraction(1, 10_000), Fraction(29970029, 1000)], ids=str)
def test_clock_holds_every_frame_time(fps: Fraction) -> None:
    ticks, step = time_scale(fps)
    assert Fraction(step, ticks) == 1 / fps
    assert ticks < 1 << 32


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_disk_that_fills_while_encoding_is_named(tmp_path: Path, codec: str, at: int) -> None:
    writes = 0

    def full(when: str, what: str, _path: str) -> None:
        nonlocal writes
        if (when, what) == ("before", "write"):
            writes += 1
            if writes > at:
                raise OSError(28, "No space left on device")

    draw = np.random.default_rng(0)
    noise = (frame_of(draw.integers(0, 255, (128, 128, 3), dtype=np.uint8)) for _ in range(30))
    encoder = {"codec": codec, "pix_fmt": "yuv420p", "crf": "10"}
    with faults(full), pytest.raises(StorageError, match="No space left") as caught:
        encode_frames(LocalRoot(tmp_path), "a.mp4", noise, fps=FPS, encoder=encoder)
    assert "PyAV" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
