"""Edits that need a codec: each picture still carries the number of its row, whatever was taken of it."""

from __future__ import annotations

import io
import math
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

import roboreel
from roboreel.edit.view import Verbs
from roboreel.testing import Camera, Version, make_dataset
from tests.examples import examples
from tests.judge import faults, sound
from tests.oracle import Episode, Reading, block_numbers, read

VERSIONS: tuple[Version, ...] = ("v2.0", "v2.1", "v3.0")
FPS = 30
TOP, WRIST, STILL = "top", "wrist", "still"
CAMERAS = {
    TOP: Camera(height=64, gop=5, b_frames=2),
    WRIST: Camera(height=64, codec="av1"),
    STILL: Camera(height=64, storage="image"),
}
QUICK = {"vcodec": "h264", "preset": "ultrafast", "crf": 20}


def shown(reading: Reading, episode: Episode, camera: str) -> list[tuple[int, int] | None]:
    """(frame, episode) that its pictures carry, from video or table."""
    if camera in reading.cameras:
        return [found and found[:2] for found in reading.numbers(episode, camera)]
    numbers = []
    for cell in episode.rows[camera].to_pylist():
        with av.open(io.BytesIO(cell["bytes"]), "r") as file:
            gray = next(file.decode(video=0)).to_ndarray(format="gray")
        found = block_numbers(gray)
        numbers.append(found and found[:2])
    return numbers


def drawn(episode: Episode) -> list[tuple[int, int]]:
    """(frame, episode) of each row as its state says: the first component is episode + frame / 1024."""
    states = [row[0] for row in episode.rows["observation.state"].to_pylist()]
    return [(round(state % 1 * 1024), int(state)) for state in states]


def matched(root: Path) -> Reading:
    """The dataset there, whose pictures are those of their rows."""
    result = read(sound(root))
    assert [fault for fault in faults(result) if "'List'" not in fault] == []
    cameras = [
        n for n, spec in result.info["features"].items() if spec["dtype"] in ("video", "image")
    ]
    for episode in result.episodes:
        for camera in cameras:
            assert shown(result, episode, camera) == drawn(episode), camera
    return result


@st.composite
def encodings(draw: st.DrawFn) -> dict[str, Any]:
    """Settings of an encoder."""
    return {**QUICK, "g": draw(st.sampled_from([1, 2, 10, 250]))}


