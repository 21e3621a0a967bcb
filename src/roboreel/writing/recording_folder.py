"""The hidden folder in a dataset that is being recorded: its lock, the take in progress, takes kept aside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from roboreel.errors import StorageError
from roboreel.storage import disk, lock
from roboreel.storage.recording_lock import LOCK, RECORDING
from roboreel.storage.scratch import is_scratch

_TAKE = "take"
"""Folder of the take in progress: a video per camera."""
_KEPT = "kept"


class RecordingFolder:
    """The recording folder of one dataset, held by this process until `release`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Lock the folder; it is made if missing.

        Raises:
            UsageError: another recorder holds it.
            StorageError: the folder cannot be made.
        """
        self.path = Path(path) / RECORDING
        self._made = not os.path.lexists(path)
        self._lock: IO[bytes] | None = self._held(os.fspath(path))

    def _held(self, path: str) -> IO[bytes]:
        busy = (
            f"'{path}' is being recorded by another recorder, perhaps an earlier one of this program:"
            " finalize that one first, or end its process"
        )
        try:
            return lock.hold(
                self.path / LOCK,
                timeout_s=0,
                busy=busy,
                prepare=lambda: disk.make_folders(self.path),
            )
        except OSError as error:
            raise StorageError(
                f"'{self.path}' cannot be made: {error.strerror or error}"
            ) from error

    @property
    def take(self) -> Path:
        """The folder of the take in progress."""
        return self.path / _TAKE

    def video(self, camera: str) -> Path:
        """Where a camera's video of the take in progress is written."""
        return self.take / f"{camera}.mp4"

    def begin(self) -> None:
        """Make the folder of a take."""
        try:
            disk.make_folders(self.take)
        except OSError as error:
            raise StorageError(f"'{self.path}': {error.strerror or error}") from error

    def keep(self, reason: str) -> str | None:
        """Move the files of the take in progress to a folder under `kept`; its path, or None."""
        take = self.take
        if not (take.is_dir() and any(take.iterdir())):
            return None
        number = 1
        while (kept := self.path / _KEPT / f"{reason}-{number}").exists():
            number += 1
        try:
            disk.make_folders(kept.parent)
            disk.replace(take, kept)
        except OSError as error:
            raise StorageError(f"'{take}' cannot be kept: {error.strerror or error}") from error
        return os.fspath(kept)

    def require_room(self, needed_bytes: float) -> None:
        """Raise `StorageError` where the disk has less room than an episode may need."""
        free = disk.free_bytes(self.path)
        if free < needed_bytes:
            raise StorageError(
                f"'{self.path.parent}': the disk has {free / 1e6:.0f} MB free, and an episode needs"
                f" {needed_bytes / 1e6:.0f} MB (min_free_mb, and the size of the largest episode so far)"
            )

    @contextmanager
    def released_on_error(self) -> Iterator[None]:
        """Release the folder where the block raises."""
        try:
            yield
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Unlock; the folder is removed where nothing of a recording is left in it."""
        if self._lock is None:
            return
        if self.take.is_dir() and not any(self.take.iterdir()):
            disk.remove_folder(self.take)
        if {entry.name for entry in self.path.iterdir()} <= {LOCK}:
            disk.remove_folder(self.path)
            if self._made and not any(self.path.parent.iterdir()):
                disk.remove_folder(self.path.parent)
        self._lock.close()
        self._lock = None


def is_unused(path: str) -> bool:
    """True for a folder in which nothing is but what a recording that never saved an episode left."""
    if not os.path.isdir(path):
        return False
    for folder, folders, files in os.walk(path):
        if folder == path and RECORDING in folders:
            folders.remove(RECORDING)
        if any(not is_scratch(name) for name in files):
            return False
    return True
