"""The folder in which a dataset is prepared for the engine: locked, and removed at the end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from roboreel.errors import StorageError
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.modes import PRIVATE
from roboreel.storage.staging import recovery
from roboreel.storage.staging.staging import staging_location
from roboreel.storage.staging.staging_folder import DATASET, take

_TIMEOUT_S = 1.0


@contextlib.contextmanager
def preparing_beside(final: str) -> Iterator[LocalRoot]:
    """An empty folder beside a result, on the same disk; what an earlier run left there is removed.

    Raises:
        UsageError: another repair is writing there.
        StorageError: the folder cannot be made.
    """
    folder = _location(final)
    try:
        lock = take(folder, timeout_s=_TIMEOUT_S)
    except OSError as error:
        raise StorageError(f"cannot write beside '{final}': {error.strerror}") from error
    with contextlib.closing(lock):
        path = folder / DATASET
        if path.is_dir():
            disk.remove_folder(path)
        disk.make_folders(path, PRIVATE)
        try:
            yield LocalRoot(path, follow_links=True, modes=PRIVATE)
        finally:
            with contextlib.suppress(OSError):
                recovery.remove(folder)


@contextlib.contextmanager
def preparing_aside() -> Iterator[LocalRoot]:
    """An empty folder among temporary files, for a dry run."""
    with disk.temporary_folder() as folder:
        path = os.path.join(os.path.realpath(folder), DATASET)
        disk.make_folders(path, PRIVATE)
        yield LocalRoot(path, follow_links=True, modes=PRIVATE)


def _location(final: str) -> Path:
    return staging_location(final).with_suffix(".roboreel-repair")
