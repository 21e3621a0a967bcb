"""Shuffle the frames of chosen episodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from roboreel.torch.batches.resumable_sampler import (
    OnError,
    ResumableSampler,
    chosen_rows,
    frames_of,
    options_of,
)
from roboreel.torch.errors import ArgumentError
from roboreel.types import Int64


class EpisodeAwareSampler(ResumableSampler):
    """Frame indices of chosen episodes, in order or shuffled, without frames at the episodes' ends.

    The order is a function of `seed` and the epoch, the same in every process and as in lerobot 0.6.1.

    Args:
        dataset_from_indices: (episodes,) first frame index of each episode.
        dataset_to_indices: (episodes,) frame index after the last one.
        episode_indices_to_use: episodes to use; by default all.
        drop_n_first_frames: frames to leave out at the start of each episode.
        drop_n_last_frames: frames to leave out at the end, such as those without a whole chunk of actions.
        shuffle: shuffle the frames; by default they are in order.
        seed: of the shuffled order, from 0.
        absolute_to_relative_idx: index in the dataset by frame index, where a dataset holds some episodes
            only (`LeRobotDataset.absolute_to_relative_idx`).
        rank: number of this process. Each process gets every `world_size`-th frame of the order; the last
            `frames % world_size` frames of an epoch are left out, so that all get as many.
        world_size: number of processes. Leave it at 1 where accelerate divides the batches.
        skip_episodes: reason by episode: episodes that cannot be read. They are left out, with a warning.

    Raises:
        ArgumentError: arguments contradict each other, or no frames are left. It is a `ValueError`.
    """

    def __init__(
        self,
        dataset_from_indices: Iterable[Any],
        dataset_to_indices: Iterable[Any],
        episode_indices_to_use: Iterable[int] | None = None,
        drop_n_first_frames: int = 0,
        drop_n_last_frames: int = 0,
        shuffle: bool = False,
        seed: int = 0,
        absolute_to_relative_idx: Mapping[int, int] | None = None,
        *,
        rank: int = 0,
        world_size: int = 1,
        skip_episodes: Mapping[int, str] | None = None,
    ) -> None:
        rows = chosen_rows(
            dataset_from_indices,
            dataset_to_indices,
            episode_indices_to_use,
            drop_n_first_frames,
            drop_n_last_frames,
            skip_episodes,
        )
        self._ends = np.cumsum(
            rows.stops - rows.starts
        )  # positions after each episode's last frame
        self._shift = rows.stops - self._ends
        self._count = frames_of(rows)
        self.shuffle = shuffle
        super().__init__(
            self._count,
            seed=seed,
            absolute_to_relative_idx=absolute_to_relative_idx,
            rank=rank,
            world_size=world_size,
        )

    @classmethod
    def for_dataset(
        cls, dataset: Any, *, on_error: OnError = "raise", **options: Any
    ) -> EpisodeAwareSampler:
        """The sampler of the episodes of a `LeRobotDataset`.

        Args:
            dataset: a `LeRobotDataset`.
            on_error: `skip` leaves out episodes that cannot be read, with a warning: of a missing or short
                video, say. `raise` lets reading them raise.
            **options: arguments of the class; they override what the dataset says.
        """
        return cls(**{**options_of(dataset, on_error), **options})

    @property
    def indices(self) -> list[int]:
        """Indices of all frames of all processes, not shuffled."""
        return self._as_indices(np.arange(self._count))

    def _order(self, epoch: int) -> Int64:
        positions = self._permuted(epoch) if self.shuffle else np.arange(self._count)
        whole = len(self) * self.world_size
        return positions[:whole][self.rank :: self.world_size]

    def _permuted(self, epoch: int) -> Int64:
        state = np.random.SeedSequence([self.seed, epoch]).generate_state(1)
        generator = torch.Generator().manual_seed(int(state[0]))
        permuted: Int64 = torch.randperm(self._count, generator=generator).numpy()
        return permuted

    def _as_indices(self, numbers: Int64) -> list[int]:
        """Indices of frames by their positions among the chosen ones."""
        episode = np.searchsorted(self._ends, numbers, side="right")
        return super()._as_indices(numbers + self._shift[episode])


def compute_sampler_state(
    step: int, num_frames: int, batch_size: int, num_processes: int
) -> dict[str, int]:
    """The state for `load_state_dict` after a number of optimizer steps, where accelerate divides batches.

    Each step takes `batch_size` frames of the order for each process; an epoch's batches are dealt out
    evenly, so that some are used twice. With `EpisodeAwareSampler(world_size=…)`, whose order is one
    process's, pass `len(sampler)` and 1 process.

    Args:
        step: steps that are done.
        num_frames: length of the sampler.
        batch_size: of one process.
        num_processes: number of processes, as in the run to resume.

    Raises:
        ArgumentError: a number is not positive, or the step is negative. It is a `ValueError`.
    """
    if step < 0 or min(num_frames, batch_size, num_processes) < 1:
        raise ArgumentError(
            f"got step={step}, num_frames={num_frames}, batch_size={batch_size},"
            f" num_processes={num_processes}: step must be 0 or more, the others 1 or more"
        )
    batches = -(-num_frames // batch_size)
    steps_per_epoch = -(-batches // num_processes)
    epoch, steps = divmod(step, steps_per_epoch)
    start = min(steps * batch_size * num_processes, num_frames - 1)
    return {"epoch": epoch, "start_index": start}
