"""Memory that a worker of a `DataLoader` shares with the process that it works for."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch


class SharedBuffers:
    """Arrays in shared memory, for one batch."""

    def __init__(self) -> None:
        """Nothing is made yet."""
        self._made: dict[int, torch.Tensor] = {}

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """An array of undefined content."""
        size = max(1, prod(shape) * np.dtype(dtype).itemsize)
        storage = torch.UntypedStorage._new_shared(size)  # type: ignore[no-untyped-call]
        block = torch.empty(0, dtype=torch.uint8).set_(storage)
        self._made[block.data_ptr()] = block
        found: npt.NDArray[Any] = block.numpy()[: prod(shape) * np.dtype(dtype).itemsize]
        return found.view(dtype).reshape(shape)

    def shared(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor over the shared memory that it is in, if it is in an array of these."""
        block = self._made.get(tensor.data_ptr())
        if block is None or not tensor.is_contiguous():
            return tensor
        size = tensor.numel() * tensor.element_size()
        return block[:size].view(tensor.dtype).view(tensor.shape)
