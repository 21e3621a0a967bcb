"""Making a result: in a folder beside its path, named after it, that a later run can find again.

What is in that folder is told in `staging_folder.py`. A result appears by one rename. In place, two renames
do it: the original takes another name, then the result takes its. A crash between the two is
recovered by the next run that is told to resume (`recovery.py`). A folder that is no longer needed is first
renamed to `.NAME.roboreel-done`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from roboreel.errors import StorageError, UsageError
from roboreel.storage import disk, recovery
from roboreel.storage.local import LocalRoot
from roboreel.storage.modes import PRIVATE, USUAL, Modes, limited
from roboreel.storage.names import local_path, short_name
from roboreel.storage.originals import free_name
from roboreel.storage.recovery import Recovered
from roboreel.storage.scratch import is_scratch
from roboreel.storage.staging_folder import (
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

_TIMEOUT_S = 1.0


def staging_location(final: str | os.PathLike[str]) -> Path:
    """The folder beside `final` in which it is made."""
    path = Path(os.path.abspath(local_path(final)))
    return path.parent / f".{short_name(path.name)}.roboreel-partial"


class Staging:
    """The staging folder of `final`, locked for this run."""

    def __init__(
        self, final: str | os.PathLike[str], *, in_place: bool = False, modes: Modes = USUAL
    ) -> None:
        """Take the folder, with what is in it, or make it.

        What a run left that was killed while its result was being published is finished first.

        Args:
            final: where the result is to appear.
            in_place: True where a dataset stands there, which is to be replaced.
            modes: permissions of the result's folders and documents.

        Raises:
            UsageError: another run is at work there, or the output exists.
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
        try:
            self._refuse_existing()  # another run may have made it while this one waited
        except UsageError:
            self.leave()
            raise

    def begin(self) -> None:
        """Start with an empty result."""
        self._refuse_foreign()
        with self._explained():
            for name in (DATASET, DISCARDED):
                if (self.folder / name).is_dir():
                    disk.remove_folder(self.folder / name)
            scratch = [name for name in os.listdir(self.folder) if is_scratch(name)]
            for name in (LEDGER, SWAP, *scratch):
                disk.unlink(self.folder / name)
            self.reopen()

    def reopen(self) -> None:
        """Make the result's folder where it is not there. It has its permissions before anything is in it."""
        path = self.root.path
        with self._explained():
            disk.make_folders(path, self.root.modes)
            if self.final.is_dir():  # the dataset that is replaced, or an empty folder
                theirs = self.final.stat()
                if self._in_place:
                    mode, group = theirs.st_mode, theirs.st_gid
                else:
                    mode, group = limited(theirs.st_mode, [self.root.modes.folder]), None
                self._mode = mode & 0o7777
                disk.set_mode(path, self._mode | 0o700, group=group)

    def files(self) -> Iterator[tuple[str, int]]:
        """Name and bytes of every file of the result as far as it is made, whatever its name."""
        return files_below(self.root.path)

    def remove_all_but(self, names: frozenset[str]) -> None:
        """Remove what a killed run had not finished, and the documents it wrote."""
        self._refuse_foreign()
        for name in [name for name, _ in self.files() if name not in names]:
            self.root.remove(name)

    def publish(self, report: object) -> None:
        """Give the result its name, which must be free or that of an empty folder.

        Args:
            report: JSON that a later run shows if this one is killed right after.
        """
        refuse_existing(self.final)
        recovery.note_swap(self.notes, self.final, None, report)
        self._to_final()
        self.discard()

    def replace_original(self, kept: str, report: object) -> None:
        """Put the result in the original's place, on a disk that holds it for good.

        Args:
            kept: the original's new name, from `name_for_original`.
            report: JSON that a later run shows if this one is killed on the way.
        """
        path = self.final.with_name(kept)
        self.root.sync([name for name, _ in self.files()])
        recovery.note_swap(self.notes, self.final, kept, report)
        self.notes.sync([SWAP])
        with self._explained():
            try:
                disk.replace(self.final, path)
            finally:  # an interrupt must not come between
                if path.exists() and not self.final.exists():
                    self._publish_or_restore(path)
            disk.sync([str(self.final.parent)])

    def name_for_original(self) -> str:
        """A name for the original that nothing has yet: `NAME.before-` and the time in UTC."""
        return free_name(self.final)

    def remove_original(self, kept: str) -> None:
        """Remove the original that `replace_original` moved. Half of it never stands under its name."""
        with self._explained():
            if (self.folder / DISCARDED).is_dir():  # a run was killed while it removed another
                disk.remove_folder(self.folder / DISCARDED)
            disk.replace(self.final.with_name(kept), self.folder / DISCARDED)
            disk.remove_folder(self.folder / DISCARDED)

    def discard(self) -> None:
        """Remove the folder, if all in it is of roboreel's making."""
        with contextlib.suppress(OSError, UsageError):
            self._refuse_foreign()
            recovery.remove(self.folder)
        self.release()

    def leave(self) -> None:
        """Let another run have the folder as this one found it: without one, where it had to be made."""
        with contextlib.suppress(OSError):
            if os.listdir(self.folder) == [LOCK]:
                recovery.remove(self.folder)
        self.release()

    def release(self) -> None:
        """Let another run have the folder."""
        self._lock.close()

    def _refuse_existing(self) -> None:
        if not self._in_place:
            refuse_existing(self.final)

    def _publish_or_restore(self, kept: Path) -> None:
        try:
            self._to_final()
        except StorageError:
            disk.replace(kept, self.final)
            raise

    def _to_final(self) -> None:
        try:
            disk.replace(self.root.path, self.final)
        except OSError as error:
            raise StorageError(
                f"the result cannot be given its name '{self.final}': {error.strerror}"
            ) from error
        if ~self._mode & 0o700:  # what the owner must not write could not have been made so
            with contextlib.suppress(OSError):
                mode = self.final.stat().st_mode & 0o7777
                disk.set_mode(self.final, mode & (self._mode | ~0o700))

    def _refuse_foreign(self) -> None:
        foreign = foreign_names(self.folder)
        if foreign:
            raise UsageError(
                f"'{self.folder}' holds '{foreign[0]}', which roboreel did not put there: move it away"
            )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"cannot write '{self.folder}': {error.strerror}") from error


