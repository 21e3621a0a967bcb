"""Check by size and stamp that files have not changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from roboreel.errors import ChangedInputError
from roboreel.storage.root import Root


class Stamped(Protocol):
    """Anything with a file's size and stamp; see `FileStat`."""

    @property
    def size_bytes(self) -> int:
        """Size in bytes."""
        ...

    @property
    def stamp(self) -> str:
        """Modification time, ETag or similar."""
        ...


def refuse_changed_files(root: Root, known: Mapping[str, Stamped | None], *, reason: str) -> None:
    """Raise `ChangedInputError` if a file's size or stamp has changed, or is not known.

    Args:
        root: the root of the files.
        known: earlier size and stamp by name; None if not known.
        reason: end of the message, after the file's name: since when it has changed, and what to do.

    Raises:
        StorageError: a file no longer exists.
    """
    for name, now in zip(known, root.stats(known), strict=True):
        if isinstance(now, Exception):
            raise now
        before = known[name]
        if before is None or (before.size_bytes, before.stamp) != (now.size_bytes, now.stamp):
            raise ChangedInputError(f"'{name}' {reason}")


def refuse_changed_documents(root: Root, documents: Mapping[str, Stamped]) -> None:
    """Raise `ChangedInputError` if a document has changed since its dataset was opened.

    Raises:
        StorageError: a document no longer exists.
    """
    reason = f"in '{root.url}' has changed since the dataset was opened: open it again"
    refuse_changed_files(root, documents, reason=reason)
