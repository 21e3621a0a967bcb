"""The public names of lerobot's `datasets.utils`, of this and of earlier releases."""

from __future__ import annotations

import importlib
from typing import Any

from roboreel.torch.compat.dicts import (
    cycle,
    find_float_index,
    flatten_dict,
    is_float_in_list,
    resolve_episode_indices,
    serialize_dict,
    unflatten_dict,
    update_chunk_file_indices,
)
from roboreel.torch.constants import (
    CHUNK_FILE_PATTERN,
    DATA_DIR,
    DEFAULT_CHUNK_SIZE,
    DEFAULT_DATA_FILE_SIZE_IN_MB,
    DEFAULT_DATA_PATH,
    DEFAULT_DEPTH_PATH,
    DEFAULT_EPISODES_PATH,
    DEFAULT_FEATURES,
    DEFAULT_IMAGE_PATH,
    DEFAULT_TASKS_PATH,
    DEFAULT_VIDEO_FILE_SIZE_IN_MB,
    DEFAULT_VIDEO_PATH,
    DEPTH_FILE_PATTERN,
    EPISODES_DIR,
    IMAGE_FILE_PATTERN,
    INFO_PATH,
    LEGACY_EPISODES_PATH,
    LEGACY_EPISODES_STATS_PATH,
    LEGACY_TASKS_PATH,
    STATS_PATH,
    VIDEO_DIR,
)
from roboreel.torch.metadata.dataset_info import DatasetInfo
from roboreel.torch.sources.dataset_root import has_legacy_hub_download_metadata

_ELSEWHERE = {
    "roboreel.hub": (
        "BackwardCompatibilityError",
        "CompatibilityError",
        "ForwardCompatibilityError",
        "check_version_compatibility",
        "get_repo_versions",
        "get_safe_version",
        "is_valid_version",
    ),
    "roboreel.torch.sources.hub_calls": ("create_branch", "create_lerobot_dataset_card"),
    "roboreel.torch.io_utils": (
        "cast_stats_to_numpy",
        "hf_transform_to_torch",
        "item_to_torch",
        "load_episodes",
        "load_image_as_numpy",
        "load_info",
        "load_stats",
        "load_tasks",
        "write_episodes",
        "write_info",
        "write_stats",
        "write_tasks",
    ),
    "roboreel.torch.feature_utils": (
        "build_dataset_frame",
        "check_delta_timestamps",
        "combine_feature_dicts",
        "create_empty_dataset_info",
        "dataset_to_policy_features",
        "get_delta_indices",
        "get_hf_features_from_features",
        "hw_to_dataset_features",
        "validate_episode_buffer",
        "validate_frame",
    ),
}
"""Names by the module that they are in."""
_HOME = {name: module for module, names in _ELSEWHERE.items() for name in names}

__all__ = [
    "CHUNK_FILE_PATTERN",
    "DATA_DIR",
    "DEFAULT_CHUNK_SIZE",
    "DEFAULT_DATA_FILE_SIZE_IN_MB",
    "DEFAULT_DATA_PATH",
    "DEFAULT_DEPTH_PATH",
    "DEFAULT_EPISODES_PATH",
    "DEFAULT_FEATURES",
    "DEFAULT_IMAGE_PATH",
    "DEFAULT_TASKS_PATH",
    "DEFAULT_VIDEO_FILE_SIZE_IN_MB",
    "DEFAULT_VIDEO_PATH",
    "DEPTH_FILE_PATTERN",
    "EPISODES_DIR",
    "IMAGE_FILE_PATTERN",
    "INFO_PATH",
    "LEGACY_EPISODES_PATH",
    "LEGACY_EPISODES_STATS_PATH",
    "LEGACY_TASKS_PATH",
    "STATS_PATH",
    "VIDEO_DIR",
    "DatasetInfo",
    "cycle",
    "find_float_index",
    "flatten_dict",
    "has_legacy_hub_download_metadata",
    "is_float_in_list",
    "resolve_episode_indices",
    "safe_shard",
    "serialize_dict",
    "unflatten_dict",
    "update_chunk_file_indices",
    *_HOME,
]


def safe_shard(dataset: Any, index: int, num_shards: int) -> Any:
    """One of several shards of a `datasets.IterableDataset`, the last one where there are fewer."""
    return dataset.shard(num_shards, index=min(dataset.num_shards, index + 1) - 1)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'roboreel.torch.utils' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
