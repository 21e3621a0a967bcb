"""`roboreel cache`: frames are decoded ahead, counted and removed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from roboreel.testing import Camera, make_dataset
from tests.command import run_here


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    cameras = {"top": Camera(height=32), "wrist": Camera(height=32)}
    root = make_dataset(folder / "a", version="v2.1", episodes=(5, 4), cameras=cameras)
    for video in root.rglob("*.mp4"):
        os.utime(video, (1e9, 1e9))
    return root


def test_build_info_and_clear(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    build = ("cache", "build", dataset, "--size", 16, 80, "--dir", folder)
    first = run_here(*build)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == f"18 of 18 frames in '{folder}'\n"
    found = json.loads(run_here(*build, "--json").stdout)
    assert found == {"frames": 18, "cached": 18, "decoded": 0}
    (folder / "notes.txt").write_text("mine")
    told = json.loads(run_here("cache", "info", "--dir", folder, "--json").stdout)
    assert (told["frames"], told["videos"]) == (18, 4)
    assert told["size_bytes"] > 18 * 16 * 80 * 3
    assert "18 frames of 4 videos" in run_here("cache", "info", "--dir", folder).stdout
    assert "8 files removed" in run_here("cache", "clear", "--dir", folder).stdout
    assert {path.name for path in folder.iterdir()} == {"notes.txt", ".roboreel-cache"}
    told = json.loads(run_here("cache", "info", "--dir", folder, "--json").stdout)
    assert (told["frames"], told["videos"], told["size_bytes"]) == (0, 0, 0)


def test_a_camera_and_a_limit_can_be_chosen(dataset: Path, tmp_path: Path) -> None:
    build = ("cache", "build", dataset, "--size", 16, 80, "--dir", tmp_path, "--json")
    assert json.loads(run_here(*build, "--camera", "top").stdout)["frames"] == 9
    unknown = run_here(*build, "--camera", "side")
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("error: unknown camera 'side': expected one of 'top', 'wrist'")


def test_what_does_not_fit_is_an_error(tmp_path: Path) -> None:
    cameras = {"top": Camera()}
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(30,), cameras=cameras)
    for video in root.rglob("*.mp4"):
        os.utime(video, (1e9, 1e9))
    done = run_here("cache", "build", root, "--dir", tmp_path / "c", "--limit-mb", 1)
    assert done.returncode == 1
    assert " of 30 frames in " in done.stdout


@pytest.mark.parametrize("command", ["info", "clear"])
def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, command: str) -> None:
    done = run_here("cache", command, "--dir", tmp_path / "none")
    assert done.returncode == 2
    told = "is not a folder: give the folder that `roboreel cache build --dir` wrote"
    assert done.stderr == f"error: '{tmp_path / 'none'}' {told}\n"
