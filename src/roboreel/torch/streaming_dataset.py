"""`StreamingLeRobotDataset`: items of a dataset as a stream, shuffled through a buffer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import torch
import torch.utils.data

from roboreel.dataset.dataset import Dataset
from roboreel.dataset.open import dataset_below
from roboreel.errors import HubError, StorageError, UsageError, counted, listed
from roboreel.hub.hub_root import HubRoot
from roboreel.hub.reference import HubReference
from roboreel.torch.constants import DEPTH_MILLIMETER_UNIT
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from roboreel.torch.dataset_reader import DatasetReader, Transform
from roboreel.torch.errors import ArgumentError
from roboreel.torch.item_tensors import Item
from roboreel.torch.stream_order import shuffled, split_evenly

_TOGETHER = 16
"""Items that are decoded together."""
_MOST_WORKERS = 1024


class StreamingLeRobotDataset(torch.utils.data.IterableDataset[Item]):
    """All items once per iteration, as `LeRobotDataset` gives them; workers of a `DataLoader` share them out.

    The buffer holds numbers of items, not frames. An iteration has another order than the one before, and
    the same seed gives the same orders.
    """

    def __init__(
        self,
        repo_id: str,
        root: str | os.PathLike[str] | None = None,
        episodes: list[int] | None = None,
        image_transforms: Transform | None = None,
        delta_timestamps: Mapping[str, Sequence[float]] | None = None,
        tolerance_s: float = 1e-4,
        revision: str | None = None,
        force_cache_sync: bool = False,
        streaming: bool = True,
        buffer_size: int = 1000,
        max_num_shards: int = 16,
        seed: int = 42,
        rng: np.random.Generator | None = None,
        shuffle: bool = True,
        return_uint8: bool = False,
        depth_output_unit: str = DEPTH_MILLIMETER_UNIT,
        *,
        repo_type: Literal["dataset", "bucket"] = "dataset",
        token: str | bool | None = None,
    ) -> None:
        """Open a dataset. Files that are not here are read from the Hub by ranges, and are not stored.

        Args:
            repo_id: `user/name`.
            root: the folder; by default as for `LeRobotDataset`.
            episodes: read only these.
            image_transforms: a function applied to the frames of cameras with colours.
            delta_timestamps: windows by feature, in seconds from the item.
            tolerance_s: how far from a multiple of 1/fps an offset may be, in seconds.
            revision: branch, tag or commit on the Hub.
            force_cache_sync: True asks the Hub for the documents even where they are here.
            streaming: accepted; nothing is held in memory either way.
            buffer_size: items among which the next one is chosen at random.
            max_num_shards: the episodes are divided into at most so many parts, each read in order; a worker
                takes whole parts.
            seed: of the order.
            rng: gives the seed instead.
            shuffle: False for the order of the dataset.
            return_uint8: True for frames of videos as uint8.
            depth_output_unit: `m` or `mm`.
            repo_type: `dataset`, or `bucket` for a storage bucket.
            token: the Hub's token.

        Raises:
            ArgumentError: a number is not positive, or as for `LeRobotDataset`. It is a `ValueError`.
            HubError: files are not here, and the Hub can't be reached or refused.
        """
        super().__init__()
        _require_positive(buffer_size=buffer_size, max_num_shards=max_num_shards)
        self.repo_id, self.streaming, self.shuffle = repo_id, streaming, shuffle
        self.buffer_size, self.seed = buffer_size, seed
        self.rng = rng
        self._seed = seed if rng is None else int(rng.integers(1 << 62))
        self.meta = LeRobotDatasetMetadata(
            repo_id, root, revision, force_cache_sync, repo_type=repo_type, token=token
        )
        self.root, self.revision, self.episodes = self.meta.root, self.meta.revision, episodes
        self.image_transforms, self.delta_timestamps = image_transforms, delta_timestamps
        self.tolerance_s, self._depth_output_unit = tolerance_s, depth_output_unit
        if self.meta.depth_keys:
            self.meta.rescale_depth_stats(depth_output_unit)
        self.reader = DatasetReader(
            self.meta,
            self.root,
            episodes,
            tolerance_s,
            None,
            delta_timestamps,
            image_transforms,
            return_uint8,
            depth_output_unit,
        )
        missing = self.reader.missing_files()
        self.reader.load_and_activate(self._remote(missing, token) if missing else None)
        self._shards = split_evenly(self.reader.episode_bounds, max_num_shards)
        # in shared memory, as workers are often started again for each iteration
        self._iterations = torch.zeros(1 + _MOST_WORKERS, dtype=torch.int64)
        self._iterations.share_memory_()  # type: ignore[no-untyped-call]

    def _remote(self, missing: Sequence[str], token: str | bool | None) -> Dataset:
        """The dataset on the Hub, whose files are read by ranges as they are needed."""
        lacks = f"'{self.root}' lacks files ({listed(missing[:2])})"
        if self.meta.repo_type == "bucket":
            raise UsageError(
                f"{lacks}, and storage buckets cannot be streamed: copy the bucket into a folder, and pass"
                " this folder as root"
            )
        try:
            dataset = dataset_below(HubRoot(HubReference(self.repo_id, self.meta.revision), token))
        except HubError as error:
            raise HubError(f"{lacks}: {error}") from error
        if dataset.total_frames != self.meta.total_frames:
            raise StorageError(
                f"'{self.repo_id}' has {counted(dataset.total_frames, 'frame')} on the Hub, but"
                f" {self.meta.total_frames} in the local documents: pass force_cache_sync=True to update"
                " them"
            )
        return dataset

    @property
    def num_shards(self) -> int:
        """Number of parts that workers share out."""
        return len(self._shards)

    @property
    def delta_indices(self) -> dict[str, list[int]] | None:
        """The windows in frames from the item, by feature; None without `delta_timestamps`."""
        return self.reader.delta_indices

    @property
    def num_frames(self) -> int:
        """Number of items of an iteration."""
        return self.reader.num_frames

    @property
    def num_episodes(self) -> int:
        """Number of chosen episodes."""
        return self.reader.num_episodes

    @property
    def fps(self) -> int | float:
        """Frames per second."""
        return self.meta.fps

    @property
    def depth_output_unit(self) -> str:
        """Unit of depths: `m` or `mm`."""
        return self._depth_output_unit

    def __iter__(self) -> Iterator[Item]:
        """Each item once; in a worker of a `DataLoader`, only the worker's share.

        Raises:
            VideoError: a frame is missing or does not decode; names file, episode and frame.
        """
        worker = torch.utils.data.get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        iteration = self._counted(0 if worker is None else 1 + number)
        order = self._order(self._shards[number::workers], [self._seed, iteration, number])
        together: list[int] = []
        for item in order:
            together.append(item)
            if len(together) == _TOGETHER:
                yield from self.reader.get_items(together)
                together = []
        yield from self.reader.get_items(together)

    def _counted(self, slot: int) -> int:
        slot %= len(self._iterations)
        iteration = int(self._iterations[slot])
        self._iterations[slot] += 1
        return iteration

    def _order(self, shards: Sequence[range], seed: Sequence[int]) -> Iterator[int]:
        if not self.shuffle:
            return (item for shard in shards for item in shard)
        return shuffled(shards, self.buffer_size, np.random.default_rng(seed))


def _require_positive(**numbers: int) -> None:
    for name, value in numbers.items():
        if value < 1:
            raise ArgumentError(f"{name} is {value}, expected 1 or more")
