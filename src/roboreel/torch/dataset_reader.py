"""Items of a dataset on disk, with the interface of lerobot's `DatasetReader`."""

from __future__ import annotations

import os
import reprlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.utils.data

from roboreel.dataset.dataset import Dataset
from roboreel.errors import OutOfRangeError, UnknownNameError, known_episodes, listed
from roboreel.format.model import EPISODE, LENGTH
from roboreel.reading.packet_fetch import PacketFetch
from roboreel.reading.reader import reader
from roboreel.torch.batches.batch_buffers import Buffers
from roboreel.torch.batches.batch_source import Batch
from roboreel.torch.compat.argument_types import episode_list, require_windows
from roboreel.torch.constants import DEPTH_MILLIMETER_UNIT
from roboreel.torch.dataset_metadata import LeRobotDatasetMetadata
from roboreel.torch.errors import ArgumentError, WrongTypeError
from roboreel.torch.features.delta_timestamps import check_delta_timestamps, get_delta_indices
from roboreel.torch.items.episode_files import absent_files, episode_files
from roboreel.torch.items.frame_tensors import require_depth_unit
from roboreel.torch.items.item_tensors import Item, ItemTensors, items_of
from roboreel.torch.items.packed_state import packed, unpacked
from roboreel.torch.items.random_access import RandomAccess
from roboreel.torch.items.remote_files import remote_dataset
from roboreel.torch.items.row_batches import RowBatches, SizedBuffers
from roboreel.torch.items.row_tensor import rows_of
from roboreel.torch.items.shared_buffers import SharedBuffers
from roboreel.torch.items.table_rows import TableRows
from roboreel.torch.video_utils import resolved_backend
from roboreel.types import Int64

Transform = Callable[[Any], Any]
_OWN = ("_batches", "_access", "_rows", "_hf_dataset", "_buffers", "_absolute_to_relative_idx")
"""Attributes that each process makes for itself."""


