"""Streams whose frames are shown in another order than their times say."""

from __future__ import annotations

from pathlib import Path

import pytest

import roboreel
from roboreel.storage.video.reorder import contradicts_times
from tests.unit.clips import (
    Coder,
    av1,
    h264,
    hevc,
    index_of,
    mpeg4,
    vp9,
    without_display_times,
    write_clip,
)
from tests.unit.recordings import ROWS, TOP, recorded

REORDERED = {
    "h264": h264(12, 2),
    "h264 pyramid": h264(60, 3, b_pyramid="normal"),
    "h264 interlaced": h264(12, 2, interlaced=1),
    "h264 matrices": h264(12, 2, cqm="jvt"),
    "h264 open": h264(12, 3, open_gop=1),
    "hevc": hevc(12, 3),
    "hevc open": hevc(12, 3, open_gop=1),
    "mpeg4": mpeg4(12, 2),
}
IN_ORDER = {
    "h264": h264(12, 0),
    "h264 gop 2": h264(2, 3),
    "h264 intra refresh": h264(12, 0, intra_refresh=1),
    "hevc": hevc(12, 0),
    "mpeg4": mpeg4(12, 0),
    "av1": av1(12, prediction=2),
    "vp9": vp9(),
}


def contradicts(path: Path) -> bool:
    with path.open("rb") as file:
        return contradicts_times(file, index_of(path))


def unordered(path: Path) -> Path:
    path.write_bytes(without_display_times(path.read_bytes()))
    return path


@pytest.mark.parametrize("name", REORDERED)
def test_times_of_decoding_contradict_a_stream_with_b_frames(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / "a.mp4", 50, REORDERED[name])
    assert not contradicts(path)
    assert contradicts(unordered(path))


@pytest.mark.parametrize("name", IN_ORDER)
def test_times_of_decoding_are_right_without_b_frames(tmp_path: Path, name: str) -> None:
    assert not contradicts(unordered(write_clip(tmp_path / "a.mp4", 50, IN_ORDER[name])))


@pytest.mark.parametrize("coder", [h264(12, 2), mpeg4(12, 2)], ids=["h264", "mpeg4"])
def test_check_and_conversion_tell_of_it(tmp_path: Path, coder: Coder) -> None:
    external_videos = [write_clip(tmp_path / f"{n}.mp4", ROWS, coder, scene=n) for n in range(2)]
    unordered(external_videos[1])
    source = recorded(tmp_path / "source", external_videos)
    found = [p for p in roboreel.check(source).problems if p.rule == "video.order"]
    assert [(p.severity, p.episode, p.column) for p in found] == [("error", 1, TOP)]
    report = roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert [p.episode for p in report.problems if p.rule == "video.order"] == [1]


def test_a_camera_of_such_videos_is_refused(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "0.mp4", ROWS, h264(12, 2))
    source = recorded(tmp_path / "source", [clip])
    view = roboreel.add_video(roboreel.open(source), "side", str(unordered(clip)))
    with pytest.raises(roboreel.PlanError) as caught:
        roboreel.write(view, out=tmp_path / "out")
    assert [(p.rule, p.episode) for p in caught.value.problems] == [("video.order", 0)]
