"""Shuffle blocks of frames: nearly as random as shuffling frames, and much cheaper to decode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from roboreel.reading.block_order import Mixing, block_order
from roboreel.torch.batches.resumable_sampler import (
    OnError,
    ResumableSampler,
    chosen_rows,
    frames_of,
    options_of,
)
from roboreel.torch.errors import ArgumentError
from roboreel.types import Int64


class BlockSampler(ResumableSampler):
    """Frame indices in which frames of one GOP (from one keyframe to the next) follow each other.

    Blocks of an episode are shuffled; runs of `buffer_blocks` open blocks alternate at random
    (`roboreel.reading.block_order` says how). `mixing(batch_size)` states how far that is from a full
    shuffle.

    Args:
        dataset_from_indices: (episodes,) first frame index of each episode.
        dataset_to_indices: (episodes,) frame index after the last one.
        episode_indices_to_use: episodes to use; by default all.
        drop_n_first_frames: frames to leave out at the start of each episode.
        drop_n_last_frames: frames to leave out at the end of each episode.
        gop_frames: frames from keyframe to keyframe, counted from the first frame of each episode; None
            where it is unknown.
        run_frames: frames that stay together; by default a GOP, or 2 where its length is unknown. More
            than a GOP is rounded up to whole ones.
        block_frames: frames of a block, at least; rounded up to whole runs and GOPs.
        buffer_blocks: blocks that are mixed with each other.
        seed: of the order, from 0.
        absolute_to_relative_idx: index in the dataset by frame index, where a dataset holds some episodes.
        rank: number of this process. Each process gets a consecutive part of the order; up to
            `world_size - 1` frames at the end of an epoch are left out, so that all get as many.
        world_size: number of processes.
        skip_episodes: reason by episode: episodes that cannot be read. They are left out, with a warning.

    Raises:
        ArgumentError: arguments contradict each other, or no frames are left. It is a `ValueError`.
        UsageError: a number of frames or blocks is not positive.
    """

    def __init__(
        self,
        dataset_from_indices: Iterable[Any],
        dataset_to_indices: Iterable[Any],
        episode_indices_to_use: Iterable[int] | None = None,
        drop_n_first_frames: int = 0,
        drop_n_last_frames: int = 0,
        *,
        gop_frames: int | None = None,
        run_frames: int | None = None,
        block_frames: int = 64,
        buffer_blocks: int = 64,
        seed: int = 0,
        absolute_to_relative_idx: Mapping[int, int] | None = None,
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
        self._blocks = block_order(
            rows.starts,
            rows.stops,
            origins=rows.origins,
            gop_frames=gop_frames,
            run_frames=run_frames,
            block_frames=block_frames,
            buffer_blocks=buffer_blocks,
            seed=seed,
        )
        super().__init__(
            frames_of(rows),
            seed=seed,
            absolute_to_relative_idx=absolute_to_relative_idx,
            rank=rank,
            world_size=world_size,
        )

    @classmethod
    def for_dataset(
        cls, dataset: Any, *, on_error: OnError = "raise", **options: Any
    ) -> BlockSampler:
        """The sampler of a `LeRobotDataset`: its episodes, and the GOP length that its cameras state.

        Args:
            dataset: a `LeRobotDataset`.
            on_error: `skip` leaves out episodes that cannot be read, with a warning: of a missing or short
                video, say. `raise` lets reading them raise.
            **options: arguments of the class; they override what the dataset says.
        """
        return cls(
            **{**options_of(dataset, on_error), "gop_frames": stated_gop(dataset.meta), **options}
        )

    def mixing(self, batch_size: int) -> Mixing:
        """How far the order is from a full shuffle, for batches of `batch_size` frames."""
        if batch_size < 1:
            raise ArgumentError(f"batch_size is {batch_size}, expected 1 or more")
        return self._blocks.mixing(batch_size)

    def _order(self, epoch: int) -> Int64:
        return self._blocks.rows(epoch, rank=self.rank, world_size=self.world_size)


def stated_gop(meta: Any) -> int | None:
    """The longest GOP that the features of a dataset state for its video cameras; None if none states one."""
    infos = [one.get("info") or {} for one in meta.features.values() if one.get("dtype") == "video"]
    stated = [info.get("video.g") for info in infos]
    return max((gop for gop in stated if isinstance(gop, int) and gop > 0), default=None)
