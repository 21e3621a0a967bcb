"""Where a result is made: one folder beside its place, named after it, that a later run can find again.

    .NAME.roboreel-partial/
        lock            held by the run at work
        ledger.jsonl    what is done (`runner/ledger.py`)
        dataset/        the result, as far as it is made
        swap.json       once the result is to get its place: the report, in place the original's name
        discarded/      in place only: an original that its owner gave up, on its way out

A result gets its place by one rename. In place, two renames do it: the original takes another name, then
the result takes its. A crash between the two is healed by whoever comes next. A folder that is no longer
needed is first renamed to `.NAME.roboreel-done`.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from roboreel.errors import StorageError, UsageError
from roboreel.storage import disk
from roboreel.storage.fs import LocalRoot
from roboreel.storage.names import local_path, short_name
from roboreel.storage.originals import free_name

with contextlib.suppress(ImportError):  # Windows: two runs on one place are not told apart there
    import fcntl

Leftovers = Literal["refuse", "resume", "clean"]
"""What to do with what an earlier run left: say so, go on from it, or remove it."""

LEDGER = "ledger.jsonl"
_LOCK, _DATASET, _SWAP, _DISCARDED = "lock", "dataset", "swap.json", "discarded"
_OURS = {_LOCK, LEDGER, _DATASET, _SWAP, f"{_SWAP}.partial", _DISCARDED}
_RUN_WAITS_S, _HEALER_WAITS_S = 1.0, 0.2


def staging_place(final: str | os.PathLike[str]) -> Path:
    """The folder beside `final` in which it is made."""
    path = Path(os.path.abspath(local_path(final)))
    return path.parent / f".{short_name(path.name)}.roboreel-partial"


class Staging:
    """The staging folder of `final`, locked for this run."""

    def __init__(self, final: str | os.PathLike[str], *, in_place: bool = False) -> None:
        """Take the folder, with what is in it, or make it.

        Args:
            final: where the result is to appear.
            in_place: True where a dataset stands there, which is to be replaced.

        Raises:
            UsageError: another run is at work there, or the output exists.
            StorageError: the folder cannot be made.
        """
        self.final = Path(os.path.abspath(final))
        if not in_place:
            refuse_existing(self.final)
        self.folder = staging_place(self.final)
        try:
            self._lock = _locked(self.folder, patience_s=_RUN_WAITS_S)
        except OSError as error:
            raise StorageError(f"cannot write beside '{final}': {error.strerror}") from error
        self._mode = _mode(self.final)
        self.root = LocalRoot(self.folder / _DATASET)
        self.notes = LocalRoot(self.folder)

    def begin(self) -> None:
        """Start with an empty result."""
        self._refuse_foreign()
        with self._explained():
            for name in (_DATASET, _DISCARDED):
                if (self.folder / name).is_dir():
                    disk.remove_folder(self.folder / name)
            for name in (LEDGER, _SWAP, f"{_SWAP}.partial"):
                disk.unlink(self.folder / name)
            self.reopen()

    def reopen(self) -> None:
        """Make the result's folder where it is not there."""
        with self._explained():
            disk.make_folders(self.root.path)

    def remove_all_but(self, names: frozenset[str]) -> None:
        """Remove what a killed run had not finished, and the documents it wrote."""
        self._refuse_foreign()
        for name in self.root.list():
            if name not in names:
                self.root.remove(name)

    def publish(self, report: object) -> None:
        """Give the result its name, which must be free or that of an empty folder.

        Args:
            report: JSON that a later run shows if this one is killed right after.
        """
        refuse_existing(self.final)
        self._announce(None, report)
        self._place()
        self.discard()

    def replace_original(self, kept: str, report: object) -> None:
        """Put the result in the original's place, on a disk that holds it for good.

        Args:
            kept: the original's new name, from `name_for_original`.
            report: JSON that a later run shows if this one is killed on the way.
        """
        place = self.final.with_name(kept)
        self.root.sync(self.root.list())
        self._announce(kept, report)
        self.notes.sync([_SWAP])
        with self._explained():
            try:
                disk.replace(self.final, place)
            finally:  # an interrupt must not come between
                if place.exists() and not self.final.exists():
                    self._place_or_restore(place)
            disk.sync([str(self.final.parent)])

    def name_for_original(self) -> str:
        """A name for the original that nothing has yet: `NAME.before-` and the time in UTC."""
        return free_name(self.final)

    def remove_original(self, kept: str) -> None:
        """Remove the original that `replace_original` moved. Half of it never stands under its name."""
        with self._explained():
            disk.replace(self.final.with_name(kept), self.folder / _DISCARDED)
            disk.remove_folder(self.folder / _DISCARDED)

    def discard(self) -> None:
        """Remove the folder, if all in it is of roboreel's making."""
        with contextlib.suppress(OSError, UsageError):
            self._refuse_foreign()
            _remove(self.folder)
        self.release()

    def release(self) -> None:
        """Let another run have the folder."""
        self._lock.close()

    def _announce(self, kept: str | None, report: object) -> None:
        swap = {"kept": kept, "report": report}
        self.notes.put(_SWAP, json.dumps(swap).encode())

    def _place_or_restore(self, kept: Path) -> None:
        try:
            self._place()
        except StorageError:
            disk.replace(kept, self.final)
            raise

    def _place(self) -> None:
        try:
            disk.replace(self.root.path, self.final)
            disk.set_mode(self.final, self._mode)
        except OSError as error:
            raise StorageError(
                f"the result cannot be given its name '{self.final}': {error.strerror}"
            ) from error

    def _refuse_foreign(self) -> None:
        foreign = sorted(set(os.listdir(self.folder)) - _OURS)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """A run that was killed while its result got its place, and is finished now."""

    original: str | None
    """Where the original stands, if it was in place and is kept."""
    report: dict[str, Any]
    """What the run would have reported."""


