"""Batches of a reader in memory that is used again, with a warning where random access is expensive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from roboreel.errors import UsageError
from roboreel.reading.host_buffers import HostBuffers
from roboreel.reading.reader import Reader
from roboreel.torch.batch_source import Batch, channels_first
from roboreel.types import Int64

_KEPT = 2
"""Blocks of a size that wait to be used again: for two cameras of the same size."""


class SizedBuffers:
    """Memory for batches of one size at a time; that of another size is freed."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._count, self._buffers = 0, HostBuffers(_KEPT)

    def of(self, count: int) -> HostBuffers:
        """The memory for batches of `count` items."""
        if count != self._count:
            self._count, self._buffers = count, HostBuffers(_KEPT)
        return self._buffers

    def __reduce__(self) -> tuple[type[SizedBuffers], tuple[()]]:
        return SizedBuffers, ()


class RowBatches:
    """Reads batches. Arrays of frames are made once and used again when they are dropped."""

    def __init__(self, reader: Reader) -> None:
        """Use a reader."""
        self.reader = reader
        self._buffers = SizedBuffers()
        self._shapes: Mapping[str, tuple[tuple[int, ...], npt.DTypeLike]] = {}

    def read(self, rows: Int64) -> Batch:
        """By feature (B, …) arrays or lists of some rows: see `Reader.batch`."""
        out = self._frames(len(rows))
        try:
            batch: dict[str, Any] = self.reader.batch(rows, out)
        except UsageError:
            if not out:
                raise
            batch = self.reader.batch(rows)  # frames have another size than those before
        cameras = {name: batch[name] for name in self.reader.cameras}
        self._shapes = {name: (frames.shape[1:], frames.dtype) for name, frames in cameras.items()}
        return batch

    def _frames(self, count: int) -> dict[str, npt.NDArray[Any]]:
        buffers = self._buffers.of(count)
        return {
            name: channels_first(buffers, (count, *shape), dtype)
            for name, (shape, dtype) in self._shapes.items()
        }
