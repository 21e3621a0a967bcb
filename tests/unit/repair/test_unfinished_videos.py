"""Videos without an index get one; those of takes that were not saved are kept beside the result."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

import roboreel
from roboreel.storage.local import LocalRoot
from roboreel.storage.output_file import Output
from roboreel.storage.video.grow import GrowingVideo
from roboreel.storage.video.index import read_packet_table
from roboreel.testing import Camera, make_dataset
from tests.mutate import copied
from tests.oracle import tree_digest
from tests.unit.test_video_grow import packets_of

TOP = "observation.images.top"
LENGTHS = (12, 9)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos") / "sound"
    cameras = {TOP: Camera()}
    return make_dataset(folder, version="v2.1", episodes=LENGTHS, cameras=cameras)


def _unindexed(source: Path, target: Path, *, packets: int | None = None) -> None:
    """Write the packets of a file as our recorder does, and stop before the index."""
    target.parent.mkdir(parents=True, exist_ok=True)
    rows, entry = packets_of(source), read_packet_table(LocalRoot(source.parent), source.name).entry
    with target.open("wb") as file:
        video = GrowingVideo(Output(file), entry, Fraction(30))
        for packet, frame, keyframe in rows[:packets]:
            video.add(packet, frame=frame, keyframe=keyframe)


def _with_index_last(path: Path) -> None:
    """Write the packets of a video again, as most writers do: the index after the packets."""
    aside = path.with_suffix(".aside.mp4")
    with av.open(str(path)) as old, av.open(str(aside), "w") as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        for packet in old.demux(stream):
            if packet.size:
                packet.stream = copy
                new.mux(packet)
    aside.replace(path)


def test_a_video_without_an_index_gets_one(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    (video,) = root.glob("videos/*/*/episode_000001.mp4")
    _unindexed(sound / video.relative_to(root), video)
    report = roboreel.repair(root, out=tmp_path / "b")
    assert report.ok
    assert "the file had no index: recovered 9 frames" in {step.message for step in report.repaired}
    assert roboreel.diff(sound, tmp_path / "b").same


def test_frames_of_a_take_that_was_not_saved_are_kept(sound: Path, tmp_path: Path) -> None:
    root = copied(sound, tmp_path / "a")
    (video,) = root.glob("videos/*/*/episode_000000.mp4")
    _unindexed(video, root / ".roboreel-recording/take" / f"{TOP}.mp4", packets=7)
    before = tree_digest(root)
    report = roboreel.repair(root, out=tmp_path / "b")
    assert report.out is None
    assert report.recovered == str(tmp_path / "b.recovered")
    kept = tmp_path / "b.recovered/take" / f"{TOP}.mp4"
    assert packets_of(kept) == packets_of(video)[:7]
    assert tree_digest(root) == before


@pytest.mark.parametrize("lost_bytes", [1, 60])
def test_what_is_left_of_an_index_says_how_to_decode(tmp_path: Path, lost_bytes: int) -> None:
    sound = make_dataset(
        tmp_path / "sound", version="v3.0", episodes=LENGTHS, cameras={TOP: Camera()}
    )
    root = copied(sound, tmp_path / "a")
    (video,) = root.glob("videos/*/*/*.mp4")  # no other video of the camera tells
    _with_index_last(video)
    assert roboreel.diff(sound, root).same
    video.write_bytes(video.read_bytes()[:-lost_bytes])
    report = roboreel.repair(root, out=tmp_path / "b")
    assert report.ok
    assert "the file had no index: recovered 21 frames" in {
        step.message for step in report.repaired
    }
    assert roboreel.diff(sound, tmp_path / "b").same
