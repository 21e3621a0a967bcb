"""Columns of table files in the user's cache folder, mapped into memory.

A dataset whose numbers exceed the budget is read from there: the system keeps in memory what is used, once
for all processes, and drops it if memory is short. A file is known by its path, size and stamp.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from hashlib import blake2b

import pyarrow as pa

from roboreel.errors import StorageError
from roboreel.probes.cache import cache_part, is_fresh
from roboreel.storage.local import LocalRoot
from roboreel.storage.scratch import is_scratch

_FOLDER, _ENDING, _FORMAT = "columns", ".arrow", b"columns 1"
MOST_BYTES = 16 << 30
_BETWEEN_CHECKS = 64
"""Files that are written before the folder's size is looked at again."""


class ColumnCache:
    """Tables by the file that they are from. Threads and processes may share it."""

    def __init__(self) -> None:
        self._folder = cache_part(_FOLDER)
        self._written = 0

    def table(
        self, root: LocalRoot, path: str, columns: Sequence[str], read: Callable[[], pa.Table]
    ) -> pa.Table | None:
        """Some columns of a file, mapped into memory; None if they cannot be cached.

        Args:
            root: the dataset.
            path: the table file.
            columns: the columns that are wanted.
            read: reads them, if they are not in the cache.

        Raises:
            StorageError: the table file cannot be read.
        """
        stat = root.stat(path)
        if self._folder is None or is_fresh(stat.stamp):
            return None
        known = (
            os.path.abspath(root.path),
            path,
            stat.size_bytes,
            stat.stamp,
            pa.__version__,
            *columns,
        )
        digest = blake2b(repr(known).encode("utf-8", "surrogateescape") + _FORMAT, digest_size=20)
        name = digest.hexdigest() + _ENDING
        found = _mapped(self._folder, name)
        if found is not None:
            return found
        table = read()
        with contextlib.suppress(StorageError, OSError, pa.ArrowException):
            _write(self._folder, name, table)
            self._written += 1
            if self._written % _BETWEEN_CHECKS == 1:
                make_room(self._folder, MOST_BYTES)
        return _mapped(self._folder, name)


def _mapped(folder: LocalRoot, name: str) -> pa.Table | None:
    """The table of a cache file without reading it; None if it is not there or damaged."""
    try:
        with pa.memory_map(str(folder.path / name)) as file:
            return pa.ipc.open_file(file).read_all()
    except (OSError, pa.ArrowException):
        return None


def _write(folder: LocalRoot, name: str, table: pa.Table) -> None:
    """Write a cache file; it gets its name when it is on the disk."""
    partial = f"{name}.partial"
    with folder.create(partial) as output, pa.ipc.new_file(output.file, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    folder.sync([partial])
    folder.take(folder.path / partial, name)


def make_room(folder: LocalRoot, most_bytes: int) -> None:
    """Remove the files that were written first, until the others take no more than `most_bytes`."""
    found = []
    for name in folder.list():
        if name.endswith(_ENDING) or is_scratch(name):
            with contextlib.suppress(StorageError):  # another process was faster
                stat = folder.stat(name)
                found.append((int(stat.stamp), stat.size_bytes, name))
    total = 0
    for _, size, name in sorted(found, reverse=True):
        total += size
        if total > most_bytes:
            with contextlib.suppress(StorageError):
                folder.remove(name)
