"""Encoding the cameras of a dataset by lerobot's functions and config objects."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import roboreel
from roboreel.testing import Camera
from roboreel.torch import constants
from roboreel.torch.media.encoder_configs import RGBEncoderConfig
from roboreel.torch.tools.camera_tools import (
    convert_image_to_video_dataset,
    reencode_dataset,
)
from tests.unit.torch.opened import Opened, made

TOP, STILL = "observation.images.top", "observation.images.still"
H264 = SimpleNamespace(
    vcodec="h264",
    pix_fmt="yuv420p",
    g=3,
    crf=23,
    preset=None,
    fast_decode=0,
    video_backend="pyav",
    extra_options={},
)
"""The attributes of lerobot's `RGBEncoderConfig`."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_LEROBOT_HOME", tmp_path / "home")
    return tmp_path / "home"


def _info(dataset: Opened, camera: str) -> dict[str, Any]:
    spec = roboreel.open(dataset.root).features[camera].spec
    assert spec["dtype"] == "video"
    return dict(spec["info"])


def test_images_become_video(tmp_path: Path, home: Path) -> None:
    source = made(tmp_path / "set", features="rich", episodes=(4, 3, 5))

    result = convert_image_to_video_dataset(
        source, rgb_encoder=H264, episode_indices=[2, 0], max_frames_per_batch=100
    )

    assert (result.repo_id, result.root) == ("me/set_video", home / "me" / "set_video")
    assert result.meta.video_keys == [STILL]
    assert roboreel.open(result.root).episodes["length"].to_pylist() == [4, 5]
    info = _info(result, STILL)
    assert (info["video.codec"], info["video.g"], info["video.crf"]) == ("h264", 3, 23)
    assert not [one for one in roboreel.check(result.root).problems if one.severity == "error"]


def test_video_cameras_are_not_touched_by_converting_images(tmp_path: Path) -> None:
    source = made(
        tmp_path / "set", features="rich", episodes=(3, 2), cameras={TOP: Camera(height=32)}
    )

    result = convert_image_to_video_dataset(source, tmp_path / "out", rgb_encoder=H264)

    assert sorted(result.meta.video_keys) == [STILL, TOP]
    (before,) = (source.root / "videos" / TOP).rglob("*.mp4")
    (after,) = (result.root / "videos" / TOP).rglob("*.mp4")
    assert before.read_bytes() == after.read_bytes()


def test_videos_are_encoded_again_in_place(tmp_path: Path) -> None:
    dataset = made(tmp_path / "set", episodes=(3, 2), cameras={TOP: Camera(height=32)})

    settings = RGBEncoderConfig(vcodec="h264", g=3, crf=23)
    assert reencode_dataset(dataset, rgb_encoder=settings, encoder_threads=1) is dataset

    info = _info(dataset, TOP)
    stated = {name: info[f"video.{name}"] for name in ("g", "crf", "preset", "extra_options")}
    assert stated == {"g": 3, "crf": 23, "preset": None, "extra_options": {"threads": 1}}
    assert len(roboreel.kept_versions(tmp_path / "set")) == 1


def test_what_cannot_be_encoded_is_refused(tmp_path: Path) -> None:
    plain = made(tmp_path / "set")
    images = made(tmp_path / "images", features="rich")

    with pytest.raises(ValueError, match="'me/set' has no images to convert"):
        convert_image_to_video_dataset(plain)
    with pytest.raises(ValueError, match="Invalid episode indices"):
        convert_image_to_video_dataset(images, episode_indices=[9])
    with pytest.raises(ValueError, match="max_episodes_per_batch is 0"):
        convert_image_to_video_dataset(images, max_episodes_per_batch=0)
    with pytest.raises(ValueError, match="vcodec is 'nope'"):
        convert_image_to_video_dataset(images, rgb_encoder=SimpleNamespace(vcodec="nope"))
    with pytest.raises(ValueError, match="Either rgb_encoder or depth_encoder must be provided"):
        reencode_dataset(plain)


def test_depth_images_stay_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = made(tmp_path / "set", features="rich")
    path = source.root / "meta" / "info.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["features"][STILL]["info"] = {"is_depth_map": True}
    path.write_text(json.dumps(document), encoding="utf-8")

    with pytest.raises(ValueError, match="no images to convert"):
        convert_image_to_video_dataset(source)
    assert f"depth camera '{STILL}' is kept as images" in caplog.text


def test_a_dataset_without_videos_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    plain = made(tmp_path / "set")

    assert reencode_dataset(plain, rgb_encoder=H264) is plain
    assert "the dataset has no videos to re-encode" in caplog.text
    assert not roboreel.kept_versions(plain.root)
