"""Restore an earlier version of a dataset, or remove it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from roboreel.errors import StorageError
from roboreel.storage import disk
from roboreel.storage.staging.originals import KeptVersion, free_name
from roboreel.storage.staging.staging import Staging
from roboreel.storage.staging.staging_folder import LEDGER


def put_back(final: str, version: KeptVersion, *, discard_present: bool) -> str | None:
    """Restore an earlier version of a dataset; return the name under which the present one is kept.

    It takes two renames. A crash between them leaves both folders complete, and the earlier version under its
    own name, so that calling this again finishes the job.

    Args:
        final: the dataset's path, which need not exist.
        version: the version to restore.
        discard_present: True to remove the present dataset, as the last step.

    Raises:
        UsageError: another run is writing there.
        StorageError: a folder cannot be renamed; nothing is changed.
    """
    path, kept = Path(os.path.abspath(final)), Path(version.path)
    with _locked(final) as staging, _explained(final):
        aside = free_name(path, "undone") if os.path.lexists(path) else None
        if aside is not None:
            disk.replace(path, path.with_name(aside))
        try:
            disk.replace(kept, path)
        except OSError:
            if aside is not None:
                disk.replace(path.with_name(aside), path)
            raise
        disk.sync([str(path.parent)])
        if aside is not None and discard_present:
            staging.remove_original(aside)
            return None
        return aside


def remove_versions(final: str, versions: tuple[KeptVersion, ...]) -> None:
    """Remove earlier versions of a dataset; a crash never leaves an incomplete one under its name.

    Raises:
        UsageError: another run is writing there.
        StorageError: a folder cannot be removed.
    """
    with _locked(final) as staging:
        for version in versions:
            staging.remove_original(version.name)


@contextlib.contextmanager
def _locked(final: str) -> Iterator[Staging]:
    """Lock the staging folder of a dataset; what an interrupted run left there is kept."""
    staging = Staging(final, in_place=True)
    try:
        yield staging
    finally:
        if os.path.lexists(staging.folder / LEDGER) or os.path.lexists(staging.root.path):
            staging.release()
        else:
            staging.discard()


@contextlib.contextmanager
def _explained(final: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"'{final}' cannot be restored: {error.strerror}") from error
