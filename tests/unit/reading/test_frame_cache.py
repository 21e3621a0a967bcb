"""Frames from the cache are those that decoding gives, whatever happens while it is filled."""

from __future__ import annotations

import logging
import os
import pickle
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roboreel
from roboreel.reading import frame_cache
from roboreel.reading.build_cache import build_cache
from roboreel.reading.cache_folder import CacheFolder
from roboreel.reading.frame_file import (
    FrameFile,
    FrameLayout,
    checksum,
    make_frame_file,
    store_frames,
)
from roboreel.storage.local import LocalRoot
from roboreel.testing import Camera, make_dataset
from roboreel.testing.make_dataset import Version
from tests.forked import FORKED
from tests.unit.reading.cache_victim import (
    SIZE,
    cached,
    fill,
    fill_for,
    fill_until_operation,
    fill_until_write,
    run,
)

TOP, WRIST = "observation.images.top", "observation.images.wrist"
CAMERAS = {TOP: Camera(height=32, gop=2), WRIST: Camera(height=32, gop=30, b_frames=2)}
LENGTHS = (9, 1, 14, 6)
FRAMES = 2 * sum(LENGTHS)


def aged(root: Path, seconds: float = 100) -> Path:
    """The dataset, with videos that were written some time ago."""
    for video in root.rglob("*.mp4"):
        before = video.stat().st_mtime - seconds
        os.utime(video, (before, before))
    return root


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Version], Path]:
    folder = tmp_path_factory.mktemp("cached")
    known: dict[str, Path] = {}

    def make(version: Version) -> Path:
        if version not in known:
            files = {"video_episodes_per_file": 3} if version == "v3.0" else {}
            known[version] = aged(
                make_dataset(
                    folder / version,
                    version=version,
                    episodes=LENGTHS,
                    cameras=CAMERAS,
                    **files,  # type: ignore[arg-type]
                )
            )
        return known[version]

    return make


@pytest.fixture(scope="module")
def dataset(made: Callable[[Version], Path]) -> Path:
    return made("v3.0")


def expected(dataset: Path) -> dict[str, Any]:
    return roboreel.reader(roboreel.open(dataset), columns=[], size=SIZE)[:]


def assert_right(dataset: Path, cache: Path) -> int:
    """All frames are right; returns how many were in the cache."""
    truth, reader = expected(dataset), cached(dataset, cache)
    for _ in range(2):
        found = reader[:]
        for camera in CAMERAS:
            assert np.array_equal(found[camera], truth[camera])
    return FRAMES - reader.cache_counts[1]


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def forbid() -> None:
        def refuse(*_args: object) -> None:
            raise AssertionError("a video file was opened")

        whole = LocalRoot.input

        def input(self: LocalRoot, name: str) -> Any:
            return refuse() if name.endswith(".mp4") else whole(self, name)

        monkeypatch.setattr(LocalRoot, "input", input)

    return forbid


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_frames_from_the_cache_equal_decoded_ones_and_open_no_video(
    made: Callable[[Version], Path],
    version: Version,
    tmp_path: Path,
    no_decoding: Callable[[], None],
) -> None:
    offsets = {TOP: [-3, 0, 2], WRIST: [0, 1]}
    dataset = roboreel.open(made(version))
    items = np.random.default_rng(1).permutation(sum(LENGTHS)).tolist()
    plain = roboreel.reader(dataset, offsets=offsets, size=(16, 80))[:]
    cold = roboreel.reader(dataset, offsets=offsets, size=(16, 80), frame_cache=tmp_path / "c")
    first = cold.batch(items)
    no_decoding()
    warm = roboreel.reader(dataset, offsets=offsets, size=(16, 80), frame_cache=tmp_path / "c")
    for batch in (first, warm.batch(items), pickle.loads(pickle.dumps(warm)).batch(items)):
        assert batch.keys() == plain.keys()
        for name, values in batch.items():
            assert np.array_equal(np.asarray(values), np.asarray(plain[name])[items])
    assert warm.cache_counts[1] == 0


def test_sizes_do_not_mix(dataset: Path, tmp_path: Path) -> None:
    opened = roboreel.open(dataset)
    for size in (None, (16, 80), (20, 80), None, (16, 80)):
        found = roboreel.reader(opened, size=size, frame_cache=tmp_path)[3:9]
        assert np.array_equal(found[TOP], roboreel.reader(opened, size=size)[3:9][TOP])


