"""Settings of encoders: what is refused, what a library is given, what is tried before a run."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import roboreel
from roboreel import Encoding
from roboreel.errors import PlanError, UsageError, VideoError
from roboreel.format.encoding import describe, encoder_settings
from roboreel.ops import inputs as encoders
from roboreel.plan.compile_video import DEPTH_ENCODER
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.encode import encode_parts, png, prefetch
from roboreel.storage.video.encoders import available, require_encoder
from roboreel.testing import Camera, make_dataset
from roboreel.testing.numbered_frames import draw_numbers

TOP = "observation.images.top"
AV1 = encoder_settings(Encoding())
H264 = encoder_settings(Encoding(vcodec="h264"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"vcodec": "h266"},
        {"pix_fmt": ""},
        {"g": 0},
        {"g": True},
        {"crf": -1},
        {"crf": 64},
        {"preset": 1.5},
        {"fast_decode": 3},
        {"extra_options": {"tune": None}},
        {"size": (160, 127)},
        {"size": (8, 8)},
        {"size": (160,)},
    ],
    ids=str,
)
def test_settings_that_mean_nothing_are_refused_by_name(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(UsageError, match=name.replace("_", "[_ ]").removesuffix("s")):
        Encoding(**wrong)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        (
            {},
            {"codec": "libsvtav1", "g": "2", "crf": "30", "preset": "12"}
            | {"svtav1-params": "fast-decode=0"},
        ),
        ({"vcodec": "av1", "fast_decode": 2}, {"svtav1-params": "fast-decode=2"}),
        ({"vcodec": "h264", "preset": "fast", "crf": 18.5}, {"preset": "fast", "crf": "18.5"}),
        ({"vcodec": "hevc", "fast_decode": 1}, {"codec": "libx265", "tune": "fastdecode"}),
        ({"vcodec": "libaom-av1", "g": None}, {"codec": "libaom-av1", "crf": "30"}),
        ({"vcodec": "h264_nvenc"}, {"rc": "constqp", "qp": "30"}),
        ({"vcodec": "h264_vaapi", "crf": 25}, {"qp": "25"}),
        ({"vcodec": "h264_qsv", "crf": 25}, {"global_quality": "25"}),
        ({"vcodec": "hevc_videotoolbox"}, {"q:v": "40"}),
        ({"extra_options": {"crf": 1, "dolbyvision": 0}}, {"crf": "30", "dolbyvision": "0"}),
        ({"extra_options": {"svtav1-params": "tune=0"}}, {"svtav1-params": "fast-decode=0:tune=0"}),
    ],
    ids=str,
)
def test_settings_become_the_encoders_own_options(
    asked: dict[str, Any], given: dict[str, str]
) -> None:
    settings = encoder_settings(Encoding(**asked))
    assert {name: settings.get(name) for name in given} == given
    assert settings["pix_fmt"] == "yuv420p"
    assert ("g" in settings) == (asked.get("g", 2) is not None)


@pytest.mark.parametrize("vcodec", ["h264", "hevc", "av1"])
def test_the_encoders_of_a_library_are_listed_and_work(vcodec: str) -> None:
    settings = encoder_settings(Encoding(vcodec=vcodec))
    assert settings["codec"] in available()
    require_encoder(settings, width=128, height=96)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"codec": "libnothing"}, "no encoder 'libnothing', but .*libx264"),
        ({"pix_fmt": "rgb48le"}, "does not support the pixel format rgb48le, but .*yuv420p"),
        ({"preset": "nonsense"}, "does not work here, or not with .*preset=nonsense"),
        ({"nonsense": "1"}, "knows no option nonsense"),
    ],
    ids=str,
)
def test_what_an_encoder_does_not_take_is_told(change: dict[str, str], said: str) -> None:
    with pytest.raises(VideoError, match=said):
        require_encoder({**H264, **change}, width=128, height=96)


def test_an_encoder_that_is_not_there_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    source = make_dataset(tmp_path / "a", episodes=(3,), cameras={TOP: Camera()})
    view = roboreel.open(source).encode({TOP: Encoding(extra_options={"nonsense": 1})})
    with pytest.raises(PlanError, match=f"'{TOP}' cannot be encoded with these settings.*nonsense"):
        roboreel.plan_write(view, out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_auto_is_the_first_encoder_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    def working(settings: dict[str, str], **_: int) -> None:
        if settings["codec"] != "h264_vaapi":
            raise VideoError("not here")

    hardware = [{"codec": name} for name in ("h264_nvenc", "h264_vaapi", "h264_qsv")]
    monkeypatch.setattr(encoders, "require_encoder", working)
    assert encoders.encoder_that_works([*hardware, AV1]) == 1
    assert encoders.encoder_that_works([hardware[0], AV1]) == 1


def test_auto_without_hardware_is_av1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "roboreel.ops.inputs.encoder_that_works", lambda settings: len(settings) - 1
    )
    source = make_dataset(tmp_path / "a", episodes=(3,), cameras={TOP: Camera()})
    view = roboreel.open(source).encode({TOP: Encoding(vcodec="auto")})
    plan = roboreel.plan_write(view, out=tmp_path / "out")
    assert plan.model.info.features[TOP].video_facts["video.codec"] == "av1"
    assert plan.model.info.features[TOP].video_facts["video.preset"] == 12


def _frames(episode: int, count: int, width: int = 160) -> list[Any]:
    pictures = [draw_numbers(episode, k, 0, width, 128) for k in range(count)]
    return [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in pictures]


def test_parts_have_the_same_bytes_wherever_they_stand(tmp_path: Path) -> None:
    root = LocalRoot(tmp_path)
    encode_parts(root, "one.mp4", [_frames(3, 5)], fps=Fraction(30), encoder=H264)
    parts = [_frames(1, 4), _frames(3, 5), _frames(2, 1)]
    assert encode_parts(root, "all.mp4", parts, fps=Fraction(30), encoder=H264) == [4, 5, 1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.mp4", "one.mp4"]
    with av.open(str(tmp_path / "one.mp4")) as one, av.open(str(tmp_path / "all.mp4")) as every:
        alone = [bytes(packet) for packet in one.demux(video=0) if packet.size]
        among = [bytes(packet) for packet in every.demux(video=0) if packet.size]
    assert among[4:9] == alone


def test_pictures_of_several_sizes_are_refused_or_scaled(tmp_path: Path) -> None:
    root, frames = LocalRoot(tmp_path), [*_frames(0, 2), *_frames(0, 1, width=192)]
    with pytest.raises(VideoError, match="frames 0 and 2 are 160×128 and 192×128"):
        encode_parts(root, "a.mp4", [frames], fps=Fraction(30), encoder=H264)
    encode_parts(root, "b.mp4", [frames], fps=Fraction(30), encoder=H264, size=(320, 64))
    with av.open(str(tmp_path / "b.mp4")) as file:
        assert {(f.width, f.height) for f in file.decode(video=0)} == {(320, 64)}


def test_depth_pictures_do_not_lose_their_depth(tmp_path: Path) -> None:
    deep = av.VideoFrame.from_ndarray(np.full((64, 64), 40_000, np.uint16), format="gray16le")
    with pytest.raises(
        VideoError, match="gray16le: depth does not fit into the pixel format yuv420p"
    ):
        encode_parts(LocalRoot(tmp_path), "a.mp4", [[deep]], fps=Fraction(30), encoder=H264)


def test_few_frames_are_made_ahead_of_their_use() -> None:
    made = []

    def frames() -> Any:
        for number in range(1000):
            made.append(number)
            yield number

    used = prefetch(frames())
    assert [next(used) for _ in range(3)] == [0, 1, 2]
    used.close()
    assert 3 <= len(made) < 20


def test_what_fails_ahead_is_raised_in_its_place() -> None:
    def frames() -> Any:
        yield 1
        raise VideoError("damaged")

    used = prefetch(frames())
    assert next(used) == 1
    with pytest.raises(VideoError, match="damaged"):
        next(used)


@pytest.mark.parametrize("pixels", ["rgb24", "gray", "gray16le", "gray12le"])
def test_a_frame_becomes_a_png_without_loss(pixels: str) -> None:
    limit = {"gray16le": 65_536, "gray12le": 4096}.get(pixels, 256)
    shape = (64, 48, 3) if pixels == "rgb24" else (64, 48)
    values = np.random.default_rng(1).integers(0, limit, shape)
    array: Any = values.astype(np.uint8 if limit == 256 else np.uint16)
    frame = av.VideoFrame.from_ndarray(array, format="gray16le" if limit > 256 else pixels)
    decoder = av.CodecContext.create("png", "r")
    data = png(frame)
    (back,) = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    assert back.format.name == {"rgb24": "rgb24", "gray": "gray"}.get(pixels, "gray16be")
    found = back.reformat(format="gray16le" if limit > 256 else pixels).to_ndarray()
    np.testing.assert_array_equal(found, array)


def test_depth_that_is_encoded_again_is_what_was_decoded(tmp_path: Path) -> None:
    root = LocalRoot(tmp_path)
    # like a scene with noise: with fewer keyframes x265 4 changes values at the edges of most such videos
    slope = np.add.outer(np.arange(64), 40 * np.arange(64))
    noise = np.random.default_rng(0).integers(0, 200, (6, 64, 64))
    values = (slope + noise).astype(np.uint16)
    frames = [_as_gray12(one) for one in values]
    assert [frame.format.name for frame in frames] == ["gray12le"] * 6
    encode_parts(root, "a.mp4", [frames[:5], frames[5:]], fps=Fraction(30), encoder=DEPTH_ENCODER)
    with av.open(str(tmp_path / "a.mp4")) as file:
        found = [np.frombuffer(bytes(f.planes[0]), np.uint16) for f in file.decode(video=0)]
    assert len(found) == 6
    for one, shown in zip(values, found, strict=True):
        np.testing.assert_array_equal(shown.reshape(64, -1)[:, :64], one)


def test_each_frame_is_a_keyframe_where_x265_is_to_lose_nothing() -> None:
    lossless = {"x265-params": "lossless=1"}
    exact = Encoding(vcodec="hevc", pix_fmt="gray12le", extra_options=lossless)
    assert encoder_settings(exact)["g"] == "1"
    assert describe(exact)["video.g"] == 1
    assert encoder_settings(Encoding(vcodec="hevc"))["g"] == "2"
    assert encoder_settings(Encoding(vcodec="h264", extra_options=lossless))["g"] == "2"


def _as_gray12(values: Any) -> Any:
    frame = av.VideoFrame(64, 64, "gray12le")
    line = frame.planes[0].line_size // 2
    padded = np.zeros((64, line), np.uint16)
    padded[:, :64] = values
    frame.planes[0].update(padded.tobytes())
    return frame


def test_what_a_video_says_of_its_colours_is_kept(tmp_path: Path) -> None:
    frames = _frames(0, 3)
    for at, frame in enumerate(frames):
        frames[at] = frame.reformat(format="yuv420p")
        frames[at].colorspace = 1  # BT.709
        frames[at].color_range = 2  # full
    settings = {**H264}
    encode_parts(LocalRoot(tmp_path), "a.mp4", [frames], fps=Fraction(30), encoder=settings)
    with av.open(str(tmp_path / "a.mp4")) as file:
        context = file.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (1, 2)
