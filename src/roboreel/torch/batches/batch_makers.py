"""Who makes the batches of a `Loader`: threads of this process."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch

from roboreel.reading.host_buffers import HostBuffers
from roboreel.torch.batches.batch_buffers import Buffers, NotedBuffers, PinnedBuffers
from roboreel.torch.batches.batch_source import Batch, BatchSource


class Pending(Protocol):
    """A batch that is being made."""

    def result(self) -> Batch:
        """Wait for it; what went wrong is raised."""
        ...

    def cancel(self) -> bool:
        """Give it up where it was not begun."""
        ...


class BatchMaker(Protocol):
    """Makes batches while the training step runs."""

    def submit(self, indices: Sequence[int]) -> Pending:
        """Begin a batch."""
        ...

    def finish(self) -> None:
        """End an epoch: wait for what is being made, and drop it."""
        ...


class ThreadMaker:
    """Makes batches in threads of this process."""

    def __init__(self, source: BatchSource, threads: int, kept: int, *, pin: bool) -> None:
        """Prepare; threads start with the first batch.

        Args:
            source: the dataset.
            threads: batches that are made at the same time.
            kept: batches whose memory is kept to be used again.
            pin: True for memory that a GPU copies from by itself.
        """
        self._source, self._threads, self._pin = source, threads, pin
        self._kept, self._own = kept, HostBuffers(kept)
        self._buffers: Buffers = PinnedBuffers() if pin else self._own
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, indices: Sequence[int]) -> Pending:
        """Begin a batch."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="roboreel-batch")
        return self._pool.submit(self._make, indices)

    def finish(self) -> None:
        """End the threads."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def _make(self, indices: Sequence[int]) -> Batch:
        noted = NotedBuffers(self._buffers)
        batch = self._source.read_batch(indices, noted)
        self._own.keep(self._kept * noted.most_of_a_size)
        return {name: as_tensor(value, pin=self._pin) for name, value in batch.items()}


def as_tensor(value: Any, *, pin: bool) -> Any:
    """The tensor on the memory of an array; anything but arrays and tensors as it is."""
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(value)
    if pin and isinstance(value, torch.Tensor) and not value.is_pinned():
        return value.pin_memory()
    return value
