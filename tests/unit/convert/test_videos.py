"""Streams that differ, other tracks, frames without rows, and what is encoded again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import av
import pytest

import roboreel
from roboreel.testing import Camera, make_dataset
from tests.judge import differences, faults
from tests.mutate import (
    add_track,
    episode_video,
)
from tests.oracle import read
from tests.unit.convert.sources import (
    TOP,
    WRIST,
)


def test_sound_is_refused_or_dropped(v21: Path, bases: Path, tmp_path: Path) -> None:
    add_track(episode_video(v21, TOP, 2), "audio")
    with pytest.raises(roboreel.PlanError, match="drop_audio=True") as caught:
        roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert [(p.rule, p.column) for p in caught.value.problems] == [("video.audio", TOP)]
    roboreel.convert(v21, to="v3.0", out=tmp_path / "out", drop_audio=True)
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(bases / "v2.1"), result) == []
    assert result.info["features"][TOP]["info"]["has_audio"] is False


@pytest.mark.parametrize("camera", [TOP, WRIST], ids=["codec", "size"])
def test_streams_that_differ_never_share_a_file(
    v21: Path, bases: Path, tmp_path: Path, camera: str
) -> None:
    shutil.copy(episode_video(bases / "mixed", camera, 1), episode_video(v21, camera, 1))
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert report.video_files == 4
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert differences(read(v21), result) == []


def test_frames_after_the_last_row_are_left_out(v21: Path, tmp_path: Path) -> None:
    shutil.copy(episode_video(v21, TOP, 2), episode_video(v21, TOP, 1))
    report = roboreel.convert(v21, to="v3.0", out=tmp_path / "out")
    assert [(p.rule, p.episode) for p in report.problems] == [("video.long", 1)]
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert result.numbers(result.episodes[1], TOP) == [(0, 2, 0)]


def _encoded_as(path: Path, codec: str, pix_fmt: str, options: dict[str, str]) -> None:
    """Encode a video file again, with one keyframe only."""
    aside = path.with_suffix(".aside.mp4")
    with av.open(str(path)) as old, av.open(str(aside), "w") as new:
        stream: Any = new.add_stream(codec, rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 160, 32, pix_fmt
        for frame in old.decode(video=0):
            picture = frame.reformat(format=pix_fmt)
            picture.pict_type = 0
            new.mux(stream.encode(picture))
        new.mux(stream.encode(None))
    aside.replace(path)


def _pixel_format(path: Path) -> str | None:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.pix_fmt


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "options"),
    [
        ("libx265", "gray12le", {"x265-params": "keyint=250:bframes=0:log-level=none"}),
        ("libx264", "yuv420p10le", {"g": "250", "bf": "0"}),
        ("libx264", "yuv444p", {"g": "250", "bf": "0"}),
    ],
    ids=["depth", "10 bits", "full colour"],
)
def test_frames_that_are_encoded_again_keep_their_pixel_format(
    tmp_path: Path, codec: str, pix_fmt: str, options: dict[str, str]
) -> None:
    """Depth has 12 bits: in 8-bit pixels it would be lost without a word."""
    cameras = {TOP: Camera(height=32, gop=250, join="encoded")}
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=(5, 4), cameras=cameras)
    _encoded_as(root / f"videos/{TOP}/chunk-000/file-000.mp4", codec, pix_fmt, options)
    try:
        roboreel.convert(root, to="v2.1", out=tmp_path / "out", allow_reencode=True)
    except roboreel.PlanError:
        return
    formats = [_pixel_format(episode_video(tmp_path / "out", TOP, n)) for n in range(2)]
    assert formats == [pix_fmt] * 2