def heal(final: str | os.PathLike[str]) -> Healed | None:
    """Finish what a killed run left half done at `final`; None where it had not come so far.

    A run in place that was killed between its two renames left its result, whole and checked, in the
    staging folder: it gets its place now. What a run left after publishing is removed.
    """
    folder = staging_place(final)
    with contextlib.suppress(OSError):
        _sweep(_gone(folder))
    if not folder.is_dir():
        return None
    try:
        lock = _locked(folder, patience_s=_HEALER_WAITS_S)
    except (OSError, UsageError):  # a run is at work there, or the disk is for reading only
        return None
    with lock:
        return _healed(Path(os.path.abspath(os.path.expanduser(final))), folder)


def _healed(final: Path, folder: Path) -> Healed | None:
    result, swap = folder / _DATASET, _read_swap(folder)
    kept = final.parent / swap["kept"] if swap and swap["kept"] else None
    moved = kept is not None and kept.is_dir() and not final.exists()
    try:
        if moved and result.is_dir():
            disk.replace(result, final)
        if result.is_dir() or not final.exists():
            return None  # nothing to finish: the folder waits for --resume
        if set(os.listdir(folder)) <= _OURS:
            _remove(folder)
    except OSError as error:
        raise StorageError(
            f"a replacement of '{final}' was interrupted, and cannot be finished: {error.strerror};"
            f" the original is '{kept}', the result '{result}'"
        ) from error
    if swap is None:
        return None
    original = str(kept) if kept is not None and kept.is_dir() else None
    return Healed(original=original, report=swap["report"])


def _read_swap(folder: Path) -> dict[str, Any] | None:
    try:
        swap = json.loads(LocalRoot(folder).read(_SWAP))
    except (StorageError, ValueError):
        return None
    sound = isinstance(swap, dict) and swap.keys() >= {"kept", "report"}
    if not sound or not isinstance(swap["report"], dict):
        return None
    kept = swap["kept"]
    return swap if kept is None or (isinstance(kept, str) and "/" not in kept) else None


def _remove(folder: Path) -> None:
    """Remove a staging folder: at once by its name, so that half of one never tells half of a tale."""
    gone = _gone(folder)
    _sweep(gone)
    disk.replace(folder, gone)
    disk.remove_folder(gone)


def _gone(folder: Path) -> Path:
    """The name of a staging folder on its way out."""
    return folder.with_suffix(".roboreel-done")


def _sweep(gone: Path) -> None:
    """Remove what a run that was killed while it cleared away has left."""
    if gone.is_dir() and set(os.listdir(gone)) <= _OURS:
        disk.remove_folder(gone)


def _locked(folder: Path, *, patience_s: float) -> IO[bytes]:
    """The folder's lock file, locked; the folder is made where it is not there.

    Waits a moment for a lock that is taken: a killed run has it until the last of its processes is gone.
    """
    latest = time.monotonic() + patience_s
    while True:
        disk.make_folders(folder)
        try:
            file = disk.create(str(folder / _LOCK))
        except FileNotFoundError:  # another run has just removed the folder
            continue
        if _lock(file):
            if _same_file(file, folder / _LOCK):
                return file
        elif time.monotonic() > latest:
            file.close()
            raise UsageError(f"another run of roboreel is at work in '{folder}': wait for its end")
        else:
            time.sleep(0.02)
        file.close()


def _lock(file: IO[bytes]) -> bool:
    if "fcntl" not in globals():
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a store without locks
        return True
    return True


def _same_file(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


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


def _mode(final: Path) -> int:
    """The permissions of the folder that is replaced, else those of any new folder."""
    if final.is_dir():
        return final.stat().st_mode & 0o7777
    return 0o777 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
