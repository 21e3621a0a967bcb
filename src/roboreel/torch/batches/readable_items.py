"""Batches without the items that cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from roboreel.errors import DatasetError, StorageError
from roboreel.torch.batches.batch_buffers import Buffers
from roboreel.torch.batches.batch_source import Batch, BatchSource

LOG = logging.getLogger(__name__)


class ReadableItems:
    """Leaves out items whose files are missing, short or damaged. Threads may share it."""

    def __init__(self, source: BatchSource) -> None:
        self._source = source
        self.unreadable: dict[int, str] = {}
        """Why an item cannot be read. It is not tried again."""

    def __len__(self) -> int:
        return len(self._source)

    def read_batch(self, indices: Sequence[int], buffers: Buffers) -> Batch:
        """The batch of the items that can be read; empty where there is none."""
        left = [int(index) for index in indices if int(index) not in self.unreadable]
        while left:
            try:
                return self._source.read_batch(left, buffers)
            except (StorageError, DatasetError):
                left = self._readable(left, buffers)
        return {}

    def _readable(self, indices: Sequence[int], buffers: Buffers) -> list[int]:
        """Those of some items that can be read one by one; the others are logged."""
        found = []
        for index in indices:
            try:
                self._source.read_batch([index], buffers)
            except (StorageError, DatasetError) as error:
                self.note(index, str(error))
            else:
                found.append(index)
        return found

    def note(self, index: int, why: str) -> None:
        """Record that an item cannot be read; the log tells it once."""
        if index not in self.unreadable:
            LOG.warning("item %d is skipped: %s", index, why)
        self.unreadable[index] = why
