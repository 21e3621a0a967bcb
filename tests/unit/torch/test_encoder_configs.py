from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from roboreel.torch.media.encoder_configs import (
    DepthEncoderConfig,
    RGBEncoderConfig,
    VideoEncoderConfig,
    encoder_config_from_video_info,
    encoding_of,
    infer_depth_unit,
)


def test_defaults_are_those_of_lerobot() -> None:
    config = VideoEncoderConfig()
    assert (config.vcodec, config.pix_fmt, config.g) == ("libsvtav1", "yuv420p", 2)
    assert (config.crf, config.preset, config.fast_decode) == (30, 12, 0)
    depth = DepthEncoderConfig()
    assert (depth.vcodec, depth.pix_fmt, depth.preset) == ("hevc", "gray12le", None)
    assert (depth.depth_min, depth.depth_max, depth.shift) == (0.01, 10.0, 3.5)
    assert depth.use_log


def test_another_name_of_a_codec_becomes_the_encoders() -> None:
    assert VideoEncoderConfig(vcodec="av1").vcodec == "libsvtav1"
    assert VideoEncoderConfig(vcodec="auto").vcodec != "auto"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"vcodec": "mpeg2"}, "vcodec is 'mpeg2', expected one of"),
        ({"crf": 64}, "crf is 64"),
        ({"g": 0}, "g is 0"),
        ({"pix_fmt": "rgb48be"}, "does not support the pixel format rgb48be"),
        ({"fast_decode": 3}, "fast_decode is 3"),
    ],
)
def test_settings_that_no_encoder_takes_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VideoEncoderConfig(**settings)


def test_the_pixel_format_must_have_the_channels_of_the_camera() -> None:
    with pytest.raises(ValueError, match="has 1 channels, expected a format with 3"):
        RGBEncoderConfig(vcodec="hevc", pix_fmt="gray12le")
    with pytest.raises(ValueError, match="has 3 channels, expected a format with 1"):
        DepthEncoderConfig(pix_fmt="yuv420p")


def test_options_are_those_that_lerobot_gives() -> None:
    options = VideoEncoderConfig().get_codec_options(encoder_threads=4)
    assert options == {"g": 2, "crf": 30, "preset": 12, "svtav1-params": "fast-decode=0:lp=4"}
    h264 = VideoEncoderConfig(vcodec="h264", fast_decode=1, extra_options={"crf": 5, "bf": 0})
    assert h264.get_codec_options(2, as_strings=True) == {
        "g": "2", "crf": "30", "tune": "fastdecode", "threads": "2", "bf": "0",
    }  # fmt: skip


def test_an_encoding_is_made_of_any_object_with_these_fields() -> None:
    theirs = SimpleNamespace(vcodec="h264", pix_fmt="yuv444p", g=5, crf=None, extra_options={})
    encoding = encoding_of(theirs, encoder_threads=3)
    assert (encoding.vcodec, encoding.pix_fmt, encoding.g) == ("h264", "yuv444p", 5)
    assert encoding.crf is None
    assert encoding.extra_options == {"threads": 3}
    assert encoding_of(None).vcodec == "libsvtav1"


def test_settings_come_back_from_the_info_of_a_camera() -> None:
    info = {"video.codec": "av1", "video.crf": 20, "video.g": None, "video.extra_options": {}}
    config = encoder_config_from_video_info(info)
    assert isinstance(config, RGBEncoderConfig)
    assert (config.vcodec, config.crf, config.g) == ("libsvtav1", 20, 2)
    depth = encoder_config_from_video_info({"is_depth_map": True, "video.depth_max": 4.0})
    assert isinstance(depth, DepthEncoderConfig)
    assert depth.depth_max == 4.0


def test_depths_of_floating_point_are_metres() -> None:
    assert (infer_depth_unit("float32"), infer_depth_unit("uint16")) == ("m", "mm")
