"""Cuts anywhere: packets that decode the wanted frames, and nothing that cannot be decoded."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.unit.clips import (
    FPS,
    Coder,
    assert_joined,
    av1,
    demuxed,
    h264,
    hevc,
    index_of,
    piece_of,
    vp9,
    write_clip,
)

FRAMES = 50
CODERS = {
    **{f"h264 gop {gop} b {b}": h264(gop, b) for gop in (12, 250) for b in (0, 2, 3)},
    "h264 pyramid": h264(250, 3, b_pyramid="normal", ref=4),
    "hevc b": hevc(12, 3),
    "hevc radl": hevc(12, 3, radl=2),
    "av1": av1(12),
    "av1 pyramid": av1(250, prediction=2),
    "vp9": vp9(),
}
NOT_RESET = {
    "h264 open": h264(12, 3, open_gop=1),
    "h264 open, no b reference": h264(12, 3, open_gop=1, b_pyramid="none"),
    "h264 open, no b": h264(12, 0, open_gop=1),
    "h264 intra refresh": h264(12, 0, intra_refresh=1),
    "hevc open": hevc(12, 3, open_gop=1),
    "hevc open gop 2": hevc(2, 3, open_gop=1),
    "hevc open, no b": hevc(12, 0, open_gop=1),
}


@pytest.mark.sample(5)
@pytest.mark.parametrize("name", CODERS)
def test_cuts_decode_to_the_pictures_of_the_source(tmp_path: Path, name: str) -> None:
    paths = [write_clip(tmp_path / f"{s}.mp4", FRAMES, CODERS[name], scene=s) for s in (0, 1)]
    draw = np.random.default_rng(7)
    for number in range(6):
        parts = []
        for path in (paths[0], paths[1], paths[0]):
            start, stop = sorted(draw.choice(FRAMES + 1, 2, replace=False).tolist())
            parts.append((path, start, stop))
        assert_joined(tmp_path / f"out{number}.mp4", parts, FPS)


@pytest.mark.parametrize("coder", [h264(250, 2), h264(12, 3)], ids=["one gop", "gop 12"])
def test_single_frames_are_cut(tmp_path: Path, coder: Coder) -> None:
    path = write_clip(tmp_path / "a.mp4", 26, coder)
    assert_joined(tmp_path / "out.mp4", [(path, n, n + 1) for n in range(26)], FPS)


def test_cut_at_a_keyframe_has_no_lead(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", 36, h264(12, 2))
    for start in (0, 12, 24):
        run = piece_of(path, start, start + 12).run
        assert (run.lead, run.packets) == (0, 12)


@pytest.mark.parametrize("name", NOT_RESET)
def test_keyframe_that_resets_nothing_is_no_place_to_join(tmp_path: Path, name: str) -> None:
    first = write_clip(tmp_path / "a.mp4", FRAMES, NOT_RESET[name], scene=0)
    second = write_clip(tmp_path / "b.mp4", FRAMES, NOT_RESET[name], scene=1)
    frame = index_of(second).frame_of_packet
    keys = [int(frame[at]) for at, one in enumerate(demuxed(second)) if one.keyframe]
    assert len(keys) > 2
    ends = itertools.cycle((FRAMES, 17, 16, 1))
    for number, (key, stop) in enumerate(zip(keys[1:6], ends, strict=False)):
        parts = [(first, 0, stop), (second, key, FRAMES), (first, 0, 20)]
        assert_joined(tmp_path / f"out{number}.mp4", parts, FPS)


@pytest.mark.parametrize("name", NOT_RESET)
def test_keyframe_that_resets_nothing_is_no_place_to_start(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / "a.mp4", FRAMES, NOT_RESET[name])
    frame = index_of(path).frame_of_packet
    keys = [int(frame[at]) for at, one in enumerate(demuxed(path)) if one.keyframe]
    for number, key in enumerate(keys[1:6]):
        assert_joined(tmp_path / f"out{number}.mp4", [(path, key, key + 2)], FPS)


@pytest.mark.parametrize("name", NOT_RESET)
def test_whole_files_of_open_gops_are_joined(tmp_path: Path, name: str) -> None:
    paths = [write_clip(tmp_path / f"{s}.mp4", 30, NOT_RESET[name], scene=s) for s in (0, 1)]
    assert_joined(tmp_path / "out.mp4", [(path, 0, 30) for path in paths], FPS)
    joined = tmp_path / "out.mp4"
    # the second episode begins with a packet that does reset: it is cut off without a lead
    assert piece_of(joined, 30, 60).run.lead == 0
    assert_joined(tmp_path / "again.mp4", [(joined, 30, 60), (joined, 0, 30)], FPS)
