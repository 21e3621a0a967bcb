"""Edit lists: what roboreel takes as shown is what PyAV shows."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from roboreel.errors import VideoError
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.decode import decode_frames
from tests.unit.clips import (
    Coder,
    demuxed,
    digest,
    h264,
    hevc,
    index_of,
    pictures,
    rebuilt,
    shown,
    with_edits,
    write_clip,
)

STEP = 512  # ticks per frame that the muxer chooses at 30 fps
CODERS = {"no b": h264(12, 0), "b": h264(12, 2), "b, one gop": h264(250, 3), "gop 2": h264(2, 0)}
CUTS = [0, 1, 100, STEP // 2, 300, 511, STEP, STEP + 1, 5 * STEP, 5 * STEP + 300, 13 * STEP]
DURATIONS = [1, 33, 34, 500, 501, 767, 1000, 1033, 1034, 1300, 1301, 1334, 5000]


def edited(path: Path, coder: Coder, edits: list[tuple[int, int]], version: int = 0) -> Path:
    """A clip of 40 frames; the edits' ticks count from the first frame's time."""
    write_clip(path, 40, coder)
    first = min(one.pts for one in demuxed(path))
    moved = [(duration, start + first if start >= 0 else start) for duration, start in edits]
    path.write_bytes(with_edits(path.read_bytes(), moved, version=version))
    return path


def assert_shows_what_players_show(path: Path) -> None:
    seen, table = pictures(path), index_of(path)
    assert table.frames == len(seen)
    frames = decode_frames(LocalRoot(path.parent), path.name, range(len(seen)))
    assert [(number, digest(frame)) for number, frame in frames] == list(enumerate(seen))


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", CODERS)
def test_hidden_head(tmp_path: Path, name: str, cut: int) -> None:
    path = edited(tmp_path / "a.mp4", CODERS[name], [(5000, cut)])
    assert index_of(path).hidden_before == -(-cut // STEP)
    assert_shows_what_players_show(path)


@pytest.mark.parametrize("cut", [100, 5 * STEP + 300])
@pytest.mark.parametrize("name", CODERS)
def test_each_frame_after_a_hidden_head_is_found_alone(tmp_path: Path, name: str, cut: int) -> None:
    path = edited(tmp_path / "a.mp4", CODERS[name], [(5000, cut)])
    root = LocalRoot(tmp_path)
    for number, picture in enumerate(pictures(path)):
        found = [digest(frame) for _, frame in decode_frames(root, path.name, [number])]
        assert found == [picture]


@pytest.mark.parametrize("duration", DURATIONS)
@pytest.mark.parametrize("name", ["no b", "b"])
def test_hidden_tail(tmp_path: Path, name: str, duration: int) -> None:
    assert_shows_what_players_show(edited(tmp_path / "a.mp4", CODERS[name], [(duration, 0)]))


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("name", CODERS)
def test_hidden_head_and_tail(tmp_path: Path, name: str, version: int) -> None:
    path = edited(tmp_path / "a.mp4", CODERS[name], [(310, 7 * STEP)], version)
    assert index_of(path).frames == 10
    assert_shows_what_players_show(path)


@pytest.mark.parametrize("version", [0, 1])
def test_empty_edit_delays_and_hides_nothing(tmp_path: Path, version: int) -> None:
    path = edited(tmp_path / "a.mp4", CODERS["b"], [(500, -1), (5000, 0)], version)
    assert index_of(path).frames == 40
    assert shown(path)[0].time == Fraction(1, 2)
    assert_shows_what_players_show(path)


def test_delay_written_by_the_muxer_hides_nothing(tmp_path: Path) -> None:
    times = list(range(15, 55))
    path = write_clip(tmp_path / "a.mp4", 40, h264(12, 2), times=times)
    assert index_of(path).frames == 40
    assert_shows_what_players_show(path)


@pytest.mark.parametrize("name", CODERS)
def test_without_edit_list_everything_is_shown(tmp_path: Path, name: str) -> None:
    path = write_clip(tmp_path / "a.mp4", 40, CODERS[name])
    path.write_bytes(rebuilt(path.read_bytes().replace(b"edts", b"free"), _unchanged))
    assert index_of(path).frames == 40
    assert_shows_what_players_show(path)


def test_edit_of_everything_away_leaves_no_frame(tmp_path: Path) -> None:
    path = edited(tmp_path / "a.mp4", CODERS["no b"], [(5000, 50 * STEP)])
    assert index_of(path).frames == 0
    assert index_of(path).frame_seconds.tolist() == []


def test_several_edits_are_refused(tmp_path: Path) -> None:
    path = edited(tmp_path / "a.mp4", CODERS["no b"], [(300, 0), (300, 20 * STEP)])
    with pytest.raises(VideoError, match=r"'a\.mp4': its edit list plays several pieces"):
        index_of(path)


def test_seconds_count_from_the_first_shown_frame(tmp_path: Path) -> None:
    path = edited(tmp_path / "a.mp4", hevc(12, 0), [(5000, 5 * STEP)])
    expected = [number / 30 for number in range(35)]
    assert index_of(path).frame_seconds.tolist() == pytest.approx(expected, abs=1e-12)


def _unchanged(kind: bytes, payload: bytes) -> bytes:
    return (8 + len(payload)).to_bytes(4, "big") + kind + payload