def test_a_copied_dataset_and_a_view_take_the_same_frames(dataset: Path, tmp_path: Path) -> None:
    fill(dataset, tmp_path / "cache")
    copy = shutil.copytree(dataset, tmp_path / "copy")
    assert assert_right(Path(copy), tmp_path / "cache") == FRAMES
    view = roboreel.open(dataset).delete([0]).trim({1: (3, 9)})
    reader = roboreel.reader(view, size=SIZE, columns=[], frame_cache=tmp_path / "cache")
    assert np.array_equal(reader[:][TOP], roboreel.reader(view, size=SIZE)[:][TOP])
    assert reader.cache_counts[1] == 0


def test_a_changed_video_is_decoded_again(tmp_path: Path) -> None:
    cameras = {TOP: Camera(height=32, gop=2)}
    root = aged(make_dataset(tmp_path / "a", version="v2.1", episodes=(8, 8), cameras=cameras))
    cache = tmp_path / "cache"
    before = cached(root, cache)[:]
    one, two = sorted(root.rglob("*.mp4"))
    stamp = one.stat().st_mtime_ns
    shutil.copyfile(two, one)
    for changed in (stamp, stamp + 5_000_000_000):  # also where the stamp is put back
        os.utime(one, ns=(changed, changed))
        found = cached(root, cache)[:]
        assert np.array_equal(found[TOP][:8], before[TOP][8:])
        assert np.array_equal(found[TOP], expected(root)[TOP])


def test_frames_of_a_video_that_was_just_written_are_not_kept(tmp_path: Path) -> None:
    cameras = {TOP: Camera(height=32, gop=2)}
    root = make_dataset(tmp_path / "a", version="v2.1", episodes=(8,), cameras=cameras)
    for video in root.rglob("*.mp4"):
        os.utime(video)
    reader = cached(root, tmp_path / "cache")
    reader[:]
    assert reader.cache_counts == (0, 0)


def test_frames_of_a_video_that_changes_while_it_is_decoded_are_not_kept(tmp_path: Path) -> None:
    cameras = {TOP: Camera(height=32, gop=2)}
    root = aged(make_dataset(tmp_path / "a", version="v2.1", episodes=(8,), cameras=cameras))
    reader = cached(root, tmp_path / "cache")
    reader.batch([0])
    aged(root)
    reader.batch([1, 2])
    assert reader.cache_counts == (0, 1)


def test_processes_that_fill_at_the_same_time_leave_right_frames(
    dataset: Path, tmp_path: Path
) -> None:
    fillers = [FORKED.Process(target=fill, args=(dataset, tmp_path / "c", n)) for n in range(3)]
    for filler in fillers:
        filler.start()
    for filler in fillers:
        filler.join(60)
        assert filler.exitcode == 0
    assert assert_right(dataset, tmp_path / "c") == FRAMES


@pytest.mark.parametrize("written", [0, 1, 2, 35, 80])
def test_a_kill_in_a_write_of_pixels_or_checksum_loses_only_that_frame(
    dataset: Path, tmp_path: Path, written: int
) -> None:
    assert run(fill_until_write, dataset, tmp_path / "cache", written) == -9
    assert assert_right(dataset, tmp_path / "cache") == written // 2


@pytest.mark.parametrize("at", range(0, 36, 5))
def test_a_kill_at_any_change_of_the_disk_leaves_no_wrong_frame(
    dataset: Path, tmp_path: Path, at: int
) -> None:
    assert run(fill_until_operation, dataset, tmp_path / "cache", at) == -9
    assert_right(dataset, tmp_path / "cache")


@pytest.mark.slow
def test_kills_at_random_moments_leave_no_wrong_frame(dataset: Path, tmp_path: Path) -> None:
    random.seed(5)
    for _ in range(4):
        process = FORKED.Process(target=fill_for, args=(dataset, tmp_path / "cache", 60))
        process.start()
        time.sleep(random.uniform(0.05, 0.5))
        process.kill()
        process.join()
        assert_right(dataset, tmp_path / "cache")


def test_a_frame_with_a_page_that_never_reached_the_disk_is_decoded_again(
    dataset: Path, tmp_path: Path
) -> None:
    fill(dataset, tmp_path)
    for file in tmp_path.glob("*.frames"):
        layout = FrameFile(LocalRoot(tmp_path), file.name).layout
        with file.open("r+b") as damaged:
            damaged.seek(layout.slot(3) + 4096)
            damaged.write(bytes(4096))
    assert_right(dataset, tmp_path)


