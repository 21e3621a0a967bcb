"""What an earlier run left: used, refused or removed, as the user says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.plan.plan import MeasureCamera, Op
from roboreel.runner.plan_progress import op_frames
from roboreel.storage import disk
from roboreel.storage.staging.staging import staging_location
from roboreel.testing import Camera, make_dataset
from tests.crash.victim import Count, fill_disk, moments
from tests.oracle import tree_digest

OPTIONS: dict[str, Any] = {"to": "v3.0", "data_file_mb": 0.002, "video_file_mb": 0.002}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cameras = {"top": Camera(height=32), "wrist": Camera(height=32)}
    folder = tmp_path_factory.mktemp("made") / "set"
    return make_dataset(folder, version="v2.0", episodes=(5, 1, 4), cameras=cameras)


@pytest.fixture(scope="module")
def last_file(made: Path) -> int:
    """The moment before an undisturbed run, whose result is beside `made`, creates its last file."""
    out = made.parent / "undisturbed"
    stops = moments(lambda: roboreel.convert(made, out=out, **OPTIONS))
    return max(at for at, (when, name, _) in stops.items() if (when, name) == ("before", "create"))


@pytest.fixture(scope="module")
def undisturbed(made: Path, last_file: int) -> object:
    return tree_digest(made.parent / "undisturbed")


@pytest.fixture
def source(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "set"))


@pytest.fixture
def left(source: Path, tmp_path: Path, last_file: int) -> Path:
    """A run that stopped for want of space in its last file of all; returns the staging folder."""
    out = tmp_path / "out"
    with disk.faults(Count(at=last_file, act=fill_disk)), pytest.raises(roboreel.RunError):
        roboreel.convert(source, out=out, **OPTIONS)
    return staging_location(out)


def _ops(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text("utf-8").splitlines()]
    return [line for line in lines if "op" in line]


def test_all_that_is_done_is_used(
    source: Path, tmp_path: Path, left: Path, undisturbed: object
) -> None:
    done = len(_ops(left))
    report = roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)
    plan = roboreel.plan_convert(source, out=tmp_path / "other", **OPTIONS)
    assert report.resumed == done == len(plan.ops)
    assert tree_digest(tmp_path / "out") == undisturbed
    assert not left.exists()


def test_it_is_told_what_is_done_before_anything_else_is(
    source: Path, tmp_path: Path, left: Path
) -> None:
    (left / "ledger.jsonl").write_bytes(
        b"".join((left / "ledger.jsonl").read_bytes().splitlines(keepends=True)[:4])
    )
    done = [line["op"] for line in _ops(left)]
    plan = roboreel.plan_convert(source, out=tmp_path / "out", **OPTIONS)
    told: list[roboreel.ProgressEvent] = []
    roboreel.run(plan, leftovers="resume", progress=told.append)
    left_over = [
        sum(frames)
        for number, (op, frames) in enumerate(zip(plan.ops, op_frames(plan), strict=True))
        if number not in done and isinstance(op, MeasureCamera)
    ]
    measuring = [event for event in told if event.phase.startswith("measuring")]
    totals = {event.phase: event.total for event in measuring}
    assert done
    assert sum(totals.values()) == sum(left_over) > 0
    assert measuring[-1].fraction == 1.0


def test_finished_files_are_not_written_again(source: Path, tmp_path: Path, left: Path) -> None:
    stamps = {p.name: p.stat().st_mtime_ns for p in left.rglob("*.mp4")}
    assert stamps
    roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)
    assert {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.mp4")} == stamps


def test_without_a_word_nothing_is_touched(source: Path, tmp_path: Path, left: Path) -> None:
    before = tree_digest(left)
    with pytest.raises(
        roboreel.UsageError, match=r"interrupted run left its finished part.*resume.*clean"
    ):
        roboreel.convert(source, out=tmp_path / "out", **OPTIONS)
    assert tree_digest(left) == before


def test_clean_starts_over(source: Path, tmp_path: Path, left: Path, undisturbed: object) -> None:
    report = roboreel.convert(source, out=tmp_path / "out", leftovers="clean", **OPTIONS)
    assert report.resumed == 0
    assert tree_digest(tmp_path / "out") == undisturbed
    assert not left.exists()


def test_another_plan_is_not_mixed_in(source: Path, tmp_path: Path, left: Path) -> None:
    before = tree_digest(left)
    with pytest.raises(roboreel.UsageError, match="the remains of a different run"):
        roboreel.convert(source, to="v3.0", out=tmp_path / "out", leftovers="resume")
    assert tree_digest(left) == before


def test_documents_that_changed_make_another_plan(source: Path, tmp_path: Path, left: Path) -> None:
    path = source / "meta" / "stats.json"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(roboreel.UsageError, match="the remains of a different run"):
        roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)


@pytest.mark.sample(1)
@pytest.mark.parametrize("kind", ["data", "videos"])
def test_a_file_that_changed_costs_the_ops_that_read_it(
    source: Path, tmp_path: Path, left: Path, undisturbed: object, kind: str
) -> None:
    (path, *_) = sorted((source / kind).rglob("*episode_000002.*"))
    path.write_bytes(path.read_bytes())
    plan = roboreel.plan_convert(source, out=tmp_path / "other", **OPTIONS)
    reading = [op for op in plan.ops if _reads(op, camera=path.parent.name, episode=2)]
    assert 0 < len(reading) < 4
    report = roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)
    assert report.resumed == len(plan.ops) - len(reading)
    assert tree_digest(tmp_path / "out") == undisturbed


def _reads(op: Op, *, camera: str, episode: int) -> bool:
    """Whether an op reads the table (of no camera) or the video of an episode of v2.x."""
    episodes = getattr(op, "episodes", range(0))
    own = getattr(op, "camera", "chunk-000")
    return own == camera and episodes.start <= episode < episodes.stop


def _shorten(folder: Path) -> None:
    path = next(folder.rglob("*.mp4"))
    path.write_bytes(path.read_bytes()[:-1])


def _touch(folder: Path) -> None:
    path = next(folder.rglob("*.mp4"))
    path.write_bytes(b"x" * path.stat().st_size)


def _remove(folder: Path) -> None:
    next(folder.rglob("*.mp4")).unlink()


def _add(folder: Path) -> None:
    (folder / "dataset" / "videos" / "stray.mp4.partial").write_bytes(b"x")


def _tear(folder: Path) -> None:
    ledger = folder / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])


def _garble(folder: Path) -> None:
    ledger = folder / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join([*lines[:2], b"{garbage}\n", *lines[2:]]))


@pytest.mark.sample(2)
@pytest.mark.parametrize("damage", [_shorten, _touch, _remove, _add, _tear, _garble])
def test_what_was_damaged_since_is_done_again(
    source: Path,
    tmp_path: Path,
    left: Path,
    undisturbed: object,
    damage: Callable[[Path], None],
) -> None:
    damage(left)
    roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)
    assert tree_digest(tmp_path / "out") == undisturbed


def test_after_a_restart_only_what_was_forced_to_the_disk_counts(
    source: Path,
    tmp_path: Path,
    left: Path,
    undisturbed: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = left / "ledger.jsonl"
    head, *lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join([head, *lines[:2], b'{"synced": 2}\n', *lines[2:]]))
    monkeypatch.setattr("roboreel.runner.ledger.boot", lambda: "another")
    report = roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)
    assert report.resumed == 2
    assert tree_digest(tmp_path / "out") == undisturbed


def test_long_runs_force_what_is_done_to_the_disk(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roboreel.runner.ledger._SYNC_EVERY_S", 0.0)
    seen: list[str] = []
    with disk.faults(lambda when, name, path: seen.append(name) if when == "after" else None):
        roboreel.convert(source, out=tmp_path / "out", **OPTIONS)
    assert seen.count("sync") > 3


def test_nothing_to_resume_is_a_fresh_run(
    source: Path, tmp_path: Path, undisturbed: object
) -> None:
    report = roboreel.convert(source, out=tmp_path / "out", leftovers="resume", **OPTIONS)
    assert report.resumed == 0
    assert tree_digest(tmp_path / "out") == undisturbed


def _beside(source: Path) -> None:
    (source / "raw").mkdir()
    (source / "raw" / "log.bag").write_text("mine")


def _hidden(source: Path) -> None:
    (source / ".git").mkdir()
    (source / ".git" / "HEAD").write_text("mine")


def _linked(source: Path) -> None:
    (source / "README.md").symlink_to(Path(__file__))


def _broken(source: Path) -> None:
    video = next((source / "videos").rglob("episode_000001.mp4"))
    video.write_bytes(video.read_bytes()[:-9])


def _without_camera(source: Path) -> None:
    for video in (source / "videos").rglob("top/*.mp4"):
        video.unlink()


@pytest.mark.sample(2)
@pytest.mark.parametrize("change", [_beside, _hidden, _linked, _broken, _without_camera])
def test_an_original_that_holds_more_is_not_discarded(
    source: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    change(source)
    before = tree_digest(source)
    options: dict[str, Any] = {"to": "v3.0", "on_broken": "skip", "allow_missing": ["top"]}
    with pytest.raises(roboreel.UsageError, match="would be lost"):
        roboreel.convert(source, in_place=True, discard_original=True, **options)
    assert tree_digest(source) == before
    assert not staging_location(source).exists()
    report = roboreel.convert(source, in_place=True, **options)
    assert tree_digest(tmp_path / str(report.kept)) == before


def test_documents_that_changed_since_planning_are_refused(source: Path, tmp_path: Path) -> None:
    plan = roboreel.plan_convert(source, out=tmp_path / "out", **OPTIONS)
    tasks = source / "meta" / "tasks.jsonl"
    tasks.write_text(tasks.read_text("utf-8").replace("cube", "ball") + "\n", "utf-8")
    with pytest.raises(roboreel.RunError, match="since the plan was made"):
        roboreel.run(plan)
    assert not (tmp_path / "out").exists()
