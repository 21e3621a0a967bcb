"""The folder of a frame cache: its files, how much they may take, and which must go for new ones."""

from __future__ import annotations

import contextlib
import os
import re
import time
from dataclasses import dataclass

from roboreel.errors import StorageError
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.memory.process_lock import ProcessLock
from roboreel.storage.modes import PRIVATE
from roboreel.storage.scratch import is_scratch

FRAMES, INDEX = ".frames", ".index"
_OURS = re.compile(r"[0-9a-f]{32}(-[0-9a-z]+)?\.(frames|index)")
_ALLOTMENT = 64 << 20
"""Bytes that a process may store before it looks again how full the folder is."""
_SHARERS = 8
"""A process takes this part of what is left, so that several do not exceed the limit together."""
_FREE = 1 << 30
"""Bytes that stay free on the disk."""
_PAUSE_S = 30.0
"""A full folder is looked at again after this time."""
_ABANDONED_NS = 3600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class CacheFile:
    """A file of a frame cache."""

    name: str
    allocated_bytes: int
    used_ns: int
    """When it was last used."""


class CacheFolder:
    """The folder of a frame cache. Threads may share it."""

    def __init__(self, path: str, limit_bytes: int | None, since_ns: int) -> None:
        """Use a folder, which need not exist.

        Args:
            path: the folder.
            limit_bytes: bytes that it may take; None: what the disk has.
            since_ns: files that were used after this time are not removed to make room.
        """
        self.root = LocalRoot(path, modes=PRIVATE)
        self._limit, self._since = limit_bytes, since_ns
        self._left = 0
        self._full_until = 0.0
        self._lock = ProcessLock()

    def files(self) -> list[CacheFile]:
        """All files of the cache, the one that was not used for longest first."""
        found = []
        for name in self._names():
            with contextlib.suppress(StorageError):  # another process may have removed it
                used = int(self.root.stat(name).stamp)
                found.append(CacheFile(name, self.root.allocated_bytes(name), used))
        return sorted(found, key=lambda file: file.used_ns)

    def _names(self) -> list[str]:
        try:
            names = os.listdir(self.root.url)
        except FileNotFoundError:  # nothing was stored yet
            return []
        return [name for name in names if _OURS.fullmatch(name) or is_scratch(name)]

    def admits(self, size: int) -> bool:
        """True if so many bytes may be stored now. Makes room by removing files that are not in use."""
        with self._lock:
            if size <= self._left:
                self._left -= size
                return True
            if time.monotonic() < self._full_until:
                return False
            room = self._room(size)
            if room < size:
                self._full_until = time.monotonic() + _PAUSE_S
                return False
            self._left = max(0, min(_ALLOTMENT, room // _SHARERS) - size)
            return True

    def _room(self, size: int) -> int:
        free = disk.free_bytes(self.root.url) - _FREE
        if self._limit is None:
            return free
        files = self.files()
        left = self._limit - sum(file.allocated_bytes for file in files)
        for file in files:
            if left >= size or file.used_ns >= self._since:
                break
            self.remove(file.name)
            left += file.allocated_bytes
        return min(free, left)

    def remove(self, name: str) -> None:
        """Remove a file; processes that use it keep its bytes until they end."""
        with contextlib.suppress(StorageError):
            self.root.remove(name)

    def clear(self) -> list[CacheFile]:
        """Remove all files of the cache, and return them. Others in the folder stay."""
        files = self.files()
        now = time.time_ns()
        for file in files:
            if not is_scratch(file.name) or now - file.used_ns > _ABANDONED_NS:
                self.remove(file.name)
        return [file for file in files if not self.root.exists(file.name)]
