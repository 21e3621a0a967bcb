"""Whether files are still those that were seen before: by size and stamp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from roboreel.errors import ChangedInputError
from roboreel.storage.root import Root


class Stamped(Protocol):
    """What is known of a file's state."""

    @property
    def size_bytes(self) -> int:
        """Its bytes."""
        ...

    @property
    def stamp(self) -> str:
        """Its time of modification, an etag or the like."""
        ...


def refuse_changed_files(root: Root, known: Mapping[str, Stamped | None], *, reason: str) -> None:
    """Raise `ChangedInputError` where a file is no longer what is known of it, or nothing is known.

    Args:
        root: where the files lie.
        known: what they were, by name.
        reason: what follows the file's name in the message: since when it must not change, and what to do.

    Raises:
        StorageError: a file is no longer there.
    """
    for name, now in zip(known, root.stats(known), strict=True):
        if isinstance(now, Exception):
            raise now
        before = known[name]
        if before is None or (before.size_bytes, before.stamp) != (now.size_bytes, now.stamp):
            raise ChangedInputError(f"'{name}' {reason}")
