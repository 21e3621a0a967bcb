"""Make a result in a staging folder beside its final path, and publish it.

`staging_folder.py` describes the folder's content. A result is published by one rename. In place, it takes
two: the original gets another name, then the result gets its. A crash between the two is recovered by the
next run that writes there (`recovery.py`). A staging folder that is no longer needed is renamed to
`.NAME.roboreel-done` before it is removed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from roboreel.errors import StorageError, UsageError
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot
from roboreel.storage.modes import PRIVATE, USUAL, Modes, limited
from roboreel.storage.names import is_url, local_path, short_name
from roboreel.storage.scratch import is_scratch, scratch_beside
from roboreel.storage.staging import recovery
from roboreel.storage.staging.originals import free_name
from roboreel.storage.staging.recovery import Recovered
from roboreel.storage.staging.staging_folder import (
    DATASET,
    DISCARDED,
    LEDGER,
    LOCK,
    SWAP,
    files_below,
    foreign_names,
    identity,
    refuse_at_work,
    take,
)
from roboreel.storage.staging.state_folder import state_folder

_TIMEOUT_S = 1.0


def staging_location(final: str | os.PathLike[str]) -> Path:
    """Path of the staging folder of `final`; of a URL that of the folder with its notes."""
    if is_url(final):
        return state_folder(os.fspath(final))
    path = Path(os.path.abspath(local_path(final)))
    return path.parent / f".{short_name(path.name)}.roboreel-partial"


class Staging:
    """The staging folder of `final`, locked for this run."""

    def __init__(
        self, final: str | os.PathLike[str], *, in_place: bool = False, modes: Modes = USUAL
    ) -> None:
        """Lock the folder and keep its content, or make it if missing.

        A run that was killed while publishing is finished first.

        Args:
            final: path of the result.
            in_place: True to replace the dataset at that path.
            modes: permissions of the result's folders and documents.

        Raises:
            UsageError: another run is writing there, or the output exists.
            StorageError: the folder cannot be made.
        """
        self.final = Path(os.path.abspath(final))
        self._in_place = in_place
        recover(self.final)
        self._refuse_existing()
        self.folder = staging_location(self.final)
        try:
            self._lock = take(self.folder, timeout_s=_TIMEOUT_S)
        except OSError as error:
            raise StorageError(f"cannot write beside '{final}': {error.strerror}") from error
        self.root = LocalRoot(self.folder / DATASET, modes=modes)
        self.notes = LocalRoot(self.folder, modes=PRIVATE)
        self.identity = identity(self.folder)
        self._mode = 0o700
        self.unfinished = os.fspath(self.folder / scratch_beside(DATASET))
        """The folder for files that ops have not finished; no other run has it."""
        try:
            self._refuse_existing()  # another run may have made it while this one waited
        except UsageError:
            self.leave()
            raise

    @property
    def location(self) -> str:
        """Where the finished part of a run is, for messages."""
        return str(self.folder)

    def begin(self) -> None:
        """Start with an empty result."""
        self._refuse_foreign()
        with self._explained():
            for name in (DATASET, DISCARDED):
                if (self.folder / name).is_dir():
                    disk.remove_folder(self.folder / name)
            for name in (LEDGER, SWAP):
                disk.unlink(self.folder / name)
            self.reopen()

    def reopen(self) -> None:
        """Make the result's folder if it is missing, with its permissions, before anything is written."""
        path = self.root.path
        self.end_attempts()
        with self._explained():
            disk.make_folders(path, self.root.modes)
            disk.make_folders(self.unfinished, self.root.modes)
            if self.final.is_dir():  # the dataset that is replaced, or an empty folder
                theirs = self.final.stat()
                if self._in_place:
                    mode, group = theirs.st_mode, theirs.st_gid
                else:
                    mode, group = limited(theirs.st_mode, [self.root.modes.folder]), None
                self._mode = mode & 0o7777
                for made in (path, self.unfinished):
                    disk.set_mode(made, self._mode | 0o700, group=group)

    def end_attempts(self) -> None:
        """Take the folder for unfinished files away: no attempt at an op can finish a file any more."""
        with self._explained():
            for name in filter(is_scratch, os.listdir(self.folder)):
                left = self.folder / name
                if left.is_dir() and not left.is_symlink():
                    self._remove_aside(left)
                else:
                    disk.unlink(left)

    def _remove_aside(self, folder: Path) -> None:
        """Remove a folder; it is renamed first, so that nothing is added to it."""
        discarded = self.folder / DISCARDED
        if discarded.is_dir():  # a run was killed while it removed another
            disk.remove_folder(discarded)
        disk.replace(folder, discarded)
        disk.remove_folder(discarded)

    def files(self) -> Iterator[tuple[str, int]]:
        """(name, size in bytes) of every file written so far, including unfinished ones."""
        return files_below(self.root.path)

    def remove_all_but(self, names: frozenset[str]) -> None:
        """Remove files that a killed run did not finish, and its documents."""
        self._refuse_foreign()
        for name in [name for name, _ in self.files() if name not in names]:
            self.root.remove(name)

    def publish(self, report: object) -> None:
        """Rename the result to its final path, which must be free or an empty folder.

        Args:
            report: JSON that a later run shows if this one is killed right afterwards.
        """
        refuse_existing(self.final)
        recovery.note_swap(self.notes, self.final, None, report)
        self._move_to_final()
        self.discard()

    def replace_original(self, kept: str, report: object) -> None:
        """Replace the original by the result, and flush both to the disk.

        Args:
            kept: the original's new name, from `name_for_original`.
            report: JSON that a later run shows if this one is killed meanwhile.
        """
        original = self.final.with_name(kept)
        self.root.sync([name for name, _ in self.files()])
        recovery.note_swap(self.notes, self.final, kept, report)
        self.notes.sync([SWAP])
        with self._explained():
            try:
                disk.replace(self.final, original)
            finally:  # also after an interrupt between the two renames
                if original.exists() and not self.final.exists():
                    self._publish_or_restore(original)
            disk.sync([str(self.final.parent)])

    def name_for_original(self) -> str:
        """An unused name for the original: `NAME.before-` and the time in UTC."""
        return free_name(self.final)

    def remove_original(self, kept: str) -> None:
        """Remove the original that `replace_original` moved; it is never incomplete under its name."""
        with self._explained():
            self._remove_aside(self.final.with_name(kept))

    def discard(self) -> None:
        """Remove the folder if it holds only roboreel's files, and unlock it."""
        with contextlib.suppress(OSError, UsageError):
            self._refuse_foreign()
            recovery.remove(self.folder)
        self.release()

    def leave(self) -> None:
        """Unlock the folder as it was found; remove it if this run made it."""
        with contextlib.suppress(OSError):
            if os.listdir(self.folder) == [LOCK]:
                recovery.remove(self.folder)
        self.release()

    def release(self) -> None:
        """Unlock the folder for other runs."""
        self._lock.close()

    def _refuse_existing(self) -> None:
        if not self._in_place:
            refuse_existing(self.final)

    def _publish_or_restore(self, kept: Path) -> None:
        try:
            self._move_to_final()
        except StorageError:
            disk.replace(kept, self.final)
            raise

    def _move_to_final(self) -> None:
        try:
            disk.replace(self.root.path, self.final)
        except OSError as error:
            raise StorageError(
                f"the result cannot be renamed to '{self.final}': {error.strerror}"
            ) from error
        if (
            ~self._mode & 0o700
        ):  # a folder without the owner's permissions could not have been filled
            with contextlib.suppress(OSError):
                mode = self.final.stat().st_mode & 0o7777
                disk.set_mode(self.final, mode & (self._mode | ~0o700))

    def _refuse_foreign(self) -> None:
        foreign = foreign_names(self.folder)
        if foreign:
            raise UsageError(
                f"'{self.folder}' holds '{foreign[0]}', which roboreel did not write: move it away"
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"cannot write '{self.folder}': {error.strerror}") from error


