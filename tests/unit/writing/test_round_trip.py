"""Episodes written one at a time are the dataset that they were taken from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import roboreel
from roboreel.format.model import video_path
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.decode import decode_frames
from roboreel.storage.video.index import read_packet_table
from roboreel.storage.video.still_images import rgb
from roboreel.testing import Camera, draw_numbers, make_dataset, read_numbers
from roboreel.testing.make_dataset import Version
from roboreel.writing.append import create_dataset, open_writer
from roboreel.writing.episode_input import (
    EncodedPackets,
    EpisodeInput,
    FinishedVideo,
    FramesToEncode,
)
from tests.unit.writing.episodes import created_like, episode_of, specs_of, written_again

CAMERAS = {"top": Camera(height=32), "wrist": Camera(height=32, gop=4, b_frames=2)}
LENGTHS = (5, 1, 4)
VERSIONS: tuple[Version, ...] = ("v3.0", "v2.1")


def _packets(path: Path, **others: Any) -> EncodedPackets:
    """A file's packets as an encoder would give them."""
    root = LocalRoot(path.parent)
    table = read_packet_table(root, path.name)
    data = path.read_bytes()
    spans = zip(table.offset.tolist(), table.size.tolist(), strict=True)
    given: dict[str, Any] = {
        "entry": table.entry,
        "packets": [data[at : at + size] for at, size in spans],
        "keyframes": table.keyframe.tolist(),
        "display": table.frame_of_packet.tolist(),
    }
    return EncodedPackets(**{**given, **others})


def _differences(report: roboreel.DiffReport, *kinds: str) -> list[str]:
    """What differs, but for notes of some kinds."""
    notes = [note for note in report.notes if note.kind not in kinds]
    return [str(found) for found in (*report.differences, *notes)]


@pytest.mark.parametrize("version", VERSIONS)
def test_episodes_written_again_are_the_same_dataset(tmp_path: Path, version: Version) -> None:
    source = make_dataset(
        tmp_path / "source",
        version=version,
        episodes=LENGTHS,
        cameras=CAMERAS,
        features="rich",
        tasks_per_episode=2,
    )
    written_again(source, tmp_path / "out")
    report = roboreel.check(tmp_path / "out")
    assert report.ok
    assert not report.problems
    # statistics of copied videos are those of decoded frames; facts of the encoder are unknown
    assert not _differences(roboreel.diff(source, tmp_path / "out"), "statistics", "features")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_existing_dataset_goes_on(tmp_path: Path, version: Version) -> None:
    options: dict[str, Any] = {"version": version, "cameras": CAMERAS, "features": "rich"}
    whole = make_dataset(tmp_path / "whole", episodes=LENGTHS, **options)
    begun = make_dataset(tmp_path / "begun", episodes=LENGTHS[:2], **options)
    assert open_writer(begun).append(episode_of(roboreel.open(whole), 2)) == 2
    assert open_writer(begun).episodes == 3
    report = roboreel.check(begun)
    assert report.ok
    assert not report.problems
    assert not _differences(roboreel.diff(whole, begun), "statistics")


