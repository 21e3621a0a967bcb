"""A disk that fills up at any moment: one clear error, the source as it was, resume exact."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.storage import disk
from roboreel.testing import Camera, make_dataset
from tests.crash.sweep import Share, swept
from tests.crash.victim import Count, fill_disk, moments
from tests.oracle import tree_digest

GROWING = {"create", "write", "append", "make_folders"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    cameras = {"top": Camera(height=32)}
    return make_dataset(tmp_path / "set", version="v2.1", episodes=(5, 1, 4), cameras=cameras)


@swept(few=4, parts=3)
def test_full_at_any_moment(source: Path, tmp_path: Path, share: Share) -> None:
    out = tmp_path / "out"
    options: dict[str, Any] = {"to": "v3.0", "out": out, "video_file_mb": 0.002}
    stops = moments(lambda: roboreel.convert(source, **options))
    undisturbed, whole = tree_digest(out), tree_digest(source)
    shutil.rmtree(out)
    growing = {
        at: moment for at, moment in stops.items() if moment[0] == "before" and moment[1] in GROWING
    }
    assert len(growing) > 20
    for at, moment in share(growing).items():
        with (
            disk.faults(Count(at=at, act=fill_disk)),
            pytest.raises((roboreel.RunError, roboreel.StorageError), match="No space left"),
        ):
            roboreel.convert(source, **options)
        assert not out.exists(), moment
        assert tree_digest(source) == whole, moment
        roboreel.convert(source, leftovers="resume", **options)
        assert tree_digest(out) == undisturbed, moment
        shutil.rmtree(out)


def test_what_cannot_fit_is_not_begun(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roboreel.runner.requirements.free_bytes", lambda _folder: 1 << 10)
    with pytest.raises(roboreel.RunError, match=r"0\.0 MiB free, the result needs about"):
        roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_full_disk_ends_the_run_at_once(source: Path, tmp_path: Path) -> None:
    for at in range(4):
        (source / f"NOTES{at}.md").write_text("travels along")
    tried: list[str] = []

    def full(when: str, name: str, path: str) -> None:
        if (when, name) == ("before", "create") and ".md" in path:
            tried.append(path)
            fill_disk()

    with (
        disk.faults(full),
        pytest.raises(roboreel.RunError, match=r"copying the file 'NOTES0\.md'"),
    ):
        roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert len(tried) == 1


def test_files_that_travel_along_need_room_too(source: Path, tmp_path: Path) -> None:
    with (source / "README.md").open("wb") as file:
        file.truncate(2 * disk.free_bytes(tmp_path))  # a hole: it takes nothing here
    with pytest.raises(roboreel.RunError, match="MiB free, the result needs about"):
        roboreel.convert(source, to="v3.0", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
