"""Frames that a killed recorder had not brought into its videos yet come back with their rows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import roboreel
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.encode import png
from roboreel.storage.video.mux import write_packets
from roboreel.testing import Camera, Version, make_dataset
from tests.mutate import copied
from tests.unit.clips import piece_of
from tests.unit.repair.damage import killed

TOP = "observation.images.top"
CAMERAS = {TOP: Camera()}
LENGTHS, LAST = (12, 9, 15), slice(21, 36)
VIDEO = f"videos/{TOP}/chunk-000/file-000.mp4"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pending")
    return make_dataset(folder / "sound", version="v3.0", episodes=LENGTHS, cameras=CAMERAS)


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    """A killed recording whose videos lack the last episode."""
    root = killed(copied(sound, tmp_path / "a"))
    (root / VIDEO).unlink()
    pieces = [piece_of(sound / VIDEO, 0, 21)]
    write_packets(LocalRoot(root), VIDEO, pieces, fps=roboreel.open(sound).fps)
    return root


def test_an_episode_without_frames_is_left_out(root: Path, sound: Path, tmp_path: Path) -> None:
    report = roboreel.repair(root, out=tmp_path / "b")
    assert report.ok
    assert f"episode 2 has 15 rows, but no frames of {TOP}: left out" in {
        step.message for step in report.left
    }
    assert roboreel.diff(sound, tmp_path / "b", episodes=[(0, 0), (1, 1)]).same


@pytest.mark.parametrize("name", [f"tmpab_c/{TOP}_002.mp4", f"tmpab_c/{TOP}_streaming.mp4"])
def test_a_video_that_was_not_joined_is_added(
    root: Path, sound: Path, tmp_path: Path, name: str
) -> None:
    pieces = [piece_of(sound / VIDEO, LAST.start, LAST.stop)]
    write_packets(LocalRoot(root), name, pieces, fps=roboreel.open(sound).fps)
    report = roboreel.repair(root, out=tmp_path / "b")
    assert report.ok
    assert roboreel.diff(sound, tmp_path / "b").same


def _write_images(sound: Path, folder: Path, frames: int) -> None:
    folder.mkdir(parents=True)
    wanted = range(LAST.start, LAST.start + frames)
    for at, (_, frame) in enumerate(decode_frames(LocalRoot(sound), VIDEO, wanted)):
        (folder / f"frame-{at:06d}.png").write_bytes(png(frame))


def test_images_that_were_not_encoded_are_encoded(root: Path, sound: Path, tmp_path: Path) -> None:
    _write_images(sound, root / f"images/{TOP}/episode-000002", 15)
    report = roboreel.repair(root, out=tmp_path / "b")
    assert report.ok
    assert roboreel.open(tmp_path / "b").episodes["length"].to_pylist() == [*LENGTHS]
    told = {step.message for step in report.repaired}
    assert "15 images of episode 2 were waiting to be encoded: encoded" in told
    found = roboreel.diff(sound, tmp_path / "b").differences
    assert {one.episode for one in found if one.kind in ("packets", "frames")} <= {2}


def test_too_few_images_are_named_and_not_used(root: Path, sound: Path, tmp_path: Path) -> None:
    _write_images(sound, root / f"images/{TOP}/episode-000002", 14)
    report = roboreel.repair(root, out=tmp_path / "b")
    assert len(roboreel.open(tmp_path / "b").episodes) == 2
    assert any(step.message.startswith("14 images of an episode") for step in report.left)


def test_an_episode_of_v2_without_entry_and_video_comes_back(tmp_path: Path) -> None:
    version: Version = "v2.1"
    source = make_dataset(tmp_path / "s", version=version, episodes=(6, 5), cameras=CAMERAS)
    root = copied(source, tmp_path / "a")
    listed = root / "meta/episodes.jsonl"
    lines = listed.read_bytes().splitlines(keepends=True)
    listed.write_bytes(lines[0] + lines[1][:17])  # torn
    video = f"videos/chunk-000/{TOP}/episode_000001.mp4"
    (root / "tmpx").mkdir()
    shutil.move(root / video, root / f"tmpx/{TOP}_001.mp4")
    report = roboreel.repair(root, out=tmp_path / "b")
    assert report.ok
    assert {"document.readable", "video.missing", "episode.unlisted"} <= {
        step.rule for step in report.repaired
    }
    assert roboreel.diff(source, tmp_path / "b").same
