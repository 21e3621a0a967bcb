"""roboreel for PyTorch: lerobot's dataset classes over datasets of every version.

    >>> from roboreel.torch import LeRobotDataset              # doctest: +SKIP
    >>> dataset = LeRobotDataset("user/name")                  # doctest: +SKIP

Names are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roboreel.torch.compat.lazy_names import OF_MODULES, loaded

if TYPE_CHECKING:
    from roboreel.torch.aggregate import aggregate_datasets as aggregate_datasets
    from roboreel.torch.batches.block_sampler import BlockSampler as BlockSampler
    from roboreel.torch.batches.loader import Loader as Loader
    from roboreel.torch.collate import lerobot_collate_fn as lerobot_collate_fn
    from roboreel.torch.constants import HF_LEROBOT_HOME as HF_LEROBOT_HOME
    from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata as LeRobotDatasetMetadata
    from roboreel.torch.lerobot_dataset import LeRobotDataset as LeRobotDataset
    from roboreel.torch.media.video_encoding_manager import (
        VideoEncodingManager as VideoEncodingManager,
    )
    from roboreel.torch.metadata.dataset_info import DatasetInfo as DatasetInfo
    from roboreel.torch.mixing.mixed_dataset import MixedDataset as MixedDataset
    from roboreel.torch.multi_dataset import MultiLeRobotDataset as MultiLeRobotDataset
    from roboreel.torch.sampler import EpisodeAwareSampler as EpisodeAwareSampler
    from roboreel.torch.sampler import compute_sampler_state as compute_sampler_state
    from roboreel.torch.streaming_dataset import StreamingLeRobotDataset as StreamingLeRobotDataset

_HOME = {
    "BlockSampler": "batches.block_sampler",
    "DatasetInfo": "metadata.dataset_info",
    "EpisodeAwareSampler": "sampler",
    "HF_LEROBOT_HOME": "constants",
    "LeRobotDataset": "lerobot_dataset",
    "LeRobotDatasetMetadata": "dataset_metadata",
    "Loader": "batches.loader",
    "MixedDataset": "mixing.mixed_dataset",
    "MultiLeRobotDataset": "multi_dataset",
    "StreamingLeRobotDataset": "streaming_dataset",
    "VideoEncodingManager": "media.video_encoding_manager",
    "aggregate_datasets": "aggregate",
    "compute_sampler_state": "sampler",
    "lerobot_collate_fn": "collate",
}

HOMES = {**OF_MODULES, **_HOME}
"""Module below this package, by the name that it has."""

__all__ = [*_HOME]


def __getattr__(name: str) -> object:
    value = loaded("roboreel.torch", HOMES, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
