"""Batches of datasets as dicts of arrays: what a `Loader` makes in its threads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from roboreel.reading.reader import Reader
from roboreel.storage.video.rgb import write_pixels
from roboreel.torch.batches.batch_buffers import Buffers
from roboreel.torch.collate import lerobot_collate_fn
from roboreel.torch.errors import ArgumentError

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
        self._reader, self._uint8 = reader, uint8
        self._shapes: dict[str, tuple[tuple[int, ...], npt.DTypeLike]] = {}

    def __len__(self) -> int:
        return len(self._reader)

    def read_batch(self, indices: Sequence[int], buffers: Buffers) -> Batch:
        """By feature (B, …): numbers, RGB frames (B, C, H, W), depth codes uint16 (B, 1, H, W), lists.

        With offsets (B, T, …).
        """
        count = len(indices)
        out = {
            name: channels_first(buffers, (count, *shape), dtype)
            for name, (shape, dtype) in self._shapes.items()
        }
        batch: Batch = self._reader.batch(indices, out)
        for name in self._reader.cameras:
            found = planes(batch[name], buffers, uint8=self._uint8)
            batch[name] = found
            shape = np.moveaxis(found, -3, -1).shape[1:]
            self._shapes.setdefault(name, (shape, found.dtype))
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


def channels_first(
    buffers: Buffers, shape: tuple[int, ...], dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """(…, H, W, C) view of a new array (…, C, H, W): a reader fills it faster than one in its own order."""
    *lead, height, width, channels = shape
    return np.moveaxis(buffers.empty((*lead, channels, height, width), dtype), -3, -1)


def planes(frames: npt.NDArray[Any], buffers: Buffers, *, uint8: bool) -> npt.NDArray[Any]:
    """(…, C, H, W) of (…, H, W, C) frames, those of uint8 divided by 255 as float32 unless `uint8`.

    Frames that are so already stay where they are.
    """
    *lead, height, width, channels = frames.shape
    scaled = frames.dtype == np.uint8 and not uint8
    first = np.moveaxis(frames, -1, -3)
    if first.flags.c_contiguous and not scaled:
        return first
    found = buffers.empty((*lead, channels, height, width), np.float32 if scaled else frames.dtype)
    flat = frames.reshape(-1, height, width, channels)
    for target, frame in zip(found.reshape(-1, channels, height, width), flat, strict=True):
        write_pixels(frame, target.transpose(1, 2, 0))
    return found


def batch_source(dataset: Any, *, uint8: bool) -> BatchSource:
    """The batches of a reader, or of any dataset with items by number.

    Raises:
        ArgumentError: it has no items by number, or `uint8` is not for it. It is a `ValueError`.
    """
    if isinstance(dataset, Reader):
        return ReaderBatches(dataset, uint8=uint8)
    if uint8:
        raise ArgumentError(
            "uint8=True needs a Reader: for a dataset, pass return_uint8=True when you make it"
        )
    if isinstance(dataset, str | os.PathLike):
        raise ArgumentError(
            f"{str(dataset)!r} is a path: open the dataset with roboreel.open(…), and pass"
            " roboreel.reader(…) of it"
        )
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise ArgumentError(
            f"{type(dataset).__name__} cannot be indexed by item number: use torch.utils.data.DataLoader"
            " for it"
        )
    return dataset if isinstance(dataset, BatchSource) else ItemBatches(dataset)
