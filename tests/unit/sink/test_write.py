"""What workers give arrives: all kinds of videos, columns of all kinds, gaps both ways, clear errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import roboreel
from roboreel.errors import RoboreelError, UsageError, VideoError
from roboreel.sink import EpisodeSink, finalize
from roboreel.sink.manifest import MANIFEST
from roboreel.testing.numbered_frames import png_bytes
from roboreel.writing.episode_input import VideoToCopy
from tests.unit.sink.staged import (
    CAMERA,
    FPS,
    H264,
    NUMBERS,
    STATE,
    clip,
    frames_of,
    put,
    require_clean,
    shown,
    sink_in,
    states,
    states_of,
)

ROWS = 6


def _sources(folder: Path, episode: int) -> dict[str, Any]:
    """The frames of an episode as each kind of source."""
    file = clip(folder / "clip.mp4", episode, ROWS)
    frames = frames_of(episode, ROWS)
    images = [folder / f"{number}.png" for number in range(ROWS)]
    for image, frame in zip(images, frames, strict=True):
        image.write_bytes(png_bytes(frame))
    return {
        "array": frames,
        "arrays": list(frames),
        "bytes": file.read_bytes(),
        "generator": (frame for frame in frames),
        "image bytes": [png_bytes(frame) for frame in frames],
        "image files": [str(image) for image in images],
        "path": file,
        "text": str(file),
        "to copy": VideoToCopy(path=file),
    }


def test_every_kind_of_video_gives_its_frames(tmp_path: Path) -> None:
    sink = sink_in(tmp_path / "staging")
    kinds = _sources(tmp_path, 0)
    for number, (kind, source) in enumerate(kinds.items()):
        put(sink, number, ROWS, key=kind, videos={"cam": source})
    report = finalize(tmp_path / "staging", tmp_path / "out")
    assert report.episodes == len(kinds)
    require_clean(tmp_path / "out")
    assert shown(tmp_path / "out") == [[(0, frame) for frame in range(ROWS)]] * len(kinds)
    made = {line["source"]: line["videos"]["cam"]["made"] for line in _manifest(tmp_path / "out")}
    copied = {"bytes": "copied", "path": "copied", "text": "copied", "to copy": "given"}
    assert made == {kind: copied.get(kind, "encoded") for kind in kinds}
    assert not [p for p in (tmp_path / "staging").rglob("*") if p.name.startswith(".roboreel")]


def _manifest(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / MANIFEST).read_text().splitlines()]


@pytest.mark.parametrize("kind", ["path", "bytes", "array", "image files"])
@pytest.mark.parametrize("gaps", ["encode", "split"])
def test_gaps_both_ways(tmp_path: Path, kind: str, gaps: Any) -> None:
    source = _sources(tmp_path, 7)[kind]
    sink = sink_in(tmp_path / "staging", gaps=gaps)
    frames = [1, 2, 4, 5]
    given = put(sink, 7, 4, videos={"cam": source}, frames=frames, task=["a", "b", "c", "c"])
    finalize(tmp_path / "staging", tmp_path / "out")
    require_clean(tmp_path / "out")
    expected = [frames] if gaps == "encode" else [[1, 2], [4, 5]]
    assert [[frame for _, frame in one] for one in shown(tmp_path / "out")] == expected
    assert np.array_equal(np.concatenate(states(tmp_path / "out")), states_of(7, 4))
    tasks = roboreel.open(tmp_path / "out").episodes["tasks"].to_pylist()
    assert tasks == ([["a", "b", "c"]] if gaps == "encode" else [["a", "b"], ["c"]])
    assert [one.start for one in given] == [0, 2][: len(expected)]
    made = {line["videos"]["cam"]["made"] for line in _manifest(tmp_path / "out")}
    copies = gaps == "split" and kind in ("path", "bytes")
    assert made == {"copied" if copies else "encoded"}


@pytest.mark.sample(2)
@pytest.mark.parametrize("version", ["v3.0", "v2.1", "v2.0"])
def test_a_part_of_a_video_that_begins_inside_a_gop(tmp_path: Path, version: str) -> None:
    file = clip(tmp_path / "long.mp4", 3, 20, gop=50)
    sink = sink_in(tmp_path / "staging")
    for segment, first in enumerate((5, 12)):
        put(sink, segment, 4, videos={"cam": file}, frames=range(first, first + 4))
    report = finalize(tmp_path / "staging", tmp_path / "out", version=version, executor="serial")
    require_clean(tmp_path / "out")
    expected = [[(3, frame) for frame in range(first, first + 4)] for first in (5, 12)]
    assert shown(tmp_path / "out") == expected
    assert bool(report.report.packets_copied) == (version == "v3.0")


def test_rows_at_another_rate_than_the_video(tmp_path: Path) -> None:
    """With the stride, frames 3 apart are no gap; without, all 30 fps are taken as 10, and told."""
    file = clip(tmp_path / "fast.mp4", 1, 12, fps=3 * FPS)
    sink = sink_in(tmp_path / "staging", gaps="split")
    strided = {"videos": {"cam": file}, "frames": [0, 3, 6, 9], "stride": 3}
    assert len(put(sink, 0, 4, **strided)) == 1
    put(sink, 1, 12, videos={"cam": file})
    report = finalize(tmp_path / "staging", tmp_path / "out")
    require_clean(tmp_path / "out")
    frames = [[frame for _, frame in one] for one in shown(tmp_path / "out")]
    assert frames == [[0, 3, 6, 9], list(range(12))]
    assert [p.rule for p in report.report.problems] == ["video.rate"]
    assert "30 fps" in report.report.problems[0].message


def test_columns_of_every_kind_arrive_unchanged(tmp_path: Path) -> None:
    features = {
        "observation.state": STATE,
        "done": {"dtype": "bool", "shape": [1], "names": None},
        "count": {"dtype": "int32", "shape": [1], "names": None},
        "grid": {"dtype": "float64", "shape": [2, 3], "names": None},
        "note": {"dtype": "string", "shape": [1], "names": None},
        "still": {**CAMERA, "dtype": "image"},
    }
    sink = sink_in(tmp_path / "staging", features=features)
    grid = np.random.default_rng(0).normal(size=(3, 2, 3))
    images = frames_of(5, 3)
    sink.write(
        ("a", 1),
        {
            "observation.state": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
            "done": [False, True, False],
            "count": pa.array([5, -1, 7], pa.int32()),
            "grid": grid,
            "note": ["x", "", "zü"],
        },
        images={"still": [images[0], png_bytes(images[1]), images[2]]},
        task=["pick", "place", "pick"],
        fields={"success": True},
        provenance={"by": "me"},
    )
    finalize(tmp_path / "staging", tmp_path / "out")
    require_clean(tmp_path / "out")
    read = roboreel.reader(roboreel.open(tmp_path / "out"))
    items = [read[at] for at in range(3)]
    assert [item["done"] for item in items] == [False, True, False]
    assert [item["count"] for item in items] == [5, -1, 7]
    assert np.array_equal(np.stack([item["grid"] for item in items]), grid)
    assert [item["note"] for item in items] == ["x", "", "zü"]
    assert np.array_equal(np.stack([item["still"] for item in items]), images)
    assert items[1]["observation.state"].tolist() == [4, 5, 6]
    assert [read.tasks[int(item["task_index"])] for item in items] == ["pick", "place", "pick"]
    (row,) = roboreel.open(tmp_path / "out").episodes.to_pylist()
    assert (row["success"], row["staged_source"], row["staged_segment"]) == (True, "a", "1")
    assert _manifest(tmp_path / "out")[0]["provenance"] == {"by": "me"}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("too few frames", {"videos": {"cam": frames_of(0, 2)}}, "2 frames for 3 rows"),
    ("another size", {"videos": {"cam": frames_of(0, 3)[:, :16]}}, "declared as"),
    ("no video", {"videos": {}}, "'cam' is missing"),
    ("another camera", {"videos": {"cam": frames_of(0, 3), "b": frames_of(0, 3)}}, "'b'"),
    ("no such frame", {"frames": [0, 1, 9]}, "frames 0…9 of 3 images"),
    ("frames that fall", {"frames": [0, 2, 1]}, "at row 1 they are"),
    ("frames below 0", {"frames": [-1, 0, 1]}, "from 0"),
    ("too few frame numbers", {"frames": [0, 1]}, "3 whole numbers"),
    ("a stride of 0", {"stride": 0}, "stride is 0"),
    ("a missing image", {"videos": {"cam": [*frames_of(0, 2), None]}}, "image 2 is missing"),
    ("no image file", {"videos": {"cam": ["/nowhere/a.png"] * 3}}, "a.png"),
    ("a video of nothing", {"videos": {"cam": b"no video"}}, "not an MP4"),
    ("an object as frames", {"videos": {"cam": 5}}, "found int"),
    ("one file of images", {"images": {"still": b"x"}}, "one image per frame"),
    ("tasks of fewer rows", {"task": ["a"]}, "1 tasks for 3 rows"),
    ("provenance that is no JSON", {"provenance": {"a": object()}}, "must be JSON"),
    ("provenance with NaN", {"provenance": {"a": float("nan")}}, "must be JSON"),
    ("provenance that is not UTF-8", {"provenance": {"a": "\ud800"}}, "UTF-8"),
    ("provenance that is no dict", {"provenance": "me"}, "provenance: expected a dict, found str"),
    ("fields that are no dict", {"fields": 5}, "fields: expected a dict, found int"),
    ("fields without names", {"fields": {5: 1}}, "expected names as keys, found 5"),
    ("a field of the format", {"fields": {"length": 3}}, "'length' is a name that the list"),
    ("a field of a layout", {"fields": {"data/chunk_index": 0}}, "'data/chunk_index' is a name"),
    ("a field of the sink", {"fields": {"staged_source": "x"}}, "'staged_source' is a name"),
    ("a field without a name", {"fields": {"": 1}}, "'' is a name"),
    ("videos that are no dict", {"videos": [1]}, "videos: expected a dict, found list"),
    ("images that are no dict", {"images": 5}, "images: expected a dict, found int"),
    ("statistics that are no dict", {"stats": 5}, "stats: expected a dict, found int"),
    ("statistics of numbers", {"stats": {"cam": 1}}, "stats of 'cam': expected a dict, found int"),
    ("a stride that is no number", {"stride": "a"}, "stride is 'a', expected a whole number"),
    ("a broken stride", {"stride": 1.5}, "stride is 1.5, expected a whole number"),
    ("no task", {"task": None}, "task: expected a string, or one for each row, found None"),
    ("a number as task", {"task": 5}, "task: expected a string, or one for each row, found 5"),
    ("a number among tasks", {"task": ["a", 5, "a"]}, "task: expected a UTF-8 string, found 5"),
    ("a task that is not UTF-8", {"task": "\ud800"}, "task: expected a UTF-8 string"),
    ("huge frame numbers", {"frames": np.arange(3, dtype=np.uint64) + (1 << 63)}, "from 0"),
    ("bytes of nothing", {"videos": {"cam": bytearray(b"x")}}, "camera 'cam': the video given as"),
]


@pytest.mark.parametrize(("given", "message"), [case[1:] for case in REFUSED])
def test_what_does_not_fit_is_refused_and_listed(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    sink = sink_in(tmp_path)
    with pytest.raises(RoboreelError, match=message) as caught:
        put(sink, 0, key=("bad", 1), **given)
    assert "'bad', segment 1" in str(caught.value)
    assert not sink.is_staged(("bad", 1))
    left = [path.suffix for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [".failed"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "'observation.state' is missing"),
        ({"observation.state": np.zeros((0, 3))}, "no rows"),
        ({"observation.state": np.zeros((3, 2))}, "shape"),
        ({"observation.state": [["a", "b", "c"]] * 3}, "observation.state"),
        ({"observation.state": np.zeros((3, 3)), "b": [1, 2, 3]}, "'b' is not declared"),
        ({"observation.state": np.full((3, 3), 1e300)}, "range"),
    ],
)
def test_columns_that_do_not_fit(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    sink = sink_in(tmp_path, features=NUMBERS)
    with pytest.raises(UsageError, match=message):
        sink.write("bad", columns, frames=[0, 1, 2])
    assert not sink.is_staged("bad")


def test_statistics_of_the_whole_do_not_go_with_parts(tmp_path: Path) -> None:
    sink = sink_in(tmp_path, features=NUMBERS, gaps="split")
    stats = {"observation.state": {"count": np.array([4])}}
    with pytest.raises(UsageError, match="split at gaps"):
        put(sink, 0, 4, frames=[0, 1, 5, 6], stats=stats)


def test_sinks_and_keys_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="expected one of encode, split"):
        EpisodeSink(staging="x", fps=10, features=NUMBERS, gaps="drop")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is a URL"):
        EpisodeSink(staging="http://127.0.0.1/x", fps=10, features=NUMBERS)
    wrong: list[tuple[Any, Any, str]] = [
        (0, NUMBERS, "fps is 0"),
        (10, {"a": {"dtype": "float32"}}, "shape"),
        (10, {"a": {"dtype": "float32", "shape": [np.int64(3)]}}, "must be JSON"),
        (10, {"a": {"dtype": "object", "shape": [3]}}, "object"),
    ]
    for fps, features, message in wrong:
        with pytest.raises(RoboreelError, match=message):
            EpisodeSink(staging="x", fps=fps, features=features)
    others: list[tuple[dict[str, Any], str]] = [
        ({"fps": "30"}, "fps: expected a number of frames per second, found '30'"),
        ({"robot_type": 5}, "robot_type: expected a string, found 5"),
        ({"encoding": None}, "expected a roboreel.Encoding, found NoneType"),
        ({"staging": ""}, "the staging folder is ''"),
        ({"staging": None}, "the staging folder is None"),
        ({"staging": __file__}, "is a file"),
    ]
    for given, message in others:
        with pytest.raises(UsageError, match=message):
            EpisodeSink(**{"staging": "x", "fps": 10, "features": NUMBERS, **given})
    sink = EpisodeSink(staging="x", fps=10, features=NUMBERS, encoding=H264)
    keys: list[Any] = [5, "", ("a", 1.5), ("a", None), ("a", True), ("a", 1, 2), ("a", 1 << 63)]
    for key in keys:
        with pytest.raises(UsageError, match="is not a key"):
            sink.is_staged(key)


def test_a_video_that_is_cut_short_names_the_file(tmp_path: Path) -> None:
    file = clip(tmp_path / "clip.mp4", 0, 3)
    file.write_bytes(file.read_bytes()[:-40])
    sink = sink_in(tmp_path / "staging")
    with pytest.raises(VideoError, match=r"'rec', segment 0.*clip\.mp4"):
        put(sink, 0, videos={"cam": file})
    (tmp_path / "gone.mp4").symlink_to(tmp_path / "nowhere")
    with pytest.raises(RoboreelError, match="gone"):
        put(sink, 1, videos={"cam": tmp_path / "gone.mp4"})
    put(sink, 2)
    report = finalize(tmp_path / "staging", tmp_path / "out")
    told = (tmp_path / "out/meta/skipped_episodes.jsonl").read_text()
    assert len(report.skipped) == 2
    assert "clip.mp4" in told
    assert str(tmp_path) not in told  # folders are private
