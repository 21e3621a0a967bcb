"""Batches of datasets as dicts of arrays: what a `Loader` makes in its threads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from roboreel.reading.reader import Reader
from roboreel.torch.collate import lerobot_collate_fn
from roboreel.torch.errors import ArgumentError
from roboreel.torch.frame_planes import FrameScratch, planes
from roboreel.torch.host_buffers import Buffers
from roboreel.torch.lerobot_dataset import LeRobotDataset

Batch = dict[str, Any]
"""By feature: (B, …) array or tensor, or a list of B values."""


@runtime_checkable
class BatchSource(Protocol):
    """A dataset that gives batches. Threads may share it."""

    def __len__(self) -> int:
        """Number of items."""
        ...

    def read_batch(self, indices: Sequence[int], buffers: Buffers) -> Batch:
        """The items of a batch, with large arrays made in `buffers`."""
        ...


class ReaderBatches:
    """Batches of a reader, with the frames of cameras as tensors want them."""

    def __init__(self, reader: Reader, *, uint8: bool) -> None:
        """Use a reader.

        Args:
            reader: the items.
            uint8: True leaves RGB frames as uint8; False divides them by 255, as float32.
        """
        self._reader, self._uint8, self._scratch = reader, uint8, FrameScratch()

    def __len__(self) -> int:
        return len(self._reader)

    def read_batch(self, indices: Sequence[int], buffers: Buffers) -> Batch:
        """By feature (B, …): numbers, RGB frames (B, C, H, W), depth codes uint16 (B, 1, H, W), lists.

        With offsets (B, T, …).
        """
        batch = self._scratch.batch(self._reader, indices, buffers)
        for name in self._reader.cameras:
            as_they_are = self._uint8 or batch[name].dtype != np.uint8
            batch[name] = planes(batch[name], buffers, uint8=as_they_are)
        return batch


class ItemBatches:
    """Batches of any dataset with items by number, collated as by lerobot's function."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def read_batch(self, indices: Sequence[int], buffers: Buffers) -> Batch:
        """The items, together where the dataset can (`__getitems__`)."""
        together = getattr(self._dataset, "__getitems__", None)
        numbers = [int(index) for index in indices]
        items = [self._dataset[n] for n in numbers] if together is None else together(numbers)
        return lerobot_collate_fn(items) or {}


class DatasetBatches:
    """Batches of a `LeRobotDataset`, as its items are collated, without making these items."""

    def __init__(self, dataset: LeRobotDataset) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def read_batch(self, indices: Sequence[int], buffers: Buffers) -> Batch:
        """By feature (B, …) tensors, lists of strings."""
        return self._dataset.reader.get_batch(indices, buffers)


def batch_source(dataset: Any, *, uint8: bool) -> BatchSource:
    """The batches of a dataset.

    Raises:
        ArgumentError: it has no items by number. It is a `ValueError`.
    """
    if isinstance(dataset, Reader):
        return ReaderBatches(dataset, uint8=uint8)
    if uint8:
        raise ArgumentError("uint8 goes with a Reader: pass return_uint8=True to the dataset")
    if isinstance(dataset, BatchSource):
        return dataset
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise ArgumentError(
            f"{type(dataset).__name__} has no items by number: use torch's DataLoader for it"
        )
    if isinstance(dataset, LeRobotDataset) and _gives_plain_items(type(dataset)):
        return DatasetBatches(dataset)
    return ItemBatches(dataset)


def _gives_plain_items(kind: type[LeRobotDataset]) -> bool:
    """True where a subclass does not change what items are."""
    names = ("__getitem__", "__getitems__")
    return all(getattr(kind, name) is getattr(LeRobotDataset, name) for name in names)
