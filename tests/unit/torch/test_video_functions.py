from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import roboreel
from roboreel.testing.numbered_frames import draw_numbers, png_bytes, read_numbers
from roboreel.torch.depth_utils import dequantize_depth, quantize_depth
from roboreel.torch.media.encoder_configs import DepthEncoderConfig, RGBEncoderConfig
from roboreel.torch.video_utils import (
    FrameTimestampError,
    VideoDecoderCache,
    VideoFrame,
    concatenate_video_files,
    decode_video_frames,
    encode_video_frames,
    get_audio_info,
    get_video_duration_in_s,
    get_video_info,
    reencode_video,
    resolved_backend,
)

FAST = RGBEncoderConfig(vcodec="h264", preset="ultrafast", crf=10)


@pytest.fixture
def video(made: dict[str, Path]) -> Path:
    """Five numbered frames of 160×128 at 10 frames per second."""
    return next(made["v2.1"].rglob("*top/episode_000000.mp4"))


def _numbers(path: Path, count: int, fps: float = 10) -> list[int]:
    frames = decode_video_frames(path, [n / fps for n in range(count)], 1e-4, return_uint8=True)
    return [read_numbers(frame).frame for frame in frames.permute(0, 2, 3, 1).numpy()]


def _draw(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        image = draw_numbers(0, number, 0, 160, 128)
        (folder / f"frame-{number:06d}.png").write_bytes(png_bytes(image))
    return folder


def test_frames_are_tensors_of_what_roboreel_decodes(video: Path) -> None:
    whole = decode_video_frames(video, [0.0, 0.3], 1e-4)
    raw = decode_video_frames(video, [0.0, 0.3], 1e-4, return_uint8=True)
    assert (whole.dtype, raw.dtype, raw.shape) == (torch.float32, torch.uint8, (2, 3, 128, 160))
    assert torch.equal(whole, raw.float() / 255)
    assert np.array_equal(raw.numpy(), roboreel.decode_video_frames(video, [0.0, 0.3], 1e-4))


def test_a_timestamp_without_a_frame_is_a_value_error(video: Path) -> None:
    with pytest.raises(FrameTimestampError, match=r"no frame within 0\.0001 s") as found:
        decode_video_frames(video, [0.05], 1e-4)
    assert isinstance(found.value, ValueError)
    assert isinstance(found.value, roboreel.VideoError)


def test_backends_are_named(video: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert resolved_backend(None) == "pyav"
    assert resolved_backend("video_reader") == "pyav"
    assert "using 'pyav' instead" in caplog.text
    with pytest.raises(
        ValueError, match="unknown video backend 'opencv': expected pyav or torchcodec"
    ):
        decode_video_frames(video, [0.0], 1e-4, backend="opencv")


def test_a_video_says_what_it_is(video: Path) -> None:
    facts = get_video_info(video, FAST)
    assert (facts["video.height"], facts["video.width"], facts["video.fps"]) == (128, 160, 10)
    assert (facts["video.codec"], facts["video.channels"]) == ("h264", 3)
    assert (facts["video.crf"], facts["video.pix_fmt"]) == (10, "yuv420p")
    assert "video.vcodec" not in facts
    assert facts["is_depth_map"] is False
    assert get_audio_info(video) == {"has_audio": False}
    assert get_video_duration_in_s(video) == pytest.approx(0.5)


def test_images_become_a_video_at_exact_times(tmp_path: Path) -> None:
    target = tmp_path / "videos/out.mp4"
    encode_video_frames(_draw(tmp_path / "images", 6), target, 10, FAST)
    assert _numbers(target, 6) == [0, 1, 2, 3, 4, 5]


def test_a_video_that_exists_stays_unless_it_is_to_be_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target, images = tmp_path / "out.mp4", _draw(tmp_path / "images", 2)
    target.write_bytes(b"mine")
    encode_video_frames(images, target, 10, FAST)
    assert target.read_bytes() == b"mine"
    assert "is not changed" in caplog.text
    encode_video_frames(images, target, 10, FAST, overwrite=True)
    assert _numbers(target, 2) == [0, 1]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"frame-000000\.png"):
        encode_video_frames(tmp_path, tmp_path / "out.mp4", 10)


def test_a_video_is_encoded_again_between_two_times(video: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    reencode_video(video, target, FAST, start_time_s=0.1, end_time_s=0.4)
    assert _numbers(target, 3) == [1, 2, 3]
    assert get_video_duration_in_s(target) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="start_time_s < end_time_s"):
        reencode_video(video, target, FAST, start_time_s=0.4, end_time_s=0.1)
    with pytest.raises(ValueError, match="no frame from 5 s"):
        reencode_video(video, target, FAST, overwrite=True, start_time_s=5)


def test_a_video_can_replace_itself(tmp_path: Path, video: Path) -> None:
    own = tmp_path / "own.mp4"
    own.write_bytes(video.read_bytes())
    reencode_video(own, own, FAST, overwrite=True)
    assert _numbers(own, 5) == [0, 1, 2, 3, 4]


def test_videos_are_joined_without_decoding(made: dict[str, Path], tmp_path: Path) -> None:
    parts = sorted(made["v2.1"].rglob("*top/episode_*.mp4"))
    target = tmp_path / "joined.mp4"
    concatenate_video_files(parts, target, compatibility_check=True)
    assert _numbers(target, 15) == [*range(5), *range(7), *range(3)]


def test_videos_that_cannot_share_a_file_are_refused(video: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    reencode_video(video, other, RGBEncoderConfig(preset=13))
    for check in (False, True):
        with pytest.raises(ValueError, match=r"share a file|video\.codec"):
            concatenate_video_files([video, other], tmp_path / "j.mp4", True, check)
    with pytest.raises(FileNotFoundError):
        concatenate_video_files([], tmp_path / "j.mp4")


@pytest.mark.parametrize("use_log", [True, False])
def test_depths_survive_their_codes(use_log: bool) -> None:
    depth = np.linspace(0.02, 9.9, 48 * 64, dtype=np.float32).reshape(48, 64)
    codes = quantize_depth(depth, use_log=use_log, video_backend=None)
    assert (codes.dtype, codes.shape) == (np.uint16, (48, 64))
    back = dequantize_depth(codes, use_log=use_log, output_unit="m", output_tensor=False)
    assert back.shape == (1, 48, 64)
    assert np.abs(back[0] - depth).max() < 0.003
    millimetres = dequantize_depth(torch.from_numpy(codes)[None], use_log=use_log)
    assert millimetres.dtype == torch.float32
    assert torch.equal(millimetres, millimetres.round())


def test_depths_in_millimetres_have_the_codes_of_metres() -> None:
    metres = np.array([[0.5, 1.0, 5.0]] * 2, dtype=np.float32)
    whole = (metres * 1000).astype(np.uint16)
    one, other = (quantize_depth(d, video_backend=None) for d in (metres, whole[..., None]))
    assert np.array_equal(one, other)
    with pytest.raises(ValueError, match="'cm'"):
        quantize_depth(metres, input_unit="cm")
    with pytest.raises(ValueError, match="depth_min \\+ shift"):
        quantize_depth(metres, depth_min=0.01, shift=-1.0)


def test_a_depth_video_holds_the_codes_exactly(tmp_path: Path) -> None:
    depths = [np.full((64, 96), 400 + 100 * n, dtype=np.uint16) for n in range(3)]
    for number, depth in enumerate(depths):
        (tmp_path / f"frame-{number:06d}.tiff").write_bytes(_tiff(depth))
    target = tmp_path / "out.mp4"
    encode_video_frames(tmp_path, target, 10, DepthEncoderConfig())
    found = decode_video_frames(target, [0.0, 0.1, 0.2], 1e-4, is_depth=True)
    assert found.shape == (3, 1, 64, 96)
    for codes, depth in zip(found.numpy(), depths, strict=True):
        assert np.array_equal(codes[0], quantize_depth(depth, video_backend=None))


def _tiff(values: np.ndarray[Any, Any]) -> bytes:
    """An uncompressed 16-bit gray TIFF image, by the fields of the TIFF 6.0 specification."""
    height, width = values.shape
    data = values.astype("<u2").tobytes()
    entries = [(256, width), (257, height), (258, 16), (259, 1), (262, 1), (273, 8), (277, 1)]
    entries += [(278, height), (279, len(data))]
    table = b"".join(
        tag.to_bytes(2, "little")
        + (4).to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + value.to_bytes(4, "little")
        for tag, value in entries
    )
    head = b"II*\0" + (8 + len(data)).to_bytes(4, "little")
    return head + data + len(entries).to_bytes(2, "little") + table + bytes(4)


def test_the_decoder_cache_takes_its_size_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "LEROBOT_VIDEO_DECODER_CACHE_SIZE"
    assert VideoDecoderCache().max_size == 100
    monkeypatch.setenv(name, "none")
    assert VideoDecoderCache().max_size is None
    monkeypatch.setenv(name, "7")
    assert VideoDecoderCache().max_size == 7
    for text in ("many", "0"):
        monkeypatch.setenv(name, text)
        with pytest.raises(ValueError, match=name):
            VideoDecoderCache()
    with pytest.raises(ValueError, match="max_size must be positive"):
        VideoDecoderCache(0)


def test_the_decoder_cache_closes_what_was_used_least(
    monkeypatch: pytest.MonkeyPatch, made: dict[str, Path]
) -> None:
    monkeypatch.setattr("roboreel.torch.media.decoder_cache.torchcodec_decoder", lambda file: file)
    first, second, third = sorted(made["v2.1"].rglob("*top/episode_*.mp4"))
    cache = VideoDecoderCache(2)
    opened = [cache.get_decoder(path) for path in (first, second, first, third)]
    assert opened[0] is opened[2]
    assert second not in cache
    assert first in cache
    assert opened[1].closed
    cache.clear()
    assert cache.size() == 0
    assert opened[0].closed


def test_a_video_frame_is_a_path_and_a_time() -> None:
    assert [field.name for field in VideoFrame()()] == ["path", "timestamp"]
