"""Declarations of features: the public names of lerobot's two modules `feature_utils`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roboreel.torch.compat.optional_packages import require_package
from roboreel.torch.constants import LANGUAGE_COLUMNS
from roboreel.torch.errors import ArgumentError
from roboreel.torch.features.delta_timestamps import check_delta_timestamps, get_delta_indices
from roboreel.torch.features.policy_features import (
    FeatureType,
    PolicyFeature,
    dataset_to_policy_features,
)
from roboreel.torch.features.robot_features import (
    build_dataset_frame,
    combine_feature_dicts,
    hw_to_dataset_features,
)
from roboreel.torch.language import language_column_feature
from roboreel.torch.media.encoder_configs import VIDEO_ENCODER_INFO_KEYS
from roboreel.torch.metadata.dataset_info import create_empty_dataset_info
from roboreel.torch.recording.frame_validation import (
    validate_episode_buffer,
    validate_feature_dtype_and_shape,
    validate_feature_image_or_video,
    validate_feature_language,
    validate_feature_numpy_array,
    validate_feature_string,
    validate_features_presence,
    validate_frame,
)
from roboreel.types import Json, JsonObject

__all__ = [
    "FeatureType",
    "PolicyFeature",
    "build_dataset_frame",
    "canonicalize_depth_marker",
    "check_delta_timestamps",
    "combine_feature_dicts",
    "create_empty_dataset_info",
    "dataset_to_policy_features",
    "features_equal_for_merge",
    "get_delta_indices",
    "get_hf_features_from_features",
    "hw_to_dataset_features",
    "validate_episode_buffer",
    "validate_feature_dtype_and_shape",
    "validate_feature_image_or_video",
    "validate_feature_language",
    "validate_feature_numpy_array",
    "validate_feature_string",
    "validate_features_presence",
    "validate_frame",
]

_MOST_AXES = 5


def canonicalize_depth_marker(feature: dict[str, Json]) -> None:
    """Rename the old key `video.is_depth_map` in a camera's `info` to `is_depth_map`, in place."""
    facts = feature.get("info")
    if isinstance(facts, dict) and "video.is_depth_map" in facts:
        marked = facts.pop("video.is_depth_map")
        facts.setdefault("is_depth_map", marked)


def features_equal_for_merge(
    features_a: Mapping[str, JsonObject], features_b: Mapping[str, JsonObject]
) -> bool:
    """True where two declarations are the same, but for the encoder settings of cameras."""
    if features_a.keys() != features_b.keys():
        return False
    return all(
        _comparable(features_a[name]) == _comparable(features_b[name]) for name in features_a
    )


def _comparable(feature: JsonObject) -> dict[str, Json]:
    facts = feature.get("info")
    if feature.get("dtype") != "video" or not isinstance(facts, Mapping):
        return dict(feature)
    kept = {key: value for key, value in facts.items() if key not in VIDEO_ENCODER_INFO_KEYS}
    return {**feature, "info": kept}


def get_hf_features_from_features(features: Mapping[str, JsonObject]) -> Any:
    """The `datasets.Features` of the tables of a dataset.

    Args:
        features: declarations by name; cameras stored as video are in no table.

    Raises:
        ArgumentError: a feature has more than five axes.
        MissingDependencyError: the package `datasets` is not installed.
    """
    datasets = require_package("datasets", "Features")
    stored = {name: spec for name, spec in features.items() if spec["dtype"] != "video"}
    return datasets.Features({n: _hf_feature(n, spec, datasets) for n, spec in stored.items()})


def _hf_feature(name: str, spec: JsonObject, datasets: Any) -> Any:
    dtype, shape = spec["dtype"], tuple(spec["shape"])
    if name in LANGUAGE_COLUMNS:
        return language_column_feature(name)
    if dtype == "image":
        return datasets.Image()
    if shape == (1,):
        return datasets.Value(dtype=dtype)
    if len(shape) == 1:
        return datasets.Sequence(length=shape[0], feature=datasets.Value(dtype=dtype))
    if not 2 <= len(shape) <= _MOST_AXES:
        raise ArgumentError(f"'{name}' has shape {shape}: expected 1 to {_MOST_AXES} dimensions")
    return getattr(datasets, f"Array{len(shape)}D")(shape=shape, dtype=dtype)
