from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from roboreel.testing.numbered_frames import draw_numbers, png_bytes
from roboreel.torch.compute_stats import (
    RunningQuantileStats,
    aggregate_stats,
    auto_downsample_height_width,
    compute_episode_stats,
    compute_relative_action_stats,
    estimate_num_samples,
    get_feature_stats,
    sample_images,
    sample_indices,
)

KEYS = {"min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"}
RANDOM = np.random.default_rng(7)


@pytest.mark.parametrize(("frames", "samples"), [(1, 1), (50, 50), (500, 105), (10**7, 10_000)])
def test_samples_grow_with_the_episode(frames: int, samples: int) -> None:
    assert estimate_num_samples(frames) == samples


def test_sampled_frames_are_spread_from_the_first_to_the_last() -> None:
    found = sample_indices(1000)
    assert (found[0], found[-1], len(found)) == (0, 999, 177)
    assert found == sorted(found)


def test_only_large_images_are_subsampled() -> None:
    small, large = np.zeros((3, 200, 299), np.uint8), np.zeros((3, 480, 640), np.uint8)
    assert auto_downsample_height_width(small).shape == small.shape
    assert auto_downsample_height_width(large).shape == (3, 120, 160)


@pytest.mark.parametrize(
    ("shape", "axis", "keepdims", "found", "count"),
    [
        ((10,), 0, True, (1,), 10),
        ((10, 3), 0, False, (3,), 10),
        ((10, 3), 0, True, (1, 3), 10),
        ((10, 2, 3), 0, False, (3,), 10),
        ((10, 3), (1,), True, (10, 1), 3),
        ((10, 3), None, True, (1, 1), 10),
        ((10, 3), None, False, (1,), 10),
        ((4, 3, 8, 9), (0, 2, 3), True, (1, 3, 1, 1), 4),
        ((4, 3, 8, 9), (0, 2, 3), False, (3,), 4),
    ],
)
def test_shapes_are_those_of_lerobot(
    shape: tuple[int, ...], axis: Any, keepdims: bool, found: tuple[int, ...], count: int
) -> None:
    stats = get_feature_stats(RANDOM.normal(size=shape), axis, keepdims)
    assert stats.keys() == KEYS
    assert {value.shape for key, value in stats.items() if key != "count"} == {found}
    assert stats["count"].tolist() == [count]


def test_statistics_are_those_of_numpy() -> None:
    values = RANDOM.normal(size=(40, 3))
    stats = get_feature_stats(values, 0, False, [0.25])
    np.testing.assert_allclose(stats["std"], values.std(axis=0))
    np.testing.assert_allclose(stats["q25"], np.quantile(values, 0.25, axis=0))


def test_axes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"axis=\(0, 1\)"):
        get_feature_stats(np.zeros((2, 2)), (0, 1), False)
    with pytest.raises(ValueError, match="no values"):
        get_feature_stats(np.array([]), 0, True)


def test_running_statistics_do_not_depend_on_batches() -> None:
    values = RANDOM.normal(size=(60, 2))
    whole, parts = RunningQuantileStats([0.5]), RunningQuantileStats([0.5])
    whole.update(values)
    for part in np.array_split(values, 7):
        parts.update(part)
    for key, value in whole.get_statistics().items():
        np.testing.assert_allclose(parts.get_statistics()[key], value)


def test_running_statistics_refuse_one_row_and_other_widths() -> None:
    running = RunningQuantileStats()
    running.update(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="at least two rows"):
        running.get_statistics()
    with pytest.raises(ValueError, match="have 3 components, but the earlier rows have 2"):
        running.update(np.zeros((1, 3)))


def _frames(folder: Path, count: int) -> list[str]:
    paths = [folder / f"frame-{number:06d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(png_bytes(draw_numbers(0, number, 0, 160, 128)))
    return [str(path) for path in paths]


def test_an_episode_is_described_by_feature(tmp_path: Path) -> None:
    features: dict[str, Any] = {
        "cam": {"dtype": "video", "shape": (128, 160, 3)},
        "action": {"dtype": "float32", "shape": (2,)},
        "done": {"dtype": "bool", "shape": (1,)},
        "note": {"dtype": "string", "shape": (1,)},
    }
    data: dict[str, Any] = {
        "cam": _frames(tmp_path, 4),
        "action": np.arange(8, dtype=np.float32).reshape(4, 2),
        "done": np.array([False, False, False, True]),
        "note": ["a"] * 4,
    }
    stats = compute_episode_stats(data, features)
    assert stats.keys() == {"cam", "action", "done"}
    assert stats["cam"]["mean"].shape == (3, 1, 1)
    assert 0 <= stats["cam"]["min"].min() <= stats["cam"]["max"].max() <= 1
    assert stats["done"]["mean"].tolist() == [0.25]
    assert {part["count"].item() for part in stats.values()} == {4}


def test_depths_keep_their_unit(tmp_path: Path) -> None:
    features = {"d": {"dtype": "video", "shape": (128, 160, 1), "info": {"is_depth_map": True}}}
    stats = compute_episode_stats({"d": _frames(tmp_path, 2)}, features)
    assert stats["d"]["max"].max() > 1


def test_sampled_images_have_their_channels_first(tmp_path: Path) -> None:
    images = sample_images(_frames(tmp_path, 3))
    assert images.shape == (3, 3, 128, 160)
    assert images.dtype == np.uint8


def test_merged_statistics_are_those_of_all_values() -> None:
    parts = [RANDOM.normal(size=(count, 3)) for count in (5, 50)]
    each = [{"a": get_feature_stats(part, 0, False)} for part in parts]
    merged = aggregate_stats([*each, {"b": each[0]["a"]}])
    whole = np.concatenate(parts)
    np.testing.assert_allclose(merged["a"]["std"], whole.std(axis=0))
    np.testing.assert_allclose(merged["a"]["mean"], whole.mean(axis=0))
    assert merged["a"]["count"].tolist() == [55]
    assert [*merged] == ["a", "b"]


@pytest.mark.parametrize("bad", [3.0, np.float64(1), [1.0]])
def test_statistics_that_are_no_arrays_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="'mean' of 'a' must be an array"):
        aggregate_stats([{"a": {"mean": bad}}])


def test_statistics_of_other_shapes_are_refused() -> None:
    one, other = ({"a": {"mean": np.zeros(n), "count": np.ones(1)}} for n in (2, 3))
    with pytest.raises(ValueError, match="of the same shape can be merged"):
        aggregate_stats([one, other])


def test_relative_actions_leave_excluded_joints_absolute() -> None:
    features: dict[str, Any] = {
        "action": {"dtype": "float32", "shape": (2,), "names": ["arm", "gripper"]},
        "observation.state": {"dtype": "float32", "shape": (2,), "names": None},
    }
    state = np.arange(20, dtype=np.float32).reshape(10, 2)
    data = {"action": state + 1, "observation.state": state, "episode_index": [0] * 6 + [1] * 4}
    stats = compute_relative_action_stats(data, features, 2, ["gripper"], num_workers=2)
    assert stats["min"].tolist() == [1.0, 2.0]
    assert stats["max"].tolist() == [3.0, 20.0]
    assert stats["count"].tolist() == [16]
    with pytest.raises(RuntimeError, match="no episode is as long as a chunk, 7 frames"):
        compute_relative_action_stats(data, features, 7)