def recover(final: str | os.PathLike[str]) -> Recovered | None:
    """Finish a run at `final` that was killed while publishing; see `recovery.finish`."""
    return recovery.finish(_absolute(final), staging_location(final))


def moved_original(final: str | os.PathLike[str]) -> str | None:
    """Path of the original of `final`, if its replacement was interrupted; else None. Changes nothing."""
    return recovery.moved_original(_absolute(final), staging_location(final))


def refuse_busy(final: str | os.PathLike[str]) -> None:
    """Raise `UsageError` if another run is writing `final`. Changes nothing."""
    refuse_at_work(staging_location(final), timeout_s=_TIMEOUT_S)


def _absolute(final: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(local_path(final)))


def refuse_existing(path: str | os.PathLike[str]) -> None:
    """Raise `UsageError` if `path` exists and is not an empty folder, or cannot be created."""
    try:
        os.lstat(local_path(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:  # e.g. the name is too long
        raise UsageError(f"the output '{path}' cannot be made: {error.strerror}") from error
    if not os.path.isdir(path) or os.path.islink(path):
        raise UsageError(f"the output '{path}' exists and is not a folder: choose another path")
    if os.path.ismount(path):
        raise UsageError(f"the output '{path}' is a mount point: choose a folder inside it")
    if os.listdir(path):
        raise UsageError(f"the output '{path}' exists and is not empty: choose another folder")
