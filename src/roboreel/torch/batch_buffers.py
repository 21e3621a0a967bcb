"""Where arrays of a batch are made: in ordinary memory (`reading/host_buffers.py`), or in pinned memory."""

from __future__ import annotations

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
