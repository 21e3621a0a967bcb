"""Statistics of recorded frames equal those computed with all frames at hand, whatever the length."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from roboreel.recording.recorded_pixels import RecordedPixels
from roboreel.stats.sampling import OWN, RELEASES, SamplingProfile
from tests.unit.recording.camera_sets import assert_same_stats, in_memory_stats

SHAPES = [(16, 16, 3), (16, 24, 1), (300, 40, 3), (449, 8, 3)]
PROFILES: dict[str, SamplingProfile] = {
    "own": OWN,
    "every frame": SamplingProfile(every_video_frame=True),
    **{str(name): profile for name, profile in RELEASES.items()},
}


def images(count: int, shape: tuple[int, ...], dtype: Any = np.uint8) -> list[npt.NDArray[Any]]:
    random = np.random.default_rng(count)
    return [random.integers(0, 256, shape).astype(dtype) for _ in range(count)]


def recorded(
    folder: Path, frames: list[npt.NDArray[Any]], profile: SamplingProfile, *, depth: bool = False
) -> RecordedPixels:
    pixels = RecordedPixels(profile, depth=depth, folder=folder)
    for frame in frames:
        pixels.add(frame)
    return pixels


@pytest.mark.parametrize("count", [1, 2, 99, 101, 487, 2154])
def test_the_sample_is_that_of_the_length(tmp_path: Path, count: int) -> None:
    frames = images(count, (8, 8, 3))
    pixels = recorded(tmp_path, frames, OWN)
    assert_same_stats(pixels.stats(), in_memory_stats(frames))
    pixels.close()


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_profiles_choose_frames_pixels_and_channels(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    frames = images(120, shape)
    pixels = recorded(tmp_path, frames, PROFILES[name])
    assert_same_stats(pixels.stats(), in_memory_stats(frames, PROFILES[name]))
    pixels.close()


def test_depths_are_kept_as_they_are(tmp_path: Path) -> None:
    frames = images(150, (310, 20, 1), np.uint16)
    pixels = recorded(tmp_path, frames, OWN, depth=True)
    assert_same_stats(pixels.stats(), in_memory_stats(frames, depth=True))
    pixels.close()


def test_repeated_frames_count(tmp_path: Path) -> None:
    frames = images(5, (8, 8, 3))
    pixels = recorded(tmp_path, frames, OWN)
    pixels.repeat()
    pixels.repeat()
    assert_same_stats(pixels.stats(), in_memory_stats([*frames, frames[-1], frames[-1]]))
    assert pixels.longest_identical == 1
    pixels.close()


def test_frames_of_a_camera_that_hangs_are_counted(tmp_path: Path) -> None:
    frames = images(4, (8, 8, 3))
    given = [frames[0]] * 3 + [frames[1]] + [frames[2]] * 2
    pixels = recorded(tmp_path, [frame.copy() for frame in given], OWN)
    assert (pixels.identical, pixels.longest_identical) == (2, 3)
    pixels.close()


def test_memory_does_not_grow_with_the_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roboreel.recording.recorded_pixels._IN_MEMORY", 20_000)
    frames = images(150, (16, 16, 3))
    pixels = recorded(tmp_path, frames, OWN)
    assert pixels._file._rolled  # type: ignore[attr-defined]  # it went to the disk
    assert_same_stats(pixels.stats(), in_memory_stats(frames))
    pixels.close()
