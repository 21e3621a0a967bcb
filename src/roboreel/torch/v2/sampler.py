"""`EpisodeAwareSampler` with the interface of lerobot 0.3.3."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from roboreel.torch.errors import WrongTypeError
from roboreel.torch.sampler import EpisodeAwareSampler as CurrentSampler

_SEEDS = 1 << 31


class EpisodeAwareSampler(CurrentSampler):
    """Frame indices of chosen episodes, in order or shuffled, without frames at the episodes' ends."""

    def __init__(
        self,
        episode_data_index: Mapping[str, Any],
        episode_indices_to_use: Iterable[int] | None = None,
        drop_n_first_frames: int = 0,
        drop_n_last_frames: int = 0,
        shuffle: bool = False,
    ) -> None:
        """Prepare the order; `torch.manual_seed` before this fixes that of shuffled frames.

        Args:
            episode_data_index: `LeRobotDataset.episode_data_index`: `from` and `to`, (episodes,) each.
            episode_indices_to_use: episodes to use; by default all.
            drop_n_first_frames: frames to leave out at the start of each episode.
            drop_n_last_frames: frames to leave out at the end of each episode.
            shuffle: shuffle the frames; by default they are in order.

        Raises:
            ArgumentError: arguments contradict each other, or no frames are left. It is a `ValueError`.
            WrongTypeError: `episode_data_index` has no `from` and `to`. It is a `TypeError`.
        """
        if not {"from", "to"} <= {*_names(episode_data_index)}:
            raise WrongTypeError(
                f"episode_data_index is of type {type(episode_data_index).__name__}, expected a dict with"
                " 'from' and 'to', as LeRobotDataset.episode_data_index"
            )
        super().__init__(
            episode_data_index["from"],
            episode_data_index["to"],
            episode_indices_to_use,
            drop_n_first_frames,
            drop_n_last_frames,
            shuffle,
            seed=int(torch.randint(_SEEDS, (1,))) if shuffle else 0,
        )


def _names(index: object) -> Iterable[object]:
    return index if isinstance(index, Mapping) else ()
