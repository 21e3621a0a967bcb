"""The windows that a policy needs of a dataset, as lerobot's `datasets.factory` finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roboreel.torch.constants import ACTION, OBS_PREFIX, REWARD
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata


def resolve_delta_timestamps(
    cfg: Any, ds_meta: LeRobotDatasetMetadata, rename_map: Mapping[str, str] | None = None
) -> dict[str, list[float]] | None:
    """Windows in seconds by feature, for `LeRobotDataset(delta_timestamps=…)`; None where none is needed.

    Args:
        cfg: the policy's config, with `observation_delta_indices`, `action_delta_indices` and
            `reward_delta_indices`: frames from the item, or None.
        ds_meta: the dataset's metadata.
        rename_map: the policy's name of a feature by the dataset's.
    """
    renamed = rename_map or {}
    windows = {name: _frames(cfg, renamed.get(name, name)) for name in ds_meta.features}
    return {
        name: [frame / ds_meta.fps for frame in frames]
        for name, frames in windows.items()
        if frames is not None
    } or None


def _frames(cfg: Any, name: str) -> Sequence[int] | None:
    """The window of a feature, by the policy's name."""
    found: Sequence[int] | None = None
    if name == REWARD:
        found = getattr(cfg, "reward_delta_indices", None)
    elif name == ACTION:
        found = getattr(cfg, "action_delta_indices", None)
    elif name.startswith(OBS_PREFIX):
        found = getattr(cfg, "observation_delta_indices", None)
    return found
