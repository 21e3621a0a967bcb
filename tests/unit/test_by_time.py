"""Frames by time, against what PyAV decodes from the beginning."""

from __future__ import annotations

import importlib.util
import sys
import types
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

import roboreel
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.backends import backend_frames
from roboreel.storage.video.indexed_video import indexed_video
from tests.unit.clips import av1, h264, write_clip

FRAMES = 30


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """30 frames at 30 per second, with B-frames."""
    return write_clip(tmp_path / "a.mp4", FRAMES, h264(12, 3))


def _all(path: Path) -> npt.NDArray[np.uint8]:
    """(frames, 3, H, W) as PyAV decodes them."""
    with av.open(str(path)) as container:
        found = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(found).astype(np.uint8).transpose(0, 3, 1, 2)


def test_frames_come_in_the_order_asked_for(clip: Path) -> None:
    seen = _all(clip)
    for numbers in ([0], [29, 0, 13], [5, 5, 6, 5], list(range(FRAMES))):
        times = [number / 30 for number in numbers]
        found = roboreel.decode_video_frames(clip, times, tolerance_s=1e-4)
        assert found.dtype == np.uint8
        assert np.array_equal(found, seen[numbers])


def test_the_nearest_frame_is_taken_within_the_tolerance(clip: Path) -> None:
    seen = _all(clip)
    found = roboreel.decode_video_frames(str(clip), [4.4 / 30, 4.6 / 30, -0.01], tolerance_s=0.02)
    assert np.array_equal(found, seen[[4, 5, 0]])


def test_times_are_those_of_an_irregular_video(tmp_path: Path) -> None:
    times = np.cumsum(np.random.default_rng(3).integers(20, 400, FRAMES))
    clip = write_clip(
        tmp_path / "a.mp4", FRAMES, h264(12, 2), times=times.tolist(), tick=Fraction(1, 1000)
    )
    asked = (times - times[0]) / 1000
    order = np.random.default_rng(4).permutation(FRAMES)
    found = roboreel.decode_video_frames(clip, asked[order], tolerance_s=1e-3)
    assert np.array_equal(found, _all(clip)[order])


@pytest.mark.parametrize(
    ("time", "nearest"), [(0.05, "frame"), (1.5, "frame 29"), (-1.0, "frame 0")]
)
def test_where_no_frame_is_near_it_is_said(clip: Path, time: float, nearest: str) -> None:
    with pytest.raises(
        roboreel.VideoError,
        match=rf"'a\.mp4': no frame within 0.01 s of timestamp {time:.6f} s: the nearest, {nearest}",
    ):
        roboreel.decode_video_frames(clip, [0.0, time], tolerance_s=0.01)


def test_no_times_give_no_frames(clip: Path) -> None:
    assert roboreel.decode_video_frames(clip, [], tolerance_s=0.0).shape == (0, 3, 64, 64)


@pytest.mark.parametrize(
    ("times", "tolerance", "backend", "why"),
    [
        ([float("nan")], 0.1, None, "finite"),
        ([[0.0]], 0.1, None, "list of finite"),
        ([0.0], -1.0, None, "tolerance_s is -1"),
        ([0.0], 0.1, "opencv", "unknown video backend 'opencv': expected pyav"),
    ],
)
def test_wrong_arguments_are_refused(
    clip: Path, times: Any, tolerance: float, backend: str | None, why: str
) -> None:
    with pytest.raises(roboreel.UsageError, match=why):
        roboreel.decode_video_frames(clip, times, tolerance, backend)


@pytest.mark.parametrize("name", ["torchcodec", "decord"])
def test_a_backend_that_is_not_installed_names_its_extra(
    clip: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(roboreel.MissingDependencyError, match=rf"roboreel\[{name}\]"):
        roboreel.decode_video_frames(clip, [0.0], 0.1, name)


class _Reader:
    """What roboreel uses of decord, on PyAV; `late` shifts the times that it tells."""

    late = 0.0

    def __init__(self, file: Any, **_: object) -> None:
        with av.open(file) as container:
            self.frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]

    def get_frame_timestamp(self, number: int) -> list[float]:
        return [number / 30 + self.late, (number + 1) / 30 + self.late]

    def __getitem__(self, number: int) -> Any:
        return types.SimpleNamespace(asnumpy=lambda: self.frames[number])


@pytest.fixture
def decord(monkeypatch: pytest.MonkeyPatch) -> type[_Reader]:
    module = types.SimpleNamespace(VideoReader=_Reader, cpu=lambda _: None)
    monkeypatch.setitem(sys.modules, "decord", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object())
    monkeypatch.setattr(_Reader, "late", 0.0)
    return _Reader


@pytest.mark.usefixtures("decord")
def test_another_backend_gives_the_same_frames(clip: Path) -> None:
    found = roboreel.decode_video_frames(clip, [0.5, 0.1], 1e-3, "decord")
    assert np.array_equal(found, _all(clip)[[15, 3]])


def test_a_backend_that_shows_another_frame_is_caught(clip: Path, decord: type[_Reader]) -> None:
    decord.late = 1 / 30
    with pytest.raises(
        roboreel.VideoError, match=r"decord shows frame 3 at 0\.133333 s, but the packets"
    ):
        roboreel.decode_video_frames(clip, [0.1], 1e-3, "decord")


@pytest.mark.usefixtures("decord")
def test_decord_and_av1_are_refused_by_name(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", 4, av1())
    with pytest.raises(roboreel.VideoError, match=r"'a\.mp4': decord does not decode AV1"):
        list(
            backend_frames(indexed_video(LocalRoot(clip.parent), clip.name), [0], backend="decord")
        )
