"""A conversion killed at any moment: the source is as it was, the result whole or absent, resume exact."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import roboreel
from roboreel.storage.disk import faults
from roboreel.storage.staging.staging import staging_location
from roboreel.testing import Camera, make_dataset
from roboreel.testing.make_dataset import Version
from tests.crash.sweep import Share, swept
from tests.crash.victim import killed_after, killed_at, moments
from tests.oracle import tree_digest

CAMERAS = {"top": Camera(height=32), "wrist": Camera(height=32)}
LIMITS = {"data_file_mb": 0.002, "video_file_mb": 0.002}
WAYS: list[tuple[Version, Version]] = [("v2.1", "v3.0"), ("v3.0", "v2.1")]
RANDOM_KILLS = 10
"""In each test."""


def _made(folder: Path, version: Version) -> Path:
    source = make_dataset(folder / "set", version=version, episodes=(5, 1, 4), cameras=CAMERAS)
    (source / "README.md").write_text("travels along")
    return source


def _ids(way: tuple[Version, Version]) -> str:
    return "-".join(way)


@swept(few=3, parts=6)
@pytest.mark.parametrize("way", WAYS, ids=_ids)
def test_killed_before_or_after_any_operation(
    tmp_path: Path, way: tuple[Version, Version], share: Share
) -> None:
    source = _made(tmp_path, way[0])
    out = tmp_path / "out"
    options: dict[str, Any] = {"to": way[1], "out": out, **LIMITS}
    stops = moments(lambda: roboreel.convert(source, **options))
    assert {name for _, name, _ in stops.values()} >= {"create", "write", "append", "replace"}
    whole, undisturbed = tree_digest(source), tree_digest(out)
    for at, moment in share(stops).items():
        shutil.rmtree(out)
        assert killed_at(at, source, options) == -9, moment
        assert tree_digest(source) == whole, moment
        _finish(source, options, undisturbed, moment)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "set"], moment


def _finish(source: Path, options: dict[str, Any], undisturbed: object, moment: object) -> None:
    """The result is there and whole already, or it is absent and resume makes it."""
    out = options["out"]
    if not out.exists() or staging_location(out).exists():
        report = roboreel.convert(source, leftovers="resume", **options)
        assert report.frames == roboreel.open(out).total_frames, moment
    roboreel.recover(out)  # clears up behind a run that was killed at the very last
    assert tree_digest(out) == undisturbed, moment


@swept(few=3, parts=6)
def test_killed_in_place_before_or_after_any_operation(tmp_path: Path, share: Share) -> None:
    original = _made(tmp_path / "original", "v2.1")
    source = tmp_path / "work" / "set"
    options: dict[str, Any] = {"to": "v3.0", "in_place": True, **LIMITS}
    shutil.copytree(original, source)
    stops = moments(lambda: roboreel.convert(source, **options))
    whole, undisturbed = tree_digest(original), tree_digest(source)
    for at, moment in share(stops).items():
        shutil.rmtree(source.parent)
        shutil.copytree(original, source)
        assert killed_at(at, source, options) == -9, moment
        copies = [p for p in source.parent.glob("set*") if tree_digest(p) == whole]
        assert copies, f"the original is gone at {moment}"
        done = source.exists() and tree_digest(source) == undisturbed
        if not done or staging_location(source).exists():
            report = roboreel.convert(source, leftovers="resume", **options)
            assert report.version == "v3.0"
        roboreel.recover(source)
        assert tree_digest(source) == undisturbed, moment
        (kept,) = source.parent.glob("set.before-*")
        assert tree_digest(kept) == whole, moment
        assert sorted(p.name for p in source.parent.iterdir()) == ["set", kept.name], moment


@pytest.mark.slow
def test_a_killed_replacement_is_told_by_what_reads_and_finished_by_recover(tmp_path: Path) -> None:
    original = _made(tmp_path / "original", "v2.1")
    source = tmp_path / "work" / "set"
    options: dict[str, Any] = {"to": "v3.0", "in_place": True, "discard_original": True}
    shutil.copytree(original, source)
    stops = moments(lambda: roboreel.convert(source, **options))
    undisturbed = tree_digest(source)
    told = 0
    begun = min(at for at, (_, _, path) in stops.items() if "swap.json" in path)
    for at, moment in stops.items():
        if at < begun:  # the other test has these
            continue
        shutil.rmtree(source.parent)
        shutil.copytree(original, source)
        assert killed_at(at, source, options) == -9, moment
        left = tree_digest(source.parent)
        if source.exists():
            assert roboreel.check(source).ok, moment
        else:
            told += 1
            for read in (roboreel.open, roboreel.check, lambda path: roboreel.diff(path, path)):
                with pytest.raises(roboreel.StorageError, match=r"set\.before-.*leftovers="):
                    read(source)
        assert tree_digest(source.parent) == left, moment
        report = roboreel.recover(source)
        assert source.exists(), moment
        done = roboreel.open(source).version.value == "v3.0"
        assert tree_digest(source) == (undisturbed if done else tree_digest(original)), moment
        assert report is None or report.version == "v3.0", moment
    assert told, "no moment had the dataset away from its place"


@swept(few=2, parts=2)
def test_a_killed_discarding_run_is_resumed_and_not_repeated(tmp_path: Path, share: Share) -> None:
    original = _made(tmp_path / "original", "v2.1")
    source = tmp_path / "work" / "set"
    options: dict[str, Any] = {"to": "v3.0", "in_place": True, "discard_original": True, **LIMITS}
    shutil.copytree(original, source)
    stops = moments(lambda: roboreel.convert(source, **options))
    undisturbed = tree_digest(source)
    begun = min(at for at, (_, _, path) in stops.items() if "swap.json" in path)
    replacing = {at: moment for at, moment in stops.items() if at >= begun}
    for at, moment in share(replacing).items():
        shutil.rmtree(source.parent)
        shutil.copytree(original, source)
        assert killed_at(at, source, options) == -9, moment
        if staging_location(source).exists():
            roboreel.convert(source, leftovers="resume", **options)
        roboreel.recover(source)
        assert tree_digest(source) == undisturbed, moment
        rest = {path.name for path in source.parent.iterdir()} - {"set"}
        assert len(rest) < 2, moment
        assert all(name.startswith("set.before-") for name in rest), moment


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_between_the_renames_passes(tmp_path: Path, number: signal.Signals) -> None:
    source = _made(tmp_path, "v2.1")

    def stop(when: str, name: str, path: str) -> None:
        if (when, name) == ("before", "replace") and path == str(source):
            os.kill(os.getpid(), number)

    def leave(_number: int, _frame: object) -> None:
        raise SystemExit

    before = signal.signal(number, leave)
    try:
        with faults(stop):
            report = roboreel.convert(source, to="v3.0", in_place=True)
        assert signal.getsignal(number) is leave
    finally:
        signal.signal(number, before)
    assert roboreel.open(source).version.value == "v3.0"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["set", report.kept]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("executor", ["serial", "process"])
def test_killed_at_random_moments(tmp_path: Path, executor: str, seed: int) -> None:
    source = _made(tmp_path, "v2.0")
    out = tmp_path / "out"
    options: dict[str, Any] = {"to": "v3.0", "out": out, "executor": executor, **LIMITS}
    options["workers"] = 2 if executor == "process" else 1
    begun = time.monotonic()
    roboreel.convert(source, **options)
    duration = time.monotonic() - begun
    whole, undisturbed = tree_digest(source), tree_digest(out)
    shutil.rmtree(out)
    draw = random.Random(seed)
    kills, tries = 0, 0
    while kills < RANDOM_KILLS:
        tries += 1
        assert tries < 20 * RANDOM_KILLS, "it ends before it can be killed"
        seconds = draw.random() * duration
        killed = killed_after(seconds, source, options | {"leftovers": "resume"}) == -9
        duration *= 1.05 if killed else 0.9  # as long as a run takes, however busy the machine
        kills += killed
        assert tree_digest(source) == whole
        if tries % 3 == 2 or out.exists():  # else the next kill meets what this one left
            _finish(source, options, undisturbed, seconds)
            assert roboreel.diff(source, out).same
            shutil.rmtree(out)
