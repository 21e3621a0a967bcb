"""`StreamingLeRobotDataset`: items of a dataset as a stream, in a shuffled order that can be resumed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np
import torch.utils.data

from roboreel.dataset.dataset import Dataset
from roboreel.edit.view import View
from roboreel.torch.compat.old_names import OF_STREAMS, AnsweringMissingNames
from roboreel.torch.constants import DEPTH_MILLIMETER_UNIT
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from roboreel.torch.dataset_reader import DatasetReader, Transform
from roboreel.torch.errors import ArgumentError, WrongTypeError
from roboreel.torch.items.item_tensors import Item
from roboreel.torch.streams.stream_order import permuted, shuffled, split_evenly
from roboreel.torch.streams.stream_pipeline import local_items, remote_items
from roboreel.torch.streams.stream_position import StreamPosition, delivered

_MIB = 1 << 20


class StreamingLeRobotDataset(AnsweringMissingNames, torch.utils.data.IterableDataset[Item]):
    """All items once per iteration, as `LeRobotDataset` gives them; ranks and workers share them out.

    The buffer holds numbers of items, not frames. An iteration has another order than the one before, and
    the same seed gives the same orders.
    """

    _instead = OF_STREAMS

    def __init__(
        self,
        repo_id: str | Dataset | View,
        root: str | os.PathLike[str] | Dataset | View | None = None,
        episodes: list[int] | None = None,
        image_transforms: Transform | None = None,
        delta_timestamps: Mapping[str, Sequence[float]] | None = None,
        tolerance_s: float = 1e-4,
        revision: str | None = None,
        force_cache_sync: bool = False,
        streaming: bool = True,
        buffer_size: int | None = 1000,
        max_num_shards: int = 16,
        seed: int = 42,
        rng: np.random.Generator | None = None,
        shuffle: bool = True,
        return_uint8: bool = False,
        depth_output_unit: str = DEPTH_MILLIMETER_UNIT,
        *,
        repo_type: Literal["dataset", "bucket"] = "dataset",
        token: str | bool | None = None,
        rank: int = 0,
        world_size: int = 1,
        prefetch_mb: float = 64,
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
            buffer_size: items among which the next one is chosen at random; None for all items of the
                dataset, shared out evenly.
            max_num_shards: the episodes are divided into at most so many parts, each read in order; a worker
                takes whole parts. Without effect where `buffer_size` is None.
            seed: of the order.
            rng: gives the seed instead.
            shuffle: False for the order of the dataset.
            return_uint8: True for frames of videos as uint8.
            depth_output_unit: `m` or `mm`.
            repo_type: `dataset`, or `bucket` for a storage bucket.
            token: the Hub's token.
            rank: number of this process. Each process has its own share of the items.
            world_size: number of processes. Leave it at 1 where accelerate divides the batches.
            prefetch_mb: MiB of packets that are read ahead from a server, for each worker.

        Raises:
            ArgumentError: a number is not positive, or as for `LeRobotDataset`. It is a `ValueError`.
            HubError: files are not here, and the Hub can't be reached or refused.
        """
        super().__init__()
        counts = {} if buffer_size is None else {"buffer_size": buffer_size}
        _require_positive(**counts, max_num_shards=max_num_shards, prefetch_mb=prefetch_mb)
        _require_rank(rank, world_size)
        self.streaming, self.shuffle = streaming, shuffle
        self.buffer_size, self.seed = buffer_size, seed
        self.rng = rng
        self._seed = seed if rng is None else int(rng.integers(1 << 62))
        self.meta = LeRobotDatasetMetadata(
            repo_id, root, revision, force_cache_sync, repo_type=repo_type, token=token
        )
        self.repo_id = self.meta.repo_id
        self.root, self.revision = self.meta.root, self.meta.revision
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
        self.episodes = self.reader.episodes
        self.reader.load_or_stream(token)
        self._shards = split_evenly(self.reader.episode_bounds, max_num_shards)
        self._rank, self._world_size = rank, world_size
        self._prefetch_bytes = int(prefetch_mb * _MIB)
        self._position = StreamPosition()
        self._current, self._turn = (0, 0), 0

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

    def __getitem__(self, idx: object) -> Item:
        """Refuse: a stream is iterated over."""
        raise WrongTypeError(
            "a StreamingLeRobotDataset has no items by number: iterate over it, or read items of the Hub by"
            " number with LeRobotDataset(…, streaming=True)"
        )

    def __iter__(self) -> Iterator[Item]:
        """Each item once; of a rank, and in a worker of a `DataLoader`, only its share.

        Raises:
            VideoError: a frame is missing or does not decode; names file, episode and frame.
        """
        slot, worker, workers = _worker()
        iteration, first, turn = self._position.begin(slot, workers)
        self._current, self._turn = (iteration, first), turn
        number = (worker + turn) % max(workers, 1)
        rest = islice(self._share(iteration, number, max(workers, 1)), first, None)
        if self.reader.is_remote:
            items = remote_items(self.reader, rest, self._prefetch_bytes)
        else:
            items = local_items(self.reader, rest)
        for item in items:
            self._current = iteration, self._current[1] + 1
            yield item
        self._current, self._turn = (iteration + 1, 0), 0

    def set_epoch(self, epoch: int) -> None:
        """Let the next iteration have the order of an epoch: 0 for the first one."""
        self._position.set(epoch)
        self._current = epoch, 0

    def state_dict(self) -> dict[str, Any]:
        """The epoch, and how many items of it this process or worker has given."""
        epoch, items = self._current
        own = {"epoch": epoch, "items": items, "workers": _worker()[2], "turn": self._turn}
        return {**own, **self._identity()}

    def state_after(self, batches: int, *, batch_size: int, num_workers: int = 0) -> dict[str, Any]:
        """The state where a `DataLoader` with workers has given some batches of the current epoch.

        Workers read ahead, so that only the batches which were taken tell how far it has come.

        Args:
            batches: how many batches were taken in this epoch.
            batch_size: items of a batch.
            num_workers: workers of the `DataLoader`.

        Raises:
            ArgumentError: there are not as many batches, or the shares of workers differ in size.
        """
        _require_positive(batch_size=batch_size)
        begun = self._position.begun(num_workers)
        count, turn = len(begun), begun[0].turn
        numbers = [(worker + turn) % count for worker in range(count)]
        shares = [self._share_size(number, count) for number in numbers]
        left = [share - one.first for share, one in zip(shares, begun, strict=True)]
        given = delivered(left, batches, batch_size)
        items = [0] * count
        for number, one, more in zip(numbers, begun, given, strict=True):
            items[number] = one.first + more
        own = {"epoch": begun[0].iteration, "items": items, "workers": num_workers}
        return {**own, "turn": (turn + batches) % count, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken: the next iteration begins with the item after it.

        Raises:
            ArgumentError: it is not the state of a stream with this dataset, order and number of processes.
        """
        other = {
            name: (state.get(name), value)
            for name, value in self._identity().items()
            if state.get(name) != value
        }
        if other:
            said = ", ".join(f"{name} {had!r}, now {has!r}" for name, (had, has) in other.items())
            raise ArgumentError(
                f"the state is of another stream, whose items come in another order: {said}"
            )
        slot, *_ = _worker()
        self._position.resume(slot, state)
        if isinstance(state["items"], int):
            self._current, self._turn = (int(state["epoch"]), state["items"]), int(state["turn"])

    def _identity(self) -> dict[str, Any]:
        """What the order of items depends on."""
        return {
            "frames": self.num_frames,
            "seed": self._seed,
            "shuffle": self.shuffle,
            "buffer_size": self.buffer_size,
            "shards": self.num_shards,
            "rank": self._rank,
            "world_size": self._world_size,
        }

    def _share(self, iteration: int, worker: int, workers: int) -> Iterator[int]:
        """Items of a worker in an iteration, in order."""
        number, count = self._rank * workers + worker, self._world_size * workers
        if self.shuffle and self.buffer_size is None:
            order = permuted(self.num_frames, [self._seed, iteration])
            return map(int, order[number::count])
        shards = self._shards[number::count]
        if not self.shuffle or self.buffer_size is None:
            return (item for shard in shards for item in shard)
        random = np.random.default_rng([self._seed, iteration, number])
        return shuffled(shards, self.buffer_size, random)

    def _share_size(self, worker: int, workers: int) -> int:
        number, count = self._rank * workers + worker, self._world_size * workers
        if self.shuffle and self.buffer_size is None:
            return len(range(number, self.num_frames, count))
        return sum(len(shard) for shard in self._shards[number::count])


def _worker() -> tuple[int, int, int]:
    """(slot, number, number of workers) of this worker; (0, 0, 0) outside of workers."""
    found = torch.utils.data.get_worker_info()
    return (0, 0, 0) if found is None else (1 + found.id, found.id, found.num_workers)


def _require_rank(rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        raise ArgumentError(
            f"rank is {rank} and world_size is {world_size}: expected 0 ≤ rank < world_size"
        )


def _require_positive(**numbers: float) -> None:
    for name, value in numbers.items():
        if not value > 0:
            raise ArgumentError(f"{name} is {value}, expected a positive number")