class DatasetReader:
    """Items of some episodes. Pickled or forked, it reads in the other process too."""

    def __init__(
        self,
        meta: LeRobotDatasetMetadata,
        root: str | os.PathLike[str],
        episodes: Sequence[int] | None,
        tolerance_s: float,
        video_backend: str | None,
        delta_timestamps: Mapping[str, Sequence[float]] | None,
        image_transforms: Transform | None,
        return_uint8: bool = False,
        depth_output_unit: str = DEPTH_MILLIMETER_UNIT,
    ) -> None:
        """Prepare to read; nothing is opened: see `LeRobotDataset`."""
        self._meta, self.root = meta, root
        self.episodes = episode_list("episodes", episodes)
        self._tolerance_s, self._video_backend = tolerance_s, resolved_backend(video_backend)
        self.delta_indices: dict[str, list[int]] | None = None
        if delta_timestamps is not None:
            _require_features(delta_timestamps, meta)
            check_delta_timestamps(delta_timestamps, meta.fps, tolerance_s)
            self.delta_indices = get_delta_indices(delta_timestamps, meta.fps)
        self._image_transforms: Transform | None = None
        self.set_image_transforms(image_transforms)
        self._return_uint8 = return_uint8
        self._depth_output_unit = require_depth_unit(depth_output_unit)
        self._rows: Int64 | None = None
        self._hf_dataset: TableRows | None = None
        self._dataset: Dataset | None = None
        self._batches: RowBatches | None = None
        self._access: RandomAccess | None = None
        self._buffers = SizedBuffers()
        self._threads: int | None = None
        self._absolute_to_relative_idx: dict[int, int] | None = None
        self._tensors = ItemTensors(meta.features, uint8=return_uint8, depth_unit=depth_output_unit)

    def set_image_transforms(self, image_transforms: Transform | None) -> None:
        """Apply a function to the frames of cameras with colours; None for none.

        Raises:
            WrongTypeError: it is not a function. It is a `TypeError`.
        """
        require_transform(image_transforms)
        self._image_transforms = image_transforms

    def clear_image_transforms(self) -> None:
        """Apply no function to frames."""
        self._image_transforms = None

    @property
    def image_transforms(self) -> Transform | None:
        """The function that is applied to frames of cameras with colours."""
        return self._image_transforms

    @property
    def video_backend(self) -> str:
        """The library that decodes videos."""
        return self._video_backend

    @property
    def threads(self) -> int | None:
        """Threads that decode here; None for one for each processor."""
        return self._threads

    def missing_files(self, *, videos: bool = True) -> list[str]:
        """Names of the files of the chosen episodes that are not here.

        Args:
            videos: True looks for videos too.
        """
        cameras = self._meta.video_keys if videos else []
        return absent_files(self._meta, episode_files(self._meta, self.episodes, cameras))

    def try_load(self) -> bool:
        """Load the rows if all files of the chosen episodes are here; False if not."""
        if not self._meta.total_episodes or self.missing_files():
            return False
        self.load_and_activate()
        return True

    def load_or_stream(self, token: str | bool | None) -> None:
        """Use the files that are here; if some are missing, read all from the Hub when they are needed.

        Raises:
            HubError: files are not here, and the Hub can't be reached or refused.
        """
        missing = self.missing_files()
        self.load_and_activate(remote_dataset(self._meta, missing, token) if missing else None)

    def load_and_activate(self, dataset: Dataset | None = None) -> None:
        """Use the files that are here now; rows and frames are read when they are used.

        Args:
            dataset: use its files instead; it has the documents of this one.
        """
        self._dataset, self._rows, self._hf_dataset = dataset or self._meta.dataset, None, None
        self._absolute_to_relative_idx = None
        self._rows = self._chosen_rows(self._dataset)
        self._open(self._dataset)

    def _open(self, dataset: Dataset) -> None:
        self._threads = _threads()
        core = reader(
            dataset,
            cameras=self._meta.camera_keys,
            offsets=self.delta_indices,
            threads=self._threads,
            video_backend=self._video_backend,
        )
        self._batches = RowBatches(core, self._tensors.scaled)
        watched = self._meta.video_keys if self._meta.view is None else []
        self._access = RandomAccess(dataset, watched)

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs; the documents are compressed, as their tables repeat themselves."""
        state = {name: value for name, value in vars(self).items() if name not in _OWN}
        return {**state, "_dataset": None if self._dataset is None else packed(self._dataset)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({**state, **dict.fromkeys(_OWN), "_buffers": SizedBuffers()})
        if state["_dataset"] is not None:
            dataset: Dataset = unpacked(state["_dataset"])
            self._dataset, self._rows = dataset, self._chosen_rows(dataset)

    @property
    def hf_dataset(self) -> TableRows | None:
        """The rows of the chosen episodes, without videos; None before they are loaded."""
        if self._hf_dataset is None and self._dataset is not None:
            self._hf_dataset = TableRows(self._dataset, self._meta.features, self.rows)
        return self._hf_dataset

    @property
    def rows(self) -> Int64:
        """(items,) the dataset's row of each item."""
        return np.arange(self.num_frames, dtype=np.int64) if self._rows is None else self._rows

    def _chosen_rows(self, dataset: Dataset) -> Int64 | None:
        """`_rows_of` for chosen episodes; None for all, of which there may be very many."""
        return None if self.episodes is None else self._rows_of(dataset)

    def _rows_of(self, dataset: Dataset) -> Int64:
        """(items,) rows of the chosen episodes, ascending.

        Raises:
            ArgumentError: there is no such episode, or no episode is chosen.
        """
        numbers, lengths = dataset.episodes[EPISODE].to_numpy(), dataset.episodes[LENGTH].to_numpy()
        episodes = self.episodes or []
        unknown = sorted(set(episodes) - set(numbers.tolist()))
        if unknown or not episodes:
            what = (
                f"episode {listed(unknown)} does not exist" if unknown else "no episode is chosen"
            )
            raise ArgumentError(f"{what}: the dataset has {known_episodes(numbers.tolist())}")
        chosen = np.isin(numbers, np.asarray(episodes))
        return np.flatnonzero(np.repeat(chosen, lengths)).astype(np.int64)

    @property
    def episode_bounds(self) -> Int64:
        """(chosen episodes + 1,) the first item of each, in the order of items, and the number of items."""
        bounds = self._core().reader.bounds
        episodes = np.searchsorted(bounds, self.rows, side="right")
        first = np.flatnonzero(np.diff(episodes, prepend=-1))
        return np.append(first, len(episodes)).astype(np.int64)

    @property
    def num_frames(self) -> int:
        """Number of items."""
        if self._dataset is None and self.episodes is not None:
            return len(self._rows_of(self._meta.dataset))
        return self._meta.total_frames if self._rows is None else len(self._rows)

    @property
    def num_episodes(self) -> int:
        """Number of chosen episodes."""
        return self._meta.total_episodes if self.episodes is None else len(self.episodes)

    @property
    def absolute_to_relative_idx(self) -> dict[int, int] | None:
        """Item by the dataset's row, where some episodes are chosen; None for all."""
        if self.episodes is not None and self._absolute_to_relative_idx is None:
            rows = self.rows.tolist()
            self._absolute_to_relative_idx = dict(zip(rows, range(len(rows)), strict=True))
        return self._absolute_to_relative_idx

    def get_episodes_file_paths(self) -> list[str]:
        """Names of the tables and videos of the chosen episodes, each once, relative to the root."""
        return episode_files(self._meta, self.episodes, self._meta.video_keys)

    def get_item(self, idx: int) -> Item:
        """An item: see `LeRobotDataset.__getitem__`."""
        return self.get_items([idx])[0]

    def get_items(self, indices: Sequence[int]) -> list[Item]:
        """Items in any order, all frames decoded together.

        Raises:
            OutOfRangeError: there is no such item. It is an `IndexError`.
        """
        if not len(indices):
            return []
        items = items_of(self._batch(indices, self._buffers.of(len(indices))), len(indices))
        if (transform := self._image_transforms) is not None:
            for item in items:
                item.update({name: transform(item[name]) for name in self._coloured})
        return items

    def fetch(self, indices: Sequence[int]) -> PacketFetch:
        """The packets of remote videos that `get_items` needs, to be read beforehand: see `Reader.fetch`."""
        return self._core().reader.fetch(self._rows_at(indices))

    @property
    def is_remote(self) -> bool:
        """True if files are read from a server."""
        return self._core().reader.is_remote

    def get_rows(self, indices: Sequence[int]) -> list[Item]:
        """The items of `get_items`; `torch.stack` of their frames gives those without a copy."""
        if self._image_transforms is not None or len(indices) < 2:
            return self.get_items(indices)
        shared = None if torch.utils.data.get_worker_info() is None else SharedBuffers()
        batch = self._batch(indices, shared or self._buffers.of(len(indices)))
        frames = {name: batch[name] for name in self._meta.camera_keys if name in batch}
        if shared is not None:
            frames = {name: shared.shared(values) for name, values in frames.items()}
        rows = {name: rows_of(values) for name, values in frames.items()}
        return items_of({n: rows.get(n, values) for n, values in batch.items()}, len(indices))

    def read_batch(self, indices: Sequence[int], buffers: Buffers) -> Batch:
        """By feature (B, …) tensors of some items, or lists: those of `get_items`, stacked.

        Args:
            indices: (B,) items.
            buffers: where tensors of frames are made.

        Raises:
            OutOfRangeError: there is no such item. It is an `IndexError`.
        """
        batch = self._batch(indices, buffers)
        if (transform := self._image_transforms) is not None:
            for name in self._coloured:
                batch[name] = torch.stack([transform(frames) for frames in batch[name]])
        return batch

    def _batch(self, indices: Sequence[int], buffers: Buffers) -> Batch:
        core, rows = self._core(), self._rows_at(indices)
        begin = time.perf_counter()
        batch = core.read(rows, buffers)
        if self._access is not None and len(rows):
            self._access.note(rows, time.perf_counter() - begin)
        return self._tensors.batch(batch, buffers)

    @property
    def _coloured(self) -> list[str]:
        depths = self._meta.depth_keys
        return [name for name in self._meta.camera_keys if name not in depths]

    def _rows_at(self, indices: Sequence[int]) -> Int64:
        count = self.num_frames
        try:
            wanted = np.asarray(indices, dtype=np.int64)
        except OverflowError as error:
            raise OutOfRangeError(
                f"an item number is out of range for a dataset of length {count}"
            ) from error
        except (TypeError, ValueError) as error:
            raise WrongTypeError(_no_numbers(indices)) from error
        if wanted.ndim != 1:
            raise WrongTypeError(f"item number is {indices[0]!r}, expected an integer")
        positions = np.where(wanted < 0, wanted + count, wanted)
        outside = wanted[(positions < 0) | (positions >= count)]
        if len(outside):
            raise OutOfRangeError(
                f"item {int(outside[0])} is out of range for a dataset of length {count}"
            )
        return positions if self._rows is None else self._rows[positions]

    def _core(self) -> RowBatches:
        if self._dataset is None:
            self.load_and_activate()
        elif self._batches is None or self._threads != _threads():  # another process
            self._open(self._dataset)
        assert self._batches is not None
        return self._batches


def _threads() -> int | None:
    """Threads that decode: one in a worker of a `DataLoader`, else as many as there are processors."""
    return None if torch.utils.data.get_worker_info() is None else 1


def _no_numbers(indices: Sequence[Any]) -> str:
    column = isinstance(indices[0], str)
    hint = f": a column without videos is .hf_dataset[{indices[0]!r}]" if column else ""
    return f"item numbers are {reprlib.repr(list(indices))}, expected integers{hint}"


def require_transform(image_transforms: Transform | None) -> None:
    """Raise `WrongTypeError` unless it is a function or None."""
    if image_transforms is not None and not callable(image_transforms):
        raise WrongTypeError("image_transforms must be a function or None")


def _require_features(
    delta_timestamps: Mapping[str, Sequence[float]], meta: LeRobotDatasetMetadata
) -> None:
    require_windows(delta_timestamps)
    unknown = [name for name in delta_timestamps if name not in meta.features]
    if unknown:
        raise UnknownNameError(
            f"delta_timestamps has unknown features {listed(unknown)}: the dataset has"
            f" {listed(sorted(meta.features))}"
        )
