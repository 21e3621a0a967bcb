"""Lock files: at most one process has one, and it is a file of the user's own, never what others planted.

A lock is held as long as its file is open: it ends with its process, and with the processes that inherited
it. What is in the file is never looked at and never written: staging folders are known by when theirs last
changed (`staging_folder.identity`).
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

with contextlib.suppress(ImportError):  # Windows has none: there roboreel reads only
    import fcntl

_PAUSE_S = 0.02
MOVE = "move it away"
"""What to do about what others put where roboreel works."""


def hold(
    path: Path, *, timeout_s: float, busy: str, prepare: Callable[[], None] = lambda: None
) -> IO[bytes]:
    """The lock file at a path, made where it is not there, and locked until it is closed.

    Args:
        path: the lock file.
        timeout_s: seconds to wait for a lock that another process has; 0 tries once.
        busy: what to say where another process has it.
        prepare: makes the folder of the file, and raises where it is not as it should be; called before each
            attempt.

    Raises:
        UsageError: another process has the lock, or roboreel did not make what is there.
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
    """Raise `UsageError` where another process has a lock, for `timeout_s` from now. Nothing is written."""
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
    """The file, open; what has its name is looked at before it is opened, and what was opened after."""
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
    except OSError:  # a store without locks
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
    """Raise `UsageError` unless what was found is a folder, or a file with one name, of the user's own.

    Args:
        path: what to name in the message.
        found: what the disk says of it, links not followed.
        as_folder: True where it is to be a folder.
        remedy: what to do, for the message.
        owner: whether a user owns what is theirs at a path; by default `is_own`.
    """
    kind = S_ISDIR if as_folder else S_ISREG
    if not kind(found.st_mode):
        what = "a link" if S_ISLNK(found.st_mode) else f"not a {'folder' if as_folder else 'file'}"
    elif not as_folder and found.st_nlink > 1:
        what = "a file that has another name too (a hard link)"
    elif not (owner or is_own)(path, found.st_uid):
        what = f"owned by another user (uid {found.st_uid})"
    else:
        return
    raise UsageError(f"'{path}' is {what}, so roboreel did not make it: {remedy}")


def is_own(path: Path, uid: int) -> bool:
    """True where a user is this one, or the one that new files belong to here, as on some network stores."""
    return is_mine(path, uid) or uid == _owner_of_new_files(path.parent)


def is_mine(_path: Path, uid: int) -> bool:
    """True where a user is this one."""
    return not hasattr(os, "geteuid") or uid == os.geteuid()


@lru_cache(maxsize=256)
def _owner_of_new_files(folder: Path) -> int | None:
    try:
        return disk.owner_of_new_files(folder)
    except OSError:
        return None
