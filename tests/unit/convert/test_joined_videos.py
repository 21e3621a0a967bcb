"""Recordings that bring parameter sets inside the stream, and what may stand before them in a file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

import roboreel
from tests.oracle import decode, read
from tests.unit.clips import (
    Coder,
    dropping,
    h264,
    hevc,
    mpeg4,
    pictures,
    write_clip,
    write_in_band,
)
from tests.unit.recordings import ROWS, TOP, digests, files_of, join, joined, recorded

GOP = 12


class Pair(NamedTuple):
    """Two encoders of one sample entry: what the second adds comes inside the stream."""

    own: Coder
    other: Coder


PAIRS = {
    "h264 entropy coding": Pair(h264(GOP, 2), h264(GOP, 2, cabac=0)),
    "h264 colour offset": Pair(h264(GOP, 2), h264(GOP, 2, chroma_qp_offset=4)),
    "hevc": Pair(hevc(GOP, 2, tag="hev1"), hevc(GOP, 2, tag="hev1", cbqpoffs=6, signhide=0)),
    "mpeg4": Pair(mpeg4(GOP, 2), mpeg4(GOP, 2, flags="+qpel", mpeg_quant="1")),
}


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest) -> Pair:
    return PAIRS[request.param]


def clips_of(folder: Path, pair: Pair, kinds: str, *, once: bool = False) -> list[Path]:
    """A clip per letter: `o` has the sample entry's sets and brings none, `i` brings others."""
    made = []
    for scene, kind in enumerate(kinds):
        path = folder / f"{scene}.mp4"
        if kind == "o":
            write_clip(path, ROWS, pair.own, scene=scene)
        else:
            write_in_band(path, ROWS, pair.other, entry=pair.own, scene=scene, once=once)
        made.append(path)
    return made


def faults(path: Path, *, decode: bool = False) -> list[tuple[str, int | None]]:
    """(rule, episode) of what a check calls errors of joins."""
    found = roboreel.check(path, decode=decode).of("error")
    return [(p.rule, p.episode) for p in found if p.rule in ("video.joined", "video.decodes")]


def test_recordings_with_sets_of_their_own_share_no_file_with_others(
    tmp_path: Path, pair: Pair
) -> None:
    source = recorded(tmp_path / "source", clips_of(tmp_path, pair, "oiioo"))
    wanted = digests(read(source))
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    assert digests(result) == wanted
    assert files_of(result) == [1, 2, 2]
    assert faults(tmp_path / "out", decode=True) == []
    roboreel.convert(tmp_path / "out", to="v2.1", out=tmp_path / "back")
    assert digests(read(tmp_path / "back")) == wanted


@pytest.mark.sample(1)
def test_joins_of_what_was_joined_keep_them_apart(tmp_path: Path, pair: Pair) -> None:
    external_videos = clips_of(tmp_path, pair, "oi")
    parts = [recorded(tmp_path / str(n), [clip]) for n, clip in enumerate(external_videos)]
    wanted = [digests(read(part))[0] for part in parts]
    view = roboreel.concat([roboreel.open(part) for part in (*parts, parts[0])])
    roboreel.write(view.with_target("v3.0"), out=tmp_path / "merged")
    assert digests(read(tmp_path / "merged")) == [*wanted, wanted[0]]
    roboreel.write(roboreel.open(tmp_path / "merged").reorder([1, 0, 2]), out=tmp_path / "kept")
    assert sorted(digests(read(tmp_path / "kept"))) == sorted([*wanted, wanted[0]])
    roboreel.write(roboreel.open(tmp_path / "merged"), out=tmp_path / "compact")
    assert digests(read(tmp_path / "compact")) == [*wanted, wanted[0]]
    half = {0: (GOP, ROWS), 1: (GOP, ROWS), 2: (GOP, ROWS)}
    roboreel.write(roboreel.open(tmp_path / "merged").trim(half), out=tmp_path / "trimmed")
    halves = [found[GOP:] for found in (*wanted, wanted[0])]
    assert digests(read(tmp_path / "trimmed")) == halves


def test_files_that_bring_equal_sets_are_joined(tmp_path: Path) -> None:
    """What the stream repeats of the sample entry is no reason to keep anything apart."""
    coder = h264(GOP, 2)
    external_videos = [write_clip(tmp_path / "0.mp4", ROWS, coder, scene=0)]
    external_videos.append(write_in_band(tmp_path / "1.mp4", ROWS, coder, entry=coder, scene=1))
    external_videos.append(write_clip(tmp_path / "2.mp4", ROWS, coder, scene=2))
    source = recorded(tmp_path / "source", external_videos)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert files_of(read(tmp_path / "out")) == [3]
    assert digests(read(tmp_path / "out")) == digests(read(source))


