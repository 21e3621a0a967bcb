"""Frames by number, against what PyAV decodes from the beginning."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from roboreel.errors import VideoError
from roboreel.format.declared import codec_name
from roboreel.format.encoding import Reencoding, encoder_settings
from roboreel.plan.near_source import SourceRate, near_source
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.access import AccessPoints
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.encode import encode_frames
from roboreel.storage.video.still_images import decode_image, rgb
from tests.unit.clips import (
    FPS,
    Coder,
    av1,
    demuxed,
    digest,
    draw,
    h264,
    hevc,
    index_of,
    pictures,
    shown,
    vp9,
    write_clip,
)

CODERS = {
    "h264": h264(12, 0),
    "h264 b": h264(12, 3),
    "h264 gop 2": h264(2, 2),
    "h264 one gop": h264(250, 2),
    "h264 open": h264(12, 3, open_gop=1),
    "hevc b": hevc(12, 3),
    "hevc open": hevc(12, 3, open_gop=1),
    "av1": av1(12, prediction=2),
    "vp9": vp9(),
}


def assert_each_frame_is_found(path: Path, seen: list[str] | None = None) -> None:
    root = LocalRoot(path.parent)
    for number, picture in enumerate(pictures(path) if seen is None else seen):
        found = [(n, digest(frame)) for n, frame in decode_frames(root, path.name, [number])]
        assert found == [(number, picture)]


@pytest.mark.parametrize("name", CODERS)
def test_each_frame_is_found_alone(tmp_path: Path, name: str) -> None:
    assert_each_frame_is_found(write_clip(tmp_path / "a.mp4", 30, CODERS[name]))


@pytest.mark.parametrize("name", CODERS)
def test_chosen_frames_come_in_order(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / "a.mp4", 30, CODERS[name])
    seen = pictures(path)
    for wanted in ([0, 1, 2], [5, 6, 23], [11, 12, 13, 29], list(range(30)), [29], []):
        found = decode_frames(LocalRoot(tmp_path), "a.mp4", wanted)
        assert [(n, digest(f)) for n, f in found] == [(n, seen[n]) for n in wanted]


@pytest.mark.parametrize(
    "layout", ["frag_keyframe+empty_moov", "frag_keyframe", "negative_cts_offsets"]
)
def test_each_frame_is_found_in_every_layout(tmp_path: Path, layout: str) -> None:
    options = {"movflags": layout}
    path = write_clip(tmp_path / "a.mp4", 30, h264(12, 2), container=options, sound=True)
    assert_each_frame_is_found(path)


def test_each_frame_is_found_at_irregular_times(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(3).integers(1, 400, 30)).tolist()
    path = write_clip(tmp_path / "a.mp4", 30, h264(12, 2), times=times, tick=Fraction(1, 1000))
    assert_each_frame_is_found(path)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs a list of threads")
@pytest.mark.parametrize("coder", [h264(12, 2), av1(12), vp9()], ids=lambda coder: coder.codec)
def test_decoding_starts_no_threads(tmp_path: Path, coder: Coder) -> None:
    # a thread of dav1d that frees a packet waits for the interpreter, which may wait for the thread
    write_clip(tmp_path / "a.mp4", 30, coder)
    before = len(os.listdir("/proc/self/task"))
    for _ in decode_frames(LocalRoot(tmp_path), "a.mp4", range(30)):
        assert len(os.listdir("/proc/self/task")) <= before


@pytest.mark.parametrize("wanted", [[30], [-1], [3, 30], [-1, 3]])
def test_frames_that_are_not_there_are_refused(tmp_path: Path, wanted: list[int]) -> None:
    write_clip(tmp_path / "a.mp4", 30, h264())
    with pytest.raises(VideoError, match=r"'a\.mp4'.* 30"):
        list(decode_frames(LocalRoot(tmp_path), "a.mp4", wanted))


def test_encoded_pictures_are_decoded_exactly() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    assert (decode_image(_encoded(picture, "png", "rgb24")) == picture).all()


def test_grey_pictures_keep_one_channel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 32), dtype=np.uint8)
    assert (decode_image(_encoded(picture, "png", "gray")) == picture[..., None]).all()


def test_deep_grey_pictures_keep_their_depth() -> None:
    depth = np.random.default_rng(0).integers(0, 65536, (24, 32), dtype=np.uint16)
    decoded = decode_image(_encoded(depth, "png", "gray16be"))
    assert decoded.dtype == np.uint16
    assert (decoded == depth[..., None]).all()


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG", b"\xff\xd8\xff", b"\x89PNG" * 99])
def test_pictures_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(VideoError, match="image"):
        decode_image(data)


def _encoder(entry: str) -> dict[str, str]:
    """Settings for a stream of this kind that is encoded again, where its quality is high."""
    rate = SourceRate(codec=codec_name(entry), bits_per_pixel=1.0, fps=FPS, gop=2)
    near = near_source(rate, Reencoding(), FPS)
    assert near is not None
    return encoder_settings(near)


@pytest.mark.parametrize("fps", [Fraction(30), Fraction(2997, 100), Fraction(1)], ids=str)
@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("entry", ["avc1", "hvc1", "av01"])
def test_encoded_again_every_frame_is_at_its_time(
    tmp_path: Path, entry: str, frames: int, fps: Fraction
) -> None:
    drawn = [av.VideoFrame.from_ndarray(draw(0, n), format="yuv420p") for n in range(frames)]
    root = LocalRoot(tmp_path)
    assert encode_frames(root, "a/b.mp4", drawn, fps=fps, encoder=_encoder(entry)) == frames
    assert root.list() == ("a/b.mp4",)
    assert [one.time for one in shown(tmp_path / "a/b.mp4")] == [n / fps for n in range(frames)]
    decoded = decode_frames(root, "a/b.mp4", range(frames))
    for (_, frame), original in zip(decoded, drawn, strict=True):
        gap = np.abs(rgb(frame).astype(int) - rgb(original).astype(int))
        assert gap.mean() < 8  # near lossless; the next picture is 30 away


def test_shortest_hevc_is_encoded_every_time(tmp_path: Path) -> None:
    # x265 leaves decode times of clips shorter than its delay to chance
    root = LocalRoot(tmp_path)
    for number in range(24):
        drawn = [av.VideoFrame.from_ndarray(draw(0, n), format="yuv420p") for n in range(2)]
        count = 1 + number % 2
        encode_frames(root, "a.mp4", drawn[:count], fps=FPS, encoder=_encoder("hvc1"))
        assert [one.time for one in shown(tmp_path / "a.mp4")] == [n / FPS for n in range(count)]


def test_encoded_again_every_keyframe_resets_the_decoder(tmp_path: Path) -> None:
    small = [av.VideoFrame.from_ndarray(draw(0, n), format="yuv420p") for n in range(9)]
    drawn = [frame.reformat(width=96) for frame in small]  # hevc up to 64 pixels has keyframes only
    for entry in ("avc1", "hvc1"):
        path = tmp_path / f"{entry}.mp4"
        encode_frames(LocalRoot(tmp_path), path.name, drawn, fps=FPS, encoder=_encoder(entry))
        keys = [at for at, one in enumerate(demuxed(path)) if one.keyframe]
        with path.open("rb") as file:
            points = AccessPoints(file, index_of(path))
            assert [points.resets(key) for key in keys] == [True] * 5


def test_names_of_tracks_in_other_alphabets_do_no_harm(tmp_path: Path) -> None:
    twin, path = write_clip(tmp_path / "twin.mp4", 9, h264(4, 2)), tmp_path / "a.mp4"
    data = twin.read_bytes()
    assert b"VideoHandler" in data
    path.write_bytes(data.replace(b"VideoHandler", "Kamera für".encode("latin-1") + b"  "))
    assert index_of(path).frames == 9
    assert_each_frame_is_found(path, pictures(twin))


def test_codec_without_a_decoder_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 9, h264(4, 2))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"xyz1"))
    assert index_of(path).entry.fourcc == "xyz1"
    with pytest.raises(VideoError, match=r"'a\.mp4'"):
        list(decode_frames(LocalRoot(tmp_path), "a.mp4", [0]))


def test_encoder_that_does_not_exist_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    drawn = [av.VideoFrame.from_ndarray(draw(0, 0), format="yuv420p")]
    settings = {"codec": "libx264", "profile": "nonsense"}
    with pytest.raises(VideoError, match="cannot be encoded"):
        encode_frames(LocalRoot(tmp_path), "a.mp4", drawn, fps=Fraction(30), encoder=settings)
    assert LocalRoot(tmp_path).list() == ()


def _encoded(picture: npt.NDArray[Any], codec: str, form: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="image2pipe") as file:
        stream: Any = file.add_stream(codec, rate=1)
        stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], form
        file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=form)))
        file.mux(stream.encode(None))
    return buffer.getvalue()
