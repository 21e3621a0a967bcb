"""Batches of a reader in memory that is used again, with a warning where random access is expensive."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from roboreel.errors import UsageError
from roboreel.reading.host_buffers import HostBuffers
from roboreel.reading.reader import Reader
from roboreel.torch.batches.batch_buffers import Buffers
from roboreel.torch.batches.batch_source import Batch, channels_first
from roboreel.types import Int64

_KEPT = 2
"""Blocks of a size that wait to be used again: for two cameras of the same size."""
_COLOURS = 3
"""Channels of frames with colours; depths have one, and are converted from memory of our own."""


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
    """Reads batches. Frames are decoded straight into the arrays that become tensors."""

    def __init__(self, reader: Reader, scaled: Collection[str] = ()) -> None:
        """Use a reader.

        Args:
            reader: the rows.
            scaled: cameras whose frames of uint8 are divided by 255, as float32.
        """
        self.reader = reader
        self._scaled = frozenset(scaled)
        self._buffers = SizedBuffers()
        self._shapes: dict[str, tuple[tuple[int, ...], npt.DTypeLike]] = {}

    def read(self, rows: Int64, buffers: Buffers) -> Batch:
        """By feature (B, …) arrays or lists of some rows: see `Reader.batch`.

        The first batch tells what frames are like; those after it have theirs in channels-first memory.

        Args:
            rows: (B,) the rows.
            buffers: where arrays of colours are made.
        """
        out = self._frames(len(rows), buffers)
        try:
            batch: dict[str, Any] = self.reader.batch(rows, out)
        except UsageError:
            if not out:
                raise
            batch = self.reader.batch(rows)  # frames have another size than those before
        for name in self.reader.cameras:
            frames = batch[name]
            scaled = name in self._scaled and frames.dtype == np.uint8
            self._shapes[name] = frames.shape[1:], np.dtype(np.float32 if scaled else frames.dtype)
        return batch

    def _frames(self, count: int, buffers: Buffers) -> dict[str, npt.NDArray[Any]]:
        own = self._buffers.of(count)
        return {
            name: channels_first(buffers if shape[-1] == _COLOURS else own, (count, *shape), dtype)
            for name, (shape, dtype) in self._shapes.items()
        }