@pytest.mark.parametrize("name", ["h264 entropy coding", "hevc"])
def test_sets_that_came_earlier_in_a_file_go_along(tmp_path: Path, name: str) -> None:
    """One recording as two episodes: the second one's sets came with the first one's first keyframe."""
    pair = PAIRS[name]
    clip = write_in_band(tmp_path / "a.mp4", 2 * ROWS, pair.other, entry=pair.own, once=True)
    source = joined(tmp_path / "source", [clip, clip])
    join(source / f"videos/{TOP}/chunk-000/file-000.mp4", [clip])
    wanted = digests(read(source))
    assert [len(found) for found in wanted] == [ROWS, ROWS]
    assert faults(source) == [("video.joined", 1)]
    report = roboreel.write(roboreel.open(source).keep([1]), out=tmp_path / "kept")
    assert ("video.joined", 1) in {(p.rule, p.episode) for p in report.problems}
    assert digests(read(tmp_path / "kept")) == wanted[1:]
    with pytest.raises(roboreel.PlanError) as caught:
        roboreel.convert(source, to="v2.1", out=tmp_path / "out")
    assert [(p.rule, p.episode) for p in caught.value.problems] == [("video.gop", 1)]
    report = roboreel.convert(source, to="v2.1", out=tmp_path / "out", allow_reencode=True)
    assert report.frames_encoded == ROWS
    assert digests(read(tmp_path / "out"))[0] == wanted[0]


def test_a_picture_that_drops_those_before_it_begins_a_file(tmp_path: Path) -> None:
    coder = hevc(250, 4)
    external_videos = [write_clip(tmp_path / f"{n}.mp4", ROWS, coder, scene=n) for n in range(4)]
    dropping(external_videos[1])
    dropping(external_videos[2])
    source = recorded(tmp_path / "source", external_videos)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    result = read(tmp_path / "out")
    assert digests(result) == [pictures_of(clip) for clip in external_videos]
    assert files_of(result) == [1, 1, 1, 1]


def test_a_picture_that_drops_nothing_is_joined(tmp_path: Path) -> None:
    """Without B-frames nothing waits to be shown."""
    coder = hevc(GOP, 0)
    external_videos = [write_clip(tmp_path / f"{n}.mp4", ROWS, coder, scene=n) for n in range(2)]
    dropping(external_videos[1])
    source = recorded(tmp_path / "source", external_videos)
    roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert files_of(read(tmp_path / "out")) == [2]
    assert digests(read(tmp_path / "out")) == digests(read(source))


def pictures_of(clip: Path) -> list[str]:
    return [frame.digest for frame in decode(clip)]


def test_joins_that_do_not_decode_are_named(tmp_path: Path, pair: Pair) -> None:
    source = joined(tmp_path / "source", clips_of(tmp_path, pair, "oioo"))
    assert faults(source) == [("video.joined", 2), ("video.joined", 3)]


def test_joins_that_do_not_decode_are_taken_apart(tmp_path: Path) -> None:
    """Packets that only decode without those before them are told from those that rely on them."""
    external_videos = clips_of(tmp_path, PAIRS["h264 entropy coding"], "oiooio")
    source = joined(tmp_path / "source", external_videos)
    wanted = [pictures_of(clip) for clip in external_videos]
    report = roboreel.write(roboreel.open(source), out=tmp_path / "again")
    told = [p.episode for p in report.problems if p.rule == "video.joined"]
    assert told == [2, 3, 5]
    assert digests(read(tmp_path / "again")) == wanted
    assert faults(tmp_path / "again", decode=True) == []
    roboreel.convert(source, to="v2.1", out=tmp_path / "out")
    assert digests(read(tmp_path / "out")) == wanted


def test_decoding_plays_files_through(tmp_path: Path) -> None:
    source = joined(tmp_path / "source", clips_of(tmp_path, PAIRS["h264 entropy coding"], "oio"))
    found = [p for p in roboreel.check(source, decode=True).problems if p.rule == "video.decodes"]
    assert [(p.severity, p.episode) for p in found] == [("error", 2)]
    assert f"of {ROWS} frames decode, even when the file is played" in found[0].message


def test_decoding_finds_frames_that_a_join_drops(tmp_path: Path) -> None:
    coder = hevc(250, 4)
    external_videos = [write_clip(tmp_path / f"{n}.mp4", ROWS, coder, scene=n) for n in range(3)]
    dropping(external_videos[1])
    source = joined(tmp_path / "source", external_videos)
    assert sorted(faults(source, decode=True)) == [("video.decodes", 0), ("video.joined", 1)]
    roboreel.write(roboreel.open(source), out=tmp_path / "out")
    assert faults(tmp_path / "out", decode=True) == []
    assert digests(read(tmp_path / "out")) == [pictures_of(clip) for clip in external_videos]


def test_pictures_are_those_of_the_recordings(tmp_path: Path, pair: Pair) -> None:
    """The recordings themselves decode: the tests above would pass with files that nobody can read."""
    assert [len(pictures(clip)) for clip in clips_of(tmp_path, pair, "oi")] == [ROWS, ROWS]
