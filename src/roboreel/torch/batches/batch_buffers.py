"""Where arrays of a batch are made: in ordinary memory (`reading/host_buffers.py`), or in pinned memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from roboreel.reading.host_buffers import Array


class Buffers(Protocol):
    """Where arrays of a batch are made."""

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """An array of undefined content."""
        ...


class PinnedBuffers:
    """Arrays in memory that a GPU copies from by itself; torch keeps it for the next ones."""

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """An array of undefined content."""
        kind = torch.from_numpy(np.empty(0, dtype)).dtype
        found: Array = torch.empty(tuple(shape), dtype=kind, pin_memory=True).numpy()
        return found


class NotedBuffers:
    """Buffers that note which arrays were made for a batch."""

    def __init__(self, buffers: Buffers) -> None:
        """Use some buffers."""
        self._buffers = buffers
        self.made: list[Array] = []

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
        """An array of undefined content."""
        array = self._buffers.empty(shape, dtype)
        self.made.append(array)
        return array

    @property
    def most_of_a_size(self) -> int:
        """The largest number of arrays that have the same number of bytes."""
        return max(Counter(array.nbytes for array in self.made).values(), default=0)
