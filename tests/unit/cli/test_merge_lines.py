"""Merges of datasets that differ: all differences at once, and lines that work."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from roboreel.testing import Camera, make_dataset
from tests.mutate import edit_info
from tests.unit.cli.conftest import TOP, Roboreel

WRIST = "observation.images.wrist"


def _made(path: Path, *cameras: str, height: int = 32, fps: int = 30, robot: str = "so101") -> Path:
    made = make_dataset(
        path,
        version="v3.0",
        episodes=(4, 3),
        cameras={name: Camera(height=height, gop=2) for name in cameras},
        fps=fps,
    )
    edit_info(made, robot_type=robot)
    return made


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _lines(told: str) -> list[str]:
    """The lines to type, without comments."""
    return [
        line.removeprefix("  try: ").split("   # ")[0]
        for line in told.splitlines()
        if line.startswith("  try: ")
    ]


def _all_work(roboreel: Roboreel, lines: Sequence[str]) -> bool:
    return all(roboreel(*shlex.split(line)[1:], "--dry-run").code == 0 for line in lines)


def test_a_camera_of_one_dataset_is_never_padded(roboreel: Roboreel, here: Path) -> None:
    _made(here / "a", TOP, WRIST)
    _made(here / "b", TOP)
    told = roboreel("merge", "a", "b", "-o", "c").err
    assert "pad" not in told
    assert told.splitlines()[0].count(WRIST) == 2
    line = f"roboreel merge a b -o c --features common --allow-missing {WRIST}"
    assert _lines(told) == [line]
    assert _all_work(roboreel, [line])
    told = roboreel("merge", "a", "b", "--features", "pad", "-o", "c").err
    assert f"the same features: pad cannot fill '{WRIST}'; pass --features common" in told
    assert _lines(told) == [f"roboreel merge a b --features common -o c --allow-missing {WRIST}"]


def test_all_that_differs_is_said_at_once_with_lines_that_work(
    roboreel: Roboreel, here: Path
) -> None:
    _made(here / "a", TOP)
    _made(here / "b", TOP, fps=15, robot="koch")
    roboreel("features", "b", "--remove", "action", "-o", "without")
    told = roboreel("merge", "a", "without", "-o", "c").err
    first, *others = told.splitlines()
    assert first.startswith(
        "error: the datasets do not have the same features and frame rate: pass"
    )
    assert others[:3] == [
        "  - robot type: 'so101' and 'koch'; no obstacle, all are kept",
        "  - frame rate: 30 fps in 'a'; 15 fps in 'without'",
        "  - 'action': only in 'a'",
    ]
    lines = _lines(told)
    assert "(leaves out action), each with --fps 30\n" in told
    assert lines == [
        "roboreel resample without --fps 30 -o without_resampled",
        "roboreel merge a without -o c --features pad --fps 30",
        "roboreel merge a without -o c --features common --allow-missing action --fps 30",
    ]
    assert _all_work(roboreel, lines)


def test_a_camera_of_another_name_is_renamed(roboreel: Roboreel, here: Path) -> None:
    _made(here / "a", TOP)
    _made(here / "b", WRIST)
    lines = _lines(roboreel("merge", "a", "b", "-o", "c").err)
    assert lines == [
        f"roboreel merge a b -o c --rename {WRIST}={TOP}",
        f"roboreel merge a b -o c --features common --allow-missing {TOP} --allow-missing {WRIST}",
    ]
    assert _all_work(roboreel, lines)


@pytest.mark.parametrize("policy", ["strict", "pad"])
def test_where_no_way_works_the_reason_is_said(roboreel: Roboreel, here: Path, policy: str) -> None:
    _made(here / "a", TOP)
    other = _made(here / "b", WRIST)
    info = json.loads((other / "meta/info.json").read_text(encoding="utf-8"))
    features = info["features"]
    for name in ("action", "observation.state"):
        features[name]["names"] = [f"other{n}" for n in range(features[name]["shape"][0])]
    features[WRIST]["dtype"] = "image"
    edit_info(other, features=features)
    done = roboreel("merge", "a", "b", "--features", policy, "-o", "c")
    assert done.code == 2
    assert "no merge would keep an action or state" in done.err
    assert done.err.count("its dimensions are named") == 2
    assert _lines(done.err) == []


def test_cameras_of_other_sizes_have_the_line_to_type(roboreel: Roboreel, here: Path) -> None:
    _made(here / "a", TOP, height=32)
    _made(here / "b", TOP, height=64)
    told = roboreel("merge", "a", "b", "-o", "c").err
    (line,) = _lines(told)
    assert line.startswith("roboreel merge a b -o c --resize ")
    assert _all_work(roboreel, [line])
    planned = roboreel(*shlex.split(line)[1:], "--dry-run")
    assert "codec=libx264" in planned.out
    assert "declared" not in planned.out + planned.err
    assert roboreel("encode", "a", "--resize", "64x32", "-o", "d", "--dry-run").code == 0


def test_only_the_dataset_of_another_rate_is_resampled(roboreel: Roboreel, here: Path) -> None:
    for name, fps in (("a", 30), ("b", 30), ("slow", 15)):
        _made(here / name, TOP, fps=fps)
    alone, every = _lines(roboreel("merge", "a", "b", "slow", "-o", "c").err)
    done = roboreel(*shlex.split(every)[1:], "--dry-run")
    assert "all 3 datasets are re-encoded, but only 'slow' had to be" in done.err
    assert roboreel(*shlex.split(alone)[1:]).code == 0
    done = roboreel("merge", "a", "b", "slow_resampled", "-o", "c")
    assert "packets copied and verified, none re-encoded" in done.out
    done = roboreel("merge", "a", "b", "--fps", "15", "-o", "d", "--dry-run")
    assert "had to be" not in done.err


def test_cameras_of_other_sizes_are_refused_when_they_are_resampled_too(
    roboreel: Roboreel, here: Path
) -> None:
    _made(here / "a", TOP, height=32)
    _made(here / "b", TOP, height=64, fps=15)
    done = roboreel("merge", "a", "b", "--fps", "30", "-o", "c")
    assert (done.code, (here / "c").exists()) == (1, False)
    assert "frames have the sizes 160x32, 160x64" in done.err
    (line,) = _lines(done.err)
    assert line.startswith("roboreel merge a b --fps 30 -o c --resize ")
    assert roboreel(*shlex.split(line)[1:]).code == 0
    assert roboreel("check", "c").code == 0


def test_a_view_file_of_cameras_of_other_sizes_is_encoded(roboreel: Roboreel, here: Path) -> None:
    _made(here / "a", TOP, height=32)
    _made(here / "b", TOP, height=64)
    roboreel("edit", "x.view.json", "from", "a", "b")
    (line,) = _lines(roboreel("write", "x.view.json", "-o", "c").err)
    assert line.startswith("roboreel encode x.view.json -o c --resize ")
    assert _all_work(roboreel, [line])


def test_a_view_file_of_datasets_that_differ_is_answered_with_a_merge(
    roboreel: Roboreel, here: Path
) -> None:
    _made(here / "a", TOP, WRIST)
    _made(here / "b", TOP)
    lines = _lines(roboreel("edit", "x.view.json", "from", "a", "b").err)
    assert lines == [
        f"roboreel merge a b -o a_merged --features common --allow-missing {WRIST}",
    ]
    assert _all_work(roboreel, lines)
    _made(here / "slow", TOP, fps=15)
    lines = _lines(roboreel("edit", "x.view.json", "from", "b", "slow").err)
    assert lines == [
        "roboreel resample slow --fps 30 -o slow_resampled",
        "roboreel merge b slow -o b_merged --fps 30",
    ]
    assert not (here / "x.view.json").exists()


def test_other_sizes_are_part_of_the_line(roboreel: Roboreel, here: Path) -> None:
    _made(here / "a", TOP, height=32)
    _made(here / "b", TOP, WRIST, height=64)
    told = roboreel("merge", "a", "b", "-o", "c").err
    assert f"  - '{TOP}': frames of 160x32 and 160x64\n" in told
    assert f"--allow-missing {WRIST} and --resize 160x32 (leaves out {WRIST})\n" in told
    (line,) = _lines(told)
    assert line.endswith(f"--features common --allow-missing {WRIST} --resize 160x32")
    assert _all_work(roboreel, [line])


def test_a_camera_without_any_video_is_left_out_too(roboreel: Roboreel, here: Path) -> None:
    _made(here / "a", TOP, WRIST)
    shutil.rmtree(here / "a" / "videos" / WRIST)
    _made(here / "b", TOP)
    roboreel("features", "b", "--remove", "next.reward", "-o", "c")
    lines = _lines(roboreel("merge", "a", "c", "-o", "d").err)
    assert [line.split("-o d ")[1] for line in lines] == [
        f"--features pad --allow-missing {WRIST}",
        f"--features common --allow-missing {WRIST}",
    ]
    assert _all_work(roboreel, lines)


def test_a_dataset_whose_videos_are_all_missing_is_repaired_first(
    roboreel: Roboreel, here: Path
) -> None:
    _made(here / "a", TOP)
    _made(here / "b", TOP)
    shutil.rmtree(here / "a" / "videos")
    lines = _lines(roboreel("merge", "a", "b", "-o", "c").err)
    assert lines == ["roboreel repair a --drop-missing-cameras -o a_repaired"]
    assert roboreel(*shlex.split(lines[0])[1:]).code == 0
    assert _all_work(roboreel, _lines(roboreel("merge", "a_repaired", "b", "-o", "c").err))


def test_all_datasets_that_cannot_be_opened_are_named_at_once(
    roboreel: Roboreel, here: Path
) -> None:
    for name in ("a", "b", "c"):
        _made(here / name)
    for name in ("b", "c"):
        (here / name / "meta/info.json").write_text('{"fps": 30', encoding="utf-8")
    done = roboreel("merge", "a", "b", "gone", "c", "-o", "d")
    assert done.code == 1
    assert done.err.startswith("error: 3 of 4 datasets cannot be opened\n'b': ")
    assert "\n'gone': no such folder\n'c': " in done.err
    assert _lines(done.err) == ["roboreel check b c"]
    found = json.loads(roboreel("merge", "b", "a", "c", "-o", "d", "--json").out)["problems"]
    assert [problem["dataset"] for problem in found] == ["b", "c"]
    assert _lines(roboreel("merge", "a", "b", "-o", "d").err) == ["roboreel check b"]


def test_the_version_of_several_is_said(roboreel: Roboreel, here: Path) -> None:
    _made(here / "a")
    roboreel("convert", "a", "--to", "v2.1", "-o", "b")
    told = roboreel("merge", "b", "a", "-o", "c").err
    assert told == "note: of v2.1, v3.0, v2.1 is written, the first one's: or give --to\n"
    assert roboreel("merge", "b", "a", "--to", "v3.0", "-o", "d").err == ""
    assert roboreel("merge", "b", "a", "-o", "e", "--quiet").err == ""
    _made(here / "slow", fps=15)
    assert "note" not in roboreel("merge", "b", "a", "slow", "-o", "f").err
