"""Memory for batches that is used again when a batch is dropped, so that its pages need not be made again."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[Any]


class Buffers(Protocol):
    """Where arrays of a batch are made."""

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """An array of undefined content."""
        ...


class Owner(Protocol):
    """What takes blocks back."""

    def give_back(self, block: Array) -> None:
        """Take a block that is not in use any more. Called wherever its last array is dropped."""
        ...


class HostBuffers:
    """Arrays in ordinary memory. Threads may share it.

    A large new array costs as much in page faults as filling it. So the memory of an array is kept when the
    last array or tensor on it is dropped, and given to the next one of that size.
    """

    def __init__(self, most_kept: int) -> None:
        """Args: number of blocks of each size to keep."""
        self._most, self._idle = most_kept, dict[int, list[Array]]()
        self._lock = Lock()

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """An array of undefined content."""
        size = prod(shape) * np.dtype(dtype).itemsize
        with self._lock:
            idle = self._idle.get(size)
            block = idle.pop() if idle else None
        if block is None:
            block = np.empty(size, np.uint8)
        return np.asarray(Lease(self, block)).view(dtype).reshape(shape)

    def give_back(self, block: Array) -> None:
        """Keep a block for the next array of its size."""
        idle = self._idle.setdefault(len(block), [])
        if len(idle) < self._most:
            idle.append(block)


class Lease:
    """A block in use: arrays and tensors on it refer to this object."""

    def __init__(self, owner: Owner, block: Array) -> None:
        self._owner, self._block = owner, block
        self.__array_interface__ = block.__array_interface__

    def __del__(self) -> None:
        # called wherever the last reference goes, perhaps while this thread holds a lock: takes none
        self._owner.give_back(self._block)


class PinnedBuffers:
    """Arrays in memory that a GPU copies from by itself; torch keeps it for the next ones."""

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """An array of undefined content."""
        kind = torch.from_numpy(np.empty(0, dtype)).dtype
        found: Array = torch.empty(tuple(shape), dtype=kind, pin_memory=True).numpy()
        return found
