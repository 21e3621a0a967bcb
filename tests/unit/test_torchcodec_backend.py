"""Frames by torchcodec: it gets our packet index, and its frames are checked against it."""

from __future__ import annotations

import importlib.machinery
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.storage.local import LocalRoot
from roboreel.storage.video.backends import backend_frames
from roboreel.storage.video.indexed_video import IndexedVideo
from roboreel.testing import Camera, make_dataset, read_numbers
from tests.mutate import episode_video

TOP = "observation.images.top"


class Decoder:
    """In place of torchcodec's: frames show their numbers, at the times of the index that it was given."""

    made: list[Decoder] = []  # noqa: RUF012 (cleared by the fixture)
    shift_s = 0.0

    def __init__(self, file: Any, *, custom_frame_mappings: str, **_: object) -> None:
        self.file = file
        self.frames = json.loads(custom_frame_mappings)["frames"]
        self.made.append(self)

    def get_frames_at(self, indices: list[int]) -> Any:
        batch = types.SimpleNamespace()
        batch.data = Numbers([np.full((2, 2, 3), number, np.uint8) for number in indices])
        seconds = [self.frames[number]["pts"] / 15360 + self.shift_s for number in indices]
        batch.pts_seconds = np.array(seconds)
        return batch


class Numbers(list[Any]):
    """A list with the method of a tensor."""

    def numpy(self) -> list[Any]:
        return self


@pytest.fixture
def torchcodec(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Decoder]]:
    """A package of that name, with a stand-in for its decoder."""
    for name in ("torchcodec", "torchcodec.decoders"):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys.modules["torchcodec.decoders"], "VideoDecoder", Decoder, raising=False)
    yield Decoder
    Decoder.made.clear()
    Decoder.shift_s = 0.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cameras = {TOP: Camera(height=32, gop=4, b_frames=1)}
    folder = tmp_path_factory.mktemp("torchcodec") / "a"
    return make_dataset(folder, episodes=(6, 3), cameras=cameras)


def video_of(root: Path, episode: int = 0) -> IndexedVideo:
    return IndexedVideo(LocalRoot(root), str(episode_video(root, TOP, episode).relative_to(root)))


def test_the_packet_index_goes_to_the_decoder_which_is_kept(
    root: Path, torchcodec: type[Decoder]
) -> None:
    video = video_of(root)
    for wanted in ([1, 3], [0, 5]):
        found = list(backend_frames(video, wanted, backend="torchcodec"))
        assert [int(frame[0, 0, 0]) for frame in found] == wanted
    (decoder,) = torchcodec.made
    ticks = video.table.timescale // 30
    assert [frame["pts"] for frame in decoder.frames] == [k * ticks for k in range(6)]
    assert [frame["duration"] for frame in decoder.frames] == [ticks] * 6
    assert [k for k, frame in enumerate(decoder.frames) if frame["key_frame"]] == [0, 4]


def test_a_frame_at_another_time_is_refused(root: Path, torchcodec: type[Decoder]) -> None:
    torchcodec.shift_s = 1 / 30
    with pytest.raises(roboreel.VideoError, match=r"torchcodec shows frame 1 at 0\.0667 s|frame 1"):
        list(backend_frames(video_of(root), [1], backend="torchcodec"))


def test_a_reader_takes_the_frames_of_torchcodec(root: Path, torchcodec: type[Decoder]) -> None:
    reader = roboreel.reader(roboreel.open(root), video_backend="torchcodec", threads=1)
    assert reader[2:5][TOP][:, 0, 0, 0].tolist() == [2, 3, 4]
    assert len(torchcodec.made) == 1


def test_the_backend_scales_nothing(root: Path) -> None:
    dataset = roboreel.open(root)
    with pytest.raises(roboreel.UsageError, match="cannot be combined with size or frame_cache"):
        roboreel.reader(dataset, video_backend="torchcodec", size=(8, 8))
    with pytest.raises(roboreel.UsageError, match="expected 'pyav', 'torchcodec'"):
        roboreel.reader(dataset, video_backend="magic")


def test_installed_torchcodec_gives_the_right_frames(root: Path) -> None:
    pytest.importorskip("torchcodec")
    reader = roboreel.reader(roboreel.open(root), video_backend="torchcodec")
    for item in reader:
        numbers = read_numbers(item[TOP])
        assert (numbers.episode, numbers.frame) == (item["episode_index"], item["frame_index"])
