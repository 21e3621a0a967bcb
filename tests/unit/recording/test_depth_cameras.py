"""Depth frames become codes of 12 bits in a lossless video, on lerobot's scale, and are measured as given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from roboreel.errors import UsageError
from roboreel.format.depth import DepthScale
from tests.unit.recording.camera_sets import (
    HEIGHT,
    WIDTH,
    assert_same_stats,
    camera_feature,
    camera_task,
    cameras,
    in_memory_stats,
)


def depths(count: int, dtype: Any) -> list[npt.NDArray[Any]]:
    """Frames of distances from 0 to 12 m: some are nearer or farther than the scale."""
    random = np.random.default_rng(1)
    metres = random.uniform(0, 12, (count, HEIGHT, WIDTH))
    return [*(metres if dtype == np.float32 else metres * 1000).astype(dtype)]


def codes_in(path: Path) -> npt.NDArray[Any]:
    """(frames, H, W) as the video stores them."""
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
    assert {frame.format.name for frame in frames} == {"gray12le"}
    return np.stack([frame.to_ndarray() for frame in frames])


def expected_codes(images: npt.NDArray[Any], unit: float, scale: DepthScale) -> npt.NDArray[Any]:
    """lerobot's formula in its own words."""
    low, high, shift = (np.float32(x * unit) for x in (scale.nearest, scale.farthest, scale.shift))
    values = images.astype(np.float32)
    if scale.logarithmic:
        norm = (np.log(values + shift) - np.log(low + shift)) / (
            np.log(high + shift) - np.log(low + shift)
        )
    else:
        norm = (values - low) / (high - low)
    return np.asarray(np.rint(norm * 4095).clip(0, 4095))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize(
    "shape", [(HEIGHT, WIDTH), (1, HEIGHT, WIDTH), (HEIGHT, WIDTH, 1)], ids=str
)
def test_depths_are_stored_as_lerobot_does(
    tmp_path: Path, dtype: Any, shape: tuple[int, ...]
) -> None:
    frames = depths(9, dtype)
    with cameras(
        tmp_path, camera_task("d", None, feature=camera_feature("d", depth=True))
    ) as writers:
        writers["d"].begin(tmp_path / "d.mp4", 0)
        for frame in frames:
            writers["d"].add(frame.reshape(shape))
        video = writers["d"].finish()
    metres = dtype == np.float32
    found = codes_in(video.path).astype(int)
    expected = expected_codes(np.stack(frames), 1 if metres else 1000, DepthScale())
    assert np.abs(found - expected).max() <= 1  # one code where the logarithms round differently
    assert (found != expected).mean() < 0.001
    assert video.facts["depth_unit"] == ("m" if metres else "mm")
    assert (video.facts["video.depth_min"], video.facts["video.use_log"]) == (0.01, True)
    assert_same_stats(video.stats, in_memory_stats(frames, depth=True))


def test_a_scale_of_ones_own_is_used_and_told(tmp_path: Path) -> None:
    own = {
        "video.depth_min": 0.2,
        "video.depth_max": 4.0,
        "video.shift": 0.0,
        "video.use_log": False,
    }
    feature = camera_feature("d", depth=True, **own)
    frames = depths(3, np.uint16)
    with cameras(tmp_path, camera_task("d", None, feature=feature)) as writers:
        writers["d"].begin(tmp_path / "d.mp4", 0)
        for frame in frames:
            writers["d"].add(frame)
        video = writers["d"].finish()
    scale = DepthScale(nearest=0.2, farthest=4.0, shift=0.0, logarithmic=False)
    expected = expected_codes(np.stack(frames), 1000, scale)
    np.testing.assert_allclose(codes_in(video.path), expected, atol=1)
    assert {name: video.facts[name] for name in own} == own


def test_wrong_depths_are_refused(tmp_path: Path) -> None:
    feature = camera_feature("d", depth=True, depth_unit="m")
    with cameras(tmp_path, camera_task("d", None, feature=feature)) as writers:
        writers["d"].begin(tmp_path / "d.mp4", 4)
        for dtype, message in ((np.uint8, "expected uint16"), (np.uint16, "declared in m")):
            with pytest.raises(UsageError, match=rf"episode 4, camera 'd': .*{message}"):
                writers["d"].add(np.zeros((HEIGHT, WIDTH), dtype))
        writers["d"].add(np.ones((HEIGHT, WIDTH), np.float32))
        assert writers["d"].finish().frames == 1


def test_a_scale_without_a_meaning_is_refused(tmp_path: Path) -> None:
    feature = camera_feature("d", depth=True, **{"video.depth_min": 5.0, "video.depth_max": 1.0})
    with (
        pytest.raises(UsageError, match="camera 'd': its depth scale is not valid"),
        cameras(tmp_path, camera_task("d", None, feature=feature)),
    ):
        pass
