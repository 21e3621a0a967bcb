"""The commands that edit: what they write, print, and refuse before anything is written."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import roboreel as rr
from roboreel.testing import Camera, make_dataset
from tests.judge import faults
from tests.oracle import Reading, read, tree_digest
from tests.unit.cli.conftest import LENGTHS, TOP, Done, Roboreel

TASKS = ("pick up the red cube", "fold the towel", "öffne die Schublade", "把杯子放到盘子上")


def _from(source: Reading, result: Reading, *row_ranges: tuple[int, int, int]) -> None:
    """The result's episodes are these stretches (episode, first frame, after the last) of the source's."""
    assert faults(result) == []
    assert len(result.episodes) == len(row_ranges)
    for got, (number, start, stop) in zip(result.episodes, row_ranges, strict=True):
        had = source.episodes[number]
        for column in ("observation.state", "action", "next.done"):
            assert got.rows[column].equals(had.rows[column].slice(start, stop - start))
        shown = [frame.numbers for frame in result.frames(got, TOP)]
        assert shown == [(k, number, 0) for k in range(start, stop)]


def _pair(episode: int, frames: str) -> list[str]:
    return ["--episode", str(episode), "--frames", frames]


def _whole(*numbers: int) -> list[tuple[int, int, int]]:
    return [(number, 0, LENGTHS[number]) for number in numbers]


WRITTEN: dict[str, tuple[list[str], list[tuple[int, int, int]]]] = {
    "delete": (["delete", "{source}", "--episodes", "1,3"], _whole(0, 2)),
    "delete by task": (["delete", "{source}", "--task", TASKS[2]], _whole(0, 1, 3)),
    "delete from a file": (["delete", "{source}", "--episodes", "@{list}"], _whole(3)),
    "keep": (["keep", "{source}", "--min-frames", "4", "--max-frames", "6"], _whole(0, 1)),
    "reorder": (["reorder", "{source}", "--order", "3,0:3"], _whole(3, 0, 1, 2)),
    "trim": (
        ["trim", "{source}", *_pair(0, "2:5"), *_pair(3, "0:1")],
        [(0, 2, 5), (1, 0, 4), (2, 0, 1), (3, 0, 1)],
    ),
    "trim from a file": (
        ["trim", "{source}", "--ranges", "{ranges}"],
        [(0, 0, 6), (1, 1, 3), (2, 0, 1), (3, 4, 8)],
    ),
    "trim all to their end": (
        ["trim", "{source}", "--frames", "1:", "--episodes", "0,3"],
        [(0, 1, 6), (1, 0, 4), (2, 0, 1), (3, 1, 8)],
    ),
    "trim open ranges": (
        ["trim", "{source}", *_pair(0, "2:"), *_pair(3, ":3")],
        [(0, 2, 6), (1, 0, 4), (2, 0, 1), (3, 0, 3)],
    ),
    "trim by seconds": (  # at 30 fps: the first frames at or after 0.04 s and 0.1 s
        ["trim", "{source}", "--start", "0.04", "--end", "0.1s", "--episodes", "0,1,3"],
        [(0, 2, 3), (1, 2, 3), (2, 0, 1), (3, 2, 3)],
    ),
    "trim by frames": (
        ["trim", "{source}", "--start", "1f", "--end=-2f", "--episodes", "0,1,3"],
        [(0, 1, 4), (1, 1, 2), (2, 0, 1), (3, 1, 6)],
    ),
    "trim to the last second": (
        ["trim", "{source}", "--start", "-0.1", "--episodes", "0,1,3"],
        [(0, 3, 6), (1, 1, 4), (2, 0, 1), (3, 5, 8)],
    ),
    "compact": (["compact", "{source}", "--video-file-mb", "50"], _whole(0, 1, 2, 3)),
    "another version": (["keep", "{source}", "--episodes", "2:", "--to", "v2.1"], _whole(2, 3)),
    "several workers": (
        ["delete", "{source}", "--episodes", "0", "--workers", "2"],
        _whole(1, 2, 3),
    ),
    "merge": (["merge", "{source}", "{source}"], [*_whole(0, 1, 2, 3), *_whole(0, 1, 2, 3)]),
    "as splits": (
        ["split", "{source}", "--into", "b=2:,a=0,1", "--as-splits"],
        _whole(2, 3, 0, 1),
    ),
}


@pytest.mark.sample(6)
@pytest.mark.parametrize(("arguments", "row_ranges"), WRITTEN.values(), ids=WRITTEN)
def test_a_command_writes_these_rows_and_frames(
    roboreel: Roboreel,
    source: Path,
    tmp_path: Path,
    arguments: Sequence[str],
    row_ranges: list[tuple[int, int, int]],
) -> None:
    (tmp_path / "list").write_text("0:3\n", "utf-8")
    (tmp_path / "ranges").write_text("1 1:3\n# the rest stays\n3 4:8\n", "utf-8")
    before = tree_digest(source)
    words = {"source": source, "list": tmp_path / "list", "ranges": tmp_path / "ranges"}
    done = roboreel(
        *(part.format(**words) for part in arguments), "-o", tmp_path / "out", "--quiet"
    )
    assert done == Done(code=0, out="", err="")
    _from(read(source), read(tmp_path / "out"), *row_ranges)
    assert tree_digest(source) == before


def test_a_shuffle_is_that_of_the_verb(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    assert roboreel("shuffle", source, "--seed", 0, "-o", tmp_path / "out").code == 0
    order = rr.open(source).shuffle(seed=0).slices.row.tolist()
    assert order != [0, 1, 2, 3]
    _from(read(source), read(tmp_path / "out"), *_whole(*order))


def test_dead_time_is_cut_by_the_feature_named(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    still = np.array([0, 0, 1, 2, 2, 2] + [0, 1, 1, 1] + [0] + [5] * 8, np.float32)
    np.save(tmp_path / "grip.npy", still)
    first = ["features", source, "--add", f"grip={tmp_path / 'grip.npy'}", "-o", tmp_path / "grip"]
    assert roboreel(*first).code == 0
    cut = [
        "trim",
        tmp_path / "grip",
        "--still",
        "0.5",
        "--still-feature",
        "grip",
        "-o",
        tmp_path / "out",
    ]
    refused = roboreel(*cut)
    assert refused.code == 2
    assert "never moves by more than 0.5 in episode 2, 3" in refused.err
    assert roboreel(*cut, "--episodes", "0,1").code == 0
    _from(read(source), read(tmp_path / "out"), (0, 1, 4), (1, 0, 2), *_whole(2, 3))


def test_a_trim_shows_which_frames_stay(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    still = np.array([0, 0, 1, 2, 2, 2, 0, 1, 1, 1, 0, *range(8)], np.float32)
    np.save(tmp_path / "grip.npy", still)
    add = ["features", source, "--add", f"grip={tmp_path / 'grip.npy'}", "-o", tmp_path / "grip"]
    assert roboreel(*add).code == 0
    cut = ["trim", tmp_path / "grip", "--still", "0.5", "--still-feature", "grip"]
    cut += ["--episodes", "3,0,1", "-o", tmp_path / "out"]
    trimmed = [
        {"episode": 0, "frames": 6, "keeps": [1, 4]},
        {"episode": 1, "frames": 4, "keeps": [0, 2]},
    ]
    said = ["episode 0: 6 → 3, keeps 1:4", "episode 1: 4 → 2, keeps 0:2"]
    dry = roboreel(*cut, "--dry-run")
    assert (dry.code, [line in dry.out for line in said]) == (0, [True, True])
    assert "trimmed 2 episodes" in dry.out
    assert json.loads(roboreel(*cut, "--dry-run", "--json").out)["trimmed"] == trimmed
    done = roboreel(*cut)
    assert (done.code, [line in done.out for line in said]) == (0, [True, True])
    again = roboreel(*cut[:-1], tmp_path / "out2", "--json")
    assert json.loads(again.out)["trimmed"] == trimmed
    whole = roboreel("keep", source, "--episodes", "0", "-o", tmp_path / "whole")
    assert "trimmed" not in whole.out


def test_a_threshold_is_suggested_from_the_data(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    steps = np.tile([0.0, 0.001, 1.0, 1.0], 5)[: sum(LENGTHS)]
    np.save(tmp_path / "grip.npy", np.cumsum(steps).astype(np.float32))
    add = ["features", source, "--add", f"grip={tmp_path / 'grip.npy'}", "-o", tmp_path / "grip"]
    assert roboreel(*add).code == 0
    ask = ["trim", tmp_path / "grip", "--still", "suggest", "--still-feature", "grip"]
    done = roboreel(*ask)
    assert (done.code, done.err) == (0, "")
    assert "suggested: --still 0.05 --still-feature grip" in done.out
    assert "in its own unit" in done.out
    found = json.loads(roboreel(*ask, "--json").out)
    assert (found["suggested"], found["step"]["largest"]) == (0.05, pytest.approx(1, abs=1e-4))
    too_much = ["trim", tmp_path / "grip", "--still", "5", "--still-feature", "grip"]
    refused = roboreel(*too_much, "-o", tmp_path / "out")
    assert refused.code == 2
    assert "(at most by 1): delete such episodes or choose the others, or use a" in refused.err
    assert "such as 0.05" in refused.err
    nothing = roboreel(*ask, "--episodes", "2")
    assert "never changes in 1 episode" in nothing.out


def test_tasks_are_set_by_their_three_options(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    given = ["--set", "rest", "--replace", f"{TASKS[0]}=a=b", "--episode", "1=own"]
    assert roboreel("tasks", source, *given, "-o", tmp_path / "out").code == 0
    result = read(tmp_path / "out")
    assert faults(result) == []
    assert [episode.tasks for episode in result.episodes] == [["a=b"], ["own"], ["rest"], ["rest"]]


def test_features_are_removed_renamed_and_added(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    values = np.arange(sum(LENGTHS) * 2, dtype=np.float64).reshape(-1, 2)
    np.save(tmp_path / "values.npy", values)
    out = tmp_path / "out"
    change = ["--remove", "next.done", "--rename", "action=act", "--rename", f"{TOP}=front"]
    add = ["--add", f"force={tmp_path / 'values.npy'}", "--dtype", "float32", "--shape", "2"]
    done = roboreel("features", source, *change, *add, "--names", "x, y", "-o", out)
    assert (done.code, done.err) == (0, "")
    result = read(out)
    assert faults(result) == []
    declared = json.loads((out / "meta/info.json").read_text("utf-8"))["features"]
    assert {"next.done", "action", TOP} & set(declared) == set()
    assert declared["front"]["dtype"] == "video"
    force = declared["force"]
    assert (force["dtype"], force["shape"], force["names"]) == ("float32", [2], ["x", "y"])
    found = [value for one in result.episodes for value in one.rows["force"].to_pylist()]
    assert found == values.tolist()


def test_a_column_of_a_table_becomes_a_feature(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    rows = pa.table(
        {"a:b": [f"n{row}" for row in range(sum(LENGTHS))], "other": range(sum(LENGTHS))}
    )
    pq.write_table(rows, tmp_path / "x.parquet")
    add = f"note={tmp_path / 'x.parquet'}:a:b"
    assert roboreel("features", source, "--add", add, "-o", tmp_path / "out").code == 0
    found = [v for one in read(tmp_path / "out").episodes for v in one.rows["note"].to_pylist()]
    assert found == rows["a:b"].to_pylist()


def test_videos_from_elsewhere_become_a_camera(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    camera = {TOP: Camera(height=32, gop=2)}
    other = make_dataset(tmp_path / "b", version="v2.1", episodes=LENGTHS, cameras=camera)
    external_videos = tmp_path / "clips"
    external_videos.mkdir()
    for number, path in enumerate(sorted((other / "videos").rglob("*.mp4"))):
        path.rename(external_videos / f"clip{number + 8}.mp4")  # clip8, clip9, clip10, clip11
    every = ",".join(str(external_videos / f"clip{number}.mp4") for number in (8, 9, 10, 11))
    for name, place in (("folder", str(external_videos)), ("files", every)):
        add = ["--add-video", f"side={place}", "-o", tmp_path / name]
        done = roboreel("features", source, *add)
        assert (done.code, done.err) == (0, "")
        result = read(tmp_path / name)
        assert faults(result, copied=["data/chunk-000/file-000.parquet"]) == []
        for number, episode in enumerate(result.episodes):
            wanted = [(k, number, 0) for k in range(LENGTHS[number])]
            assert [frame.numbers for frame in result.frames(episode, "side")] == wanted


def test_videos_of_other_lengths_are_refused(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    camera = {TOP: Camera(height=32)}
    other = make_dataset(tmp_path / "b", version="v2.1", episodes=(6, 4, 2, 8), cameras=camera)
    external_videos = next((other / "videos").rglob("*.mp4")).parent
    add = ["--add-video", f"side={external_videos}", "-o", tmp_path / "out"]
    done = roboreel("features", source, *add)
    assert done.code == 1
    assert "it has 2 frames, but the episode has 1 rows (episode 2, side" in done.err
    done = roboreel("features", source, "--add-video", "side=nowhere", "-o", tmp_path / "out")
    assert (done.code, done.err) == (2, "error: 'nowhere' is not a file\n")
    assert not (tmp_path / "out").exists()


def test_a_camera_is_encoded_anew(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    settings = ["--vcodec", "h264", "--g", "4", "--crf", "20", "--preset", "ultrafast"]
    some = ["--episodes", "1,3", "--size", "320x64"]
    done = roboreel("encode", source, *settings, *some, "-o", tmp_path / "out", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["frames_encoded"] == LENGTHS[1] + LENGTHS[3]
    result = read(tmp_path / "out")
    assert faults(result) == []
    declared = result.info["features"][TOP]
    assert declared["shape"][:2] == [64, 320]
    assert declared["info"]["video.codec"] == "h264"
    assert [episode.rows["action"] for episode in result.episodes] == [
        read(source).episodes[number].rows["action"] for number in (1, 3)
    ]


def test_video_becomes_pictures(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    done = roboreel("encode", source, "--to-images", "--camera", TOP, "-o", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    result = read(tmp_path / "out")
    assert result.info["features"][TOP]["dtype"] == "image"
    assert result.cameras == ()
    cells = [cell for episode in result.episodes for cell in episode.rows[TOP].to_pylist()]
    assert len(cells) == sum(LENGTHS)
    assert all(cell["bytes"].startswith(b"\x89PNG") for cell in cells)


def test_every_third_row_and_frame(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    done = roboreel("resample", source, "--fps", "10", "-o", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    before, result = read(source), read(tmp_path / "out")
    assert faults(result) == []
    assert result.info["fps"] == 10
    for number, (had, got) in enumerate(zip(before.episodes, result.episodes, strict=True)):
        taken = list(range(0, LENGTHS[number], 3))
        assert got.rows["action"].to_pylist() == had.rows["action"].take(taken).to_pylist()
        assert [one.numbers for one in result.frames(got, TOP)] == [(k, number, 0) for k in taken]


def test_resampled_videos_are_encoded_as_asked(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    settings = ["--vcodec", "hevc", "--crf", "20", "--g", "3", "--preset", "ultrafast"]
    done = roboreel("resample", source, "--fps", "15", *settings, "-o", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    result = read(tmp_path / "out")
    assert faults(result) == []
    facts = result.info["features"][TOP]["info"]
    known = [facts[f"video.{name}"] for name in ("codec", "crf", "g", "preset")]
    assert known == ["hevc", 20, 3, "ultrafast"]


ENCODING = ("convert", "delete", "encode", "keep", "merge", "resample", "split", "trim")


@pytest.mark.parametrize("command", ENCODING)
def test_all_that_encode_have_the_options_of_an_encoder(roboreel: Roboreel, command: str) -> None:
    done = roboreel(command, "--help")
    assert done.code == 0
    for option in ("--vcodec", "--pix-fmt", "--g", "--crf", "--preset", "--fast-decode"):
        assert option in done.out


def test_encoder_settings_without_effect_are_refused(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    for edit in (["delete", source, "--episodes", "0"], ["convert", source, "--to", "v2.1"]):
        done = roboreel(*edit, "--vcodec", "h264", "-o", tmp_path / "out")
        assert (done.code, done.out) == (1, "")
        assert "--vcodec h264 would have no effect" in done.err
    assert roboreel("resample", source, "--crf", "20").code == 2
    assert list(tmp_path.iterdir()) == []


def test_versions_are_put_together(roboreel: Roboreel, source: Path, tmp_path: Path) -> None:
    camera = {TOP: Camera(height=32, gop=2)}
    old = make_dataset(tmp_path / "old", version="v2.0", episodes=(3, 2), cameras=camera)
    done = roboreel("merge", source, old, "-o", tmp_path / "out", "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out)
    assert (report["version"], report["episodes"], report["frames"]) == ("v3.0", 6, 24)
    assert faults(read(tmp_path / "out")) == []


def test_cameras_of_other_sizes_are_refused_or_scaled(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    camera = {TOP: Camera(height=64, gop=2)}
    other = make_dataset(tmp_path / "other", version="v3.0", episodes=(2,), cameras=camera)
    done = roboreel("merge", source, other, "-o", tmp_path / "out")
    assert (done.code, done.out) == (1, "")
    assert "--resize" in done.err
    done = roboreel("merge", source, other, "--resize", "160x32", "-o", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    result = read(tmp_path / "out")
    assert result.info["features"][TOP]["shape"][:2] == [32, 160]
    assert [len(result.frames(episode, TOP)) for episode in result.episodes] == [*LENGTHS, 2]


def test_in_place_the_original_stays_beside(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    folder = make_dataset(tmp_path / "a", version="v2.1", episodes=(3, 2), cameras={})
    before = tree_digest(folder)
    done = roboreel("delete", folder, "--episodes", "0", "--in-place")
    assert done.code == 0
    (kept,) = [path for path in tmp_path.iterdir() if path.name.startswith("a.before-")]
    assert tree_digest(kept) == before
    assert [len(episode.rows) for episode in read(folder).episodes] == [2]


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    plan = roboreel(
        "delete", source, "--episodes", "1", "-o", tmp_path / "out", "--dry-run", "--json"
    )
    assert json.loads(plan.out)["episodes"] == 3
    divide = ["split", source, "--into", "a=0.5,b=0.5", "-o", tmp_path / "parts", "--dry-run"]
    assert {n: p["episodes"] for n, p in json.loads(roboreel(*divide, "--json").out).items()} == {
        "a": 2,
        "b": 2,
    }
    assert roboreel(*divide).out.count("->") == 2
    assert list(tmp_path.iterdir()) == []


# printing

PRINTS: dict[str, tuple[list[str], str, Any]] = {
    "delete": (["delete"], "0  6 frames  0.2 s  pick up the red cube", ("episodes", 4)),
    "keep": (["keep"], "2  1 frame  0.0 s", ("episodes", 4)),
    "split": (["split"], "4 episodes, 19 frames", ("episodes", 4)),
    "trim": (["trim"], "3  8 frames", ("episodes", 4)),
    "reorder": (["reorder"], "1  4 frames", ("episodes", 4)),
    "shuffle": (["shuffle"], "1  4 frames", ("episodes", 4)),
    "tasks": (["tasks"], "1  1 episode  fold the towel", ("tasks", 4)),
    "features": (["features"], "next.done", ("features", 10)),
    "resample": (["resample"], "30 fps", None),
    "encode": (["encode"], "h264 yuv420p", ("cameras", 1)),
    "compact": (["compact"], "1 file", None),
}


@pytest.mark.parametrize(("command", "line", "counted"), PRINTS.values(), ids=PRINTS)
def test_a_command_without_an_edit_only_prints(
    roboreel: Roboreel,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    line: str,
    counted: tuple[str, int] | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = tree_digest(source)
    done = roboreel(*command, source)
    assert (done.code, done.err) == (0, "")
    assert line in " ".join(done.out.split("\n")) or line in done.out.replace("   ", "  ")
    found = json.loads(roboreel(*command, source, "--json").out)
    if counted is not None:
        assert len(found[counted[0]]) == counted[1]
    assert list(tmp_path.iterdir()) == []
    assert tree_digest(source) == before


# mistakes

OUT = ["-o", "out"]
MISTAKES: dict[str, tuple[int, list[str], str]] = {
    "an output, but no edit": (
        2,
        ["delete", "{source}", *OUT],
        "nothing to write: no edit was given",
    ),
    "in place, but no edit": (
        2,
        ["tasks", "{source}", "--in-place"],
        "nothing to write: no edit was given",
    ),
    "an edit, but no output": (2, ["delete", "{source}", "--episodes", "1"], "-o"),
    "both places": (2, ["shuffle", "{source}", "--seed", "1", *OUT, "--in-place"], "either"),
    "a closed range": (2, ["delete", "{source}", "--episodes", "1-2", *OUT], "write 1:3"),
    "an unknown episode": (2, ["keep", "{source}", "--episodes", "9", *OUT], "has episodes 0 to 3"),
    "all of them": (2, ["delete", "{source}", "--episodes", "0:4", *OUT], "no episode would be"),
    "no source": (1, ["delete", "nowhere", "--episodes", "0", *OUT], "nowhere"),
    "a taken output": (2, ["delete", "{source}", "--episodes", "0", "-o", "taken"], "not empty"),
    "an output inside": (
        2,
        ["delete", "{source}", "--episodes", "0", "-o", "{source}/x"],
        "is inside the dataset",
    ),
    "no limit": (2, ["compact", "{source}", "--data-file-mb", "0", *OUT], "positive number"),
    "resume and clean": (
        2,
        ["delete", "{source}", "--episodes", "0", *OUT, "--resume", "--clean"],
        "--clean starts over",
    ),
    "discard without in place": (
        2,
        ["delete", "{source}", "--episodes", "0", *OUT, "--discard-original"],
        "only for --in-place",
    ),
    "no part": (2, ["split", "{source}", "--seed", "1", *OUT], "give one way to split"),
    "two ways": (2, ["split", "{source}", "--by-task", "--into", "a=1.0", *OUT], "give one way to"),
    "a seed for tasks": (2, ["split", "{source}", "--by-task", "--seed", "1", *OUT], "--seed"),
    "a rest for tasks": (
        2,
        ["split", "{source}", "--by-task", "--rest", "a", *OUT],
        "--rest only works",
    ),
    "a rest of nothing": (2, ["split", "{source}", "--rest", "a", *OUT], "give one way to split"),
    "parts in place": (
        2,
        ["split", "{source}", "--by-task", "--in-place"],
        "cannot replace one dataset by several",
    ),
    "parts nowhere": (2, ["split", "{source}", "--by-task"], "the output is missing: give -o DST"),
    "a part that is there": (
        2,
        ["split", "{source}", "--into", "b=0.5,file=0.5", "-o", "taken"],
        "file",
    ),
    "a part inside": (
        2,
        ["split", "{source}", "--by-task", "-o", "{source}"],
        "is inside the dataset",
    ),
    "merge in place": (
        2,
        ["merge", "{source}", "{source}", "--in-place"],
        "`roboreel merge` has no option '--in-place': give a folder for the result with -o DST",
    ),
    "merge to nowhere": (2, ["merge", "{source}", "{source}"], "-o"),
    "merge an unknown": (1, ["merge", "{source}", "nowhere", *OUT], "nowhere"),
    "merge at a size that is none": (
        2,
        ["merge", "{source}", "{source}", "--resize", "9", *OUT],
        "WIDTHxHEIGHT",
    ),
    "frames without an episode": (
        2,
        ["trim", "{source}", "--frames", "0:1", "--frames", "1:", *OUT],
        "each --episode needs its own",
    ),
    "frames beyond an end": (
        2,
        ["trim", "{source}", "--frames", "2:", *OUT],
        "episode 2, which has 1 fr",
    ),
    "seconds beyond an end": (
        2,
        ["trim", "{source}", "--end", "0.2", *OUT],
        "0:6 is not a range of episode 1, which has 4 frames (0:4); ",
    ),
    "seconds or frames": (
        2,
        ["trim", "{source}", "--start", "1", *OUT],
        "can mean seconds or frames: write 1s or 1f",
    ),
    "half a frame": (2, ["trim", "{source}", "--end", "1.5f", *OUT], "expected seconds such as"),
    "no moment": (2, ["trim", "{source}", "--start", "soon", *OUT], "--start 'soon': expected sec"),
    "a moment in an unknown episode": (
        2,
        ["trim", "{source}", "--start=-1f", "--episodes", "9", *OUT],
        "no episode 9",
    ),
    "a moment and a range": (
        2,
        ["trim", "{source}", "--start", "1f", "--frames", "1:", *OUT],
        "give ranges in one way only",
    ),
    "no threshold": (2, ["trim", "{source}", "--still", "x", *OUT], "a number, or `suggest`"),
    "a suggestion, written": (2, ["trim", "{source}", "--still", "suggest", *OUT], "only prints"),
    "still and pairs, episodes": (
        2,
        ["trim", "{source}", "--episode", "0", "--frames", "0:1", "--episodes", "1", *OUT],
        "which name episodes themselves",
    ),
    "an episode without frames": (
        2,
        ["trim", "{source}", "--episode", "0", *OUT],
        "each --episode needs its own",
    ),
    "an episode twice": (
        2,
        ["trim", "{source}", *["--episode", "0", "--frames", "0:1"] * 2, *OUT],
        "episode 0 is named twice",
    ),
    "lines that are none": (
        2,
        ["trim", "{source}", "--ranges", "taken/file", *OUT],
        "expected lines such as",
    ),
    "still and frames": (
        2,
        ["trim", "{source}", "--still", "0", "--episode", "0", "--frames", "0:1", *OUT],
        "give ranges in one way only: --start and --end, --still",
    ),
    "episodes alone": (
        2,
        ["trim", "{source}", "--episodes", "0", *OUT],
        "--episodes only chooses episodes",
    ),
    "a dtype of nothing": (2, ["features", "{source}", "--dtype", "int8", *OUT], "add --add"),
    "a shape that is none": (
        2,
        ["features", "{source}", "--add", "x=y.npy", "--shape", "a", *OUT],
        "expected sizes",
    ),
    "values of no kind": (
        2,
        ["features", "{source}", "--add", "x=y.csv", *OUT],
        "expected 'file.npy'",
    ),
    "no column named": (
        2,
        ["features", "{source}", "--add", "x=y.parquet", *OUT],
        "name the column",
    ),
    "no file of values": (1, ["features", "{source}", "--add", "x=y.npy", *OUT], "No such file"),
    "values that are none": (
        1,
        ["features", "{source}", "--add", "x=taken/x.npy", *OUT],
        "readable",
    ),
    "a column that is none": (
        2,
        ["features", "{source}", "--add", "x=taken/x.parquet:y", *OUT],
        "no column 'y': it has 'a'",
    ),
    "too few values": (
        2,
        ["features", "{source}", "--add", "x=taken/x.parquet:a", *OUT],
        "2 values for 19 rows",
    ),
    "a text for a number": (2, ["tasks", "{source}", "--episode", "a=b", *OUT], "'a' is not an"),
    "an episode of two tasks": (
        2,
        ["tasks", "{source}", "--episode", "1=a", "--episode", "01=b", *OUT],
        "twice",
    ),
    "an unknown task": (2, ["tasks", "{source}", "--replace", "x=y", *OUT], "the tasks are 'pick"),
    "no rate": (2, ["resample", "{source}", "--fps", "x", *OUT], "expected a rate"),
    "no rate at all": (2, ["resample", "{source}", "--fps", "0", *OUT], "positive number"),
    "pictures with a codec": (
        2,
        ["encode", "{source}", "--to-images", "--vcodec", "h264", *OUT],
        "--to-images writes PNG",
    ),
    "video with the default settings": (
        2,
        ["encode", "{source}", *OUT],
        f"'{TOP}' is video already",
    ),
    "video as video": (2, ["encode", "{source}", "--to-video", *OUT], "--vcodec h264 or --crf 23"),
    "both ways": (2, ["encode", "{source}", "--to-video", "--to-images", *OUT], "are opposites"),
    "no camera": (2, ["encode", "{source}", "--camera", "x", "--crf", "20", *OUT], "no camera 'x'"),
}


def test_without_a_setting_only_images_become_video(roboreel: Roboreel, tmp_path: Path) -> None:
    folder, out = tmp_path / "a", tmp_path / "out"
    wrist = "observation.images.wrist"
    cameras = {TOP: Camera(height=32), wrist: Camera(height=32, storage="image")}
    make_dataset(folder, version="v3.0", episodes=(2,), cameras=cameras)
    done = roboreel("encode", folder, "-o", out)
    assert (done.code, done.err) == (0, "")
    shown = json.loads(roboreel("encode", out, "--json").out)["cameras"]
    assert (shown[wrist]["dtype"], shown[TOP]["dtype"]) == ("video", "video")
    assert "2 packets copied and verified, 2 frames re-encoded" in done.out


def test_what_has_no_camera_is_not_encoded(roboreel: Roboreel, tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "a", version="v2.1", episodes=(2,), cameras={})
    wanted = {
        "--crf=20": "has no camera",
        "--to-images": "has no video camera",
        "--to-video": "has no camera",
    }
    for option, says in wanted.items():
        done = roboreel("encode", folder, option, "-o", tmp_path / "out")
        assert (done.code, done.out) == (2, "")
        assert says in done.err


@pytest.mark.parametrize(("code", "arguments", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_message_and_nothing_is_written(
    roboreel: Roboreel,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").write_text("mine")
    (taken / "x.npy").write_text("mine")
    pq.write_table(pa.table({"a": [1, 2]}), taken / "x.parquet")
    before = tree_digest(tmp_path), tree_digest(source)
    done = roboreel(*(part.format(source=source) for part in arguments))
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert done.err.startswith("error: ")
    assert (tree_digest(tmp_path), tree_digest(source)) == before
    assert sorted(os.listdir(tmp_path)) == ["taken"]


def test_what_a_merge_leaves_out_is_told_in_text_and_json(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    assert roboreel("features", source, "--rename", "action=act", "-o", other).code == 0
    merge = ["merge", source, other, "--features", "common", "-o", tmp_path / "out"]
    refused = roboreel(*merge)
    assert refused.code == 1
    assert "--allow-missing action" in refused.err
    assert not (tmp_path / "out").exists()
    plan = roboreel(*merge, "--allow-missing", "action", "--dry-run", "--json")
    done = roboreel(*merge, "--allow-missing", "action")
    assert (plan.code, done.code) == (0, 0)
    for loss in json.loads(plan.out)["losses"]:
        assert f"  {loss}\n" in done.out
    assert {loss.split("'")[1] for loss in json.loads(plan.out)["losses"]} == {"action", "act"}


def test_of_many_losses_the_first_are_shown_and_json_has_all(
    roboreel: Roboreel, source: Path, tmp_path: Path
) -> None:
    for n in range(40):
        path = tmp_path / f"copy/raw/{n}/notes.txt"
        path.parent.mkdir(parents=True)
        path.write_text("x")
    shutil.copytree(source, tmp_path / "copy", dirs_exist_ok=True)
    convert = ["convert", tmp_path / "copy", "--to", "v3.0", "-o", tmp_path / "out"]
    assert "and 10 more: --json lists all" in roboreel(*convert, "--dry-run").out
    assert len(json.loads(roboreel(*convert, "--json").out)["losses"]) == 40
