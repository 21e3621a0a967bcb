"""Lock files: at most one process holds a lock, and its file is the user's own, not one that others planted.

A lock is held as long as its file is open. It ends with its process and with the processes that inherited it.
The content of the file is never read or written, because staging folders are identified by the time when
their lock file last changed (`staging_folder.identity`).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG
from typing import IO

from roboreel.errors import StorageError, UsageError
from roboreel.storage import disk
from roboreel.storage.local import LocalRoot

with contextlib.suppress(ImportError):  # Windows does not have it: there roboreel can only read
    import fcntl

_PAUSE_S = 0.02
MOVE = "move it away"
"""What to do about files that others put where roboreel works."""


def hold(
    path: Path, *, timeout_s: float, busy: str, prepare: Callable[[], None] = lambda: None
) -> IO[bytes]:
    """Open the lock file at a path, make it if missing, and lock it until it is closed.

    Args:
        path: the lock file.
        timeout_s: seconds to wait for a lock that another process holds; 0 tries once.
        busy: the error message if another process holds it.
        prepare: makes the folder of the file, and raises if the folder is not valid; called before each
            attempt.

    Raises:
        UsageError: another process holds the lock, or roboreel did not make the file that is there.
        StorageError: this system cannot lock files, so that two runs could write one result.
        OSError: the file cannot be made.
    """
    if "fcntl" not in globals():
        raise StorageError(
            "roboreel cannot write here: this system has no file locks that end with their process. "
            "On Windows, run it in WSL"
        )
    latest = time.monotonic() + timeout_s
    while True:
        late = time.monotonic() >= latest
        try:
            prepare()
            file = _opened(path)
        except FileNotFoundError:  # another run has just removed the folder
            if late:
                raise
        else:
            locked = _locked(file, exclusive=True)
            if locked and _same_file(file, path):
                return file
            file.close()
            if late and not locked:
                raise UsageError(busy)
        time.sleep(_PAUSE_S)


def refuse_held(path: Path, *, timeout_s: float, busy: str) -> None:
    """Raise `UsageError` if another process still holds a lock after `timeout_s` seconds. Writes nothing."""
    latest = time.monotonic() + timeout_s
    while _is_held(path):
        if time.monotonic() > latest:
            raise UsageError(busy)
        time.sleep(_PAUSE_S)


def _is_held(path: Path) -> bool:
    try:
        if not S_ISDIR(os.lstat(path.parent).st_mode):
            return False
        with LocalRoot(path.parent).input(path.name) as file:
            return not _locked(file, exclusive=False)
    except (OSError, StorageError):
        return False


def _opened(path: Path) -> IO[bytes]:
    """The open file. Its name is checked before it is opened, and the opened file is checked again."""
    with contextlib.suppress(FileNotFoundError):
        require_own(path, os.lstat(path), as_folder=False, remedy=MOVE)
    file = disk.open_lock(str(path))
    try:
        require_own(path, os.fstat(file.fileno()), as_folder=False, remedy=MOVE)
    except BaseException:
        file.close()
        raise
    return file


def _locked(file: IO[bytes], *, exclusive: bool) -> bool:
    if "fcntl" not in globals():
        return True
    try:
        fcntl.flock(file, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _same_file(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.lstat(path))
    except FileNotFoundError:
        return False


def require_own(
    path: Path,
    found: os.stat_result,
    *,
    as_folder: bool,
    remedy: str,
    owner: Callable[[Path, int], bool] | None = None,
) -> None:
    """Raise `UsageError` unless a folder, or a file without other hard links, belongs to the user.

    Args:
        path: the path to name in the message.
        found: its `os.lstat` result, with links not followed.
        as_folder: True if it must be a folder, False for a file.
        remedy: what to do, for the message.
        owner: tells whether a user id counts as the user's own at a path; by default `is_own`.
    """
    kind = S_ISDIR if as_folder else S_ISREG
    if not kind(found.st_mode):
        what = "a link" if S_ISLNK(found.st_mode) else f"not a {'folder' if as_folder else 'file'}"
    elif not as_folder and found.st_nlink > 1:
        what = "a file that has another name too (a hard link)"
    elif not (owner or is_own)(path, found.st_uid):
        what = f"a file of another user (uid {found.st_uid})"
    else:
        return
    raise UsageError(f"'{path}' is {what}, so roboreel did not make it: {remedy}")


def is_own(path: Path, uid: int) -> bool:
    """True if `uid` is the current user, or the owner of new files here, as on some network file systems."""
    return is_mine(path, uid) or uid == _owner_of_new_files(path.parent)


def is_mine(_path: Path, uid: int) -> bool:
    """True if `uid` is the current user."""
    return not hasattr(os, "geteuid") or uid == os.geteuid()


@lru_cache(maxsize=256)
def _owner_of_new_files(folder: Path) -> int | None:
    try:
        return disk.owner_of_new_files(folder)
    except OSError:
        return None
