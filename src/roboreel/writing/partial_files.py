"""The files of one commit: whole and on the disk under unique partial names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from roboreel.errors import StorageError
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.scratch import scratch_beside


class PartialFiles:
    """Files that are written but have no name yet."""

    def __init__(self, root: LocalRoot) -> None:
        self._root = root
        self._made: list[str] = []
        self._sources: dict[str, str] = {}
        """By the name that a file gets: where it is now."""

    def partial(self, name: str) -> str:
        """A new partial name in the folder of `name`, for the file that is to get that name."""
        partial = scratch_beside(name)
        self._made.append(partial)
        self._sources[name] = os.path.join(self._root.url, partial)
        return partial

    def put(self, name: str, data: bytes) -> None:
        """Write a small file that is to get a name."""
        self._root.put(self.partial(name), data)

    def take(self, path: str | os.PathLike[str], name: str) -> None:
        """Let a whole file that is elsewhere on this disk get a name."""
        self._sources[name] = os.fspath(path)

    def sync(self) -> None:
        """Force all of them to the disk.

        Raises:
            StorageError: the disk is full, or fails.
        """
        try:
            disk.sync([*self._sources.values()])
        except OSError as error:
            raise StorageError(
                f"new files in '{self._root.url}' cannot be written to the disk (fsync): {error.strerror}"
            ) from error

    def source(self, name: str) -> str:
        """Where the file is that is to get a name."""
        return self._sources[name]

    def hand_over(self) -> None:
        """Leave the files to a journal: `discard` removes none of them any more."""
        self._sources.clear()

    def publish(self, names: Sequence[str]) -> None:
        """Rename some of them, in order, and force that to the disk."""
        for name in names:
            self._root.take(self._sources.pop(name), name)
        self._root.sync_folders(names)

    def discard(self) -> None:
        """Remove those that were made here and got no name."""
        left = set(self._sources.values())
        for partial in self._made:
            if os.path.join(self._root.url, partial) in left:
                with suppress(StorageError):  # there is an error to tell of already
                    self._root.remove(partial)


def set_aside(root: LocalRoot, name: str) -> None:
    """Rename a file that no document names, where it has the name that a new one is to get.

    An interrupted commit can leave one, and so can another recorder: it is kept as `NAME.unclaimed-1`.
    """
    if not root.exists(name):
        return
    number = 1
    while root.exists(f"{name}.unclaimed-{number}"):
        number += 1
    root.take(os.path.join(root.url, name), f"{name}.unclaimed-{number}")