def recover(final: str | os.PathLike[str]) -> Recovered | None:
    """Finish what a run left that was killed while its result was being published: `recovery.finish`."""
    return recovery.finish(_absolute(final), staging_location(final))


def moved_original(final: str | os.PathLike[str]) -> str | None:
    """Path of the dataset that stood at `final`, if its replacement was interrupted. Nothing is changed."""
    return recovery.moved_original(_absolute(final), staging_location(final))


def refuse_busy(final: str | os.PathLike[str]) -> None:
    """Raise `UsageError` where a run is at work on `final`. Nothing is written."""
    refuse_at_work(staging_location(final), timeout_s=_TIMEOUT_S)


def _absolute(final: str | os.PathLike[str]) -> Path:
    return Path(os.path.abspath(local_path(final)))


def refuse_existing(path: str | os.PathLike[str]) -> None:
    """Raise `UsageError` where `path` exists and is not an empty folder, or is no name for one."""
    try:
        os.lstat(local_path(path))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:  # too long, say
        raise UsageError(f"the output '{path}' cannot be made: {error.strerror}") from error
    if not os.path.isdir(path) or os.path.islink(path):
        raise UsageError(f"the output '{path}' exists and is not a folder: choose another")
    if os.path.ismount(path):
        raise UsageError(f"the output '{path}' is a mount point: choose a folder inside it")
    if os.listdir(path):
        raise UsageError(f"the output '{path}' exists and is not empty: choose another")
