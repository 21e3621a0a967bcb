"""Statistics by the names and in the form of lerobot's functions, computed exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.stats.camera_pixels import frames_pixels
from roboreel.stats.feature_stats import Array, values_stats
from roboreel.stats.merge import merged_pair
from roboreel.stats.sampling import OWN, sample_size, stride_of
from roboreel.torch.errors import ArgumentError
from roboreel.torch.features.feature_facts import is_depth_map
from roboreel.torch.media.image_files import load_image_as_numpy
from roboreel.torch.statistics.relative_stats import compute_relative_action_stats
from roboreel.torch.statistics.running_stats import DEFAULT_QUANTILES, RunningQuantileStats
from roboreel.types import Json, JsonObject

__all__ = [
    "DEFAULT_QUANTILES",
    "RunningQuantileStats",
    "aggregate_feature_stats",
    "aggregate_stats",
    "auto_downsample_height_width",
    "compute_episode_stats",
    "compute_relative_action_stats",
    "estimate_num_samples",
    "get_feature_stats",
    "sample_images",
    "sample_indices",
]

StatsDict = dict[str, dict[str, Array]]
Numbers = npt.NDArray[np.generic]
Axis = int | tuple[int, ...] | None

_WITHOUT_STATS = ("string", "language")
_IMAGES = (0, 2, 3)
"""The axes of (N, C, H, W) images over which a channel is described."""


def estimate_num_samples(
    dataset_len: int,
    min_num_samples: int = 100,
    max_num_samples: int = 10_000,
    power: float = 0.75,
) -> int:
    """Number of frames to sample from an episode: `dataset_len ** power`, in bounds.

    Args:
        dataset_len: frames of the episode.
        min_num_samples: at least so many, as far as there are.
        max_num_samples: at most so many.
        power: how the sample grows with the episode.
    """
    return sample_size(dataset_len, least=min_num_samples, most=max_num_samples, power=power)


def sample_indices(data_len: int) -> list[int]:
    """Ascending numbers of the sampled frames of an episode, evenly spread."""
    wanted = np.linspace(0, data_len - 1, estimate_num_samples(data_len))
    return [int(position) for position in np.round(wanted)]


def auto_downsample_height_width(
    img: Numbers, target_size: int = 150, max_size_threshold: int = 300
) -> Numbers:
    """Every n-th pixel of a large image on both axes; smaller images as they are.

    Args:
        img: (C, H, W).
        target_size: about how many pixels of the longer side remain.
        max_size_threshold: images with a shorter longer side stay as they are.
    """
    _, height, width = img.shape
    step = stride_of(height, width, wanted=target_size, large=max_size_threshold)
    return img[:, ::step, ::step]


def sample_images(image_paths: Sequence[str]) -> Numbers:
    """(N, C, H, W) sampled images, large ones subsampled: uint8, depths as they are stored.

    Args:
        image_paths: the files of all frames of an episode, in order.
    """
    found = []
    for index in sample_indices(len(image_paths)):
        image = load_image_as_numpy(image_paths[index], dtype=np.uint8, channel_first=True)
        found.append(auto_downsample_height_width(image))
    return np.stack(found)


def get_feature_stats(
    array: Numbers, axis: Axis, keepdims: bool, quantile_list: Sequence[float] | None = None
) -> dict[str, Array]:
    """`min`, `max`, `mean`, `std` and quantiles over axes, in float64, and `count` as (1,).

    Args:
        array: the values; `count` is their number on the first reduced axis.
        axis: 0 reduces all but the last axis; (0, 2, 3) describes the channels of (N, C, H, W) images; (1,)
            describes each row by itself; None all together.
        keepdims: True keeps reduced axes with size 1.
        quantile_list: which quantiles; the usual five by default.

    Raises:
        ArgumentError: the axes are others, or do not fit the array, or it is empty.
    """
    if not array.size:
        raise ArgumentError(
            f"an array of shape {array.shape} has no values: statistics need at least one"
        )
    rows, count, shape = _as_rows(array, axis, keepdims=keepdims)
    shares = DEFAULT_QUANTILES if quantile_list is None else quantile_list
    found = values_stats(rows, quantiles=shares)
    shaped = {key: value.reshape(shape) for key, value in found.items() if key != "count"}
    return {**shaped, "count": np.array([count], dtype=np.int64)}


def _as_rows(array: Numbers, axis: Axis, *, keepdims: bool) -> tuple[Numbers, int, tuple[int, ...]]:
    """(n, width) values whose columns are described, what is counted, and the shape of the result."""
    dims = array.ndim
    if axis == _IMAGES and dims == len(_IMAGES) + 1:
        rows = np.moveaxis(array, 1, -1).reshape(-1, array.shape[1])
        return rows, len(array), (1, -1, 1, 1) if keepdims else (-1,)
    if axis in (0, (0,)) and dims:
        rows = array.reshape(-1, array.shape[-1] if dims > 1 else 1)
        return rows, len(array), (1, -1) if keepdims and dims > 1 else (-1,)
    if axis == (1,) and dims > 1:
        return array.reshape(len(array), -1).T, array.shape[1], (-1, 1) if keepdims else (-1,)
    if axis is None and dims:
        return array.reshape(-1, 1), len(array), (1,) * (dims if keepdims else 1)
    raise ArgumentError(f"axis={axis} is not supported for an array of shape {array.shape}")


def compute_episode_stats(
    episode_data: Mapping[str, Sequence[str] | Numbers],
    features: Mapping[str, JsonObject],
    quantile_list: Sequence[float] | None = None,
) -> StatsDict:
    """The statistics of an episode by feature; strings and language columns have none.

    Cameras are described per channel, of shape (C, 1, 1), in [0, 1]; depths in their stored unit.

    Args:
        episode_data: paths of image files for cameras, else (frames, …) values.
        features: declarations by name.
        quantile_list: which quantiles; the usual five by default.
    """
    shares = tuple(DEFAULT_QUANTILES if quantile_list is None else quantile_list)
    found: StatsDict = {}
    for name, data in episode_data.items():
        spec = features[name]
        if spec["dtype"] in ("image", "video"):
            found[name] = _camera_stats(list(data), spec, shares)
        elif spec["dtype"] not in _WITHOUT_STATS:
            values = np.asarray(data)
            found[name] = get_feature_stats(values, 0, values.ndim == 1, shares)
    return found


def _camera_stats(
    paths: Sequence[Any], spec: JsonObject, shares: tuple[float, ...]
) -> dict[str, Array]:
    images = sample_images(paths)
    depth = is_depth_map(spec)
    if images.dtype == np.uint8:
        profile = replace(OWN, quantiles=shares)
        frames = np.moveaxis(images, 1, -1)
        counted = frames_pixels(frames, profile, video=False, depth=depth).stats()
        if counted is not None:
            return counted
    peak = 1.0 if depth else 255.0
    found = get_feature_stats(images, _IMAGES, True, shares)
    return {
        key: value if key == "count" else np.asarray(value[0] / peak)
        for key, value in found.items()
    }


def aggregate_stats(stats_list: Sequence[Mapping[str, Mapping[str, Json]]]) -> StatsDict:
    """The statistics of everything that several describe: every feature that any of them has.

    Args:
        stats_list: arrays of at least one dimension by feature and name; `count` has the shape (1,).

    Raises:
        ArgumentError: a statistic is not an array, or its shape differs from the others.
    """
    for stats in stats_list:
        _require_arrays(stats)
    names = dict.fromkeys(name for stats in stats_list for name in stats)
    return {
        name: aggregate_feature_stats([stats[name] for stats in stats_list if name in stats])
        for name in names
    }


def aggregate_feature_stats(stats_ft_list: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """The statistics of everything that several describe of one feature: those that all have."""
    merged = dict(stats_ft_list[0])
    for part in stats_ft_list[1:]:
        apart = [key for key in merged.keys() & part.keys() if merged[key].shape != part[key].shape]
        if apart:
            key = min(apart)
            raise ArgumentError(
                f"'{key}' has the shapes {merged[key].shape} and {part[key].shape}: only statistics of the"
                " same shape can be merged"
            )
        merged = merged_pair(merged, dict(part))
    return merged


def _require_arrays(stats: Mapping[str, Mapping[str, Json]]) -> None:
    for name, parts in stats.items():
        for key, value in parts.items():
            if not isinstance(value, np.ndarray) or value.ndim == 0:
                raise ArgumentError(
                    f"'{key}' of '{name}' must be an array of at least one dimension, got {value!r}"
                )
            if key == "count" and value.shape != (1,):
                raise ArgumentError(
                    f"'count' of '{name}' must have the shape (1,), not {value.shape}"
                )
