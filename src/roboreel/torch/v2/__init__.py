"""The interface of lerobot 0.3.3 (format v2.1) over datasets of every version.

For trainers that are pinned to it: `meta.tasks` is a dict, `meta.episodes` and `meta.episodes_stats` are by
episode, and datasets have an `episode_data_index`. Names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roboreel.torch.compat.lazy_names import loaded

if TYPE_CHECKING:
    from roboreel.torch.v2.dataset_metadata import LeRobotDatasetMetadata as LeRobotDatasetMetadata
    from roboreel.torch.v2.episode_data_index import (
        get_episode_data_index as get_episode_data_index,
    )
    from roboreel.torch.v2.lerobot_dataset import LeRobotDataset as LeRobotDataset
    from roboreel.torch.v2.sampler import EpisodeAwareSampler as EpisodeAwareSampler

_HOME = {
    "EpisodeAwareSampler": "sampler",
    "LeRobotDataset": "lerobot_dataset",
    "LeRobotDatasetMetadata": "dataset_metadata",
    "MultiLeRobotDataset": "multi_dataset",
    "get_episode_data_index": "episode_data_index",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> object:
    return loaded("roboreel.torch.v2", _HOME, name)


def __dir__() -> list[str]:
    return sorted(__all__)