def test_statistics_are_exact_over_all_episodes(tmp_path: Path) -> None:
    source = make_dataset(tmp_path / "source", version="v3.0", episodes=LENGTHS, cameras={})
    written_again(source, tmp_path / "out")
    made, written = (roboreel.open(path).stats() for path in (source, tmp_path / "out"))
    for name, parts in made.items():
        for key in ("min", "max", "mean", "std", "count"):
            np.testing.assert_allclose(written[name][key], parts[key], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("version", VERSIONS)
def test_frames_are_encoded_and_measured_as_given(tmp_path: Path, version: Version) -> None:
    camera = {"top": Camera(height=32)}
    source = make_dataset(tmp_path / "source", version=version, episodes=(6,), cameras=camera)
    dataset = roboreel.open(source)
    frames = [draw_numbers(0, number, 0, 160, 32) for number in range(6)]
    given = FramesToEncode(frames=iter(frames), encoding=roboreel.Encoding(vcodec="h264"))
    writer = created_like(dataset, tmp_path / "out")
    writer.append(episode_of(dataset, 0, videos={"top": given}))
    assert roboreel.check(tmp_path / "out").ok
    written = roboreel.open(tmp_path / "out")
    (_, stats), (_, made) = next(written.episode_stats()), next(dataset.episode_stats())
    for key, value in made["top"].items():
        np.testing.assert_allclose(stats["top"][key], value, atol=1e-12)
    facts = written.features["top"].video_facts
    assert facts["video.codec"] == "h264"
    assert (facts["video.height"], facts["video.width"], facts["video.g"]) == (32, 160, 2)
    path = written.episodes[video_path("top")][0].as_py()
    decoded = decode_frames(LocalRoot(tmp_path / "out"), path, range(6))
    shown = [read_numbers(rgb(frame)) for _, frame in decoded]
    assert [numbers.frame for numbers in shown] == list(range(6))


@pytest.mark.parametrize("version", VERSIONS)
def test_packets_are_written_byte_for_byte(tmp_path: Path, version: Version) -> None:
    source = make_dataset(tmp_path / "source", version="v2.1", episodes=(9,), cameras=CAMERAS)
    dataset = roboreel.open(source)
    paths = {name: source / dataset.episodes[video_path(name)][0].as_py() for name in CAMERAS}
    writer = create_dataset(tmp_path / "out", fps=30, features=specs_of(dataset), version=version)
    packets = {name: _packets(path) for name, path in paths.items()}
    writer.append(episode_of(dataset, 0, videos=packets))
    out = roboreel.open(tmp_path / "out")
    for name in CAMERAS:
        written = _packets(tmp_path / "out" / out.episodes[video_path(name)][0].as_py())
        assert written.packets == packets[name].packets
        assert written.display == packets[name].display
    assert roboreel.check(tmp_path / "out").ok


def test_a_finished_video_is_renamed_into_the_dataset(tmp_path: Path) -> None:
    cameras = {"top": Camera(height=32)}
    source = make_dataset(tmp_path / "source", version="v2.1", episodes=(4,), cameras=cameras)
    dataset = roboreel.open(source)
    path = source / dataset.episodes[video_path("top")][0].as_py()
    data, number = path.read_bytes(), path.stat().st_ino
    writer = created_like(dataset, tmp_path / "out")
    writer.append(episode_of(dataset, 0, videos={"top": FinishedVideo(path=path)}))
    out = roboreel.open(tmp_path / "out")
    made = tmp_path / "out" / out.episodes[video_path("top")][0].as_py()
    assert not path.exists()
    assert made.read_bytes() == data
    assert made.stat().st_ino == number


@pytest.mark.parametrize("version", VERSIONS)
def test_images_given_as_arrays(tmp_path: Path, version: Version) -> None:
    features = {"still": {"dtype": "image", "shape": [48, 160, 3], "names": None}}
    writer = create_dataset(tmp_path / "out", fps=10, features=features, version=version)
    frames = [draw_numbers(0, number, 0, 160, 48) for number in range(3)]
    writer.append(EpisodeInput(rows=3, images={"still": frames}, task="look"))
    writer.append(EpisodeInput(rows=3, images={"still": frames}, task=["look", "look", "wave"]))
    assert roboreel.check(tmp_path / "out").ok
    dataset = roboreel.open(tmp_path / "out")
    assert dict(dataset.tasks) == {0: "look", 1: "wave"}
    (_, stats), *_ = dataset.episode_stats()
    pixels = np.stack(frames).reshape(-1, 3) / 255
    np.testing.assert_allclose(stats["still"]["mean"].ravel(), pixels.mean(axis=0))
    assert dataset.total_frames == 6


@pytest.mark.parametrize("version", VERSIONS)
def test_further_fields_of_episodes(tmp_path: Path, version: Version) -> None:
    features = {"action": {"dtype": "float32", "shape": [2], "names": None}}
    column = pa.array(np.zeros((2, 2), np.float32).tolist(), pa.list_(pa.float32()))
    writer = create_dataset(tmp_path / "out", fps=10, features=features, version=version)
    for success in (True, False):
        fields = {"success": success, "note": {"take": 1}}
        writer.append(EpisodeInput(rows=2, columns={"action": column}, task="t", fields=fields))
    given = EpisodeInput(rows=2, columns={"action": column}, task="t", fields={"success": True})
    open_writer(tmp_path / "out").append(given)
    episodes = roboreel.open(tmp_path / "out").episodes
    assert episodes["success"].to_pylist() == [True, False, True]
    assert [n and json.loads(n) for n in episodes["note"].to_pylist()] == [
        {"take": 1},
        {"take": 1},
        None,
    ]
    writer = open_writer(tmp_path / "out")
    with pytest.raises(roboreel.UsageError, match="field 'colour'"):
        writer.append(EpisodeInput(rows=2, columns={"action": column}, fields={"colour": "red"}))
    with pytest.raises(roboreel.UsageError, match="'success' must be bool"):
        writer.append(EpisodeInput(rows=2, columns={"action": column}, fields={"success": "red"}))