@pytest.mark.parametrize("damage", [b"", b"x", b"\n" * 5000, None])
def test_damaged_files_are_made_again(dataset: Path, tmp_path: Path, damage: bytes | None) -> None:
    fill(dataset, tmp_path)
    for file in [*tmp_path.glob("*.frames"), *tmp_path.glob("*.index")]:
        file.write_bytes(file.read_bytes()[:-1] if damage is None else damage)
    assert_right(dataset, tmp_path)


def test_a_checksum_changes_with_any_part_that_is_missing() -> None:
    pixels = np.random.default_rng(0).integers(1, 255, (33, 31, 3), np.uint8)
    whole = checksum(pixels, 4)
    assert whole != checksum(pixels, 5)
    for start in range(0, pixels.size, 100):
        torn = pixels.copy()
        torn.reshape(-1)[start : start + 100] = 0
        assert checksum(torn, 4) != whole
    assert checksum(np.zeros((4, 4, 3), np.uint8), 0) > 0


def test_an_image_file_that_is_removed_stays_readable(tmp_path: Path) -> None:
    folder, layout = LocalRoot(tmp_path), FrameLayout(5, (2, 3, 3), "|u1")
    make_frame_file(folder, "a", layout)
    file, out = FrameFile(folder, "a"), np.zeros((2, 3, 3), np.uint8)
    assert not file.copy(2, out)
    store_frames(folder, "a", layout, [(2, np.full((2, 3, 3), 7, np.uint8))])
    (tmp_path / "a").unlink()
    assert file.copy(2, out)
    assert (out == 7).all()
    assert not file.copy(5, out)


def test_the_limit_is_kept_and_what_fits_stays(dataset: Path, tmp_path: Path) -> None:
    limit = 24 * 16384
    reader = cached(dataset, tmp_path, frame_cache_mb=limit / (1 << 20))
    for item in range(len(reader)):
        reader[item]
    used = sum(file.allocated_bytes for file in CacheFolder(str(tmp_path), None, 0).files())
    assert limit / 3 < used <= limit
    stored = reader.cache_counts[1]
    for item in range(len(reader)):
        reader[item]
    assert reader.cache_counts == (stored, stored)


def test_files_that_were_not_used_for_longest_make_room(tmp_path: Path) -> None:
    cameras = {TOP: Camera(height=32, gop=2)}
    old, new = (
        aged(make_dataset(tmp_path / name, version="v3.0", episodes=(n,), cameras=cameras))
        for name, n in (("old", 10), ("new", 11))
    )
    cache = tmp_path / "cache"
    limit = {"frame_cache_mb": 18 * 16384 / (1 << 20)}
    first = cached(old, cache, **limit)
    first[:]
    second = cached(new, cache, **limit)
    found = second[:]
    assert np.array_equal(found[TOP], expected(new)[TOP])
    assert second.cache_counts == (0, 11)
    assert np.array_equal(first[:][TOP], expected(old)[TOP])  # mapped, though it was removed
    assert first.cache_counts == (10, 10)
    assert cached(old, cache, **limit)[:].keys() == {TOP}


def test_a_cache_that_cannot_be_written_is_said_once_and_reading_goes_on(
    dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(frame_cache, "hold", refuse)
    with caplog.at_level(logging.WARNING):
        reader = cached(dataset, tmp_path / "cache")
        assert np.array_equal(reader[:][TOP], expected(dataset)[TOP])
        reader[:]
    assert [r.getMessage() for r in caplog.records] == [
        "no frames are added to the frame cache: [Errno 13] Permission denied"
    ]


def test_a_file_as_folder_of_the_cache_is_refused(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(roboreel.UsageError, match=r"file' is a file: expected a folder"):
        cached(dataset, tmp_path / "file")
    with pytest.raises(roboreel.UsageError, match="frame_cache_mb is 0"):
        cached(dataset, tmp_path, frame_cache_mb=0)


def test_a_built_cache_has_all_frames(dataset: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    built = build_cache(
        roboreel.open(dataset), tmp_path, size=SIZE, progress=lambda *step: steps.append(step)
    )
    assert (built.frames, built.cached, built.decoded) == (FRAMES, FRAMES, FRAMES)
    assert steps[-1] == (FRAMES, FRAMES)
    again = build_cache(roboreel.open(dataset), tmp_path, size=SIZE)
    assert (again.frames, again.cached, again.decoded) == (FRAMES, FRAMES, 0)
    assert assert_right(dataset, tmp_path) == FRAMES
