"""What does not fit is refused by name, and leaves the dataset as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import roboreel
from roboreel.errors import UsageError
from roboreel.storage.disk import faults
from roboreel.testing import Camera, draw_numbers, make_dataset
from roboreel.testing.make_dataset import Version
from roboreel.writing.append import EpisodeWriter, create_dataset, open_writer
from roboreel.writing.episode_input import EpisodeInput, FramesToEncode, VideoToCopy
from tests.crash.victim import Count, fill_disk
from tests.oracle import tree_digest
from tests.unit.writing.episodes import episode_of

VERSIONS: tuple[Version, ...] = ("v3.0", "v2.1")
H264 = roboreel.Encoding(vcodec="h264")
STILL = "observation.images.still"


def _made(folder: Path, version: Version) -> tuple[Path, EpisodeInput]:
    """A dataset, and an episode that fits it."""
    source = make_dataset(
        folder / "set",
        version=version,
        episodes=(3, 4),
        cameras={"top": Camera(height=32)},
        features="rich",
    )
    return source, episode_of(roboreel.open(source), 1)


def _column(name: str, values: Any, type_: pa.DataType | None = None) -> dict[str, Any]:
    return {"columns": {name: pa.array(values, type_)}}


def _frames(count: int, height: int = 32) -> FramesToEncode:
    frames = [draw_numbers(1, number, 0, 160, height) for number in range(count)]
    return FramesToEncode(frames=frames, encoding=H264)


def _images(count: int, height: int = 48) -> list[Any]:
    return [draw_numbers(1, number, 1, 160, height) for number in range(count)]


VECTORS = pa.list_(pa.float32())
NOT_FRAMES: Any = ["a"]
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "dtype": (_column("action", np.zeros((4, 6)).tolist()), "'action': expected float32, found float64"),
    "shape": (
        _column("action", np.zeros((4, 5)).tolist(), VECTORS),
        r"episode 2, column 'action': expected shape \[6\], found \[5\]",
    ),
    "rows": (_column("action", np.zeros((3, 6)).tolist(), VECTORS), "'action': 3 values for 4 rows"),
    "null": (_column("next.reward", [1, None, 2, 3], pa.float32()), "'next.reward': values are missing"),
    "no text": (_column("observation.note", ["a", None, "b", "c"]), "'observation.note': 1 values are"),
    "unknown column": (_column("speed", [1, 2, 3, 4]), "'speed' is not declared as a feature with a column"),
    "index column": (_column("timestamp", [1, 2, 3, 4]), "'timestamp' is not declared"),
    "unknown camera": ({"videos": {"side": _frames(4)}}, "'side' is not declared"),
    "few frames": ({"videos": {"top": _frames(3)}}, "episode 2, camera 'top': 3 frames for 4 rows"),
    "many frames": ({"videos": {"top": _frames(5)}}, "camera 'top': more than 4 frames for 4 rows"),
    "size of frames": ({"videos": {"top": _frames(4, 64)}}, r"'top', frame 0: declared as \[32, 160, 3\]"),
    "no frame": ({"videos": {"top": FramesToEncode(frames=NOT_FRAMES)}}, "frame 0: expected .* found str"),
    "few images": ({"images": {STILL: _images(2)}}, f"column '{STILL}': 2 images for 4 rows"),
    "size of images": ({"images": {STILL: _images(4, 64)}}, "image 0: declared as"),
    "tasks": ({"task": ["a", "b"]}, "2 tasks for 4 rows"),
    "no rows": ({"rows": 0, "task": "a"}, "rows is 0"),
    "statistics": (
        {"stats": {"action": {"mean": np.zeros(6)}}},
        "the given statistics of 'action' must be min",
    ),
}  # fmt: skip


@pytest.mark.sample(14)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_episode(tmp_path: Path, version: Version, case: str) -> None:
    source, good = _made(tmp_path, version)
    before = tree_digest(source)
    change, message = WRONG[case]
    merged: dict[str, Any] = {
        name: {**getattr(good, name), **value} if isinstance(value, dict) else value
        for name, value in change.items()
    }
    writer = open_writer(source)
    with pytest.raises(roboreel.UsageError, match=message):
        writer.append(replace(good, **merged))
    assert tree_digest(source) == before
    writer.append(good)
    assert roboreel.check(source).ok


@pytest.mark.parametrize("name", ["action", "top", STILL])
def test_a_missing_feature(tmp_path: Path, name: str) -> None:
    source, good = _made(tmp_path, "v3.0")
    parts: dict[str, Any] = {
        part: {key: value for key, value in getattr(good, part).items() if key != name}
        for part in ("columns", "videos", "images")
    }
    with pytest.raises(roboreel.UsageError, match=f"of '{name}' is missing"):
        open_writer(source).append(replace(good, **parts))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_video_that_cannot_be_copied(tmp_path: Path, version: Version) -> None:
    source, good = _made(tmp_path, version)
    before = tree_digest(source)
    writer = open_writer(source)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    given = good.videos["top"]
    assert isinstance(given, VideoToCopy)
    for video, error, message in (
        (VideoToCopy(path=broken), roboreel.VideoError, "episode 2, camera 'top'.*broken"),
        (replace(given, stop=given.start + 3), roboreel.UsageError, "3 frames for 4 rows"),
        (replace(given, start=50, stop=54), roboreel.UsageError, "not all in"),
    ):
        with pytest.raises(error, match=message):
            writer.append(replace(good, videos={"top": video}))
    assert tree_digest(source) == before


def test_a_cut_inside_a_gop(tmp_path: Path) -> None:
    camera = {"top": Camera(height=32, gop=20)}
    long = make_dataset(tmp_path / "long", version="v2.1", episodes=(12,), cameras=camera)
    whole = roboreel.open(long)
    video = episode_of(whole, 0).videos["top"]
    assert isinstance(video, VideoToCopy)
    cut = replace(video, start=5, stop=12)
    for version in VERSIONS:
        other = make_dataset(tmp_path / version, version=version, episodes=(7,), cameras=camera)
        writer = open_writer(other)
        given = replace(episode_of(roboreel.open(other), 0), videos={"top": cut})
        if version == "v2.1":
            with pytest.raises(roboreel.UsageError, match="without encoding it again"):
                writer.append(given)
            continue
        writer.append(given)
        assert roboreel.check(other).ok
        assert roboreel.open(other).episodes["videos/top/frame_start"].to_pylist() == [0, 5]


def test_a_dataset_that_cannot_go_on(tmp_path: Path) -> None:
    old = make_dataset(tmp_path / "old", version="v2.0", episodes=(2,), cameras={})
    with pytest.raises(roboreel.UsageError, match="no statistics of single episodes"):
        open_writer(old)
    gone = make_dataset(tmp_path / "gone", version="v2.1", episodes=(2, 2), cameras={})
    (gone / "meta/tasks.jsonl").unlink()
    with pytest.raises(roboreel.DatasetError, match="keep episodes from being appended"):
        open_writer(gone)


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_second_writer(tmp_path: Path, version: Version) -> None:
    root, episode = _made(tmp_path, version)
    first, late = open_writer(root), open_writer(root)
    number = first.append(episode)
    before = tree_digest(root)
    with pytest.raises(UsageError, match="changed by another writer"):
        late.append(episode)
    assert tree_digest(root) == before
    assert first.append(episode) == number + 1
    assert open_writer(root).append(episode) == number + 2


def test_what_cannot_be_created(tmp_path: Path) -> None:
    spec = {"action": {"dtype": "float32", "shape": [2], "names": None}}
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("")
    with pytest.raises(roboreel.UsageError, match="not an empty folder"):
        create_dataset(tmp_path / "full", fps=10, features=spec)
    odd = {"words": {"dtype": "language", "shape": [1], "names": None}}
    with pytest.raises(roboreel.UsageError, match="'words': dtype is 'language'"):
        create_dataset(tmp_path / "new", fps=10, features=odd)
    empty = {"action": {**spec["action"], "shape": [0]}}
    with pytest.raises(
        roboreel.UsageError, match="cannot be created: 'action': dtype must be a string"
    ):
        create_dataset(tmp_path / "new", fps=10, features=empty)
    with pytest.raises(roboreel.UsageError, match="no statistics of single episodes"):
        create_dataset(tmp_path / "new", fps=10, features=spec, version="2.0")
    assert not (tmp_path / "new").exists()


def _moments(append: Callable[[], object]) -> int:
    count = Count()
    with faults(count):
        append()
    return len(count.seen)


@pytest.mark.sample(1)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_full_disk(tmp_path: Path, version: Version) -> None:
    """At whatever operation: the writer goes on from what is there."""
    features = {"action": {"dtype": "float32", "shape": [2], "names": None}}
    column = pa.array(np.zeros((2, 2), np.float32).tolist(), VECTORS)
    given = EpisodeInput(rows=2, columns={"action": column}, task="t")

    def begun(name: str) -> EpisodeWriter:
        writer = create_dataset(tmp_path / name, fps=10, features=features, version=version)
        writer.append(given)
        return writer

    total = _moments(lambda: begun("count").append(replace(given, task="other")))
    for at in {round(at) for at in np.linspace(total // 2, total - 1, 12)}:
        writer = begun(f"at{at}")
        with faults(Count(at=at, act=fill_disk)):
            try:
                writer.append(replace(given, task="other"))
            except (roboreel.StorageError, OSError):
                failed = True
            else:
                failed = False
        dataset = roboreel.open(tmp_path / f"at{at}")
        assert dataset.total_episodes in ((1, 2) if failed else (2,))
        number = writer.append(replace(given, task="third"))
        assert number == dataset.total_episodes
        report = roboreel.check(tmp_path / f"at{at}")
        assert report.ok, (at, report.problems)
