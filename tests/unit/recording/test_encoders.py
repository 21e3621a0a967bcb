"""Which encoder a camera gets, with which settings; one that does not work is refused before recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roboreel.errors import UsageError, VideoError
from roboreel.format.encoding import Encoding, encoder_settings, without_delay
from roboreel.recording import camera_writer
from roboreel.recording.camera_types import CameraOptions
from roboreel.recording.camera_writer import open_cameras
from roboreel.storage.video.stream_encoder import StreamEncoder, with_threads
from tests.unit.recording.camera_sets import FPS, camera_task, cameras, drawn, numbers


def held_back(encoding: Encoding, frames: int) -> int:
    """How many frames an encoder holds back after so many."""
    encoder = StreamEncoder(with_threads(encoder_settings(encoding), 1), FPS)
    given = sum(len(list(encoder.add(image))) for image in drawn(0, frames))
    assert given + len(list(encoder.finish())) == frames
    return frames - given


def test_av1_without_delay_holds_no_frame_back() -> None:
    assert held_back(without_delay(Encoding()), 30) == 0
    assert held_back(Encoding(), 30) > 4


def test_only_av1_has_other_settings_without_delay() -> None:
    av1 = encoder_settings(without_delay(Encoding()))
    assert av1["svtav1-params"] == "fast-decode=0:pred-struct=1"
    own = Encoding(extra_options={"svtav1-params": "tune=0"})
    assert (
        encoder_settings(without_delay(own))["svtav1-params"]
        == "fast-decode=0:tune=0:pred-struct=1"
    )
    chosen = Encoding(extra_options={"svtav1-params": "pred-struct=2"})
    assert without_delay(chosen) == chosen
    assert without_delay(Encoding(vcodec="h264")) == Encoding(vcodec="h264")


def test_low_delay_is_told_in_the_facts(tmp_path: Path) -> None:
    with cameras(tmp_path, camera_task("a", Encoding()), low_delay=True) as writers:
        writers["a"].begin(tmp_path / "a.mp4", 0)
        for frame in drawn(0, 12):
            writers["a"].add(frame)
        video = writers["a"].finish()
    assert numbers(video.path) == [(number, 0, 0) for number in range(12)]
    assert video.facts["video.extra_options"] == {"svtav1-params": "pred-struct=1"}
    assert (video.facts["video.g"], video.facts["video.preset"]) == (2, 12)


@pytest.mark.parametrize(
    ("encoder", "name", "expected"),
    [
        (
            {"codec": "libsvtav1", "svtav1-params": "fast-decode=0"},
            "svtav1-params",
            "lp=3:fast-decode=0",
        ),
        ({"codec": "libsvtav1", "svtav1-params": "lp=1"}, "svtav1-params", "lp=1"),
        ({"codec": "libsvtav1"}, "svtav1-params", "lp=3"),
        ({"codec": "libx264", "threads": "2"}, "threads", "3"),
        ({"codec": "libx265", "x265-params": "info=0"}, "x265-params", "pools=3:info=0"),
    ],
)
def test_threads_are_set_where_none_are_given(
    encoder: dict[str, str], name: str, expected: str
) -> None:
    assert with_threads(encoder, 3)[name] == expected


def test_an_encoder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    task = camera_task("a", Encoding(vcodec="h264_videotoolbox"))
    with pytest.raises(
        VideoError, match=r"camera 'a': .*'h264_videotoolbox'.*choose another vcodec"
    ):
        open_cameras([task], CameraOptions(folder=tmp_path))


def test_settings_that_an_encoder_does_not_know_are_refused(tmp_path: Path) -> None:
    task = camera_task("a", Encoding(vcodec="h264", extra_options={"speed": "high"}))
    with pytest.raises(VideoError, match=r"camera 'a': .*knows no option speed"):
        open_cameras([task], CameraOptions(folder=tmp_path))


def test_auto_takes_the_first_encoder_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_writer, "hardware_encoder_that_works", lambda: "h264")
    with cameras(tmp_path, camera_task("a", Encoding(vcodec="auto"))) as writers:
        writers["a"].begin(tmp_path / "a.mp4", 0)
        writers["a"].add(drawn(0, 1)[0])
        assert writers["a"].finish().entry.fourcc == "avc1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("when_slow", "drop"), ("spill_mb", -1), ("buffer_frames", 0), ("buffer_frames", 1000),
        ("timeout_s", 0), ("threads", 0), ("niceness", 20),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"{name} is {value!r}, expected"):
        open_cameras([], CameraOptions(folder=tmp_path, **{name: value}))