@examples(short=4, long=15, suppress_health_check=list(HealthCheck))
@given(
    version=st.sampled_from(VERSIONS),
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    fps=st.sampled_from([15, 10, 6, 20, 29.97, 45, 60]),
    cut=st.booleans(),
)
def test_rows_and_pictures_are_resampled_together(
    version: Version, lengths: list[int], fps: float, cut: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = make_dataset(
            Path(folder) / "a", version=version, episodes=lengths, cameras=CAMERAS, fps=FPS
        )
        view: Verbs = roboreel.open(root)
        start = 0
        if cut and lengths[0] > 1:
            start, view = 1, view.trim({0: (1, lengths[0])})
        roboreel.write(view.resample(fps), out=Path(folder) / "b")
        result = matched(Path(folder) / "b")
        assert result.fps == Fraction(str(fps))
        rate = Fraction(str(fps)) / FPS
        for place, (episode, length) in enumerate(zip(result.episodes, lengths, strict=True)):
            first = start if place == 0 else 0
            assert episode.length == math.ceil((length - first) * rate)
            for k, (frame, of) in enumerate(drawn(episode)):
                assert of == place
                nearest = min(k / rate, Fraction(length - first - 1))  # none after the last
                assert abs(frame - first - nearest) <= Fraction(1, 2)
        event(f"{version} to {fps}")


@examples(short=4, long=15, suppress_health_check=list(HealthCheck))
@given(
    version=st.sampled_from(VERSIONS),
    lengths=st.lists(st.integers(1, 7), min_size=2, max_size=4),
    anew=st.sampled_from([TOP, WRIST, STILL]),
    settings_=encodings(),
    decoded=st.sampled_from([None, TOP, WRIST]),
)
def test_cameras_are_encoded_and_decoded(
    version: Version, lengths: list[int], anew: str, settings_: dict[str, Any], decoded: str | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = make_dataset(Path(folder) / "a", version=version, episodes=lengths, cameras=CAMERAS)
        view = roboreel.open(root).delete([0]).encode({anew: roboreel.Encoding(**settings_)})
        if decoded is not None and decoded != anew:
            view = view.decode(decoded)
        report = roboreel.write(view, out=Path(folder) / "b")
        result, source = matched(Path(folder) / "b"), read(root)
        assert report.frames_encoded == sum(lengths[1:])
        told = result.info["features"][anew]
        assert (told.get("info") or told["video_info"])["video.codec"] == "h264"
        assert result.info["features"][anew]["shape"] == [64, 160, 3]
        untouched = {TOP, WRIST} - {anew, decoded}
        for was, now in zip(source.episodes[1:], result.episodes, strict=True):
            for camera in untouched:
                assert source.digests(was, camera) == result.digests(now, camera)


def test_named_splits_follow_each_other(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=(3, 1, 4, 2), cameras={})
    view = roboreel.open(root).as_splits({"val": [2], "train": [3, 0, 1]})
    roboreel.write(view, out=tmp_path / "b")
    result = matched(tmp_path / "b")
    assert result.info["splits"] == {"val": "0:1", "train": "1:4"}
    assert [drawn(episode)[0][1] for episode in result.episodes] == [2, 3, 0, 1]
    roboreel.write(roboreel.open(tmp_path / "b").delete([0, 2]), out=tmp_path / "c")
    assert matched(tmp_path / "c").info["splits"].get("train") == "0:2"


@pytest.mark.parametrize("version", ["v2.0", "v2.1"])
def test_a_cut_inside_a_gop_is_refused_and_encoded_where_allowed(
    tmp_path: Path, version: Version
) -> None:
    cameras = {TOP: Camera(height=64, gop=5)}
    root = make_dataset(tmp_path / "a", version=version, episodes=(12, 3), cameras=cameras)
    view = roboreel.open(root).trim({0: (7, 10)})
    with pytest.raises(roboreel.PlanError, match="allow_reencode=True") as caught:
        roboreel.write(view, out=tmp_path / "b")
    assert {(p.rule, p.episode, p.column) for p in caught.value.problems} == {("video.gop", 0, TOP)}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    at_keyframe = roboreel.open(root).trim({0: (5, 12)})
    assert roboreel.write(at_keyframe, out=tmp_path / "c").frames_encoded == 0
    assert [drawn(e)[0] for e in matched(tmp_path / "c").episodes] == [(5, 0), (0, 1)]


def test_a_cut_inside_a_gop_is_lossless_in_v30(tmp_path: Path) -> None:
    cameras = {TOP: Camera(height=64, gop=250, b_frames=2), WRIST: Camera(height=64, gop=5)}
    root = make_dataset(tmp_path / "a", version="v3.0", episodes=(12, 1, 9), cameras=cameras)
    source = read(root)
    place = root
    for number, cut in enumerate([{0: (7, 11), 2: (1, 8)}, {0: (2, 3), 2: (3, 4)}]):
        out = tmp_path / f"{number}"
        assert roboreel.write(roboreel.open(place).trim(cut), out=out).frames_encoded == 0
        place = out
    result = matched(place)
    assert [drawn(e) for e in result.episodes] == [[(9, 0)], [(0, 1)], [(4, 2)]]
    for episode, was, frame in zip(result.episodes, source.episodes, (9, 0, 4), strict=True):
        for camera in cameras:
            assert result.digests(episode, camera) == source.digests(was, camera)[frame : frame + 1]
