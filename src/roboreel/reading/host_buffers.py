"""Memory for arrays that is used again when an array is dropped, so that its pages need not be made again."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Owner(Protocol):
    """What takes blocks back."""

    def give_back(self, block: Array) -> None:
        """Take a block that is not in use any more. Called wherever its last array is dropped."""
        ...


class HostBuffers:
    """Arrays in ordinary memory. Threads may share it: each access to the blocks is one Python operation.

    A large new array costs as much in page faults as filling it. So the memory of an array is kept when the
    last array or tensor on it is dropped, and given to the next one of that size.
    """

    def __init__(self, most_kept: int, most_bytes: int | None = None) -> None:
        """Make it; nothing is kept yet.

        Args:
            most_kept: number of blocks of each size to keep.
            most_bytes: bytes of all blocks to keep; None: any number.
        """
        self._most, self._most_bytes = most_kept, most_bytes
        self._idle = dict[int, list[Array]]()

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """An array of undefined content."""
        size = prod(shape) * np.dtype(dtype).itemsize
        try:
            block = self._idle[size].pop()
        except (KeyError, IndexError):
            block = np.empty(size, np.uint8)
        return np.asarray(Lease(self, block)).view(dtype).reshape(shape)

    def keep(self, most: int) -> None:
        """Keep at least so many blocks of each size."""
        self._most = max(self._most, most)

    def give_back(self, block: Array) -> None:
        """Keep a block for the next array of its size."""
        idle = self._idle.setdefault(len(block), [])
        if len(idle) < self._most and self._has_room(len(block)):
            idle.append(block)

    def _has_room(self, size: int) -> bool:
        """True where a block may be kept; blocks of other sizes, which are not asked for now, make room."""
        if self._most_bytes is None:
            return True
        kept = sum(one * len(blocks) for one, blocks in [*self._idle.items()])
        if kept + size > self._most_bytes and size <= self._most_bytes:
            for other in [one for one in [*self._idle] if one != size]:
                kept -= other * len(self._idle.pop(other, []))
        return kept + size <= self._most_bytes


class Lease:
    """A block in use: arrays and tensors on it refer to this object."""

    def __init__(self, owner: Owner, block: Array) -> None:
        self._owner, self._block = owner, block
        self.__array_interface__ = block.__array_interface__

    def __del__(self) -> None:
        # called wherever the last reference goes, perhaps while this thread holds a lock: takes none
        self._owner.give_back(self._block)
