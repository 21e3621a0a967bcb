"""A folder on a server that sends parts of files: the base of roots that are read over HTTP."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Sequence
from typing import IO

from roboreel.errors import ChangedInputError, StorageError
from roboreel.storage.memory.bounded_cache import BoundedCache
from roboreel.storage.memory.near_ranges import joined, parts_of
from roboreel.storage.remote.http_client import HttpAnswer, total_bytes
from roboreel.storage.remote.io_threads import at_once
from roboreel.storage.root import OpenFile, PositionedFile, Root

_BLOCK_BYTES = 1 << 18
"""Bytes of a document or table to get at once; packets are read as they lie."""
_SMALL_BYTES = 1 << 20
"""A table or document up to this size is read whole by one request."""
_KEPT_BYTES = 16 << 20


class RangedRoot(Root):
    """A dataset on a server, read by ranges. Threads may share it."""

    def __init__(self, url: str) -> None:
        """Read nothing yet."""
        self.url = url
        self._small = BoundedCache[str, bytes](_KEPT_BYTES, len)

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_small": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._small = BoundedCache[str, bytes](_KEPT_BYTES, len)

    @abstractmethod
    def _part(self, name: str, start: int, size: int) -> HttpAnswer:
        """The answer for a part of a file.

        Raises:
            StorageError, HubError: it cannot be read.
        """

    def ranges(self, name: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        size_bytes = self.stat(name).size_bytes
        wanted = [(start, max(0, min(size, size_bytes - start))) for start, size in spans]
        blocks = joined([span for span in wanted if span[1]])
        data = at_once(lambda block: self._block(name, *block, size_bytes), blocks)
        found = iter(parts_of(blocks, data, [span for span in wanted if span[1]]))
        return [next(found) if size else b"" for _, size in wanted]

    def preload(self, names: Sequence[str]) -> None:
        """Get small files that are read next, all at once.

        Raises:
            StorageError, HubError: a file cannot be read.
        """
        small = [name for name in names if self.stat(name).size_bytes <= _SMALL_BYTES]
        at_once(self._whole, small)

    def _whole(self, name: str) -> bytes:
        size_bytes = self.stat(name).size_bytes
        return self._small.get(name, lambda: bytes(self.ranges(name, [(0, size_bytes)])[0]))

    def input(self, name: str) -> IO[bytes]:
        size_bytes = self.stat(name).size_bytes
        if size_bytes <= _SMALL_BYTES:
            return io.BytesIO(self._whole(name))
        return io.BufferedReader(PositionedFile(OpenFile(self, name), size_bytes), _BLOCK_BYTES)

    def _block(self, name: str, start: int, size: int, size_bytes: int) -> bytes:
        answer = self._part(name, start, size)
        total = total_bytes(answer)
        if total is not None and total != size_bytes:
            raise ChangedInputError(
                f"'{name}' in '{self.url}' has changed: it has {total} bytes now, {size_bytes} before: open"
                " the dataset again, and if it has a packet index, make that again with `roboreel index`"
            )
        if len(answer.body) != size:
            raise StorageError(
                f"'{name}' in '{self.url}': the server sent {len(answer.body)} bytes of {size}"
            )
        return answer.body
