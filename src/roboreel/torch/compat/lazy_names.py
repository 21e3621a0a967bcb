"""Names that a package loads when they are used, and where lerobot's other names are."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from roboreel.errors import MissingDependencyError

_MODULES = {
    "aggregate": ("aggregate_datasets",),
    "compute_stats": (
        "DEFAULT_QUANTILES",
        "aggregate_stats",
        "compute_episode_stats",
        "get_feature_stats",
    ),
    "constants": ("CODEBASE_VERSION", "DEFAULT_EPISODES_PATH", "DEFAULT_FEATURES"),
    "dataset_tools": (
        "add_features",
        "convert_image_to_video_dataset",
        "delete_episodes",
        "merge_datasets",
        "modify_features",
        "modify_tasks",
        "recompute_stats",
        "reencode_dataset",
        "remove_feature",
        "split_dataset",
    ),
    "media.encoder_configs": ("DepthEncoderConfig", "RGBEncoderConfig", "VideoEncoderConfig"),
    "factory": ("resolve_delta_timestamps",),
    "feature_utils": (
        "build_dataset_frame",
        "check_delta_timestamps",
        "combine_feature_dicts",
        "dataset_to_policy_features",
        "get_delta_indices",
        "get_hf_features_from_features",
        "hw_to_dataset_features",
    ),
    "image_writer": ("safe_stop_image_writer",),
    "io_utils": ("load_episodes", "load_info", "load_stats", "load_tasks", "write_stats"),
    "utils": ("create_lerobot_dataset_card", "cycle"),
    "v2": ("get_episode_data_index",),
    "video_utils": ("decode_video_frames", "encode_video_frames"),
}
OF_MODULES: Mapping[str, str] = {name: home for home, names in _MODULES.items() for name in names}
"""Names that lerobot has in `lerobot.datasets` or a module of it, and the module that has them here."""

_FOR_POLICIES = (
    "is a part of lerobot's training, which roboreel does not replace: keep lerobot's, and"
)
_TRANSFORMS = "image_transforms takes any function of a frame, such as those of lerobot.transforms"
_INSTEAD = {
    "ImageTransforms": _TRANSFORMS,
    "ImageTransformsConfig": _TRANSFORMS,
    "OnlineBuffer": "record with LeRobotDataset.create, which can be read while it records",
    "make_dataset": f"it {_FOR_POLICIES} build the dataset with roboreel.torch.LeRobotDataset",
    "make_train_eval_datasets": (
        f"it {_FOR_POLICIES} build both with roboreel.torch.LeRobotDataset(…, episodes=[…])"
    ),
}


def loaded(package: str, home: Mapping[str, str], name: str) -> object:
    """The value of a name of a package.

    Args:
        package: the package, such as `roboreel.torch`.
        home: module below the package, by name.
        name: what is asked for.

    Raises:
        MissingDependencyError: torch isn't installed.
        ImportError: lerobot has the name, and roboreel has something else instead.
        AttributeError: there is no such name.
    """
    if name in _INSTEAD:  # no AttributeError: `from … import` would not show its text
        raise ImportError(f"roboreel has no '{name}': {_INSTEAD[name]}", name=package)
    if name not in home:
        raise AttributeError(f"module '{package}' has no attribute '{name}'")
    try:
        module = importlib.import_module(f"{package}.{home[name]}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch":
            raise
        needed = MissingDependencyError("torch", extra="torch", purpose="by roboreel.torch")
    else:
        return getattr(module, name)
    raise needed  # outside of the block: the other error would be shown first
